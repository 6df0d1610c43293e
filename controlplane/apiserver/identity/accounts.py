"""The tokens of service accounts: those that the server gives out on request, and the old ones that stand in Secrets.

Theory of operation. A token's signature is checked once, and what it says is remembered under its hash. Whether it still counts is asked
each time: the clock, the service account, and the object that the token is bound to, all in the cache. An entry of the cache never changes,
so what was found well once need not be read again while the same entry stands there.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from api import kinds, times
from api.kinds import Kind
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import User
from controlplane.apiserver.entry import Entry, object_key
from controlplane.apiserver.identity import claims as claims_
from controlplane.apiserver.identity.claims import LEEWAY, LEGACY_ISSUER, Claims, Ref
from controlplane.apiserver.identity.signing import Signed, TokenError, VerifyKey, parse, verify
from controlplane.apiserver.identity.users import (
    CREDENTIAL_ID,
    Extra,
    account_groups,
    account_name,
    authenticated,
    split_account,
)
from controlplane.apiserver.identity.verdicts import Verdict
from kit.clock import Clock

REMEMBERED = 8192  # tokens
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
AUTOMATIC = "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens."
_INVALIDATED = "service account token has been invalidated"
_EXTRA = "authentication.kubernetes.io/"


class _Meta(msgspec.Struct, gc=False, rename="camel"):
    uid: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None


class _Named(msgspec.Struct, gc=False):
    name: str = ""


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta
    data: dict[str, bytes] | None = None  # of Secrets
    secrets: tuple[_Named, ...] | None = None  # of accounts


Used = Callable[[str, str, str, Mapping[str, str]], None]  # a Secret's namespace, name, uid, labels


_object = msgspec.json.Decoder(_Object)


class _Known:
    """A token whose signature is good."""

    __slots__ = ("claims", "user", "well")

    def __init__(self, claims: Claims, user: User) -> None:
        self.claims = claims
        self.user = user
        self.well: dict[Kind[Any], Entry] = {}


class AccountTokens:
    """Judges tokens of service accounts. `used` is told of each use of an old one."""

    def __init__(
        self,
        cache: Cache,
        clock: Clock,
        issuer: str,
        audiences: Sequence[str],
        keys: Sequence[VerifyKey],
        used: Used = lambda *_: None,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._issuer = issuer
        self._audiences = tuple(audiences)
        self._keys = tuple(keys)
        self._used = used
        self._known: dict[bytes, _Known] = {}

    def review(self, token: str, audiences: Sequence[str] = ()) -> Verdict | None:
        """Whose it is; None if it is no service account's at all."""
        digest = hashlib.sha256(token.encode()).digest()
        try:
            known = self._known.get(digest) or self._learn(token, digest)
            if known is None:
                return None
            both = claims_.check_audiences(known.claims, audiences or self._audiences, self._audiences)
            if known.claims.iss == LEGACY_ISSUER:
                return Verdict(known.user, both, warning=self._check_legacy(known.claims, token))
            self._check(known)
        except TokenError as error:
            return Verdict(error=str(error))
        return Verdict(known.user, both)

    def _learn(self, token: str, digest: bytes) -> _Known | None:
        signed = parse(token)
        found = claims_.read(signed.payload) if signed is not None else None
        if signed is None or found is None or found.iss not in (self._issuer, LEGACY_ISSUER):
            return None
        known = _Known(found, self._user(found, signed))
        while len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[digest] = known
        return known

    def _user(self, found: Claims, signed: Signed) -> User:
        verify(signed, self._keys)
        if found.iss == LEGACY_ISSUER:
            _complete_legacy(found)
            return _user(found.legacy_namespace, found.legacy_account, found.legacy_uid, ())
        about = found.about or claims_.About()
        return _user(about.namespace, about.account.name, about.account.uid, _extra(found, about))

    def _check(self, known: _Known) -> None:
        now, about = self._clock.now(), known.claims.about or claims_.About()
        claims_.check_times(known.claims, now)
        namespace, account = about.namespace, about.account

        def gone() -> str:
            return f'serviceaccounts "{account.name}" not found'

        def changed(uid: str) -> str:
            return f"service account UID ({uid}) does not match claim ({account.uid})"

        self._check_object(known, kinds.SERVICE_ACCOUNT, namespace, account, (gone, changed))
        bound = ((kinds.SECRET, namespace, about.secret), (kinds.POD, namespace, about.pod))
        for kind, where, ref in (*bound, (kinds.NODE, "", None if about.pod else about.node)):
            if ref is not None:
                self._check_object(known, kind, where, ref, (lambda: _INVALIDATED, _mismatch(kind, ref)))

    def _check_object(
        self,
        known: _Known,
        kind: Kind[Any],
        namespace: str,
        ref: Ref,
        why: tuple[Callable[[], str], Callable[[str], str]],
    ) -> None:
        entry = self._cache.resources[kind].entries.get(object_key(namespace, ref.name))
        if entry is None:
            raise TokenError(why[0]())
        if known.well.get(kind) is entry:
            return
        meta = _object.decode(entry.data).metadata
        if meta.uid != ref.uid:
            raise TokenError(why[1](meta.uid))
        if meta.deletion_timestamp is None:
            known.well[kind] = entry
        elif times.parse_time(meta.deletion_timestamp) < self._clock.now() - LEEWAY:
            is_account = kind is kinds.SERVICE_ACCOUNT
            raise TokenError(f"service account {namespace}/{ref.name} has been deleted" if is_account else _INVALIDATED)

    def _check_legacy(self, found: Claims, token: str) -> str:
        """The Secret is the token: when it goes or changes, so does the token. What its bearer should be warned of."""
        namespace = found.legacy_namespace
        secret = self._object(kinds.SECRET, namespace, found.legacy_secret)
        if secret is None or secret.metadata.deletion_timestamp is not None:
            raise TokenError("Token has been invalidated")
        if not hmac.compare_digest((secret.data or {}).get("token", b""), token.encode()):
            raise TokenError("Token does not match server's copy")
        account = self._object(kinds.SERVICE_ACCOUNT, namespace, found.legacy_account)
        if account is None:
            raise TokenError(f'serviceaccounts "{found.legacy_account}" not found')
        if account.metadata.deletion_timestamp is not None:
            raise TokenError(f"ServiceAccount {namespace}/{found.legacy_account} has been deleted")
        if account.metadata.uid != found.legacy_uid:
            uid = account.metadata.uid
            raise TokenError(f"ServiceAccount UID ({uid}) does not match claim ({found.legacy_uid})")
        labels = secret.metadata.labels or {}
        self._used(namespace, found.legacy_secret, secret.metadata.uid, labels)
        if labels.get(INVALID_SINCE):
            raise TokenError(
                f"the token in secret {namespace}/{found.legacy_secret} for service account "
                f"{namespace}/{found.legacy_account} has been marked invalid. Use tokens from the TokenRequest API or "
                f"manually created secret-based tokens, or remove the '{INVALID_SINCE}' label from the secret to "
                "temporarily allow use of this token"
            )
        return AUTOMATIC if any(one.name == found.legacy_secret for one in account.secrets or ()) else ""

    def _object(self, kind: Kind[Any], namespace: str, name: str) -> _Object | None:
        entry = self._cache.resources[kind].entries.get(f"{namespace}/{name}")
        return _object.decode(entry.data) if entry is not None else None


