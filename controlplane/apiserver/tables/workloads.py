"""The tables of Deployments and ReplicaSets."""

from typing import Any

from api import kinds, selectors
from api.apps_v1 import Deployment, ReplicaSet
from api.core_v1 import PodTemplateSpec
from api.kinds import Kind
from api.meta_v1 import LabelSelector
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import Cell, Layout, columns

_WIDE = ("Containers", "Images", "Selector")


def _deployment(obj: Deployment, now: float) -> list[Cell]:
    status = obj.status
    return [
        obj.metadata.name,
        f"{status.ready_replicas or 0}/{obj.spec.replicas or 0}",
        status.updated_replicas or 0,
        status.available_replicas or 0,
        age(obj.metadata.creation_timestamp, now),
        *_template(obj.spec.template),
        _selector(obj.spec.selector),
    ]


def _replica_set(obj: ReplicaSet, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.ready_replicas or 0,
        age(obj.metadata.creation_timestamp, now),
        *_template(obj.spec.template),
        _selector(obj.spec.selector) or "<none>",
    ]


def _template(template: PodTemplateSpec) -> tuple[str, str]:
    containers = template.spec.containers
    return ",".join(item.name for item in containers), ",".join(item.image or "" for item in containers)


def _selector(selector: LabelSelector | None) -> str:
    try:
        return str(selectors.from_struct(selector))
    except selectors.SelectorError:
        return "<invalid>"


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.DEPLOYMENT: Layout(columns("Name", "Ready", "Up-to-date", "Available", "Age", wide=_WIDE), _deployment),
    kinds.REPLICA_SET: Layout(
        columns("Name", "Desired:integer", "Current:integer", "Ready:integer", "Age", wide=_WIDE), _replica_set
    ),
}
