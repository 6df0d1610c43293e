"""Certificates say what was asked, and openssl's rules hold (the TLS tests use them)."""

from pathlib import Path

import pytest

from kit import pki
from kit.clock import FakeClock


@pytest.fixture(scope="module")
def ca() -> pki.Pair:
    return pki.make_ca("wherry-ca", days=100, clock=FakeClock(now=1_000_000))


def test_ca(ca: pki.Pair) -> None:
    assert pki.subject(ca.cert) == pki.Subject("wherry-ca", (), 1_000_000 + 100 * 86400, is_ca=True)


def test_issue(ca: pki.Pair) -> None:
    pair = pki.issue(
        ca,
        "system:node:n1",
        ["system:nodes"],
        dns=["localhost", "n1"],
        ips=["127.0.0.1", "::1"],
        server=True,
        client=True,
        days=2,
        clock=FakeClock(now=1_000_000),
    )
    assert pki.subject(pair.cert) == pki.Subject(
        "system:node:n1", ("system:nodes",), 1_000_000 + 2 * 86400, ("localhost", "n1"), ("127.0.0.1", "::1")
    )


def test_issue_for_nothing(ca: pki.Pair) -> None:
    with pytest.raises(pki.PkiError, match="neither"):
        pki.issue(ca, "x")


def test_save_and_load(ca: pki.Pair, tmp_path: Path) -> None:
    ca.save(tmp_path / "ca.crt", tmp_path / "ca.key")
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    assert pki.load_pair(tmp_path / "ca.crt", tmp_path / "ca.key") == ca


def test_load_refuses(ca: pki.Pair, tmp_path: Path) -> None:
    ca.save(tmp_path / "ca.crt", tmp_path / "ca.key")
    (tmp_path / "other.key").write_bytes(pki.make_key())
    (tmp_path / "garbage").write_bytes(b"garbage")
    for cert, key, message in (
        ("none", "ca.key", "cannot read .*none: No such file"),
        ("ca.crt", "other.key", "other.key is not its key"),
        ("garbage", "ca.key", "cannot read a certificate"),
        ("ca.crt", "garbage", "cannot read a private key"),
    ):
        with pytest.raises(pki.PkiError, match=message):
            pki.load_pair(tmp_path / cert, tmp_path / key)


def test_public_key() -> None:
    key = pki.make_key()
    assert pki.public_key(key).startswith(b"-----BEGIN PUBLIC KEY-----")
    assert pki.public_key(key) != pki.public_key(pki.make_key())


def test_a_ca_with_an_rsa_key_signs(ca: pki.Pair) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
        return key.private_bytes(
            Encoding.PEM,
            PrivateFormat.TraditionalOpenSSL if isinstance(key, rsa.RSAPrivateKey) else PrivateFormat.PKCS8,
            NoEncryption(),
        )

    mixed = pki.Pair(ca.cert, pem(rsa.generate_private_key(65537, 2048)))
    assert pki.subject(pki.issue(mixed, "x", client=True).cert).common_name == "x"
    with pytest.raises(pki.PkiError, match="neither"):
        pki.issue(pki.Pair(ca.cert, pem(ed25519.Ed25519PrivateKey.generate())), "x", client=True)
