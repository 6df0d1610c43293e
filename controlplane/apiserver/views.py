"""How a subresource shows an object, and how what a client wrote into that view gets into the object.

The object itself, its status and a namespace's finalize show the whole object. Scale shows and takes a number of replicas, binding takes a
node's name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from api import autoscaling_v1, codec, conversion, core_v1, defaults, selectors, validation
from api.core_v1 import PodCondition
from api.fields import Type
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from api.validation import Cause
from controlplane.apiserver import status
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.write import Write


class View:
    """The object as it is."""

    def __init__(self, type_: type[Type]) -> None:
        self.type = type_

    def show(self, old: Any, entry: Entry | None) -> dict[str, Any]:
        """What a patch is applied to."""
        assert entry is not None
        document: dict[str, Any] = msgspec.json.decode(entry.data)
        return document

    def carry(self, body: Any, write: Write) -> Any:
        """The new object after the view became `body`."""
        return body

    def answer(self, data: bytes, kind: Kind[Any]) -> bytes:
        """What the client gets of the stored object."""
        return data


class ScaleView(View):
    """autoscaling/v1 Scale of a workload."""

    def __init__(self) -> None:
        super().__init__(autoscaling_v1.Scale)

    def show(self, old: Any, entry: Entry | None) -> dict[str, Any]:
        """The Scale as plain data."""
        assert entry is not None
        return codec.to_dict(scale_of(old, str(entry.revision)))

    def carry(self, body: Any, write: Write) -> Any:
        """The old object with the new number of replicas."""
        replicas = body.spec.replicas or 0
        if replicas < 0:
            cause = Cause(
                "spec.replicas", "FieldValueInvalid", f"Invalid value: {replicas}: must be greater than or equal to 0"
            )
            raise status.invalid_object("autoscaling", "Scale", write.call.target.name, [cause])
        new = copy(write.old)
        new.spec.replicas = replicas
        return new

    def answer(self, data: bytes, kind: Kind[Any]) -> bytes:
        """The Scale of the stored object."""
        obj: Any = codec.decode(kind, data)
        return codec.encode(scale_of(obj, obj.metadata.resource_version))


class BindingView(View):
    """The assignment of a pod to a node, by the scheduler."""

    def __init__(self) -> None:
        super().__init__(core_v1.Binding)

    def carry(self, body: Any, write: Write) -> Any:
        """The pod on its node, with the condition that says so."""
        pod, node = write.old, body.target.name
        about = write.subject
        causes = validation.validate_binding(body)
        if causes:
            raise status.invalid_object("", "Binding", write.call.target.name, causes)
        if body.metadata.uid and body.metadata.uid != pod.metadata.uid:
            raise status.conflict(
                about,
                f"Precondition failed: UID in precondition: {body.metadata.uid}, UID in object meta: {pod.metadata.uid}",
            )
        if pod.metadata.deletion_timestamp:
            raise status.conflict(about, f"pod {pod.metadata.name} is being deleted, cannot be assigned to a host")
        if pod.spec.node_name:
            raise status.conflict(about, f'pod {pod.metadata.name} is already assigned to node "{pod.spec.node_name}"')
        new = copy(pod)
        new.spec.node_name = node
        new.metadata.annotations = {**new.metadata.annotations, **body.metadata.annotations}
        others = [condition for condition in new.status.conditions if condition.type != "PodScheduled"]
        scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=write.now)
        scheduled.observed_generation = new.metadata.generation
        new.status.conditions = [*others, scheduled]
        return new


def scale_of(obj: Any, revision: str) -> autoscaling_v1.Scale:
    """The Scale of a workload."""
    meta = obj.metadata
    return autoscaling_v1.Scale(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=revision,
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=autoscaling_v1.ScaleSpec(replicas=obj.spec.replicas or None),
        status=autoscaling_v1.ScaleStatus(replicas=obj.status.replicas or 0, selector=_selector(obj.spec.selector)),
    )


def _selector(selector: Any) -> str:
    """What pods are selected, in one line; a ReplicationController has plain labels."""
    if isinstance(selector, dict):
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    return str(selectors.from_struct(selector))


def copy(obj: Any) -> Any:
    """A deep copy; by way of the bytes, which is the fastest there is."""
    return codec.decode(type(obj), codec.encode(obj))


_SCALE, _BINDING = ScaleView(), BindingView()
_WHOLE: dict[Kind[Any], View] = {}


class SecondView(View):
    """The object as a kind shows it that is kept as another."""

    def __init__(self, kind: Kind[Any]) -> None:
        super().__init__(kind.type)
        self._kind = kind

    def show(self, old: Any, entry: Entry | None) -> dict[str, Any]:
        """The kept object, converted."""
        assert entry is not None
        document: dict[str, Any] = msgspec.json.decode(conversion.show(self._kind, entry.data))
        return document

    def carry(self, body: Any, write: Write) -> Any:
        """The object as it is kept; what this version defaults is filled in before."""
        defaults.apply(self._kind, body)
        return conversion.stored(self._kind, body)


def view(kind: Kind[Any], subresource: str, shown_as: Kind[Any] | None = None) -> View:
    """The view that a subresource is, or a second view of the kind."""
    if subresource == "scale":
        return _SCALE
    if subresource == "binding":
        return _BINDING
    known = _WHOLE.get(shown_as or kind)
    if known is None:
        known = _WHOLE[shown_as or kind] = View(kind.type) if shown_as is None else SecondView(shown_as)
    return known
