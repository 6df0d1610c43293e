"""What is allowed and better done otherwise: told to clients in Warning headers, in upstream's words.

Warnings are about objects that have been validated. They never change an answer.
"""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.kinds import Kind
from api.warnings import others, secrets, services, volumes, workloads

__all__ = ["deprecation", "of_object"]

_DEPRECATED: dict[Kind[Any], str] = {
    kinds.ENDPOINTS: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    kinds.COMPONENT_STATUS: "v1 ComponentStatus is deprecated in v1.19+",
}

# Of the new object; the old one is None on creation.
_CHECKS: dict[Kind[Any], Callable[[Any, Any], list[str]]] = {
    kinds.POD: lambda new, old: workloads.of_pod(new) if old is None else [],
    kinds.POD_TEMPLATE: workloads.of_pod_template,
    kinds.DEPLOYMENT: workloads.of_workload,
    kinds.REPLICA_SET: workloads.of_workload,
    kinds.REPLICATION_CONTROLLER: workloads.of_workload,
    kinds.DAEMON_SET: workloads.of_set,
    kinds.STATEFUL_SET: workloads.of_stateful_set,
    kinds.JOB: workloads.of_job,
    kinds.CRON_JOB: workloads.of_cron_job,
    kinds.SERVICE: lambda new, old: services.of_service(new),
    kinds.ENDPOINTS: lambda new, old: services.of_endpoints(new),
    kinds.ENDPOINT_SLICE: services.of_slice,
    kinds.INGRESS: lambda new, old: services.of_ingress(new) if old is None else [],
    kinds.NETWORK_POLICY: lambda new, old: services.of_policy(new),
    kinds.NODE: lambda new, old: services.of_node(new),
    kinds.PERSISTENT_VOLUME: lambda new, old: volumes.of_volume(new),
    kinds.PERSISTENT_VOLUME_CLAIM: lambda new, old: volumes.of_claim(new),
    kinds.STORAGE_CLASS: lambda new, old: volumes.of_class(new),
    kinds.CSI_STORAGE_CAPACITY: lambda new, old: volumes.of_capacity(new),
    kinds.CSI_DRIVER: volumes.of_driver,
    kinds.SERVICE_ACCOUNT: others.of_account,
    kinds.RESOURCE_QUOTA: lambda new, old: others.of_quota(new) if old is None else [],
    kinds.RUNTIME_CLASS: lambda new, old: others.of_runtime_class(new),
    kinds.RESOURCE_SLICE: lambda new, old: others.of_resource_slice(new),
    kinds.SECRET: lambda new, old: secrets.of_secret(new),
}
_STATUSES: dict[Kind[Any], Callable[[Any], list[str]]] = {
    kinds.POD: services.of_pod_status,
    kinds.SERVICE: lambda obj: services.of_balancer(obj.status),
    kinds.INGRESS: lambda obj: services.of_balancer(obj.status),
}


def of_object(kind: Kind[Any], new: Any, old: Any, subresource: str = "") -> list[str]:
    """What to tell who creates (`old` is None) or changes an object."""
    if subresource:
        of_status = _STATUSES.get(kind) if subresource == "status" else None
        return of_status(new) if of_status is not None else []
    if (check := _CHECKS.get(kind)) is not None:
        return check(new, old)
    return others.of_static_name(new.metadata.name or "") if kind.group == "admissionregistration.k8s.io" else []


def deprecation(kind: Kind[Any]) -> str:
    """What to tell who uses a kind at all; "" for nothing."""
    return _DEPRECATED.get(kind, "")
