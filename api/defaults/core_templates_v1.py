"""Defaults of PodTemplates and ReplicationControllers."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.core_templates_v1 import PodTemplate, ReplicationController
from api.defaults.pods import pod_spec
from api.kinds import Kind


def pod_template(obj: PodTemplate) -> None:
    """Defaults of a PodTemplate."""
    pod_spec(obj.template.spec)


def replication_controller(obj: ReplicationController) -> None:
    """Defaults of a ReplicationController: what it selects and what it is called are its template's labels."""
    spec = obj.spec
    if spec.replicas is None:
        spec.replicas = 1
    if spec.template is not None:
        labels = spec.template.metadata.labels
        spec.selector = spec.selector or dict(labels)
        obj.metadata.labels = obj.metadata.labels or dict(labels)
        pod_spec(spec.template.spec)


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.POD_TEMPLATE: pod_template,
    kinds.REPLICATION_CONTROLLER: replication_controller,
}
