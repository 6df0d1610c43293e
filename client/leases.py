"""Leases: a name that one holder at a time keeps by renewing it, for heartbeats and for elections.

Whether another holder's lease has run out is judged by our own steady clock from when we last saw it change, never by comparing the wall
clocks of two machines. All writes carry the revision that was read, so that of two claimants one gets a Conflict.
"""

from __future__ import annotations

from collections.abc import Sequence

from api import kinds, times
from api.coordination_v1 import Lease, LeaseSpec
from api.meta_v1 import ObjectMeta, OwnerReference
from client.client import Client
from client.errors import AlreadyExists, Conflict, NotFound
from kit.clock import Clock, SystemClock


class LeaseClaim:
    """One holder's claim on one lease. `always` takes it whoever holds it: a node's heartbeat has no rival."""

    def __init__(
        self,
        client: Client,
        name: str,
        namespace: str,
        holder: str,
        *,
        seconds: int = 40,
        always: bool = False,
        owners: Sequence[OwnerReference] = (),
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._name, self._namespace, self._holder = name, namespace, holder
        self._seconds, self._always = seconds, always
        self.owners = list(owners)
        self._clock = clock or SystemClock()
        self._lease: Lease | None = None
        self._seen: tuple[str | None, str | None] = (None, None)
        self._seen_at = 0.0

    async def renew(self) -> bool:
        """Acquire or renew; answers whether the lease is held. Raises ApiError when the server cannot say."""
        if self._lease is None or self._lease.spec.holder_identity != self._holder:
            await self._read()
        try:
            return await self._write()
        except (Conflict, NotFound, AlreadyExists):
            await self._read()  # somebody wrote in between: judge anew, once
        try:
            return await self._write()
        except (Conflict, NotFound, AlreadyExists):
            self._lease = None
            return False

    async def release(self) -> None:
        """Let others have it at once."""
        lease, self._lease = self._lease, None
        if lease is None or lease.spec.holder_identity != self._holder:
            return
        lease.spec.holder_identity = ""
        lease.spec.lease_duration_seconds = 1
        try:
            await self._client.update(kinds.LEASE, lease)
        except (Conflict, NotFound):
            pass  # it is not ours any more

    async def _read(self) -> None:
        try:
            self._lease = await self._client.get(kinds.LEASE, self._name, self._namespace)
        except NotFound:
            self._lease = None
            return
        spec = self._lease.spec
        if self._seen != (spec.holder_identity, spec.renew_time):
            self._seen = (spec.holder_identity, spec.renew_time)
            self._seen_at = self._clock.monotonic()

    async def _write(self) -> bool:
        now = times.format_micro_time(self._clock.now())
        if self._lease is None:
            meta = ObjectMeta(name=self._name, namespace=self._namespace, owner_references=self.owners)
            spec = LeaseSpec(
                holder_identity=self._holder,
                lease_duration_seconds=self._seconds,
                acquire_time=now,
                renew_time=now,
                lease_transitions=0,
            )
            self._lease = await self._client.create(kinds.LEASE, Lease(metadata=meta, spec=spec))
            return True
        spec = self._lease.spec
        if spec.holder_identity != self._holder:
            if not self._free(spec):
                return False
            spec.holder_identity = self._holder
            spec.acquire_time = now
            spec.lease_transitions = (spec.lease_transitions or 0) + 1
        spec.renew_time = now
        spec.lease_duration_seconds = self._seconds
        if self.owners and not self._lease.metadata.owner_references:
            self._lease.metadata.owner_references = self.owners
        try:
            self._lease = await self._client.update(kinds.LEASE, self._lease)
        except BaseException:
            self._lease = None  # what stands there is unknown until read again
            raise
        return True

    def _free(self, spec: LeaseSpec) -> bool:
        if self._always or not spec.holder_identity:
            return True
        return self._clock.monotonic() - self._seen_at >= (spec.lease_duration_seconds or self._seconds)