def _user(namespace: str, name: str, uid: str, extra: Extra) -> User:
    return authenticated(User(account_name(namespace, name), account_groups(namespace), uid, extra))


def _extra(found: Claims, about: claims_.About) -> Extra:
    """What is known of the token's bearer beyond his name."""
    known: list[tuple[str, str]] = []
    if about.pod is not None and about.pod.name and about.pod.uid:
        known += [(f"{_EXTRA}pod-name", about.pod.name), (f"{_EXTRA}pod-uid", about.pod.uid)]
    if found.jti:
        known.append((CREDENTIAL_ID, f"JTI={found.jti}"))
    if about.node is not None and about.node.name:
        known.append((f"{_EXTRA}node-name", about.node.name))
        if about.node.uid:
            known.append((f"{_EXTRA}node-uid", about.node.uid))
    return tuple((key, (value,)) for key, value in sorted(known))


def _mismatch(kind: Kind[Any], ref: Ref) -> Callable[[str], str]:
    what = kind.singular

    def message(uid: str) -> str:
        return f"{what} UID ({uid}) does not match service account {what} ref claim ({ref.uid})"

    return message


def _complete_legacy(found: Claims) -> None:
    """Raise TokenError unless everything is there that an old token must say."""
    wanted = {
        "sub": found.sub,
        "namespace": found.legacy_namespace,
        "secretName": found.legacy_secret,
        "serviceAccountName": found.legacy_account,
        "serviceAccountUID": found.legacy_uid,
    }
    for name, value in wanted.items():
        if not value:
            raise TokenError(f"{name} claim is missing")
    if split_account(found.sub) != (found.legacy_namespace, found.legacy_account):
        raise TokenError("sub claim is invalid")
