"""Keys and certificates: P-256, one CA per cluster. cryptography is heavy and imported when first needed."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kit.clock import Clock, SystemClock
from kit.files import write_atomic

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BACKDATED = timedelta(minutes=5)  # for peers whose clock is a little behind


class PkiError(Exception):
    """A key or certificate cannot be read or made."""


class Pair(NamedTuple):
    """A certificate and its private key, both PEM."""

    cert: bytes
    key: bytes

    def save(self, cert_path: str | Path, key_path: str | Path) -> None:
        """Write both; the key first and readable by its owner only."""
        write_atomic(key_path, self.key, mode=0o600)
        write_atomic(cert_path, self.cert, mode=0o644)


class Subject(NamedTuple):
    """Whom a certificate names, and until when it is valid (seconds since 1970)."""

    common_name: str
    organizations: tuple[str, ...]
    expires: float
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    is_ca: bool = False


def make_ca(common_name: str, days: int = 3650, clock: Clock | None = None) -> Pair:
    """A new self-signed authority."""
    from cryptography import x509

    key = _new_key()
    name = _name(common_name, ())
    builder = _builder(name, name, key, days, clock or SystemClock())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _sign(builder, key, key)


def issue(
    ca: Pair,
    common_name: str,
    organizations: Sequence[str] = (),
    dns: Sequence[str] = (),
    ips: Sequence[str] = (),
    *,
    server: bool = False,
    client: bool = False,
    days: int = 365,
    clock: Clock | None = None,
) -> Pair:
    """A new key and its certificate, signed by `ca`, for serving and/or for authenticating as a client."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if not (server or client):
        raise PkiError(f"cannot issue a certificate for {common_name}: it is neither for a server nor for a client")
    authority, authority_key = _certificate(ca.cert), private_key(ca.key)
    key = _new_key()
    builder = _builder(_name(common_name, organizations), authority.subject, key, days, clock or SystemClock())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] * server + [ExtendedKeyUsageOID.CLIENT_AUTH] * client
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ips]
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    builder = builder.add_extension(issuer_id, critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _sign(builder, key, authority_key)


def make_key() -> bytes:
    """A new P-256 private key, PEM (for signing tokens)."""
    return _key_pem(_new_key())


def load_pair(cert_path: str | Path, key_path: str | Path) -> Pair:
    """Read a certificate and its key, and check that they belong together."""
    try:
        pair = Pair(Path(cert_path).read_bytes(), Path(key_path).read_bytes())
    except OSError as error:
        raise PkiError(f"cannot read {error.filename}: {error.strerror}") from error
    if _certificate(pair.cert).public_key() != private_key(pair.key).public_key():
        raise PkiError(f"cannot use {cert_path}: {key_path} is not its key")
    return pair


def subject(cert_pem: bytes) -> Subject:
    """What the (first) certificate says."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    cert = _certificate(cert_pem)
    names = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    groups = cert.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    is_ca = False
    try:
        alternative = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = tuple(alternative.get_values_for_type(x509.DNSName))
        ips = tuple(str(address) for address in alternative.get_values_for_type(x509.IPAddress))
    except x509.ExtensionNotFound:
        pass
    try:
        is_ca = cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        pass
    return Subject(
        str(names[0].value) if names else "",
        tuple(str(group.value) for group in groups),
        cert.not_valid_after_utc.timestamp(),
        dns,
        ips,
        is_ca,
    )


def public_key(key_pem: bytes) -> bytes:
    """The public half of a private key, PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return private_key(key_pem).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def private_key(pem: bytes, what: str = "a private key") -> EllipticCurvePrivateKey | RSAPrivateKey:
    """The key in PEM: ours are elliptic, those of others may be RSA. Raises PkiError, which calls it `what`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PkiError(f"cannot read {what}: {error}") from error
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise PkiError(f"cannot use {what}: it is neither an elliptic curve key nor RSA")
    return key


def _certificate(pem: bytes) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise PkiError(f"cannot read a certificate: {error}") from error


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    name: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int, clock: Clock
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.fromtimestamp(clock.now(), UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _sign(
    builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey, signer: EllipticCurvePrivateKey | RSAPrivateKey
) -> Pair:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    return Pair(builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM), _key_pem(key))
