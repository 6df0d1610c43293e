"""Who calls the agent, and whether they may.

Callers prove themselves by a certificate of the cluster's CA or by a bearer token, which the API server is asked about. What they may do
is asked of the API server too, as rights on subresources of the node: the fine ones first, then `proxy`, which covers everything that
has no subresource of its own. Answers are kept for a while (`answers.py`). The API server itself is known by its name, and needs no rights
for this; administrators need none either, nor do API servers of old clusters whose certificate says that they are such.
"""

import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

from api import kinds
from client.client import Client
from client.errors import ApiError
from kit import log
from kit.clock import Clock
from kit.http.model import Peer, Request, Response
from nodeagent.server.answers import Allowance, Asked, Kept

API_SERVER = "kube-apiserver-kubelet-client"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
TEXT = "text/plain; charset=utf-8"
REMEMBERED, REFUSED = 4096, 1024  # answers that are kept: good ones, and tokens that are nobody's
STRANGERS, STRANGERS_A_SECOND = 50, 5.0  # tokens nobody knows that the API server is asked about
VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# The first path that a request's is at or below decides.
_FINE = (("/pods", "pods"), ("/healthz", "healthz"), ("/configz", "configz"), ("/runningpods", "pods"))
_WHOLE = (
    *(("/stats", "stats"), ("/metrics", "metrics"), ("/logs", "log"), ("/checkpoint", "checkpoint")),
    *(("/statusz", "statusz"), ("/flagz", "configz")),
)
# What is nowhere below these is told so to anybody, as it shows nothing.
_INTO = ("/exec", "/attach", "/run", "/portForward")
PLACES = (
    *(place for place, _ in (*_FINE, *_WHOLE)),
    *(*_INTO, "/containerLogs", "/debug"),
)
_log = log.get("server")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who proved who they are."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class TooManyStrangers(Exception):
    """Tokens that nobody knows come faster than the API server is to be asked."""


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


@dataclass
class Gate:
    """Lets requests in, or answers them itself. Without `reviews` only certificates count."""

    clock: Clock
    reviews: Reviews | None = None
    policy: AccessPolicy = AccessPolicy()
    _users: Kept[bytes, User] = field(init=False)
    _strangers: Kept[bytes, bool] = field(init=False)
    _rights: Kept[tuple[User, str, str], bool] = field(init=False)
    _allowance: Allowance = field(init=False)
    _owners: Asked[bytes, User | None] = field(default_factory=Asked, init=False)
    _judgements: Asked[tuple[User, str, str], bool] = field(default_factory=Asked, init=False)

    def __post_init__(self) -> None:
        self._users, self._rights = Kept(self.clock, REMEMBERED), Kept(self.clock, REMEMBERED)
        self._strangers = Kept(self.clock, REFUSED)
        self._allowance = Allowance(self.clock, STRANGERS, STRANGERS_A_SECOND)

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
        except TooManyStrangers:
            return Response(429, b"Too many requests, please try again later.", TEXT, (("Retry-After", "1"),))
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
            return known
        if self.reviews is None or self._strangers.get(key):
            return None
        return await self._owners.once(key, lambda: self._ask_owner(key, token))

    async def _ask_owner(self, key: bytes, token: str) -> User | None:
        assert self.reviews is not None
        if key not in self._users and not self._allowance.take():
            raise TooManyStrangers
        user = await self.reviews.who(token)
        if user is None:
            self._users.drop(key)
            self._strangers.put(key, True, self.policy.denied_seconds)
        else:
            self._users.put(key, user, self.policy.token_seconds)
        return user

    async def _may(self, user: User, verb: str, subresource: str) -> bool:
        if MASTERS in user.groups:
            return True
        key = (user, verb, subresource)
        if (known := self._rights.get(key)) is not None:
            return known
        return self.reviews is not None and await self._judgements.once(key, lambda: self._ask_right(key))

    async def _ask_right(self, key: tuple[User, str, str]) -> bool:
        assert self.reviews is not None
        allowed = await self.reviews.may(*key)
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
