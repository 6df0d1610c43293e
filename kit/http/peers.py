"""The other side of a connection: its address, and whom its certificate names; alike for all versions of HTTP."""

from __future__ import annotations

import asyncio
import hashlib
from functools import cached_property

from kit.http.model import Peer
from kit.http.tls import chain_of


class Peered:
    """A connection that can tell who is at its other end."""

    _transport: asyncio.Transport

    @cached_property
    def peer(self) -> Peer | None:
        """Common name, organizations and fingerprint of the client certificate, if there is a verified one."""
        tls = self._transport.get_extra_info("ssl_object")
        certificate, der = (tls.getpeercert(), tls.getpeercert(True)) if tls else (None, None)
        if not certificate:
            return None
        pairs = [pair for group in certificate.get("subject", ()) for pair in group]
        names = [value for name, value in pairs if name == "commonName"]
        organizations = tuple(value for name, value in pairs if name == "organizationName")
        fingerprint = hashlib.sha256(der).hexdigest() if der else ""
        return Peer(names[0] if names else "", organizations, fingerprint, chain_of(tls, fingerprint))

    @property
    def remote(self) -> str:
        """The other side's address; "" where there is none, as on a Unix socket."""
        name = self._transport.get_extra_info("peername")
        return name[0] if isinstance(name, tuple) else ""
