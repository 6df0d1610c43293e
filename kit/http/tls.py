"""TLS contexts for servers and clients, from files or from PEM."""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
from pathlib import Path

_MOST_CHAINS = 4096
_CHAINS: dict[str, tuple[str, ...]] = {}  # of clients that have been here: a resumed session has none


class TlsError(Exception):
    """Certificates or keys cannot be used."""


class ServerTls:
    """What a server proves itself with, and which client certificates it believes. `reload` takes effect for new connections.

    Certificates by `client_ca` and by `other_ca` are believed alike; `Peer.chain` tells which it was. Clients that can speak HTTP/2 get it,
    unless `http2` says otherwise.
    """

    def __init__(
        self,
        cert: str | Path,
        key: str | Path,
        client_ca: str | Path | None = None,
        *,
        other_ca: str | Path | None = None,
        require_client: bool = False,
        http2: bool = True,
    ) -> None:
        self._cert, self._key, self._authorities = (
            cert,
            key,
            [path for path in (client_ca, other_ca) if path is not None],
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
        self.reload()
        if self._authorities:
            self.context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL

    def reload(self) -> None:
        """Read the files again. Raises TlsError and changes nothing when they cannot be used."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._cert, self._key)
            self.context.load_cert_chain(self._cert, self._key)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"cannot use certificate {self._cert} with key {self._key}: {_reason(error)}") from error
        for path in self._authorities:
            try:
                self.context.load_verify_locations(path)
            except (OSError, ssl.SSLError) as error:
                raise TlsError(f"cannot use CA {path}: {_reason(error)}") from error


def chain_of(tls: ssl.SSLObject, fingerprint: str) -> tuple[str, ...]:
    """The SHA-256 of the certificates by which the client's was believed, itself first, in hex.

    A session that is resumed here was begun here, so the chain is known from then; if it is forgotten, there is none.
    """
    handle = getattr(tls, "_sslobj", None)  # before Python 3.13 only this knows it
    chain = handle.get_verified_chain() if handle is not None else None
    if not chain:
        return _CHAINS.get(fingerprint, ())
    found = tuple(hashlib.sha256(ssl.PEM_cert_to_DER_cert(one.public_bytes())).hexdigest() for one in chain)
    while len(_CHAINS) >= _MOST_CHAINS:
        del _CHAINS[next(iter(_CHAINS))]
    _CHAINS[fingerprint] = found
    return found


def fingerprints(pem: str) -> frozenset[str]:
    """The SHA-256 of each authority of a bundle, in hex; none of an empty one. Raises TlsError."""
    if not pem:
        return frozenset()
    reader = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        reader.load_verify_locations(cadata=pem.encode("ascii", "ignore").decode())  # comments are in any language
    except (ValueError, ssl.SSLError) as error:
        raise TlsError(f"cannot read a bundle of certificates: {_reason(error)}") from error
    return frozenset(hashlib.sha256(one).hexdigest() for one in reader.get_ca_certs(binary_form=True))


def client_context(
    ca: bytes | None = None, cert: bytes | None = None, key: bytes | None = None, *, verify: bool = True
) -> ssl.SSLContext:
    """A context that believes `ca` (None: what the system believes) and, if given, shows a client certificate; all PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif ca is not None:
            context.load_verify_locations(cadata=ca.decode("ascii"))
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if cert is not None and key is not None:
            _load_pair(context, cert, key)
    except (OSError, ValueError) as error:
        raise TlsError(f"cannot use the given certificates: {_reason(error)}") from error
    return context


def _load_pair(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    """`ssl` reads keys from files only: a file in memory that nobody else can open."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else -1
    if descriptor < 0:
        with tempfile.NamedTemporaryFile() as file:
            file.write(cert + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
        return
    try:
        os.write(descriptor, cert + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return getattr(error, "strerror", None) or str(error)
