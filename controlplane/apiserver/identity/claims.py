"""What a service account's token says: made for a request, read from a token, and held against the clock. Pure.

A token may be bound to a pod, a secret or a node, and ends when that object does; one that is bound to a pod names its node as well. Where
a pod's own token is asked for (`LONG_ASKED` seconds, for the API server), the token lives for a year and only says when it should have been
renewed: clients that read their token once still work.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from controlplane.apiserver.identity.signing import TokenError
from controlplane.apiserver.identity.users import account_name

LEEWAY = 60.0  # seconds by which clocks may differ
LONG_ASKED = 3607
YEAR = 365 * 24 * 3600
LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY = "kubernetes.io/serviceaccount/"


class Ref(msgspec.Struct, omit_defaults=True, frozen=True):
    """An object, as of its creation."""

    name: str = ""
    uid: str = ""


class About(
    msgspec.Struct, omit_defaults=True, frozen=True, rename={"account": "serviceaccount", "warn_after": "warnafter"}
):
    """Whom the token is for and what it is bound to."""

    namespace: str = ""
    account: Ref = Ref()
    pod: Ref | None = None
    secret: Ref | None = None
    node: Ref | None = None
    warn_after: int | None = None


class Claims(msgspec.Struct, omit_defaults=True, frozen=True, rename={"about": "kubernetes.io"}):
    """The claims of a token; of old tokens, the last four instead of `about`."""

    aud: tuple[str, ...] | str = ()
    exp: float | None = None
    iat: float | None = None
    iss: str = ""
    jti: str = ""
    about: About | None = None
    nbf: float | None = None
    sub: str = ""
    legacy_namespace: str = msgspec.field(default="", name=f"{_LEGACY}namespace")
    legacy_secret: str = msgspec.field(default="", name=f"{_LEGACY}secret.name")
    legacy_account: str = msgspec.field(default="", name=f"{_LEGACY}service-account.name")
    legacy_uid: str = msgspec.field(default="", name=f"{_LEGACY}service-account.uid")

    @property
    def audiences(self) -> tuple[str, ...]:
        """Whom the token is meant for; RFC 7519 writes a single one without a list."""
        return (self.aud,) if isinstance(self.aud, str) else self.aud


class Bound(msgspec.Struct, frozen=True):
    """What a token is to be bound to; at most one, but that a pod's node comes with it."""

    pod: Ref | None = None
    secret: Ref | None = None
    node: Ref | None = None


class Asked(msgspec.Struct, frozen=True):
    """Which token is wanted: for which account of which namespace, bound to what, for whom to read, and for how many seconds."""

    namespace: str
    account: Ref
    bound: Bound
    audiences: tuple[str, ...]
    seconds: int


_decoder = msgspec.json.Decoder(Claims)


def read(payload: bytes) -> Claims | None:
    """The claims in a token's payload; None if it has none that we know."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def lifetime(asked: Asked, own: Sequence[str]) -> tuple[int, int]:
    """For how many seconds a token is valid, and after how many it should be replaced (0: no telling)."""
    if asked.bound.pod is not None and asked.seconds == LONG_ASKED and set(asked.audiences) <= set(own):
        return YEAR, asked.seconds
    return asked.seconds, 0


def make(asked: Asked, issuer: str, own: Sequence[str], jti: str, at: float) -> Claims:
    """The claims of a new token, made at `at` by an issuer whose own audiences are `own`."""
    now, bound = int(at), asked.bound
    seconds, warn = lifetime(asked, own)
    about = About(asked.namespace, asked.account, bound.pod, bound.secret, bound.node, now + warn if warn else None)
    return Claims(
        aud=asked.audiences,
        exp=now + seconds,
        iat=now,
        iss=issuer,
        jti=jti,
        about=about,
        nbf=now,
        sub=account_name(asked.namespace, asked.account.name),
    )


def check_times(claims: Claims, now: float) -> None:
    """Raise TokenError unless the token is valid now."""
    if claims.nbf is not None and now + LEEWAY < claims.nbf:
        raise TokenError("service account token is not valid yet")
    if claims.exp is not None and now - LEEWAY > claims.exp:
        raise TokenError("service account token has expired")
    if claims.iat is not None and now + LEEWAY < claims.iat:
        raise TokenError("service account token is issued in the future")


def check_audiences(claims: Claims, wanted: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """Those of the wanted audiences that the token is for; without any it is for the API server. Raises TokenError."""
    meant = claims.audiences or tuple(own)
    both = tuple(audience for audience in meant if audience in wanted)
    if not both and own:
        raise TokenError(f"token audiences {_shown(meant)} is invalid for the target audiences {_shown(wanted)}")
    return both


def _shown(audiences: Sequence[str]) -> str:
    return "[" + " ".join(msgspec.json.encode(audience).decode() for audience in audiences) + "]"
