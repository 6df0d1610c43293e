"""Which pods a node takes, and in whose words it refuses the others."""

from dataclasses import replace
from typing import Any

import pytest

from api.core_v1 import (
    Affinity,
    AppArmorProfile,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodOS,
    PodSecurityContext,
    ResourceRequirements,
    Sysctl,
    Taint,
    Toleration,
)
from nodeagent.model.memory import Verdict
from nodeagent.plan.admission import NodeView, judge
from nodeagent.plan.status import NodeFacts, compute_status
from tests.unit.nodeagent.pods import NOW, memory, pod, seen

NODE = NodeView("n1", {"cpu": "2", "memory": "1Gi", "pods": "3", "example.org/a": "1"}, {"zone": "x", "rank": "5"})


def asking(**requests: str) -> Pod:
    wanted = pod("a")
    names = {"storage": "ephemeral-storage", "device": "example.org/a", "pages": "hugepages-2Mi", "other": "x.org/b"}
    needs = {names.get(k, k): v for k, v in requests.items()}
    wanted.spec.containers[0].resources = ResourceRequirements(requests=needs)
    return wanted


def choosing(*wishes: tuple[str, str, list[str]]) -> Pod:
    terms = [NodeSelectorTerm(match_expressions=[NodeSelectorRequirement(k, o, v)]) for k, o, v in wishes]
    required = NodeSelector(node_selector_terms=terms)
    affinity = NodeAffinity(required_during_scheduling_ignored_during_execution=required)
    return pod("a", affinity=Affinity(node_affinity=affinity))


def tuned(name: str, **spec: Any) -> Pod:
    return pod("a", security_context=PodSecurityContext(sysctls=[Sysctl(name=name, value="1")]), **spec)


def served(port: int, ip: str | None = None) -> Pod:
    wanted = pod("a")
    wanted.spec.containers[0].ports = [ContainerPort(container_port=80, host_port=port, host_ip=ip)]
    return wanted


