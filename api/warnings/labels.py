"""Labels of nodes that have new names."""

from collections.abc import Iterable
from typing import Any

from api import names

_DEPRECATED = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def deprecated(key: str | None) -> str:
    """What to use instead of a label; "" for one that is not deprecated."""
    return _DEPRECATED.get(key or "", "")


def of_expressions(path: str, expressions: Iterable[Any]) -> list[str]:
    """Deprecated keys in `matchExpressions` at `path`."""
    return [
        f"{path}.matchExpressions[{index}].key: {expression.key} is {why}"
        for index, expression in enumerate(expressions)
        if (why := deprecated(expression.key))
    ]


def of_values(path: str, expressions: Iterable[Any]) -> list[str]:
    """Values that no label can have, where validation does not look."""
    return [
        f"{path}.matchExpressions[{number}].values[{index}]: {value} is invalid, {why}"
        for number, expression in enumerate(expressions)
        for index, value in enumerate(expression.values)
        for why in names.label_value(value)
    ]
