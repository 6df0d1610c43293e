"""A request on its way through the steps, whatever it came by, and what can come out of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.kinds import Kind

if TYPE_CHECKING:
    from controlplane.apiserver.cache import Kept
    from controlplane.apiserver.selection import Selection
    from controlplane.apiserver.status import StatusError
    from kit.http.model import Request, Response

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] | frozenset[str] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names. `kind` is None for what is no resource (/healthz, /apis).

    A second view of a kind (`Kind.stored_as`) is a request about that kind, which only reads its bodies and writes its answers as the view
    `shown_as` has them.
    """

    kind: Kind[Any] | None = None
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    shown_as: Kind[Any] | None = None
    behind: str = ""  # the path that follows the subresource proxy

    @property
    def asked(self) -> Kind[Any] | None:
        """The kind by the name that the client gave it."""
        return self.shown_as or self.kind

    @property
    def key(self) -> str:
        """The object's key within its resource."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


NOWHERE = Target()


@dataclass(slots=True)
class Call:
    """One request; the steps fill in what they find out."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)  # the first value of each
    accept: str = ""
    content_type: str = ""
    body: bytes = b""
    user: User | None = None
    subject: tuple[str, tuple[str, ...]] | None = None  # of the client's certificate: CN, O
    fingerprint: str = ""  # of that certificate, SHA-256
    token: str = ""
    impersonation: Sequence[tuple[bytes, bytes]] = ()  # the headers that name another user
    if_none_match: str = ""
    target: Target = NOWHERE
    verb: str = ""
    agent: str = ""  # how the client calls itself
    told: bool = False  # somebody reads warnings
    warnings: list[str] = field(default_factory=list)
    repeated: Mapping[str, Sequence[str]] | None = None  # all values of each query parameter
    doubtful: bool = False  # refused once, and looked at again when the cache is fresh
    problem: StatusError | None = None  # why the path leads nowhere; told to those who might do what they seem to want

    def values(self, name: str) -> Sequence[str]:
        """All values of a query parameter, in order."""
        return self.repeated.get(name, ()) if self.repeated else ()

    def has(self, tag: str) -> bool:
        """Whether the client has the document with this ETag already: one of a list, or made weak by a proxy, it is the same."""
        return tag in self.if_none_match


@dataclass(slots=True)
class Answer:
    """A whole answer, encoded."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Found:
    """One object's bytes."""

    kind: Kind[Any]
    data: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Listed:
    """Objects' bytes as of a revision; the cache's own, not copies."""

    kind: Kind[Any]
    items: list[bytes]
    revision: int
    continue_: str = ""
    remaining: int | None = None


@dataclass(slots=True)
class Watching:
    """A watch that has been agreed on and not yet begun."""

    kept: Kept
    selection: Selection
    after: int  # events after this revision follow
    initial: bool = False  # all present objects come first
    end_of_initial: bool = False  # and a bookmark says where they end
    bookmarks: bool = False
    timeout: float = 0.0


@dataclass(slots=True)
class Relayed:
    """A body that comes in pieces from elsewhere."""

    chunks: AsyncGenerator[bytes, None]
    content_type: str = "text/plain"
    status: int = 200


@dataclass(slots=True)
class Connected:
    """What needs the connection itself. `run` answers the request, or gives the response; until it has begun, it may raise StatusError."""

    run: Callable[[Request], Awaitable[Response | None]]


Result = Answer | Found | Listed | Watching | Relayed | Connected
