"""Classes that objects have: the default StorageClass and IngressClass, what a RuntimeClass adds to pods, and which claims may grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import codec, kinds
from api.core_v1 import Toleration
from api.kinds import Kind
from api.quantity import parse
from controlplane.apiserver import status
from controlplane.apiserver.write import CREATE, UPDATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

CLAIM_CLASS = "volume.beta.kubernetes.io/storage-class"
INGRESS_CLASS = "kubernetes.io/ingress.class"
_DEFAULT_STORAGE = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_DEFAULT_INGRESS = ("ingressclass.kubernetes.io/is-default-class",)


def default_storage_class(write: Write, core: Core) -> None:
    """A claim that names no class, not even "", gets the default."""
    if write.kind is not kinds.PERSISTENT_VOLUME_CLAIM or write.operation != CREATE:
        return
    if write.new.spec.storage_class_name is None and CLAIM_CLASS not in write.new.metadata.annotations:
        write.new.spec.storage_class_name = _default(core, kinds.STORAGE_CLASS, _DEFAULT_STORAGE)


def default_ingress_class(write: Write, core: Core) -> None:
    """An Ingress that names no class gets the default."""
    if write.kind is not kinds.INGRESS or write.operation != CREATE:
        return
    if write.new.spec.ingress_class_name is None and INGRESS_CLASS not in write.new.metadata.annotations:
        write.new.spec.ingress_class_name = _default(core, kinds.INGRESS_CLASS, _DEFAULT_INGRESS)


def apply_runtime_class(write: Write, core: Core) -> None:
    """What a pod of the class costs beside its containers, and where it can run."""
    if write.kind is not kinds.POD or write.operation != CREATE or write.subresource:
        return
    spec = write.new.spec
    found = _runtime_class(write, core) if spec.runtime_class_name is not None else None
    overhead = found.overhead.pod_fixed if found is not None and found.overhead is not None else {}
    if spec.overhead and not overhead:
        _reject(write, "Pod Overhead set without corresponding RuntimeClass defined Overhead")
    if spec.overhead and not _same_amounts(spec.overhead, overhead):
        _reject(write, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    if overhead:
        spec.overhead = dict(overhead)
    if found is not None and found.scheduling is not None:
        _place(write, found.scheduling)


def limit_growth(write: Write, core: Core) -> None:
    """Only a bound claim of a class that allows it can grow."""
    if write.kind is not kinds.PERSISTENT_VOLUME_CLAIM or write.operation != UPDATE or write.subresource:
        return
    if _size(write.new) <= _size(write.old):
        return
    if write.old.status.phase != "Bound":
        raise status.forbidden(write.subject, "Only bound persistent volume claims can be expanded")
    name = _claim_class(write.new)
    entry = core.cache.resources[kinds.STORAGE_CLASS].entries.get(name) if name == _claim_class(write.old) else None
    if entry is None or not codec.decode(kinds.STORAGE_CLASS, entry.data).allow_volume_expansion:
        why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
        raise status.forbidden(write.subject, why)


def merge_tolerations(first: list[Toleration], second: list[Toleration]) -> list[Toleration]:
    """Both, without those that another one covers."""
    both, merged = [*first, *second], list[Toleration]()
    for index, one in enumerate(both):
        later = (other for other in both[index + 1 :] if other != one)
        if not any(_covers(other, one) for other in (*merged, *later)):
            merged.append(one)
    return merged


def _default(core: Core, kind: Kind[Any], marks: tuple[str, ...]) -> str | None:
    """The newest of the classes that are marked as default."""
    needle = marks[0].encode()[-len("is-default-class") :]  # spares decoding the others
    entries = core.cache.resources[kind].entries.values()
    found: list[Any] = [codec.decode(kind, entry.data) for entry in entries if needle in entry.data]
    defaults = [one for one in found if any(one.metadata.annotations.get(mark) == "true" for mark in marks)]
    defaults.sort(key=lambda one: one.metadata.name)
    defaults.sort(key=lambda one: one.metadata.creation_timestamp or "", reverse=True)
    return defaults[0].metadata.name if defaults else None


def _runtime_class(write: Write, core: Core) -> Any:
    name = write.new.spec.runtime_class_name
    entry = core.cache.resources[kinds.RUNTIME_CLASS].entries.get(name)
    if entry is None:
        _reject(write, f'RuntimeClass "{name}" not found')
    assert entry is not None
    return codec.decode(kinds.RUNTIME_CLASS, entry.data)


def _place(write: Write, scheduling: Any) -> None:
    spec = write.new.spec
    for key, value in scheduling.node_selector.items():
        present = spec.node_selector.get(key, value)
        if present != value:
            theirs = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}"
            raise status.forbidden(write.subject, f"conflict: {theirs}; pod.spec.nodeSelector[{key}] = {present}")
    spec.node_selector = {**spec.node_selector, **scheduling.node_selector}
    spec.tolerations = merge_tolerations(spec.tolerations, scheduling.tolerations)


def _covers(wide: Toleration, narrow: Toleration) -> bool:
    if wide == narrow:
        return True
    exists = wide.operator == "Exists"
    if wide.key != narrow.key and not (not wide.key and exists):
        return False
    if wide.effect and wide.effect != narrow.effect:
        return False
    if wide.effect == "NoExecute" and wide.toleration_seconds is not None:
        seconds = narrow.toleration_seconds
        if seconds is None or seconds > wide.toleration_seconds:
            return False
    if exists:
        return True
    equal = ("Equal", "", None)
    return wide.operator in equal and narrow.operator in equal and (wide.value or "") == (narrow.value or "")


def _same_amounts(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(parse(str(one[key])) == parse(str(other[key])) for key in one)


def _size(claim: Any) -> Any:
    resources = claim.spec.resources
    return parse(str(resources.requests.get("storage", "0"))) if resources is not None else parse("0")


def _claim_class(claim: Any) -> str:
    return claim.metadata.annotations.get(CLAIM_CLASS) or claim.spec.storage_class_name or ""


def _reject(write: Write, why: str) -> None:
    raise status.forbidden(write.subject, f"pod rejected: {why}")
