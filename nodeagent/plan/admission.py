"""Whether this node takes a pod that was bound to it: one pure function, `judge`.

Who binds pods may not know what the node knows, or may not have looked at all. A pod that is refused fails at once, with
the reason and the words that upstream's kubelet has for it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from api import quantity
from api.core_v1 import Pod, Taint
from nodeagent.model.memory import Verdict
from nodeagent.model.origin import is_static
from nodeagent.model.spec import APPARMOR_KEY, all_containers
from nodeagent.plan import placement, qos
from nodeagent.plan.eviction import is_critical, refusal
from nodeagent.plan.preemption import NoRoom, victims

SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced": "IPC",
    "net.ipv4.ip_local_port_range": "Net",
    "net.ipv4.tcp_syncookies": "Net",
    "net.ipv4.ping_group_range": "Net",
    "net.ipv4.ip_unprivileged_port_start": "Net",
    "net.ipv4.ip_local_reserved_ports": "Net",
    "net.ipv4.tcp_keepalive_time": "Net",
    "net.ipv4.tcp_fin_timeout": "Net",
    "net.ipv4.tcp_keepalive_intvl": "Net",
    "net.ipv4.tcp_keepalive_probes": "Net",
    "net.ipv4.tcp_rmem": "Net",
    "net.ipv4.tcp_wmem": "Net",
}
UNEXPECTED = "Unexpected error while attempting to recover from admission failure"
SPACES = {"kernel.sem": "IPC", "kernel.shm": "IPC", "kernel.msg": "IPC", "fs.mqueue.": "IPC", "net.": "Net"}


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node as admission sees it."""

    name: str
    allocatable: Mapping[str, str]
    labels: Mapping[str, str]
    taints: Sequence[Taint] = ()
    apparmor: bool = False
    strict_groups: bool = False  # the runtime knows supplementalGroupsPolicy: Strict
    allowed_sysctls: Sequence[str] = ()  # beyond the safe ones; a star at the end stands for anything
    shutting_down: bool = False
    pressures: Sequence[str] = ()  # the conditions of what runs low


def judge(pod: Pod, others: Sequence[Pod], node: NodeView) -> Verdict | None:
    """Why the node does not take the pod; None if it does."""
    return (
        refusal(pod, node.pressures)
        or _judge_sysctls(pod, node)
        or _judge_os(pod, node)
        or _judge_groups(pod, node)
        or _judge_fit(pod, others, node)
        or _judge_apparmor(pod, node)
        or _judge_shutdown(node)
    )


def _refused(reason: str, message: str) -> Verdict:
    return Verdict(reason, message, rejected=True)


def _judge_sysctls(pod: Pod, node: NodeView) -> Verdict | None:
    context = pod.spec.security_context
    for wanted in context.sysctls if context is not None else ():
        name = normal_sysctl(wanted.name)
        problem = _sysctl_problem(name, pod, node.allowed_sysctls)
        if problem:
            return _refused("SysctlForbidden", f'forbidden sysctl: "{name}" {problem}')
    return None


def _sysctl_problem(name: str, pod: Pod, allowed: Sequence[str]) -> str:
    space = SAFE_SYSCTLS.get(name)
    if space is None:
        if not any(name == a or (a.endswith("*") and name.startswith(a[:-1])) for a in map(normal_sysctl, allowed)):
            return "not allowlisted"
        space = next((kind for prefix, kind in SPACES.items() if name.startswith(prefix)), "")
    if (space == "IPC" and pod.spec.host_ipc) or (space == "Net" and pod.spec.host_network):
        return f"not allowed with host {space} enabled"
    return ""


def normal_sysctl(name: str) -> str:
    """With dots between its parts, whichever of dot and slash it was written with."""
    first = re.search(r"[./]", name)
    if first is None or first[0] == ".":
        return name
    return name.translate(str.maketrans("./", "/."))


