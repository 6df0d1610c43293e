"""What is written together with a Service: the records of its numbers, by which no two Services get the same one.

Theory of operation. Each address of a Service has an IPAddress object of that name, and each node port a record of its own. They are made
with the Service in one commit that demands that they were not there, and deleted with it in one commit. So of two servers that hand out
the same number at the same time one fails, has its cache catch up and begins again (`Outrun`); and whatever crashes when, Service and
records are both there or both not.

An exception is the second address of a Service with two: etcd gives all writes of one commit the same revision, and a watch of IPAddresses
that breaks between two events of one revision could not go on. So the second address is claimed before the commit, and given up after
it; what a crash leaves in between is found by the repair (`repair.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from api import codec, kinds
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from api.networking_v1 import IPAddress, IPAddressSpec, ParentReference
from controlplane.apiserver.allocators.addresses import canonical, family_of
from controlplane.apiserver.cache import ROOT, Kept
from controlplane.apiserver.steps.mutate import new_uid
from controlplane.store.interface import CompareFailed, Op, Store

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

PORTS = f"{ROOT}ranges/nodeports/"
MANAGER = "ipallocator.k8s.io"
FAMILY_LABEL, MANAGER_LABEL = "ipaddress.kubernetes.io/ip-family", "ipaddress.kubernetes.io/managed-by"


class _Parent(msgspec.Struct, gc=False):
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""


class _AddressSpec(msgspec.Struct, gc=False, rename="camel"):
    parent_ref: _Parent = msgspec.field(default_factory=_Parent)


class _Address(msgspec.Struct, gc=False):
    spec: _AddressSpec = msgspec.field(default_factory=_AddressSpec)


class PortRecord(msgspec.Struct, gc=False):
    """What the store has of a node port."""

    service: str


_address_decoder = msgspec.json.Decoder(_Address)


@dataclass(slots=True)
class Beside:
    """Writes that go with one to an object: before it, with it, after it."""

    before: list[Op] = field(default_factory=list)
    together: list[Op] = field(default_factory=list)
    after: list[Op] = field(default_factory=list)


def plan(kind: Kind[Any], old: Any, new: Any, core: Core, now: str) -> Beside | None:
    """What goes with writing `new` in place of `old`; None stands for no object, and for nothing to write beside it."""
    if kind is not kinds.SERVICE:
        return None
    one = new or old
    owner = (one.metadata.namespace, one.metadata.name)
    beside = Beside()
    had, has = _addresses(old), _addresses(new)
    kept = core.cache.resources[kinds.IP_ADDRESS]
    for address in had:
        if address not in has and (op := _give_up(kept, address, owner)) is not None:
            (beside.together if not beside.together else beside.after).append(op)
    for address in has:
        if address not in had:
            op = Op(kept.store_key(address), address_object(address, *owner, now), 0)
            (beside.together if not beside.together else beside.before).append(op)
    ports_had, ports_has = node_ports(old), node_ports(new)
    beside.together += [Op(port_key(port), None) for port in ports_had - ports_has]
    beside.together += [Op(port_key(port), port_record(*owner), 0) for port in ports_has - ports_had]
    return beside if beside.together or beside.before else None


async def write(store: Store, op: Op, beside: Beside | None) -> int:
    """Write an object and what goes with it; the object's revision. Raises CompareFailed with the key that it failed for."""
    if beside is None:
        if op.value is None:
            return await store.delete(op.key, expected=op.expected)
        return await store.put(op.key, op.value, expected=op.expected)
    claimed: list[Op] = []
    try:
        for op_before in beside.before:
            claimed += [Op(op_before.key, None, await store.commit(op_before))]
        revision = await store.commit(*beside.together, op)
    except CompareFailed:
        await _give_up_all(store, claimed)
        raise
    await _give_up_all(store, beside.after)
    return revision


async def _give_up_all(store: Store, ops: Iterable[Op]) -> None:
    for op in ops:
        with suppress(CompareFailed):  # then somebody else saw to it
            await store.commit(op)


def _addresses(service: Any) -> list[str]:
    if service is None or service.spec.type == "ExternalName":
        return []
    return [canonical(address) for address in service.spec.cluster_ips if address != "None"]


def node_ports(service: Any) -> set[int]:
    """All node ports that a Service has."""
    if service is None:
        return set()
    found = {port.node_port for port in service.spec.ports if port.node_port}
    health = service.spec.health_check_node_port
    return found | {health} if health else found


def _give_up(kept: Kept, address: str, owner: tuple[str, str]) -> Op | None:
    """Delete the address' object, unless it is not there or somebody else's."""
    entry = kept.entries.get(address)
    if entry is None or parent(entry.data) != owner:
        return None
    return Op(kept.store_key(address), None, entry.revision)


def parent(data: bytes) -> tuple[str, str] | None:
    """Namespace and name of the Service that an IPAddress belongs to, if it does to any."""
    ref = _address_decoder.decode(data).spec.parent_ref
    return (ref.namespace, ref.name) if (ref.group, ref.resource) == ("", "services") else None


def address_labels(address: str) -> dict[str, str]:
    """What marks an IPAddress as one of ours."""
    return {FAMILY_LABEL: family_of(address), MANAGER_LABEL: MANAGER}


def address_object(address: str, namespace: str, name: str, now: str) -> bytes:
    """The IPAddress of a Service, as it is stored."""
    meta = ObjectMeta(name=address, uid=new_uid(), creation_timestamp=now, labels=address_labels(address))
    ref = ParentReference(resource="services", namespace=namespace, name=name)
    return codec.encode(IPAddress(metadata=meta, spec=IPAddressSpec(parent_ref=ref)))


def port_key(port: int) -> str:
    """Where the record of a node port is."""
    return f"{PORTS}{port}"


def port_record(namespace: str, name: str) -> bytes:
    """The record of a node port."""
    return msgspec.json.encode(PortRecord(f"{namespace}/{name}"))
