"""The tables of workloads: what makes pods from templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds, selectors
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import Cell, Layout, columns

if TYPE_CHECKING:
    from api.apps_sets_v1 import ControllerRevision, DaemonSet, StatefulSet
    from api.apps_v1 import Deployment, ReplicaSet
    from api.core_templates_v1 import PodTemplate, ReplicationController
    from api.core_v1 import PodTemplateSpec
    from api.meta_v1 import LabelSelector

_NONE = "<none>"
_WIDE = ("Containers", "Images", "Selector")


def _deployment(obj: Deployment, now: float) -> list[Cell]:
    status = obj.status
    return [
        obj.metadata.name,
        f"{status.ready_replicas or 0}/{obj.spec.replicas or 0}",
        status.updated_replicas or 0,
        status.available_replicas or 0,
        age(obj.metadata.creation_timestamp, now),
        *template(obj.spec.template),
        selector(obj.spec.selector),
    ]


def _replica_set(obj: ReplicaSet, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.ready_replicas or 0,
        age(obj.metadata.creation_timestamp, now),
        *template(obj.spec.template),
        selector(obj.spec.selector) or _NONE,
    ]


def _replication_controller(obj: ReplicationController, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.ready_replicas or 0,
        age(obj.metadata.creation_timestamp, now),
        *template(obj.spec.template),
        _labels(obj.spec.selector),
    ]


def _daemon_set(obj: DaemonSet, now: float) -> list[Cell]:
    status = obj.status
    return [
        obj.metadata.name,
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled or 0,
        status.number_available or 0,
        _labels(obj.spec.template.spec.node_selector),
        age(obj.metadata.creation_timestamp, now),
        *template(obj.spec.template),
        selector(obj.spec.selector) or _NONE,
    ]


def _stateful_set(obj: StatefulSet, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        f"{obj.status.ready_replicas or 0}/{obj.spec.replicas or 0}",
        age(obj.metadata.creation_timestamp, now),
        *template(obj.spec.template),
    ]


def _revision(obj: ControllerRevision, now: float) -> list[Cell]:
    owner = next((owner for owner in obj.metadata.owner_references if owner.controller), None)
    shown = _NONE
    if owner is not None:
        group = owner.api_version.rpartition("/")[0]
        shown = f"{owner.kind}.{group}".rstrip(".").lower() + f"/{owner.name}"
    return [obj.metadata.name, shown, obj.revision, age(obj.metadata.creation_timestamp, now)]


def _pod_template(obj: PodTemplate, now: float) -> list[Cell]:
    return [obj.metadata.name, *template(obj.template), _labels(obj.template.metadata.labels)]


def template(template: PodTemplateSpec | None) -> tuple[str, str]:
    containers = template.spec.containers if template is not None else []
    return ",".join(item.name for item in containers), ",".join(item.image or "" for item in containers)


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or _NONE


def selector(selector: LabelSelector | None) -> str:
    try:
        return str(selectors.from_struct(selector))
    except selectors.SelectorError:
        return "<invalid>"


_COUNTED = ("Name", "Desired:integer", "Current:integer", "Ready:integer")
_SCHEDULED = ("Up-to-date:integer", "Available:integer", "Node Selector", "Age")

LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.DEPLOYMENT: Layout(columns("Name", "Ready", "Up-to-date", "Available", "Age", wide=_WIDE), _deployment),
    kinds.REPLICA_SET: Layout(columns(*_COUNTED, "Age", wide=_WIDE), _replica_set),
    kinds.REPLICATION_CONTROLLER: Layout(columns(*_COUNTED, "Age", wide=_WIDE), _replication_controller),
    kinds.DAEMON_SET: Layout(columns(*_COUNTED, *_SCHEDULED, wide=_WIDE), _daemon_set),
    kinds.STATEFUL_SET: Layout(columns("Name", "Ready", "Age", wide=("Containers", "Images")), _stateful_set),
    kinds.CONTROLLER_REVISION: Layout(columns("Name", "Controller", "Revision", "Age"), _revision),
    kinds.POD_TEMPLATE: Layout(columns("Name", "Containers", "Images", "Pod Labels"), _pod_template),
}
