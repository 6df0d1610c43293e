"""Defaults: what a field means that a client did not set. `apply` fills them in, in place, by kind."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from api import kinds
from api.defaults import cluster, network, pods, workloads
from api.defaults.zeros import drop_zeros
from api.fields import Type
from api.kinds import Kind

_BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.POD: pods.pod,
    kinds.DEPLOYMENT: workloads.deployment,
    kinds.REPLICA_SET: workloads.replica_set,
    kinds.SERVICE: network.service,
    kinds.ENDPOINTS: network.endpoints,
    kinds.ENDPOINT_SLICE: network.endpoint_slice,
    kinds.NAMESPACE: cluster.namespace,
    kinds.NODE: cluster.node,
    kinds.SECRET: cluster.secret,
}
# The modules of kinds that few clusters use: imported with the type, when the first object comes.
_MODULES = frozenset(
    (
        "admissionregistration_v1",
        "apiextensions_v1",
        "apiregistration_v1",
        "apps_sets_v1",
        "autoscaling_v1",
        "autoscaling_v2",
        "batch_v1",
        "core_limits_v1",
        "core_templates_v1",
        "core_volumes_v1",
        "flowcontrol_v1",
        "networking_v1",
        "rbac_v1",
        "resource_v1",
        "scheduling_v1",
        "storage_v1",
    )
)


def apply(kind: Kind[Any], obj: Type) -> None:
    """Unset zeros that mean nothing, and set what upstream's defaulting sets."""
    drop_zeros(obj)
    if default := _default(kind):
        default(obj)


@functools.cache
def _default(kind: Kind[Any]) -> Callable[[Any], None] | None:
    if kind.module not in _MODULES:
        return _BY_KIND.get(kind)
    found: Callable[[Any], None] | None = importlib.import_module(f"api.defaults.{kind.module}").BY_KIND.get(kind)
    return found
