"""What carries requests to an API server: over HTTP, inside the process, or to the fake. Bytes in, bytes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from api.kinds import Kind

Query = Mapping[str, str]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as of `revision`: the JSON of each object, each with kind and apiVersion."""

    items: list[bytes]
    revision: str
    continue_: str = ""


class Transport(Protocol):
    """All methods raise `client.errors.ApiError`; `Unavailable` when there is no answer."""

    async def request(self, method: str, path: str, query: Query, body: bytes = b"", content_type: str = JSON) -> bytes:
        """One request; the body of a successful answer."""

    async def list(self, kind: Kind[Any], namespace: str, query: Query) -> Listing:
        """The objects of a kind, in a namespace or ("") in all."""

    def watch(self, kind: Kind[Any], namespace: str, query: Query) -> AsyncIterator[tuple[str, bytes]]:
        """Events (ADDED, MODIFIED, DELETED, BOOKMARK) with the object's JSON, until the server ends the watch.

        An ERROR event is raised as the ApiError it carries. The first step of the iteration opens the watch; `aclose` ends it.
        """

    async def close(self) -> None: ...
