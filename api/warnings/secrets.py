"""Secrets for TLS whose key does not open what the certificate locks."""

import re
from typing import Any

from api.core_v1 import Secret

_BLOCK = re.compile(rb"-----BEGIN ([^-]+)-----.*?-----END \1-----", re.DOTALL)


def of_secret(secret: Secret) -> list[str]:
    """A Secret; what is wrong with it is left to who uses it."""
    if secret.type != "kubernetes.io/tls":
        return []
    problem = _problem(_bytes(secret, "tls.crt"), _bytes(secret, "tls.key"))
    return [f"tls: {problem}"] if problem else []


def _bytes(secret: Secret, key: str) -> bytes:
    return bytes(secret.data.get(key) or b"")


def _problem(certificate: bytes, key: bytes) -> str:
    names = [match[1].decode(errors="replace") for match in _BLOCK.finditer(certificate)]
    if "CERTIFICATE" not in names:
        return _no_certificate(names)
    names = [match[1].decode(errors="replace") for match in _BLOCK.finditer(key)]
    if not any(name.endswith("PRIVATE KEY") for name in names):
        return _no_key(names)
    return _unequal(certificate, key)


def _no_certificate(names: list[str]) -> str:
    if not names:
        return "failed to find any PEM data in certificate input"
    if len(names) == 1 and names[0].endswith("PRIVATE KEY"):
        why = "but did find a private key; PEM inputs may have been switched"
        return f"failed to find certificate PEM data in certificate input, {why}"
    skipped = f"after skipping PEM blocks of the following types: [{' '.join(names)}]"
    return f'failed to find "CERTIFICATE" PEM block in certificate input {skipped}'


def _no_key(names: list[str]) -> str:
    if not names:
        return "failed to find any PEM data in key input"
    if names == ["CERTIFICATE"]:
        return "found a certificate rather than a key in the PEM for the private key"
    skipped = f"after skipping PEM blocks of the following types: [{' '.join(names)}]"
    return f'failed to find PEM block with type ending in "PRIVATE KEY" in key input {skipped}'


def _unequal(certificate: bytes, key: bytes) -> str:
    from cryptography import x509  # as large as all of the rest; only this needs it
    from cryptography.hazmat.primitives import serialization

    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except (ValueError, TypeError) as error:
        return f"failed to parse certificate: {error}"
    try:
        private: Any = serialization.load_pem_private_key(key, None)
    except Exception:  # whatever the bytes do to a parser of foreign keys
        return "failed to parse private key"
    same = _encoded(public) == _encoded(private.public_key())
    return "" if same else "private key does not match public key"


def _encoded(public: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoded: bytes = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded
