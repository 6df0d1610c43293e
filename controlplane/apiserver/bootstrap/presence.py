"""The Lease by which an API server says that it lives. Those that nobody renews any more are deleted, by whichever server looks first."""

from __future__ import annotations

import base64
import hashlib
import platform
import uuid

from api import kinds, times
from api.coordination_v1 import Lease, LeaseSpec
from api.meta_v1 import ObjectMeta
from client.errors import AlreadyExists, Conflict, NotFound
from controlplane.apiserver.bootstrap.ensure import Ensurer
from kit.clock import Clock

NAMESPACE = "kube-system"
LABEL, COMPONENT, HOSTNAME = "apiserver.kubernetes.io/identity", "kube-apiserver", "kubernetes.io/hostname"
ADDRESS = "kubernetes.io/peer-advertise-address"
LEASE_SECONDS = 3600
TRIES = 3


class Presence:
    """One server's lease."""

    def __init__(self, ensurer: Ensurer, clock: Clock, where: str, hostname: str = "") -> None:
        """`where` is the server's address and port: there may be several on a host, and several hosts of one name."""
        self._ensurer, self._clock, self._where = ensurer, clock, where
        self._hostname = hostname or platform.node()
        self.name = lease_name(self._hostname, where)
        self._holder = f"{self.name}_{uuid.uuid4()}"

    async def renew(self) -> None:
        """Say so again."""
        for left in reversed(range(TRIES)):
            try:
                await self._write()
                break
            except (AlreadyExists, Conflict, NotFound):  # the one before us has not quite gone
                if not left:
                    raise

    async def _write(self) -> None:
        now = times.format_micro_time(self._clock.now())
        labels = {LABEL: COMPONENT, HOSTNAME: self._hostname}
        found = self._ensurer.find(kinds.LEASE, self.name, NAMESPACE)
        if found is None:
            spec = LeaseSpec(holder_identity=self._holder, lease_duration_seconds=LEASE_SECONDS, renew_time=now)
            meta = ObjectMeta(name=self.name, namespace=NAMESPACE, labels=labels, annotations={ADDRESS: self._where})
            await self._ensurer.client.create(kinds.LEASE, Lease(metadata=meta, spec=spec))
            return
        found.spec.holder_identity, found.spec.lease_duration_seconds = self._holder, LEASE_SECONDS
        found.spec.renew_time = now
        found.metadata.labels = {**found.metadata.labels, **labels}
        found.metadata.annotations = {**found.metadata.annotations, ADDRESS: self._where}
        await self._ensurer.client.update(kinds.LEASE, found)

    async def leave(self) -> None:
        """Take the lease away, if it is still ours."""
        found = self._ensurer.find(kinds.LEASE, self.name, NAMESPACE)
        if found is not None and found.spec.holder_identity == self._holder:
            await self._drop(found)

    async def collect(self) -> None:
        """Delete the leases of servers that are gone."""
        for lease in self._ensurer.all(kinds.LEASE):
            if lease.metadata.labels.get(LABEL) == COMPONENT and self._expired(lease.spec):
                await self._drop(lease)

    async def _drop(self, lease: Lease) -> None:
        meta = lease.metadata
        try:
            await self._ensurer.client.delete(kinds.LEASE, meta.name or "", NAMESPACE, uid=meta.uid or "")
        except (NotFound, Conflict):
            return  # another server did

    def _expired(self, spec: LeaseSpec) -> bool:
        if not spec.renew_time or spec.lease_duration_seconds is None:
            return True
        return times.parse_time(spec.renew_time) + spec.lease_duration_seconds < self._clock.now()


def place(address: str, port: int) -> str:
    """Address and port as one text."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def lease_name(hostname: str, where: str) -> str:
    """The same for each start of a server."""
    parts = (hostname.encode(), COMPONENT.encode(), where.encode())
    digest = hashlib.sha256(b"".join(len(part).to_bytes(2, "big") + part for part in parts)).digest()
    return "apiserver-" + base64.b32encode(digest[:16]).decode().rstrip("=").lower()
