"""The tables of NodeMetrics and PodMetrics."""

from fractions import Fraction
from typing import Any

from api import kinds, quantity
from api.kinds import Kind
from api.metrics_v1beta1 import NodeMetrics, PodMetrics
from controlplane.apiserver.tables.columns import Cell, Layout, columns

_COLUMNS = columns("Name", "cpu", "memory", "Window")


def _node(obj: NodeMetrics, _: float) -> list[Cell]:
    return [obj.metadata.name, obj.usage.get("cpu", ""), obj.usage.get("memory", ""), obj.window]


def _pod(obj: PodMetrics, _: float) -> list[Cell]:
    return [obj.metadata.name, _sum(obj, "cpu", "n"), _sum(obj, "memory", "Ki"), obj.window]


def _sum(obj: PodMetrics, name: str, unit: str) -> str:
    total = sum((quantity.parse(one.usage[name]) for one in obj.containers if name in one.usage), Fraction(0))
    whole = int(total * 10**9 if unit == "n" else total / 1024)
    return f"{whole}{unit}" if whole else "0"


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.NODE_METRICS: Layout(_COLUMNS, _node),
    kinds.POD_METRICS: Layout(_COLUMNS, _pod),
}
