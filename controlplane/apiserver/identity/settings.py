"""What the identity of users is made of, from what the server is told."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.apiserver.cache import Cache
from controlplane.apiserver.identity import token_file
from controlplane.apiserver.identity.accounts import AccountTokens, Used
from controlplane.apiserver.identity.bootstrap_tokens import BootstrapTokens
from controlplane.apiserver.identity.front_proxies import FrontSettings
from controlplane.apiserver.identity.issuer import Issuer
from controlplane.apiserver.identity.signing import SigningKey, verify_keys
from controlplane.apiserver.identity.tokens import BearerTokens, Judge
from kit.clock import Clock

ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Keys are PEM; without one that signs there are no tokens of service accounts. `front` are the proxies that may name users."""

    signing_key: bytes = b""
    other_keys: tuple[bytes, ...] = ()  # whose tokens are accepted as well
    issuer: str = ISSUER
    audiences: tuple[str, ...] = ()  # those of the API server; the issuer's name if there are none
    token_file: str = ""
    front: FrontSettings | None = None

    @property
    def own_audiences(self) -> tuple[str, ...]:
        """Whom a token must be meant for to be of use here."""
        return self.audiences or (self.issuer,)


def make(
    settings: IdentitySettings, cache: Cache, clock: Clock, used: Used = lambda *_: None
) -> tuple[BearerTokens, Issuer | None]:
    """Who judges tokens and who gives them out; `used` is told of the use of old ones. Raises PkiError and TokenFileError."""
    audiences = settings.own_audiences
    judges: list[Judge] = []
    issuer = None
    if settings.token_file:
        judges.append(token_file.FileTokens(token_file.load(settings.token_file), audiences))
    if settings.signing_key:
        others = [key for pem in settings.other_keys for key in verify_keys(pem)]
        issuer = Issuer(settings.issuer, audiences, SigningKey(settings.signing_key), others)
        judges.append(AccountTokens(cache, clock, settings.issuer, audiences, issuer.accepted, used))
    judges.append(BootstrapTokens(cache, clock, audiences))
    return BearerTokens(judges, audiences), issuer
