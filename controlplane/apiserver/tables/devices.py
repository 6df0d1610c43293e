"""The tables of devices and claims to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import BY_NAME_AND_AGE, Cell, Layout, columns

if TYPE_CHECKING:
    from api.resource_v1 import ResourceClaim, ResourceSlice


def _claim(obj: ResourceClaim, now: float) -> list[Cell]:
    deleted, allocated = obj.metadata.deletion_timestamp is not None, obj.status.allocation is not None
    words = ["deleted"] if deleted else []
    if allocated:
        words += ["allocated", "reserved"] if obj.status.reserved_for else ["allocated"]
    elif not deleted:
        words.append("pending")
    return [obj.metadata.name, ",".join(words), age(obj.metadata.creation_timestamp, now)]


def _slice(obj: ResourceSlice, now: float) -> list[Cell]:
    spec = obj.spec
    created = age(obj.metadata.creation_timestamp, now)
    return [obj.metadata.name, spec.node_name or "", spec.driver, spec.pool.name, created]


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.DEVICE_CLASS: BY_NAME_AND_AGE,
    kinds.RESOURCE_CLAIM: Layout(columns("Name", "State", "Age"), _claim),
    kinds.RESOURCE_CLAIM_TEMPLATE: BY_NAME_AND_AGE,
    kinds.RESOURCE_SLICE: Layout(columns("Name", "Node", "Driver", "Pool", "Age"), _slice),
}
