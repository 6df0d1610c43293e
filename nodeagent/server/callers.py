"""Who calls the agent, and whether they may.

Callers prove themselves by a certificate of the cluster's CA or by a bearer token, which the API server is asked about. What they may do
is asked of the API server too, as rights on subresources of the node: the fine ones first, then `proxy`, which covers everything that
has no subresource of its own. Answers are kept for a while. The API server itself is known by its name, and needs no rights for this;
administrators need none either, nor do API servers of old clusters whose certificate says that they are such.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from api import kinds
from client.client import Client
from client.errors import ApiError
from kit import log
from kit.clock import Clock
from kit.http.model import Peer, Request, Response

API_SERVER = "kube-apiserver-kubelet-client"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
TEXT = "text/plain; charset=utf-8"
REMEMBERED = 4096
VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# The first path that a request's is at or below decides.
_FINE = (("/pods", "pods"), ("/healthz", "healthz"), ("/configz", "configz"), ("/runningpods", "pods"))
_WHOLE = (("/stats", "stats"), ("/metrics", "metrics"), ("/logs", "log"), ("/checkpoint", "checkpoint"))
# What is nowhere below these is told so to anybody, as it shows nothing.
_INTO = ("/exec", "/attach", "/run", "/portForward")
PLACES = (
    *(place for place, _ in (*_FINE, *_WHOLE)),
    *(*_INTO, "/containerLogs", "/debug"),
)
_log = log.get("server")

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who proved who they are."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What is allowed without asking, and for how many seconds answers are kept."""

    anonymous: bool = False
    allow_all: bool = False
    token_seconds: float = 120.0
    allowed_seconds: float = 300.0
    denied_seconds: float = 30.0


class Reviews(Protocol):
    """The API server as judge. Both may raise `ApiError`."""

    async def who(self, token: str) -> User | None: ...

    async def may(self, user: User, verb: str, subresource: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class ServerReviews:
    """Asks the API server about callers of this node."""

    client: Client
    node: str

    async def who(self, token: str) -> User | None:
        """Whose token it is."""
        from api.authentication_v1 import TokenReview, TokenReviewSpec  # most nodes are called by the API server alone

        review = await self.client.create(kinds.TOKEN_REVIEW, TokenReview(spec=TokenReviewSpec(token=token)))
        if not review.status.authenticated:
            return None
        user = review.status.user
        extra = tuple((name, tuple(values)) for name, values in sorted(user.extra.items()))
        return User(user.username or "", tuple(user.groups), user.uid or "", extra)

    async def may(self, user: User, verb: str, subresource: str) -> bool:
        """Whether that right is theirs."""
        from api.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec

        wanted = ResourceAttributes(verb=verb, version="v1", resource="nodes", subresource=subresource, name=self.node)
        spec = SubjectAccessReviewSpec(
            resource_attributes=wanted,
            user=user.name,
            groups=list(user.groups),
            uid=user.uid or None,
            extra={name: list(values) for name, values in user.extra},
        )
        review = await self.client.create(kinds.SUBJECT_ACCESS_REVIEW, SubjectAccessReview(spec=spec))
        return review.status.allowed


class Kept(Generic[K, V]):
    """Answers that are kept for a while; the oldest go when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> tuple[V] | None:
        """The answer, if it is fresh."""
        until, answer = self._answers.get(key, (0.0, None))
        return (answer,) if answer is not None and self._clock.monotonic() < until else None

    def put(self, key: K, answer: V, seconds: float) -> None:
        """Keep it so long."""
        self._answers.pop(key, None)
        self._answers[key] = (self._clock.monotonic() + seconds, answer)
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)


@dataclass
class Gate:
    """Lets requests in, or answers them itself. Without `reviews` only certificates count."""

    clock: Clock
    reviews: Reviews | None = None
    policy: AccessPolicy = AccessPolicy()
    _users: Kept[bytes, tuple[User | None]] = field(init=False)
    _rights: Kept[tuple[User, str, str], bool] = field(init=False)

    def __post_init__(self) -> None:
        self._users, self._rights = Kept(self.clock), Kept(self.clock)

    def check(self, request: Request) -> Response | Awaitable[Response | None] | None:
        """None for who may go on; those whom nobody has to be asked about are judged at once."""
        if is_trusted(request.peer):
            return None
        if not any(_below(request.path, place) for place in PLACES):
            return Response(404, b"404 page not found\n", TEXT)
        return self._check(request)

    async def _check(self, request: Request) -> Response | None:
        try:
            user = await self._user(request)
        except ApiError as error:
            _log.warning("cannot ask whose a token is", error=error)
            user = None
        if user is None:
            return Response(401, b"Unauthorized", TEXT)
        if self.policy.allow_all:
            return None
        verb, wanted = verb_of(request.method, request.path), subresources(request.path)
        for subresource in wanted:
            try:
                if await self._may(user, verb, subresource):
                    return None
            except ApiError as error:
                _log.warning("cannot ask what a caller may do", user=user.name, error=error)
                text = f"(user={user.name}, verb={verb}, resource=nodes, subresource={subresource})"
                return Response(500, f"Authorization error {text}".encode(), TEXT)
        text = f"(user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(wanted)}])"
        return Response(403, f"Forbidden {text}\n".encode(), TEXT)

    async def _user(self, request: Request) -> User | None:
        peer = request.peer
        if peer is not None:
            return User(peer.common_name, (*peer.organizations, AUTHENTICATED))
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() == "bearer" and (token := token.strip()):
            return await self._owner(token)
        return ANONYMOUS if self.policy.anonymous else None

    async def _owner(self, token: str) -> User | None:
        key = hashlib.sha256(token.encode()).digest()
        if (known := self._users.get(key)) is not None:
            return known[0][0]
        if self.reviews is None:
            return None
        user = await self.reviews.who(token)
        self._users.put(key, (user,), self.policy.token_seconds)
        return user

    async def _may(self, user: User, verb: str, subresource: str) -> bool:
        if MASTERS in user.groups:
            return True
        key = (user, verb, subresource)
        if (known := self._rights.get(key)) is not None:
            return known[0]
        if self.reviews is None:
            return False
        allowed = await self.reviews.may(user, verb, subresource)
        self._rights.put(key, allowed, self.policy.allowed_seconds if allowed else self.policy.denied_seconds)
        return allowed


def is_trusted(peer: Peer | None) -> bool:
    """Whether a certificate alone is enough."""
    return peer is not None and (peer.common_name == API_SERVER or MASTERS in peer.organizations)


def verb_of(method: str, path: str) -> str:
    """What is done. To get into a container is never just to look, though a WebSocket begins with GET; upstream lets it pass as such."""
    return "create" if any(_below(path, place) for place in _INTO) else VERBS.get(method, "")


def subresources(path: str) -> list[str]:
    """What of the node a path is about: any of these rights is enough."""
    fine = [right for place, right in _FINE if _below(path, place)][:1]
    whole = [right for place, right in _WHOLE if _below(path, place)][:1]
    return [*fine, *(whole or ["proxy"])]


def _below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")
