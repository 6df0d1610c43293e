"""TLS contexts for servers and clients, from files or from PEM."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path


class TlsError(Exception):
    """Certificates or keys cannot be used."""


class ServerTls:
    """What a server proves itself with, and which client certificates it believes. `reload` takes effect for new connections.

    Clients that can speak HTTP/2 get it, unless `http2` says otherwise.
    """

    def __init__(
        self,
        cert: str | Path,
        key: str | Path,
        client_ca: str | Path | None = None,
        *,
        require_client: bool = False,
        http2: bool = True,
    ) -> None:
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
        self.reload()
        if client_ca is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL

    def reload(self) -> None:
        """Read the files again. Raises TlsError and changes nothing when they cannot be used."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._cert, self._key)
            self.context.load_cert_chain(self._cert, self._key)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"cannot use certificate {self._cert} with key {self._key}: {_reason(error)}") from error
        if self._client_ca is not None:
            try:
                self.context.load_verify_locations(self._client_ca)
            except (OSError, ssl.SSLError) as error:
                raise TlsError(f"cannot use CA {self._client_ca}: {_reason(error)}") from error


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
