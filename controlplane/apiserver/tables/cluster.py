"""The tables of Nodes, Namespaces, Leases, Events and ComponentStatuses."""

from typing import Any

from api import kinds
from api.coordination_v1 import Lease
from api.core_v1 import ComponentStatus, Event, EventSource, Namespace, Node, NodeSystemInfo
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import Cell, Layout, columns

_NONE = "<none>"
_UNKNOWN = "<unknown>"
_ROLE_PREFIX = "node-role.kubernetes.io/"


def _node(obj: Node, now: float) -> list[Cell]:
    info = obj.status.node_info or NodeSystemInfo()
    kernel = info.kernel_version or _UNKNOWN
    return [
        obj.metadata.name,
        _node_status(obj),
        ",".join(_roles(obj.metadata.labels)) or _NONE,
        age(obj.metadata.creation_timestamp, now),
        info.kubelet_version,
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.os_image or _UNKNOWN,
        f"{kernel} ({info.architecture})" if info.architecture else kernel,
        info.container_runtime_version or _UNKNOWN,
    ]


def _node_status(obj: Node) -> str:
    ready = [item.status == "True" for item in obj.status.conditions if item.type == "Ready"]
    word = "Unknown" if not ready else "Ready" if ready[-1] else "NotReady"
    return f"{word},SchedulingDisabled" if obj.spec.unschedulable else word


def _roles(labels: dict[str, str]) -> list[str]:
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    return sorted((roles | {labels.get("kubernetes.io/role", "")}) - {""})


def _address(obj: Node, type_: str) -> str:
    return next((item.address for item in obj.status.addresses if item.type == type_), _NONE)


def _namespace(obj: Namespace, now: float) -> list[Cell]:
    return [obj.metadata.name, obj.status.phase or "", age(obj.metadata.creation_timestamp, now)]


def _lease(obj: Lease, now: float) -> list[Cell]:
    return [obj.metadata.name, obj.spec.holder_identity or "", age(obj.metadata.creation_timestamp, now)]


def _event(obj: Event, now: float) -> list[Cell]:
    first = age(obj.first_timestamp or obj.event_time, now)
    last = age(obj.last_timestamp, now) if obj.last_timestamp else first
    count = obj.count or 1
    if obj.series is not None:
        last, count = age(obj.series.last_observed_time, now), obj.series.count or 0
    involved = obj.involved_object
    kind = (involved.kind or "").lower()
    return [
        last,
        obj.type or "",
        obj.reason or "",
        f"{kind}/{involved.name}" if involved.name else kind,
        involved.field_path or "",
        _source(obj),
        (obj.message or "").strip(),
        first,
        count,
        obj.metadata.name,
    ]


def _source(obj: Event) -> str:
    source = obj.source or EventSource()
    component = source.component or obj.reporting_component
    instance = source.host or obj.reporting_instance
    return f"{component}, {instance}" if instance else component


def _component(obj: ComponentStatus, _: float) -> list[Cell]:
    told = next((condition for condition in obj.conditions if condition.type == "Healthy"), None)
    if told is None:
        return [obj.metadata.name, "Unknown", "", ""]
    shown = "Healthy" if told.status == "True" else "Unhealthy"
    return [obj.metadata.name, shown, told.message or "", told.error or ""]


_EVENT_COLUMNS = columns("Last Seen", "Type", "Reason", "Object")
_EVENT_COLUMNS += columns(wide=("Subobject", "Source"))
_EVENT_COLUMNS += columns("Message", wide=("First Seen", "Count", "Name"))

LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.NODE: Layout(
        columns(
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            wide=("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
        ),
        _node,
    ),
    kinds.NAMESPACE: Layout(columns("Name", "Status", "Age"), _namespace),
    kinds.LEASE: Layout(columns("Name", "Holder", "Age"), _lease),
    kinds.EVENT: Layout(_EVENT_COLUMNS, _event),
    kinds.COMPONENT_STATUS: Layout(columns("Name", "Status", "Message", "Error"), _component),
}
