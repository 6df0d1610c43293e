"""What becomes of objects without owners, and of owners that wait."""

from __future__ import annotations

from typing import Any

import pytest

from api import kinds
from controlplane.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Graph, Node
from controlplane.controllers.garbagecollector.plan import (
    Abandon,
    Await,
    Delete,
    Keep,
    Release,
    State,
    Step,
    Unlink,
    plan_deleting,
    plan_owned,
)
from controlplane.controllers.namespace.plan import Rest, plan_conditions
from controlplane.controllers.seen import Owner, Seen

SOLID, WAITING, ABSENT = State.SOLID, State.WAITING, State.ABSENT


def owner(uid: str, blocks: bool = True) -> Owner:
    return Owner("apps/v1", "ReplicaSet", uid, uid, controller=True, blocks=blocks)


def item(*owners: str, **facts: Any) -> Seen:
    return Seen(namespace="ns", name="x", **({"uid": "x", "owners": tuple(map(owner, owners))} | facts))


@pytest.mark.parametrize(
    ("states", "dependents", "finalizers", "expected"),
    [
        ({"a": SOLID}, False, (), Keep()),
        ({"a": SOLID, "b": ABSENT}, False, (), Unlink(("b",))),
        ({"a": SOLID, "b": WAITING, "c": ABSENT}, True, (), Unlink(("b", "c"))),
        ({"a": ABSENT}, True, (), Delete("Background")),
        ({"a": ABSENT}, True, (FOREGROUND,), Delete("Foreground")),
        ({"a": ABSENT}, True, (ORPHAN,), Delete("Orphan")),
        ({"a": WAITING}, True, (), Delete("Foreground")),
        ({"a": WAITING}, False, (), Delete("Background")),
        ({"a": WAITING, "b": ABSENT}, True, (), Delete("Foreground")),
    ],
)
def test_owned(states: dict[str, State], dependents: bool, finalizers: tuple[str, ...], expected: Step) -> None:
    assert plan_owned(item(*states, finalizers=finalizers), states, dependents) == expected


def test_what_is_going_or_has_no_owner_is_left_alone() -> None:
    assert plan_owned(item("a", deleting=True), {"a": ABSENT}, False) == Keep()
    assert plan_owned(item(), {}, False) == Keep()


def node(seen: Seen) -> Node:
    return Node(kinds.POD, seen)


def test_an_owner_waits_for_those_that_block_it() -> None:
    me = node(item(deleting=True, finalizers=(FOREGROUND,)))
    blocking = node(Seen(name="p", uid="p", owners=(owner("x"),)))
    free = node(Seen(name="q", uid="q", owners=(owner("x", blocks=False),)))
    assert plan_deleting(me, [blocking, free]) == Await((blocking,))
    assert plan_deleting(me, [free]) == Release(FOREGROUND)
    assert plan_deleting(node(item(deleting=True)), [blocking]) == Keep()
    leaving = node(item(deleting=True, finalizers=(ORPHAN,)))
    assert plan_deleting(leaving, [blocking, free]) == Abandon((blocking, free))


def test_the_graph_follows_references() -> None:
    graph = Graph()
    graph.put(kinds.POD, item("a", uid="p"))
    assert [n.item.uid for n in graph.dependents("a")] == ["p"]
    graph.put(kinds.POD, item("b", uid="p"))
    assert [n.item.uid for n in graph.dependents("a")] == []
    assert [n.item.uid for n in graph.dependents("b")] == ["p"]
    graph.drop("p")
    assert list(graph.dependents("b")) == []
    assert graph.get("p") is None


def test_conditions_of_a_namespace_that_empties() -> None:
    from collections import Counter

    rest = Rest({"pods.": 2, "configmaps.": 1}, Counter({"example.com/hold": 1}))
    said = {c.type: (c.status, c.message) for c in plan_conditions(rest)}
    assert said["NamespaceContentRemaining"] == (
        "True",
        "Some resources are remaining: configmaps. has 1 resource instances, pods. has 2 resource instances",
    )
    assert said["NamespaceFinalizersRemaining"] == (
        "True",
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
    )
    assert said["NamespaceDeletionContentFailure"][0] == "False"
    assert {c.status for c in plan_conditions(Rest())} == {"False"}
