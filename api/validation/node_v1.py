"""Rules for RuntimeClasses."""

from typing import Any

from api import kinds, names
from api.core_v1 import ResourceRequirements
from api.kinds import Kind
from api.node_v1 import RuntimeClass
from api.validation import metadata, resources, scheduling
from api.validation.problems import Problems
from api.validation.rules import Rules


def runtime_class(found: Problems, obj: RuntimeClass) -> None:
    """A RuntimeClass."""
    if not obj.handler:
        found.required("handler")
    else:
        found.invalid_all("handler", obj.handler, names.dns_label(obj.handler))
    if obj.overhead is not None:
        resources.requirements(found, "overhead", ResourceRequirements(limits=obj.overhead.pod_fixed), frozenset())
    if obj.scheduling is None:
        return
    metadata.labels(found, "scheduling.nodeSelector", obj.scheduling.node_selector)
    tolerations = obj.scheduling.tolerations
    scheduling.tolerations(found, "scheduling.tolerations", tolerations)
    for index, toleration in enumerate(tolerations):
        same = [(one.key, one.operator, one.value, one.effect) for one in tolerations[: index + 1]]
        if same[-1] in same[:-1]:
            found.duplicate(f"scheduling.tolerations[{index}]", toleration)


def _changed(found: Problems, new: RuntimeClass, old: RuntimeClass) -> None:
    found.immutable("handler", new.handler, old.handler)


RULES: dict[Kind[Any], Rules] = {kinds.RUNTIME_CLASS: Rules(runtime_class, _changed)}
