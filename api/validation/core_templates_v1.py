"""Rules for PodTemplates and ReplicationControllers."""

from typing import Any

from api import kinds
from api.core_templates_v1 import PodTemplate, ReplicationController
from api.kinds import Kind
from api.validation import pods, replicas
from api.validation.problems import Problems
from api.validation.rules import Rules


def pod_template(found: Problems, obj: PodTemplate) -> None:
    """A PodTemplate."""
    pods.template(found, "template", obj.template)


def replication_controller(found: Problems, obj: ReplicationController) -> None:
    """A ReplicationController."""
    spec = obj.spec
    found.not_negative("spec.minReadySeconds", spec.min_ready_seconds)
    if not spec.selector:
        found.required("spec.selector")
    found.not_negative("spec.replicas", spec.replicas)
    if spec.template is None:
        found.required("spec.template")
        return
    labels = spec.template.metadata.labels
    if not spec.selector.items() <= labels.items():
        found.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    replicas.template(found, "spec.template", spec.template, "ReplicationController")


def _status(found: Problems, new: ReplicationController, old: ReplicationController) -> None:
    replicas.status(found, new.status)


RULES: dict[Kind[Any], Rules] = {
    kinds.POD_TEMPLATE: Rules(pod_template),
    kinds.REPLICATION_CONTROLLER: Rules(replication_controller, parts={"status": _status}),
}