SHORT = "Node didn't have enough resource: "
CASES: list[tuple[str, Pod, list[Pod], str, str]] = [
    ("nothing asked", pod("a"), [], "", ""),
    ("fits", asking(cpu="1500m"), [asking(cpu="500m")], "", ""),
    (
        "cpu",
        asking(cpu="1600m"),
        [asking(cpu="500m")],
        "OutOfcpu",
        SHORT + "cpu, requested: 1600, used: 500, capacity: 2000",
    ),
    (
        "memory",
        asking(memory="2Gi"),
        [],
        "OutOfmemory",
        SHORT + "memory, requested: 2147483648, used: 0, capacity: 1073741824",
    ),
    (
        "cpu before memory",
        asking(memory="2Gi", cpu="3"),
        [],
        "OutOfcpu",
        SHORT + "cpu, requested: 3000, used: 0, capac",
    ),
    ("pods", pod("a"), [pod("a")] * 3, "OutOfpods", SHORT + "pods, requested: 1, used: 3, capacity: 3"),
    ("disk", asking(storage="1"), [], "OutOfephemeral-storage", SHORT + "ephemeral-storage, requested: 1, used: 0"),
    ("pages", asking(pages="2Mi"), [], "OutOfhugepages-2Mi", SHORT + "hugepages-2Mi, requested: 2097152, used: 0"),
    ("a device", asking(device="1"), [asking(device="1")], "OutOfexample.org/a", SHORT + "example.org/a, requested: 1"),
    ("a device that nobody knows here", asking(other="1"), [], "", ""),
    ("selected", pod("a", node_selector={"zone": "x"}), [], "", ""),
    (
        "not selected",
        pod("a", node_selector={"zone": "y"}),
        [],
        "NodeAffinity",
        "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ),
    ("In", choosing(("zone", "In", ["w", "x"])), [], "", ""),
    ("one of two terms", choosing(("zone", "In", ["w"]), ("zone", "Exists", [])), [], "", ""),
    ("NotIn", choosing(("zone", "NotIn", ["x"])), [], "NodeAffinity", "Predicate NodeAffinity failed"),
    ("Gt", choosing(("rank", "Gt", ["4"])), [], "", ""),
    ("Lt", choosing(("rank", "Lt", ["5"])), [], "NodeAffinity", ""),
    ("no number", choosing(("zone", "Gt", ["4"])), [], "NodeAffinity", ""),
    ("DoesNotExist", choosing(("none", "DoesNotExist", [])), [], "", ""),
    (
        "bound elsewhere",
        pod("a", node_name="n2"),
        [],
        "NodeName",
        "Predicate NodeName failed: node(s) didn't match the requested node name",
    ),
    (
        "a port that is taken",
        served(80),
        [served(80, "10.0.0.1")],
        "NodePorts",
        "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ),
    ("the same port elsewhere", served(80, "10.0.0.2"), [served(80, "10.0.0.1")], "", ""),
    ("a safe sysctl", tuned("net.ipv4.tcp_syncookies"), [], "", ""),
    ("with slashes", tuned("net/ipv4/tcp_syncookies"), [], "", ""),
    (
        "another sysctl",
        tuned("kernel.msgmax"),
        [],
        "SysctlForbidden",
        'forbidden sysctl: "kernel.msgmax" not allowlisted',
    ),
    (
        "of the host's network",
        tuned("net.ipv4.tcp_syncookies", host_network=True),
        [],
        "SysctlForbidden",
        'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled',
    ),
    ("Linux", pod("a", os=PodOS(name="linux")), [], "", ""),
    (
        "Windows",
        pod("a", os=PodOS(name="windows")),
        [],
        "PodOSNotSupported",
        "Failed to admit pod as the OS field doesn't match node OS",
    ),
    (
        "strict groups",
        pod("a", security_context=PodSecurityContext(supplemental_groups_policy="Strict")),
        [],
        "SupplementalGroupsPolicyNotSupported",
        "SupplementalGroupsPolicy=Strict is not supported in this node",
    ),
    (
        "AppArmor",
        pod("a", security_context=PodSecurityContext(app_armor_profile=AppArmorProfile(type="RuntimeDefault"))),
        [],
        "AppArmor",
        "Cannot enforce AppArmor: AppArmor is not enabled on the host",
    ),
    (
        "no AppArmor, please",
        pod("a", security_context=PodSecurityContext(app_armor_profile=AppArmorProfile(type="Unconfined"))),
        [],
        "",
        "",
    ),
]


@pytest.mark.parametrize(
    ("what", "wanted", "others", "reason", "message"), CASES, ids=[row[0].replace(" ", "-") for row in CASES]
)
def test_judgement(what: str, wanted: Pod, others: list[Pod], reason: str, message: str) -> None:
    verdict = judge(wanted, others, NODE)
    assert (verdict.reason if verdict else "") == reason
    assert verdict is None or (verdict.message.startswith(message) and verdict.rejected)


def test_taints_that_drive_out() -> None:
    tainted = replace(NODE, taints=[Taint(key="k", value="v", effect="NoExecute"), Taint(key="z", effect="NoSchedule")])
    verdict = judge(pod("a"), [], tainted)
    assert verdict is not None and verdict.reason == "TaintToleration"
    assert verdict.message == "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
    assert judge(pod("a", tolerations=[Toleration(key="k", value="v")]), [], tainted) is None
    assert judge(pod("a", tolerations=[Toleration(operator="Exists")]), [], tainted) is None
    static = pod("a")
    static.metadata.annotations = {"kubernetes.io/config.source": "file"}
    assert judge(static, [], tainted) is None
    static.metadata.resource_version = "7"  # the API server has it: anybody may have written the annotation
    assert judge(static, [], tainted) is not None


def test_what_a_node_may_allow() -> None:
    assert judge(tuned("kernel.msgmax"), [], replace(NODE, allowed_sysctls=("kernel.msg*",))) is None
    refused = judge(tuned("kernel.msgmax", host_ipc=True), [], replace(NODE, allowed_sysctls=("kernel.msg*",)))
    assert refused is not None and refused.message.endswith("not allowed with host IPC enabled")
    going = judge(pod("a"), [], replace(NODE, shutting_down=True))
    assert going == Verdict("NodeShutdown", "Pod was rejected as the node is shutting down.", rejected=True)


def test_overhead_counts() -> None:
    wanted = asking(cpu="1900m")
    wanted.spec.overhead = {"cpu": "200m"}
    verdict = judge(wanted, [], NODE)
    assert verdict is not None and "requested: 2100" in verdict.message


def test_what_a_refused_pod_shows() -> None:
    wanted = pod("a")
    known = memory(verdict=Verdict("OutOfcpu", "why", rejected=True))
    status = compute_status(wanted, seen(), known, NodeFacts(("192.0.2.1",)), NOW)
    assert (status.phase, status.reason, status.message) == ("Failed", "OutOfcpu", "Pod was rejected: why")
    assert status.container_statuses == [] and status.conditions == [] and status.qos_class == "BestEffort"
    wanted.status = status
    again = compute_status(wanted, seen(), memory(), NodeFacts(("192.0.2.1",)), NOW + 5)
    assert again == status, "another agent leaves it as it is"
