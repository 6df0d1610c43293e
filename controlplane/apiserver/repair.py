"""Carries out the repair of Services' numbers: at start, every three minutes, and at once when an IPAddress in use is deleted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from api import kinds, times
from client.client import Client
from controlplane.apiserver import beside
from controlplane.apiserver.allocators import repair
from controlplane.apiserver.allocators.repair import (
    Action,
    DropAddress,
    DropPort,
    MakeAddress,
    Say,
    Seen,
    SeenAddress,
    SeenPort,
    SeenService,
    WritePort,
)
from controlplane.apiserver.allocators.services import held
from controlplane.apiserver.cache import Event, Kept
from controlplane.apiserver.entry import Entry
from controlplane.recorder import Recorder, Subject
from controlplane.store.interface import CompareFailed, Op, StoreError
from kit import log

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

EVERY_SECONDS = 180.0
_PAUSE_SECONDS = 1.0

_log = log.get("apiserver.repair")


class _Meta(msgspec.Struct, gc=False, rename="camel"):
    uid: str = ""
    labels: dict[str, str] = {}
    creation_timestamp: str = ""


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta


_meta_decoder = msgspec.json.Decoder(_Object)


class Repair:
    """The shell around `allocators.repair`."""

    def __init__(self, core: Core, client: Client) -> None:
        self._core = core
        self._addresses = Recorder(client, core.clock, "ipallocator-repair-controller")
        self._ports = Recorder(client, core.clock, "portallocator-repair-controller")
        self.recorders = (self._addresses, self._ports)
        self._looked = asyncio.Event()
        self._suspects: set[str] = set()
        self._suspected = asyncio.Event()
        core.cache.observe(self._observe)

    async def once(self) -> None:
        """Look at everything."""
        seen = await self._see()
        # The store of a version that had no records is nobody's fault.
        quiet = not self._looked.is_set() and not seen.addresses and not seen.ports
        for action in repair.plan(seen):
            await self._do(action, quiet)
        self._looked.set()

    async def watch(self) -> None:
        """Look when an IPAddress has gone that a Service still has, for ever; the first look is not ours."""
        await self._looked.wait()
        while True:
            await self._suspected.wait()
            self._suspected.clear()
            suspects, self._suspects = self._suspects, set()
            if not any(self._in_use(address) for address in suspects):
                continue
            try:
                await self.once()
            except StoreError as error:
                _log.warning("cannot repair, will try again", error=error)
                await self._core.clock.sleep(_PAUSE_SECONDS)
                self._suspects |= suspects
                self._suspected.set()

    def _observe(self, kept: Kept, event: Event) -> None:
        if kept.kind is kinds.IP_ADDRESS and event.gone and self._in_use(event.entry.key):
            self._suspects.add(event.entry.key)
            self._suspected.set()

    def _in_use(self, address: str) -> bool:
        entries = self._core.cache.resources[kinds.IP_ADDRESS].entries
        families = self._core.numbers.families.values()
        return address not in entries and any(
            family.owner(address) in self._core.cache.resources[kinds.SERVICE].entries for family in families
        )

    async def _see(self) -> Seen:
        core = self._core
        await core.cache.fresh()
        found = await core.store.range(beside.PORTS)
        await core.cache.caught_up(found.revision)
        ports = {}
        for record in found.records:
            number = int(record.key.removeprefix(beside.PORTS))
            service = msgspec.json.decode(record.value, type=beside.PortRecord).service
            ports[number] = SeenPort(number, service, record.mod_revision)
        services = core.cache.resources[kinds.SERVICE].entries
        addresses = core.cache.resources[kinds.IP_ADDRESS].entries
        return Seen(
            {key: _service(entry) for key, entry in services.items()},
            {key: _address(entry) for key, entry in addresses.items()},
            ports,
            core.numbers.covers,
            (core.numbers.ports.first, core.numbers.ports.last),
            core.clock.now(),
        )

    async def _do(self, action: Action, quiet: bool) -> None:
        if isinstance(action, Say):
            _log.warning("repair", reason=action.reason, message=action.message)
            if not quiet:
                self._say(action)
            return
        try:
            await self._core.store.commit(self._op(action))
        except CompareFailed:
            _log.info("somebody else was faster", action=type(action).__name__)

    def _op(self, action: MakeAddress | DropAddress | WritePort | DropPort) -> Op:
        kept = self._core.cache.resources[kinds.IP_ADDRESS]
        if isinstance(action, MakeAddress):
            now, service = times.format_time(self._core.clock.now()), action.service
            value = beside.address_object(action.address, service.namespace, service.name, now)
            return Op(kept.store_key(action.address), value, 0)
        if isinstance(action, DropAddress):
            return Op(kept.store_key(action.address.name), None, action.address.revision)
        if isinstance(action, WritePort):
            value = beside.port_record(action.service.namespace, action.service.name)
            return Op(beside.port_key(action.port), value, action.revision)
        return Op(beside.port_key(action.record.port), None, action.record.revision)

    def _say(self, action: Say) -> None:
        about = action.about
        if isinstance(about, SeenService):
            subject = Subject("v1", "Service", about.namespace, about.name, about.uid)
        else:
            subject = Subject("networking.k8s.io/v1", "IPAddress", "", about.name, about.uid)
        recorder = self._ports if action.reason.startswith("Port") else self._addresses
        recorder.record(subject, "Warning", action.reason, action.message)


def _service(entry: Entry) -> SeenService:
    spec = held(entry.data)
    uid = _meta_decoder.decode(entry.data).metadata.uid
    addresses = () if spec.type == "ExternalName" else tuple(spec.addresses)
    return SeenService(entry.namespace, entry.name, uid, addresses, tuple(sorted(spec.node_ports)))


def _address(entry: Entry) -> SeenAddress:
    meta = _meta_decoder.decode(entry.data).metadata
    parent = beside.parent(entry.data)
    created = times.parse_time(meta.creation_timestamp) if meta.creation_timestamp else 0.0
    return SeenAddress(
        entry.name,
        "/".join(parent) if parent else "",
        ours=meta.labels.get(beside.MANAGER_LABEL) == beside.MANAGER,
        labelled=beside.address_labels(entry.name).items() <= meta.labels.items(),
        created=created,
        revision=entry.revision,
        uid=meta.uid,
    )