def _judge_os(pod: Pod, node: NodeView) -> Verdict | None:
    label = pod.metadata.labels.get("kubernetes.io/os")
    if label is not None and label != "linux":
        text = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
        return _refused("PodOSSelectorNodeLabelDoesNotMatch", text)
    if pod.spec.os is not None and pod.spec.os.name != "linux":
        return _refused("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    return None


def _judge_groups(pod: Pod, node: NodeView) -> Verdict | None:
    context = pod.spec.security_context
    if context is not None and context.supplemental_groups_policy == "Strict" and not node.strict_groups:
        text = "SupplementalGroupsPolicy=Strict is not supported in this node"
        return _refused("SupplementalGroupsPolicyNotSupported", text)
    return None


def _judge_fit(pod: Pod, others: Sequence[Pod], node: NodeView) -> Verdict | None:
    """The first of what does not fit. A critical pod gets what it lacks from others, if that is all that is wrong."""
    wrong = _judge_place(pod, others, node)
    short = missing_resources(pod, others, node)
    if not short or (wrong is not None and is_critical(pod)):
        return wrong
    refused = _refused(f"OutOf{short[0].name}", str(short[0]))
    if not is_critical(pod):
        return refused
    try:
        chosen = victims(pod, others, {one.name: one.lacking for one in short})
    except NoRoom as error:
        return _refused(
            "UnexpectedAdmissionError", f"{UNEXPECTED}: preemption: error finding a set of pods to preempt: {error}"
        )
    return replace(refused, instead=tuple(other.metadata.uid or "" for other in chosen))


def _judge_place(pod: Pod, others: Sequence[Pod], node: NodeView) -> Verdict | None:
    """Whether it may be here at all, whatever it asks for."""
    wrong = [
        ("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
        if not placement.selects(pod, node.name, node.labels)
        else None,
        ("NodeName", "node(s) didn't match the requested node name")
        if pod.spec.node_name and pod.spec.node_name != node.name
        else None,
        ("NodePorts", "node(s) didn't have free ports for the requested pod ports")
        if not placement.ports_free(pod, others)
        else None,
        ("TaintToleration", "node(s) had taints that the pod didn't tolerate")
        if not is_static(pod) and placement.untolerated(node.taints, pod.spec.tolerations, "NoExecute")
        else None,
    ]
    first = next((pair for pair in wrong if pair is not None), None)
    return _refused(first[0], f"Predicate {first[0]} failed: {first[1]}") if first else None


@dataclass(frozen=True, slots=True)
class Shortage:
    """What there is not enough of: CPU in thousandths of a core, all else as it is counted."""

    name: str
    requested: int
    used: int
    capacity: int

    @property
    def lacking(self) -> int:
        return self.requested - (self.capacity - self.used)

    def __str__(self) -> str:
        return (
            f"Node didn't have enough resource: {self.name}, requested: {self.requested}, "
            f"used: {self.used}, capacity: {self.capacity}"
        )


def missing_resources(pod: Pod, others: Sequence[Pod], node: NodeView) -> list[Shortage]:
    """The resources that the node has not enough of beside what others asked for."""
    places = quantity.ceil(node.allocatable.get("pods", "0"))
    found = [Shortage("pods", 1, len(others), places)] if len(others) + 1 > places else []
    for name in _asked(pod):
        requested = qos.pod_total(pod, name, limits=False)
        if not requested or (_is_extended(name) and name not in node.allocatable):
            continue
        used = sum(qos.pod_total(other, name, limits=False) for other in others)
        text = node.allocatable.get(name, "0")
        capacity = quantity.milli(text) if name == "cpu" else quantity.ceil(text)
        if requested > capacity - used:
            found.append(Shortage(name, requested, used, capacity))
    return found


def _asked(pod: Pod) -> list[str]:
    """The resources it asks for, in the order in which they are looked at."""
    needs = [c.resources for c in (*pod.spec.containers, *pod.spec.init_containers)] + [pod.spec.resources]
    names = {name for need in needs if need is not None for name in (*need.requests, *need.limits)}
    names |= set(pod.spec.overhead)
    first = [name for name in ("cpu", "memory", "ephemeral-storage") if name in names]
    return first + sorted(names - set(first))


def _is_extended(name: str) -> bool:
    return "/" in name and not name.startswith(("kubernetes.io/", "requests."))


def _judge_apparmor(pod: Pod, node: NodeView) -> Verdict | None:
    if node.apparmor or not wants_apparmor(pod):
        return None
    return _refused("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")


def wants_apparmor(pod: Pod) -> bool:
    """Whether any of its containers is to be confined."""
    contexts = [pod.spec.security_context, *(c.security_context for c in all_containers(pod))]
    profiles = [c.app_armor_profile for c in contexts if c is not None]
    if any(profile is not None and profile.type != "Unconfined" for profile in profiles):
        return True
    notes = [value for key, value in pod.metadata.annotations.items() if key.startswith(APPARMOR_KEY)]
    return any(value not in ("", "unconfined") for value in notes)


def _judge_shutdown(node: NodeView) -> Verdict | None:
    if not node.shutting_down:
        return None
    return _refused("NodeShutdown", "Pod was rejected as the node is shutting down.")
