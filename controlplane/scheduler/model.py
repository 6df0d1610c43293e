"""What the scheduler knows: small facts of pods and nodes, and the running account of each node.

`Pod` and `Node` are facts read from one object. `NodeState` is the only thing here that changes: the scheduler's cache adds and removes
pods from it; filters and scores only read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HostPort = tuple[str, str, int]
"""A host port as (address, protocol, port)."""

Resources = Mapping[str, int]
"""Amounts by resource name: cpu in thousandths, all others in whole units."""


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Toleration:
    key: str
    operator: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a node selector term."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A node selector term: all of its requirements hold. A term without requirements matches no node."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightedTerm:
    weight: int
    term: Term


@dataclass(frozen=True, slots=True)
class Pod:
    """What scheduling needs to know of a pod."""

    namespace: str
    name: str
    uid: str
    scheduler: str = "default-scheduler"
    created: float = 0.0
    priority: int = 0
    node: str = ""
    deleting: bool = False
    finished: bool = False
    gated: bool = False
    owner: str = ""
    requests: Resources = field(default_factory=dict)
    scored_cpu: int = 100
    scored_memory: int = 200 * 1024 * 1024
    selector: tuple[tuple[str, str], ...] = ()
    required: tuple[Term, ...] | None = None
    preferred: tuple[WeightedTerm, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    ports: tuple[HostPort, ...] = ()
    images: tuple[str, ...] = ()
    said: tuple[str, str] = ("", "")
    """Reason and message of the PodScheduled condition that the pod carries."""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Node:
    """What scheduling needs to know of a node."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    allocatable: Resources = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)


class NodeState:
    """A node and the account of what runs, or is about to run, on it."""

    __slots__ = ("count", "node", "owners", "pods", "ports", "requested", "scored_cpu", "scored_memory")

    def __init__(self, node: Node, pods: Iterable[Pod] = ()) -> None:
        self.node = node
        self.pods: dict[str, Pod] = {}
        self.requested: dict[str, int] = {}
        self.scored_cpu = 0
        self.scored_memory = 0
        self.ports: Counter[HostPort] = Counter()
        self.owners: Counter[str] = Counter()
        self.count = 0
        for pod in pods:
            self.add(pod)

    def add(self, pod: Pod) -> None:
        """Charge `pod` to this node; a pod that is already charged is replaced."""
        if pod.key in self.pods:
            self.remove(pod.key)
        self.pods[pod.key] = pod
        self._charge(pod, 1)

    def remove(self, key: str) -> None:
        """Take the pod off the account; an unknown pod changes nothing."""
        pod = self.pods.pop(key, None)
        if pod is not None:
            self._charge(pod, -1)

    def _charge(self, pod: Pod, sign: int) -> None:
        self.count += sign
        for name, amount in pod.requests.items():
            self.requested[name] = self.requested.get(name, 0) + sign * amount
        self.scored_cpu += sign * pod.scored_cpu
        self.scored_memory += sign * pod.scored_memory
        for port in pod.ports:
            self.ports[port] += sign
            if not self.ports[port]:
                del self.ports[port]
        if pod.owner:
            self.owners[pod.owner] += sign
            if not self.owners[pod.owner]:
                del self.owners[pod.owner]
