"""Why a node cannot take a pod, by table."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.scheduler.filters import checks
from controlplane.scheduler.model import Node, NodeState, Pod, Requirement, Taint, Term, Toleration

BUSY = Pod("ns", "busy", "u0", requests={"cpu": 3000, "memory": 2000}, ports=(("0.0.0.0", "TCP", 80),))
ALLOCATABLE = {"cpu": 4000, "memory": 8000, "pods": 2}
NO_SCHEDULE = Taint("dedicated", "gpu", "NoSchedule")


def reasons(pod: Pod, state: NodeState) -> tuple[str, ...]:
    for check in checks(pod):
        found = check(pod, state)
        if found:
            return found
    return ()


def node(**facts: Any) -> NodeState:
    return NodeState(Node(name="n1", **{"allocatable": ALLOCATABLE, **facts}), [BUSY])


def pod(**facts: Any) -> Pod:
    return Pod("ns", "p", "u1", **facts)


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ({}, ()),
        ({"cpu": 1000}, ()),
        ({"cpu": 1001}, ("Insufficient cpu",)),
        ({"cpu": 1001, "memory": 7000}, ("Insufficient cpu", "Insufficient memory")),
        ({"example.com/gpu": 1}, ("Insufficient example.com/gpu",)),
        ({"example.com/gpu": 0}, ()),
    ],
)
def test_resources(requests: dict[str, int], expected: tuple[str, ...]) -> None:
    assert reasons(pod(requests=requests), node()) == expected


def test_the_number_of_pods_is_a_resource() -> None:
    assert reasons(pod(), node(allocatable=ALLOCATABLE | {"pods": 1})) == ("Too many pods",)


@pytest.mark.parametrize(
    ("port", "free"),
    [
        (("0.0.0.0", "TCP", 80), False),
        (("127.0.0.1", "TCP", 80), False),
        (("0.0.0.0", "UDP", 80), True),
        (("0.0.0.0", "TCP", 81), True),
    ],
)
def test_host_ports(port: tuple[str, str, int], free: bool) -> None:
    expected = () if free else ("node(s) didn't have free ports for the requested pod ports",)
    assert reasons(pod(ports=(port,)), node()) == expected


def test_every_address_clashes_with_one_address() -> None:
    held = NodeState(Node("n1", allocatable=ALLOCATABLE), [Pod("ns", "a", "u", ports=(("10.0.0.1", "TCP", 80),))])
    assert reasons(pod(ports=(("0.0.0.0", "TCP", 80),)), held)
    assert not reasons(pod(ports=(("10.0.0.2", "TCP", 80),)), held)


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (Toleration("dedicated", "Equal", "gpu", "NoSchedule"), True),
        (Toleration("dedicated", "", "gpu", ""), True),
        (Toleration("dedicated", "Equal", "tpu", ""), False),
        (Toleration("dedicated", "Exists", "", ""), True),
        (Toleration("", "Exists", "", ""), True),
        (Toleration("", "Exists", "", "NoExecute"), False),
        (Toleration("other", "Exists", "", ""), False),
    ],
)
def test_taints(toleration: Toleration, tolerated: bool) -> None:
    expected = () if tolerated else ("node(s) had untolerated taint(s)",)
    assert reasons(pod(tolerations=(toleration,)), node(taints=(NO_SCHEDULE,))) == expected


def test_soft_taints_keep_nobody_away() -> None:
    assert reasons(pod(), node(taints=(Taint("k", "", "PreferNoSchedule"),))) == ()


def test_a_cordoned_node_takes_only_those_that_tolerate_it() -> None:
    tolerant = pod(tolerations=(Toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule"),))
    assert reasons(pod(), node(unschedulable=True)) == ("node(s) were unschedulable",)
    assert reasons(tolerant, node(unschedulable=True)) == ()


def test_node_name() -> None:
    assert reasons(pod(node="n2"), node()) == ("node(s) didn't match the requested node name",)
    assert reasons(pod(node="n1"), node()) == ()


def term(key: str, operator: str, *values: str) -> Term:
    return Term(labels=(Requirement(key, operator, values),))


@pytest.mark.parametrize(
    ("terms", "matches"),
    [
        ((term("zone", "In", "a", "b"),), True),
        ((term("zone", "In", "b"),), False),
        ((term("zone", "NotIn", "b"),), True),
        ((term("disk", "NotIn", "b"),), True),
        ((term("zone", "Exists"),), True),
        ((term("disk", "DoesNotExist"),), True),
        ((term("cores", "Gt", "7"),), True),
        ((term("cores", "Gt", "8"),), False),
        ((term("cores", "Lt", "9"),), True),
        ((term("zone", "Gt", "1"),), False),
        ((term("zone", "In", "b"), term("disk", "DoesNotExist")), True),
        ((Term(),), False),
        ((), False),
        ((Term(fields=(Requirement("metadata.name", "In", ("n1",)),)),), True),
        ((Term(fields=(Requirement("metadata.name", "In", ("n2",)),)),), False),
        ((Term(fields=(Requirement("metadata.uid", "In", ("n1",)),)),), False),
    ],
)
def test_required_affinity(terms: tuple[Term, ...], matches: bool) -> None:
    expected = () if matches else ("node(s) didn't match Pod's node affinity/selector",)
    assert reasons(pod(required=terms), node(labels={"zone": "a", "cores": "8"})) == expected


def test_node_selector() -> None:
    assert reasons(pod(selector=(("zone", "a"),)), node(labels={"zone": "a"})) == ()
    assert reasons(pod(selector=(("zone", "b"),)), node(labels={"zone": "a"}))
