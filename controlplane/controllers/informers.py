"""One cache per kind, shared by all controllers.

A cache is made when the first controller asks for it, and started by the app after all controllers are made. Kinds that a controller
knows well have an extract of their own (seen/); all others are known by their metadata, which every extract has.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar, cast

from api import kinds
from api.kinds import Kind
from client import Client, Informer
from controlplane.controllers import seen
from controlplane.controllers.index import NodeIndex, OwnerIndex, ServiceIndex
from controlplane.controllers.seen import node, pod, ranges, scope, service, workload
from kit.backoff import Backoff
from kit.clock import Clock
from kit.supervisor import Supervisor

X = TypeVar("X", bound=seen.Seen)

EXTRACTS: dict[Kind[Any], Callable[[bytes], seen.Seen]] = {
    kinds.POD: pod.pod,
    kinds.REPLICA_SET: workload.replica_set,
    kinds.DEPLOYMENT: workload.deployment,
    kinds.SERVICE: service.service,
    kinds.ENDPOINT_SLICE: service.endpoint_slice,
    kinds.ENDPOINTS: service.endpoints,
    kinds.NODE: node.node,
    kinds.LEASE: node.lease,
    kinds.NAMESPACE: scope.namespace,
    kinds.CONFIG_MAP: scope.config_map,
    kinds.SERVICE_CIDR: ranges.service_range,
}


class Informers:
    """The registry."""

    def __init__(self, client: Client, clock: Clock, rng: random.Random | None = None) -> None:
        self._client = client
        self._rng = rng or random.Random()
        self._clock = clock
        self._made: dict[Kind[Any], Informer[Any]] = {}
        self._indices: dict[Kind[Any], OwnerIndex[Any]] = {}
        self._pods_by_node: NodeIndex | None = None
        self._slices_by_service: ServiceIndex | None = None

    def of(self, kind: Kind[Any]) -> Informer[seen.Seen]:
        """The cache of any kind."""
        if kind not in self._made:
            extract = EXTRACTS.get(kind, seen.seen)
            backoff = Backoff(base=0.1, cap=30.0, jitter=0.3, rng=self._rng)
            self._made[kind] = Informer(self._client, kind, extract, clock=self._clock, backoff=backoff)
        return self._made[kind]

    @property
    def pods(self) -> Informer[seen.SeenPod]:
        return cast(Informer[seen.SeenPod], self.of(kinds.POD))

    @property
    def replica_sets(self) -> Informer[seen.SeenReplicaSet]:
        return cast(Informer[seen.SeenReplicaSet], self.of(kinds.REPLICA_SET))

    @property
    def deployments(self) -> Informer[seen.SeenDeployment]:
        return cast(Informer[seen.SeenDeployment], self.of(kinds.DEPLOYMENT))

    @property
    def services(self) -> Informer[seen.SeenService]:
        return cast(Informer[seen.SeenService], self.of(kinds.SERVICE))

    @property
    def slices(self) -> Informer[seen.SeenSlice]:
        return cast(Informer[seen.SeenSlice], self.of(kinds.ENDPOINT_SLICE))

    @property
    def endpoints(self) -> Informer[seen.SeenEndpoints]:
        return cast(Informer[seen.SeenEndpoints], self.of(kinds.ENDPOINTS))

    @property
    def nodes(self) -> Informer[seen.SeenNode]:
        return cast(Informer[seen.SeenNode], self.of(kinds.NODE))

    @property
    def leases(self) -> Informer[seen.SeenLease]:
        return cast(Informer[seen.SeenLease], self.of(kinds.LEASE))

    @property
    def config_maps(self) -> Informer[seen.SeenConfigMap]:
        return cast(Informer[seen.SeenConfigMap], self.of(kinds.CONFIG_MAP))

    @property
    def service_accounts(self) -> Informer[seen.Seen]:
        return self.of(kinds.SERVICE_ACCOUNT)

    @property
    def namespaces(self) -> Informer[seen.SeenNamespace]:
        return cast(Informer[seen.SeenNamespace], self.of(kinds.NAMESPACE))

    @property
    def service_ranges(self) -> Informer[ranges.SeenRange]:
        return cast(Informer[ranges.SeenRange], self.of(kinds.SERVICE_CIDR))

    @property
    def pods_by_owner(self) -> OwnerIndex[seen.SeenPod]:
        return cast(OwnerIndex[seen.SeenPod], self._index(kinds.POD))

    @property
    def replica_sets_by_owner(self) -> OwnerIndex[seen.SeenReplicaSet]:
        return cast(OwnerIndex[seen.SeenReplicaSet], self._index(kinds.REPLICA_SET))

    @property
    def slices_by_service(self) -> ServiceIndex:
        if self._slices_by_service is None:
            self._slices_by_service = ServiceIndex(self.slices)
        return self._slices_by_service

    @property
    def services_by_owner(self) -> OwnerIndex[seen.SeenService]:
        return cast(OwnerIndex[seen.SeenService], self._index(kinds.SERVICE))

    @property
    def deployments_by_owner(self) -> OwnerIndex[seen.SeenDeployment]:
        return cast(OwnerIndex[seen.SeenDeployment], self._index(kinds.DEPLOYMENT))

    @property
    def pods_by_node(self) -> NodeIndex:
        if self._pods_by_node is None:
            self._pods_by_node = NodeIndex(self.pods)
        return self._pods_by_node

    def _index(self, kind: Kind[Any]) -> OwnerIndex[seen.Seen]:
        if kind not in self._indices:
            self._indices[kind] = OwnerIndex(self.of(kind))
        return self._indices[kind]

    def start(self, supervisor: Supervisor) -> None:
        """Run every cache that was asked for."""
        for kind, informer in self._made.items():
            supervisor.spawn(f"cache-{kind.plural}", informer.run, restart=True)

    async def synced(self) -> None:
        """Return when every cache holds a full list."""
        for informer in list(self._made.values()):
            await informer.synced.wait()
