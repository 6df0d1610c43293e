"""The tables of ResourceQuotas and LimitRanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import BY_NAME_AND_CREATION, Cell, Layout, columns

if TYPE_CHECKING:
    from api.core_limits_v1 import ResourceQuota


def _quota(obj: ResourceQuota, now: float) -> list[Cell]:
    hard, used = obj.status.hard, obj.status.used
    shown = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    return [
        obj.metadata.name,
        ", ".join(text for name, text in shown.items() if not name.startswith("limits.")),
        ", ".join(text for name, text in shown.items() if name.startswith("limits.")),
        age(obj.metadata.creation_timestamp, now),
    ]


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.RESOURCE_QUOTA: Layout(columns("Name", "Request", "Limit", "Age"), _quota),
    kinds.LIMIT_RANGE: BY_NAME_AND_CREATION,
}
