"""The keys that tokens are signed with, and the compact form of a signed token (JWS, RFC 7515) of which a JWT is one.

A key's id is the hash of its public half, so that anybody who has the published keys can tell which one a token needs. ES256, ES384, ES512
and RS256 are known, one for each kind of key; a token that names another algorithm than its key's is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from kit.pki import PkiError, private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    Private = EllipticCurvePrivateKey | RSAPrivateKey
    Public = EllipticCurvePublicKey | RSAPublicKey

_CURVES = {"secp256r1": ("ES256", "P-256"), "secp384r1": ("ES384", "P-384"), "secp521r1": ("ES512", "P-521")}
_RSA = "RS256"
_BLOCK = re.compile(rb"(-----BEGIN ([A-Z ]+)-----.+?-----END \2-----)", re.DOTALL)
_LONGEST = 64 * 1024  # characters of a token that is looked at


class TokenError(Exception):
    """A token that is not valid; the message may be shown to who brought it."""


class Signed(NamedTuple):
    """A token taken apart; nothing in it can be believed before its signature has been checked."""

    algorithm: str
    key_id: str
    payload: bytes
    content: bytes  # what was signed
    signature: bytes


class _Header(msgspec.Struct):
    alg: str
    kid: str = ""


_header = msgspec.json.Decoder(_Header)


class VerifyKey:
    """The public half of a key."""

    def __init__(self, key: Public) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self.algorithm, self._curve = _algorithm(key)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = encode64(hashlib.sha256(der).digest())

    def verifies(self, token: Signed) -> bool:
        """Whether this key signed it."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        if token.algorithm != self.algorithm:
            return False
        digest = _digest(self.algorithm)
        try:
            if isinstance(self._key, RSAPublicKey):
                self._key.verify(token.signature, token.content, padding.PKCS1v15(), digest)
                return True
            size = (self._key.curve.key_size + 7) // 8
            if len(token.signature) != 2 * size:
                return False
            halves = token.signature[:size], token.signature[size:]
            r, s = (int.from_bytes(half, "big") for half in halves)
            self._key.verify(encode_dss_signature(r, s), token.content, ECDSA(digest))
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """The key as it is published (RFC 7517)."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

        known = {"use": "sig", "kty": "RSA" if isinstance(self._key, RSAPublicKey) else "EC", "kid": self.id}
        if isinstance(self._key, RSAPublicKey):
            public = self._key.public_numbers()
            return known | {"alg": self.algorithm, "n": _number(public.n), "e": _number(public.e)}
        point = self._key.public_numbers()
        size = (self._key.curve.key_size + 7) // 8
        here = {"x": _number(point.x, size), "y": _number(point.y, size)}
        return known | {"crv": self._curve, "alg": self.algorithm} | here


class SigningKey:
    """A private key."""

    def __init__(self, pem: bytes) -> None:
        self._key = private_key(pem, "the key that signs tokens")
        self.public = VerifyKey(self._key.public_key())

    def sign(self, payload: bytes) -> str:
        """The token whose payload this is."""
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        header = msgspec.json.encode({"alg": self.public.algorithm, "kid": self.public.id})
        content = f"{encode64(header)}.{encode64(payload)}"
        digest = _digest(self.public.algorithm)
        if isinstance(self._key, RSAPrivateKey):
            signature = self._key.sign(content.encode(), padding.PKCS1v15(), digest)
        else:
            size = (self._key.curve.key_size + 7) // 8
            r, s = decode_dss_signature(self._key.sign(content.encode(), ECDSA(digest)))
            signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return f"{content}.{encode64(signature)}"


def verify_keys(pem: bytes) -> list[VerifyKey]:
    """The keys of a file, each by its public half: public or private keys, or certificates, as many as there are. Raises PkiError."""
    found = [
        _public(kind, block) for block, kind in _BLOCK.findall(pem) if kind == b"CERTIFICATE" or kind.endswith(b" KEY")
    ]
    if not found:
        raise PkiError("cannot find a key: there is neither a public nor a private key in PEM")
    return [VerifyKey(key) for key in found]


def _public(kind: bytes, block: bytes) -> Public:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    what = "a key that tokens are checked with"
    if kind.endswith(b"PRIVATE KEY"):
        return private_key(block, what).public_key()
    try:
        key = (
            x509.load_pem_x509_certificate(block).public_key() if kind == b"CERTIFICATE" else load_pem_public_key(block)
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PkiError(f"cannot read {what}: {error}") from error
    if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey):
        raise PkiError(f"cannot use {what}: it is neither an elliptic curve key nor RSA")
    return key


def parse(token: str) -> Signed | None:
    """Take a token apart; None if it is no JWT, and may be a token of another kind."""
    if len(token) > _LONGEST or not token.isascii() or token.count(".") != 2:
        return None
    head, payload, signature = token.split(".")
    try:
        header = _header.decode(decode64(head))
        return Signed(header.alg, header.kid, decode64(payload), f"{head}.{payload}".encode(), decode64(signature))
    except (ValueError, msgspec.MsgspecError):
        return None


def verify(token: Signed, keys: Iterable[VerifyKey]) -> None:
    """Raise TokenError unless one of the keys signed it."""
    candidates = [key for key in keys if token.key_id in ("", key.id)]
    if not candidates:
        raise TokenError("invalid signature, no keys found")
    if not any(key.verifies(token) for key in candidates):
        raise TokenError("invalid signature: the token was not signed by this cluster's key")


def encode64(data: bytes) -> str:
    """Base64 as tokens have it: for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode64(text: str) -> bytes:
    """The reverse; ValueError for anything that `encode64` does not make."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"cannot read base64: {error}") from None
    if encode64(data) != text:
        raise ValueError("cannot read base64: it has another form")
    return data


def _number(value: int, size: int = 0) -> str:
    return encode64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _algorithm(key: Public) -> tuple[str, str]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        return _RSA, ""
    known = _CURVES.get(key.curve.name)
    if known is None:
        raise PkiError(f"cannot sign tokens with a key on curve {key.curve.name}: only P-256, P-384 and P-521 are")
    return known


def _digest(algorithm: str) -> Any:
    from cryptography.hazmat.primitives import hashes

    return {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[-3:]]
