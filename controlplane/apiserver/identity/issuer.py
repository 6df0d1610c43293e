"""Who gives out the tokens of service accounts, and what it publishes so that others can check them.

One key signs; the tokens of others are still good, or already, while keys are changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from controlplane.apiserver.identity import claims
from controlplane.apiserver.identity.claims import Asked
from controlplane.apiserver.identity.signing import SigningKey, VerifyKey

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"
KEYS_TYPE = "application/jwk-set+json"
KEPT_SECONDS = 3600  # for which clients may keep what is published


class Issuer:
    """One name; `key` signs, `others` are accepted as well; `audiences` are the API server's own."""

    def __init__(self, name: str, audiences: Sequence[str], key: SigningKey, others: Iterable[VerifyKey] = ()) -> None:
        self.name = name
        self.audiences = tuple(audiences)
        self._key = key
        self.accepted = tuple({one.id: one for one in (key.public, *others)}.values())

    def issue(self, asked: Asked, jti: str, now: float) -> str:
        """A new token."""
        return self._key.sign(msgspec.json.encode(claims.make(asked, self.name, self.audiences, jti, now)))

    def configuration(self, address: str) -> bytes:
        """The discovery document (OpenID Connect); the keys are found at `address`."""
        document = {
            "issuer": self.name,
            "jwks_uri": f"https://{address}{KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({key.algorithm for key in self.accepted}),
        }
        return msgspec.json.encode(document)

    def keys(self) -> bytes:
        """The public keys."""
        return msgspec.json.encode({"keys": [key.jwk() for key in self.accepted]})
