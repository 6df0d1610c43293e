"""What each kind does to its objects between request and store, apart from defaults and validation.

Metadata that only the server may set is handled for all kinds in `steps/mutate.py`; here is what differs: which part a write may touch
(a write to the object leaves `status` alone and the other way round), what a new object starts with, and when `generation` rises.
"""

from __future__ import annotations

from typing import Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.strategies.base import (
    Counted,
    FirstGeneration,
    Strategy,
    WithStatus,
    WithStatusAlone,
    Workload,
    WorkloadAlone,
)
from controlplane.apiserver.strategies.cluster import (
    SYSTEM_FINALIZER,
    ApiServices,
    CertificateRequests,
    Definitions,
    EndpointSlices,
    Leases,
    Namespaces,
    Nodes,
)
from controlplane.apiserver.strategies.devices import DeviceClaims, Slices
from controlplane.apiserver.strategies.pods import Pods
from controlplane.apiserver.strategies.volumes import Claims, Drivers, PersistentVolumes
from controlplane.apiserver.strategies.workloads import DaemonSets, Deployments, Jobs, StatefulSets

__all__ = ["SYSTEM_FINALIZER", "Strategy", "strategy"]

_PLAIN = Strategy()
_TABLE: dict[Kind[Any], Strategy] = {
    kinds.POD: Pods(returns_deleted=True),
    kinds.NAMESPACE: Namespaces(returns_deleted=True),
    kinds.NODE: Nodes(),
    kinds.SERVICE: WithStatus(create_on_update=True, returns_deleted=True),  # numbers: `admission/services.py`
    kinds.ENDPOINTS: Strategy(create_on_update=True),
    kinds.EVENT: Strategy(create_on_update=True),
    kinds.SERVICE_ACCOUNT: Strategy(returns_deleted=True),
    kinds.LIMIT_RANGE: Strategy(create_on_update=True),
    kinds.RESOURCE_QUOTA: WithStatus(returns_deleted=True),
    kinds.PERSISTENT_VOLUME: PersistentVolumes(returns_deleted=True),
    kinds.PERSISTENT_VOLUME_CLAIM: Claims(returns_deleted=True),
    kinds.POD_TEMPLATE: Counted(returns_deleted=True),
    kinds.REPLICATION_CONTROLLER: Workload(),
    kinds.DEPLOYMENT: Deployments(),
    kinds.REPLICA_SET: Workload(),
    kinds.DAEMON_SET: DaemonSets(),
    kinds.STATEFUL_SET: StatefulSets(),
    kinds.JOB: Jobs(),
    kinds.CRON_JOB: Workload(),
    kinds.INGRESS: Workload(),
    kinds.INGRESS_CLASS: Counted(),
    kinds.NETWORK_POLICY: Counted(),
    kinds.SERVICE_CIDR: WithStatusAlone(),
    kinds.POD_DISRUPTION_BUDGET: Workload(unconditional_update=False),
    kinds.ROLE: Strategy(create_on_update=True),
    kinds.ROLE_BINDING: Strategy(create_on_update=True),
    kinds.CLUSTER_ROLE: Strategy(create_on_update=True),
    kinds.CLUSTER_ROLE_BINDING: Strategy(create_on_update=True),
    kinds.STORAGE_CLASS: Strategy(returns_deleted=True),
    kinds.VOLUME_ATTACHMENT: WithStatusAlone(unconditional_update=False, returns_deleted=True),
    kinds.VOLUME_ATTRIBUTES_CLASS: Strategy(returns_deleted=True),
    kinds.CSI_DRIVER: Drivers(unconditional_update=False, returns_deleted=True),
    kinds.CSI_NODE: Strategy(unconditional_update=False, returns_deleted=True),
    kinds.CSI_STORAGE_CAPACITY: Strategy(unconditional_update=False),
    kinds.PRIORITY_CLASS: FirstGeneration(),
    kinds.RUNTIME_CLASS: Strategy(create_on_update=True, unconditional_update=False),
    kinds.HORIZONTAL_POD_AUTOSCALER: WithStatus(),
    kinds.CERTIFICATE_SIGNING_REQUEST: CertificateRequests(),
    kinds.CLUSTER_TRUST_BUNDLE: Strategy(unconditional_update=False),
    kinds.VALIDATING_WEBHOOK_CONFIGURATION: Counted(unconditional_update=False),
    kinds.MUTATING_WEBHOOK_CONFIGURATION: Counted(unconditional_update=False),
    kinds.VALIDATING_ADMISSION_POLICY: WorkloadAlone(unconditional_update=False),
    kinds.VALIDATING_ADMISSION_POLICY_BINDING: Counted(unconditional_update=False),
    kinds.MUTATING_ADMISSION_POLICY: Counted(unconditional_update=False),
    kinds.MUTATING_ADMISSION_POLICY_BINDING: Counted(unconditional_update=False),
    kinds.CUSTOM_RESOURCE_DEFINITION: Definitions(unconditional_update=False),
    kinds.API_SERVICE: ApiServices(unconditional_update=False),
    kinds.FLOW_SCHEMA: WorkloadAlone(),
    kinds.PRIORITY_LEVEL_CONFIGURATION: WorkloadAlone(),
    kinds.DEVICE_CLASS: Counted(returns_deleted=True),
    kinds.RESOURCE_CLAIM: DeviceClaims(returns_deleted=True),
    kinds.RESOURCE_CLAIM_TEMPLATE: Strategy(returns_deleted=True),
    kinds.RESOURCE_SLICE: Slices(returns_deleted=True),
    kinds.LEASE: Leases(create_on_update=True, unconditional_update=False),
    kinds.ENDPOINT_SLICE: EndpointSlices(),
}


def strategy(kind: Kind[Any]) -> Strategy:
    """The rules of `kind`."""
    return _TABLE.get(kind, _PLAIN)
