"""One gRPC call as data: where it goes and which messages it carries. Knows nothing of gRPC itself."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True)
class Call(Generic[Request, Response]):
    """A method of a service; `streams` when the answer is a stream of messages."""

    path: str
    request: type[Request]
    response: type[Response]
    streams: bool = False

    @property
    def name(self) -> str:
        """The method's bare name, for messages and metrics."""
        return self.path.rpartition("/")[2]
