"""What pods are allowed here: whether they are taken at all, and with which resources.

What a pod was allowed is kept in its directory, in a file of its own, and outlives the agent: a wish that came while nobody
looked is a change like any other, and who was taken once is not judged again.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from api.core_v1 import Container, Node, Pod, ResourceRequirements
from kit import log
from nodeagent.model.memory import PodMemory, ResizeNote
from nodeagent.model.seen import ContainerState, SeenContainer, SeenPod, SeenSandbox
from nodeagent.plan.admission import NodeView, judge
from nodeagent.plan.pod import is_ending
from nodeagent.plan.resizing import (
    Resources,
    changed_resources,
    replacements,
    resize_steps,
    resources_of,
    with_resources,
)
from nodeagent.report.tally import Tally
from nodeagent.sync.doors import NORMAL, WARNING, PodEvents

FILE = "allocation.json"
DEFERRED, INFEASIBLE = "Deferred", "Infeasible"
PENDING, PROGRESS = "PodResizePending", "PodResizeInProgress"
_log = log.get("allocations")
Others = Callable[[], Sequence[Pod]]  # the pods beside this one, with what they are allowed


class _Kept(msgspec.Struct):
    """The file: resources by container, and up to which attempt containers are to be made anew."""

    resources: dict[str, ResourceRequirements] = {}
    replace: dict[str, int] = {}


@dataclass(slots=True)
class Allocations:
    """See the module. `view` is the node; labels and taints come with `observed`."""

    root_dir: str
    view: NodeView
    events: PodEvents
    tally: Tally = field(default_factory=Tally)
    _known: dict[str, Resources] = field(default_factory=dict)
    _own: Mapping[str, str] = field(init=False)  # what the node has by itself

    def __post_init__(self) -> None:
        self._own = self.view.allocatable

    def observed(self, node: Node) -> None:
        """The API server shows our node like this."""
        self.view = replace(
            self.view,
            labels=node.metadata.labels,
            taints=node.spec.taints,
            strict_groups=node.status.features is not None and bool(node.status.features.supplemental_groups_policy),
            allocatable={**node.status.allocatable, **self._own},
        )

    def pressed(self, conditions: Sequence[str]) -> None:
        """This runs low on our node now."""
        self.view = replace(self.view, pressures=conditions)

    def admit(self, pod: Pod, others: Others, memory: PodMemory, running: bool) -> Pod:
        """Judge a pod that is new here, unless it was taken before or runs already. The pod with what it is allowed."""
        uid = pod.metadata.uid or ""
        kept = self._read(uid)
        if kept is not None:
            self._known[uid] = kept.resources
            memory.replace = kept.replace
            _recall(pod, memory)
            return self.update(pod, others, memory, _as_told(pod))
        if not running:
            memory.verdict = judge(pod, others(), self.view)
            if memory.verdict is not None:
                return pod
        self._allow(pod, memory)
        return pod

    def update(self, pod: Pod, others: Others, memory: PodMemory, seen: SeenPod) -> Pod:
        """The pod as it is wished now, with what it is allowed."""
        uid = pod.metadata.uid or ""
        allowed, wished = self._known.get(uid), resources_of(pod)
        if allowed is None:
            return pod  # one without resources, or one that was refused
        changed = changed_resources(allowed, wished)
        if not changed:
            memory.resize_pending, memory.resize_wish = None, None
            return pod
        if is_ending(pod, memory):
            return with_resources(pod, allowed)
        generation = pod.metadata.generation or 0
        if memory.resize_pending is None or memory.resize_pending.generation != generation:
            for step in resize_steps(allowed, wished):
                self.tally.resizes.add(*step)
        verdict = judge(pod, others(), self.view)
        if verdict is None:
            memory.replace = {**memory.replace, **replacements(pod, changed, seen)}
            memory.resize_pending, memory.resize_wish, memory.resize_retry = None, None, 0.0
            memory.resize_progress = ResizeNote("", "", generation)
            self._allow(pod, memory)
            text = f"Pod resize started: {summary(pod, generation)}"
            self.events.tell(pod, NORMAL, "ResizeStarted", text)
            return pod
        reason = INFEASIBLE if verdict.reason == INFEASIBLE else DEFERRED
        before, memory.resize_pending = memory.resize_pending, ResizeNote(reason, verdict.message, generation)
        memory.resize_wish = pod
        if before is None or (before.reason, before.generation) != (reason, generation):
            text = f"Pod resize {verdict.reason}: {summary(pod, generation, verdict.message)}"
            self.events.tell(pod, WARNING, f"Resize{reason}", text)
        return with_resources(pod, allowed)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._known.pop(uid, None)

    def _allow(self, pod: Pod, memory: PodMemory) -> None:
        resources = resources_of(pod)
        if not any(need.requests or need.limits for need in resources.values()):
            return  # its class of service cannot change, so nothing can be added
        uid = pod.metadata.uid or ""
        self._known[uid] = resources
        path = self._path(uid)
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            draft = path.with_suffix(".new")
            draft.write_bytes(msgspec.json.encode(_Kept(resources, memory.replace)))
            os.replace(draft, path)
        except OSError as error:
            _log.warning("cannot keep what a pod is allowed", pod=pod.metadata.name, error=error)

    def _read(self, uid: str) -> _Kept | None:
        try:
            return msgspec.json.decode(self._path(uid).read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("cannot read what a pod was allowed", uid=uid, error=error)
            return None

    def _path(self, uid: str) -> Path:
        return Path(self.root_dir) / "pods" / uid / FILE


def _recall(pod: Pod, memory: PodMemory) -> None:
    """What an agent before this one told of a change that was under way."""
    for condition in pod.status.conditions:
        note = ResizeNote(condition.reason or "", condition.message or "", condition.observed_generation or 0)
        if condition.type == PENDING:
            memory.resize_pending = note
        elif condition.type == PROGRESS:
            memory.resize_progress = note


def _as_told(pod: Pod) -> SeenPod:
    """What runs, as the agent before this one told it: nobody has looked at the runtime yet."""
    told = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    up = [status for status in told if status.state is not None and status.state.running is not None]
    containers = [
        SeenContainer(s.container_id or "", "", s.name or "", s.restart_count or 0, ContainerState.RUNNING) for s in up
    ]
    return SeenPod.of([SeenSandbox("", 0, ready=True)], containers)


class _Container(msgspec.Struct, omit_defaults=True):
    name: str
    resources: ResourceRequirements | None = None


class _Summary(msgspec.Struct, omit_defaults=True, kw_only=True):
    init_containers: list[_Container] = msgspec.field(name="initContainers", default_factory=list)
    containers: list[_Container] = []
    generation: int
    error: str = ""


def summary(pod: Pod, generation: int, error: str = "") -> str:
    """The resources that a pod is to have, as Events tell them."""

    def told(containers: Sequence[Container]) -> list[_Container]:
        return [_Container(c.name, c.resources or ResourceRequirements()) for c in containers]

    found = _Summary(
        init_containers=told(pod.spec.init_containers),
        containers=told(pod.spec.containers),
        generation=generation,
        error=error,
    )
    return msgspec.json.encode(found).decode()
