"""Defaults: what a field means that a client did not set. `apply` fills them in, in place, by kind."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.defaults import cluster, network, pods, workloads
from api.defaults.quantities import canonical_quantities
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


def apply(kind: Kind[Any], obj: Type) -> None:
    """Set what upstream's v1 defaulting sets, and write quantities in their canonical form."""
    canonical_quantities(obj)
    if default := _BY_KIND.get(kind):
        default(obj)
