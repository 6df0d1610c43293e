"""Tokens by which a new node asks to join: ID.SECRET, kept in a Secret bootstrap-token-ID of kube-system until it expires."""

from __future__ import annotations

import hmac
import re

import msgspec

from api import kinds, times
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import User
from controlplane.apiserver.identity.users import authenticated
from controlplane.apiserver.identity.verdicts import Verdict
from kit.clock import Clock

TYPE = "bootstrap.kubernetes.io/token"
NAMESPACE, PREFIX = "kube-system", "bootstrap-token-"
GROUP, USER_PREFIX = "system:bootstrappers", "system:bootstrap:"
_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


class _Meta(msgspec.Struct, gc=False, rename="camel"):
    deletion_timestamp: str | None = None


class _Secret(msgspec.Struct, gc=False):
    metadata: _Meta
    type: str = ""
    data: dict[str, bytes] | None = None


_decoder = msgspec.json.Decoder(_Secret)


class BootstrapTokens:
    """Judges bootstrap tokens."""

    def __init__(self, cache: Cache, clock: Clock, audiences: tuple[str, ...]) -> None:
        self._cache = cache
        self._clock = clock
        self._audiences = audiences

    def review(self, token: str, audiences: tuple[str, ...] = ()) -> Verdict | None:
        """Whose it is; None if it is no valid bootstrap token."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        entry = self._cache.resources[kinds.SECRET].entries.get(f"{NAMESPACE}/{PREFIX}{parts[1]}")
        if entry is None:
            return None
        user = user_of(_decoder.decode(entry.data), parts[1], parts[2], self._clock.now())
        both = tuple(audience for audience in self._audiences if audience in (audiences or self._audiences))
        if user is None or not both:
            return None
        return Verdict(user, both)


def user_of(secret: _Secret, id_: str, word: str, now: float) -> User | None:
    """The user that a Secret makes of who knows its word; None if it makes none."""
    data = {key: value.decode("utf-8", "replace") for key, value in (secret.data or {}).items()}
    if secret.metadata.deletion_timestamp is not None or secret.type != TYPE:
        return None
    if not hmac.compare_digest(data.get("token-secret", "").encode(), word.encode()) or data.get("token-id") != id_:
        return None
    if _expired(data.get("expiration", ""), now) or data.get("usage-bootstrap-authentication") != "true":
        return None
    extra = data.get("auth-extra-groups", "")
    groups = extra.split(",") if extra else []
    if not all(_GROUP.fullmatch(group) for group in groups):
        return None
    return authenticated(User(USER_PREFIX + id_, tuple(sorted({GROUP, *groups}))))


def _expired(when: str, now: float) -> bool:
    if not when:
        return False
    try:
        return times.parse_time(when) <= now
    except ValueError:
        return True
