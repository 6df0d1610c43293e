"""Rules that all controllers of pods share: what they select, their template, and the counts in their status."""

from typing import Any

from api import selectors
from api.core_v1 import PodSpec, PodTemplateSpec
from api.fields import Type
from api.meta_v1 import LabelSelector
from api.validation import metadata, pods
from api.validation.problems import Problems

_OF_ALL = ("fullyLabeledReplicas", "updatedReplicas", "currentReplicas", "readyReplicas", "availableReplicas")


def selector(found: Problems, path: str, value: LabelSelector | None, template: PodTemplateSpec, owner: str) -> bool:
    """What an `owner` selects: something, and the pods that it makes. Whether it can be read at all."""
    labels = template.metadata.labels
    mismatch = f"{path}.template.metadata.labels"
    if value is None:
        if owner != "daemonset":
            found.required(f"{path}.selector")
        found.invalid(mismatch, labels or None, "`selector` does not match template `labels`")
        return True
    before = len(found.causes)
    metadata.label_selector(found, f"{path}.selector", value)
    good = len(found.causes) == before
    if not value.match_labels and not value.match_expressions:
        found.invalid(f"{path}.selector", value, f"empty selector is invalid for {owner}")
    if not good:
        if owner != "daemonset":
            found.invalid(f"{path}.selector", value, "" if owner == "statefulset" else "invalid label selector")
        return False
    if not selectors.from_struct(value).matches(labels):
        found.invalid(mismatch, labels or None, "`selector` does not match template `labels`")
    return True


def template(found: Problems, path: str, value: PodTemplateSpec, owner: str) -> None:
    """A template of pods that are to run for ever."""
    pods.template(found, path, value)
    always(found, f"{path}.spec", value.spec, owner)


def always(found: Problems, path: str, pod: PodSpec, owner: str) -> None:
    """A pod that is started again whenever it ends."""
    if pod.restart_policy not in (None, "", "Always"):
        found.not_supported(f"{path}.restartPolicy", pod.restart_policy, ("Always",))
    if pod.active_deadline_seconds is not None:
        found.forbidden(f"{path}.activeDeadlineSeconds", f"activeDeadlineSeconds in {owner} is not Supported")


def status(found: Problems, value: Type, ready: str = "readyReplicas") -> None:
    """Counts: none is negative, none is of more than there are."""
    counts: dict[str, Any] = {
        json: count
        for name, json in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        if isinstance(count := getattr(value, name), int)
    }
    for json, count in counts.items():
        found.not_negative(f"status.{json}", count)
    declared = value.__struct_encode_fields__
    for json in _OF_ALL:
        if "replicas" in declared and json in declared and counts.get(json, 0) > counts.get("replicas", 0):
            found.invalid(f"status.{json}", counts.get(json, 0), "cannot be greater than status.replicas")
    if counts.get("availableReplicas", 0) > counts.get("readyReplicas", 0):
        found.invalid("status.availableReplicas", counts.get("availableReplicas", 0), f"cannot be greater than {ready}")


def collisions(found: Problems, new: int | None, old: int | None) -> None:
    """A count that only rises."""
    if (new or 0) < (old or 0):
        found.invalid("status.collisionCount", new or 0, "cannot be decremented")
