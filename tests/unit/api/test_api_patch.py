"""The three kinds of patches."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import kinds
from api.meta_v1 import ObjectMeta
from api.patch import PatchError, PatchInapplicable, PatchMalformed, json_patch, merge_patch, strategic_merge


def containers(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "image": f"{name}:1", **more} for name in names]


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": spec}


STRATEGIC = {
    "a scalar replaces": (pod(nodeName="a"), pod(nodeName="b"), pod(nodeName="b")),
    "null deletes": (pod(nodeName="a", hostname="h"), pod(nodeName=None), pod(hostname="h")),
    "a map is merged": (
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"b": None, "c": "3"}}},
        {"metadata": {"labels": {"a": "1", "c": "3"}}},
    ),
    "a map can be replaced": (
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"$patch": "replace", "b": "2"}}},
        {"metadata": {"labels": {"b": "2"}}},
    ),
    "a map can be emptied": (
        pod(securityContext={"runAsUser": 1}),
        pod(securityContext={"$patch": "delete"}),
        pod(securityContext={}),
    ),
    "items are merged by their key": (
        pod(containers=containers("a", "b")),
        pod(containers=[{"name": "b", "image": "b:2"}]),
        pod(containers=[{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]),
    ),
    "a new item goes to the front, as upstream does": (
        pod(containers=containers("a")),
        pod(containers=containers("b")),
        pod(containers=containers("b", "a")),
    ),
    "an item is deleted": (
        pod(containers=containers("a", "b")),
        pod(containers=[{"$patch": "delete", "name": "a"}]),
        pod(containers=containers("b")),
    ),
    "a list is replaced on demand": (
        pod(containers=containers("a", "b")),
        pod(containers=[*containers("c"), {"$patch": "replace"}]),
        pod(containers=containers("c")),
    ),
    "lists inside of items are merged too": (
        pod(containers=containers("a", env=[{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}])),
        pod(containers=[{"name": "a", "env": [{"name": "Y", "value": "3"}]}]),
        pod(containers=containers("a", env=[{"name": "X", "value": "1"}, {"name": "Y", "value": "3"}])),
    ),
    "an atomic list is replaced": (
        pod(tolerations=[{"key": "a"}, {"key": "b"}]),
        pod(tolerations=[{"key": "c"}]),
        pod(tolerations=[{"key": "c"}]),
    ),
    "a command is replaced": (
        pod(containers=containers("a", command=["x", "y"])),
        pod(containers=[{"name": "a", "command": ["z"]}]),
        pod(containers=containers("a", command=["z"])),
    ),
    "scalars are merged as a set": (
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"finalizers": ["b", "c"]}},
        {"metadata": {"finalizers": ["a", "b", "c"]}},
    ),
    "scalars are deleted from a set": (
        {"metadata": {"finalizers": ["a", "b", "c"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}},
        {"metadata": {"finalizers": ["a", "c"]}},
    ),
    "scalars are ordered": (
        {"metadata": {"finalizers": ["a", "b", "c"]}},
        {"metadata": {"$setElementOrder/finalizers": ["c", "a"], "$deleteFromPrimitiveList/finalizers": ["b"]}},
        {"metadata": {"finalizers": ["c", "a"]}},
    ),
    "items are ordered, unknown ones keep their place": (
        pod(containers=containers("a", "server", "b")),
        pod(**{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
        pod(containers=containers("server", "b", "a")),
    ),
    "an item is added at its place": (
        pod(containers=containers("a", "c")),
        pod(
            **{
                "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
                "containers": containers("b"),
            }
        ),
        pod(containers=containers("a", "b", "c")),
    ),
    "a volume changes its type": (
        pod(volumes=[{"name": "v", "emptyDir": {}}]),
        pod(volumes=[{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]),
        pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
    ),
    "conditions are merged by type": (
        {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "x"}]}},
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "x"}]}},
    ),
    "what is new has no nulls and directives": (
        pod(),
        pod(volumes=[{"name": "v", "$retainKeys": ["name"], "emptyDir": None}, {"name": "w", "$patch": "delete"}]),
        pod(volumes=[{"name": "v"}]),
    ),
}


@pytest.mark.parametrize(("document", "patch", "expected"), STRATEGIC.values(), ids=STRATEGIC.keys())
def test_strategic_merge(document: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy((document, patch))
    assert strategic_merge(kinds.POD, document, patch) == expected
    assert (document, patch) == before


def test_strategic_merge_of_a_deployments_strategy() -> None:
    document = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(kinds.DEPLOYMENT, document, patch) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_strategic_merge_takes_over_some_structs_as_a_whole() -> None:
    document = {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "1"}}}}
    patch = {"spec": {"selector": {"matchLabels": {"b": "2"}}}}
    expected = {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"b": "2"}}}}
    assert strategic_merge(kinds.POD_DISRUPTION_BUDGET, document, patch) == expected
    assert strategic_merge(kinds.DEPLOYMENT, document, patch)["spec"]["selector"] == {
        "matchLabels": {"a": "1", "b": "2"}
    }


def test_strategic_merge_of_service_ports() -> None:
    document = {"spec": {"ports": [{"port": 80, "targetPort": 1}, {"port": 81}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 2}]}}
    expected = {"spec": {"ports": [{"port": 80, "targetPort": 2}, {"port": 81}]}}
    assert strategic_merge(kinds.SERVICE, document, patch) == expected


@pytest.mark.parametrize(
    "patch",
    [
        [],
        pod(securityContext={"$patch": "explode"}),
        pod(containers=[{"name": "a", "$patch": "explode"}]),
        pod(containers=[{"image": "no key"}]),
        pod(containers=["a"]),
        pod(**{"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}),
        pod(**{"$setElementOrder/tolerations": []}),
        pod(**{"$deleteFromPrimitiveList/containers": {}}),
        pod(volumes=[{"name": "v", "$retainKeys": ["name"], "emptyDir": {}}]),
    ],
)
def test_bad_strategic_patches(patch: Any) -> None:
    document = pod(securityContext={}, containers=containers("a"), volumes=[{"name": "v"}], tolerations=[])
    with pytest.raises(PatchError, match="cannot apply strategic merge patch"):
        strategic_merge(kinds.POD, document, patch)


def item_lists() -> st.SearchStrategy[list[dict[str, Any]]]:
    item = st.fixed_dictionaries(
        {"name": st.sampled_from("abcd")}, optional={"image": st.sampled_from("xyz"), "workingDir": st.just("/")}
    )
    return st.lists(item, max_size=4, unique_by=lambda item: item["name"])


def two_way(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> dict[str, Any]:
    """The patch that a client makes who saw `old` and wants `new`."""
    before = {item["name"]: item for item in old}
    after = {item["name"]: item for item in new}
    items: list[dict[str, Any]] = [{"name": name, "$patch": "delete"} for name in before if name not in after]
    for name, item in after.items():
        gone = {key: None for key in before.get(name, {}) if key not in item}
        if before.get(name) != item:
            items.append({**item, **gone})
    order = [{"name": item["name"]} for item in new]
    return pod(containers=items, **{"$setElementOrder/containers": order})


@given(item_lists(), item_lists())
def test_a_clients_patch_makes_what_it_wants(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    patched = strategic_merge(kinds.POD, pod(containers=old), two_way(old, new))
    assert patched == pod(containers=new)


@given(item_lists(), item_lists())
def test_three_way_keeps_what_others_added(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    injected = {"name": "sidecar", "image": "injected"}
    live = pod(containers=[*old, injected])
    patched = strategic_merge(kinds.POD, live, two_way(old, new))["spec"]["containers"]
    assert [item for item in patched if item["name"] != "sidecar"] == new
    assert injected in patched


@given(item_lists(), item_lists())
def test_strategic_merge_twice_is_once(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    patch = pod(containers=new)
    once = strategic_merge(kinds.POD, pod(containers=old), patch)
    assert strategic_merge(kinds.POD, once, patch) == once


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        # The cases of RFC 7386, appendix A, that have objects on both sides.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(document: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    assert merge_patch(document, patch) == expected
    assert document == before


def test_merge_patch_must_be_an_object() -> None:
    with pytest.raises(PatchMalformed):
        merge_patch({}, ["a"])


def test_json_patch() -> None:
    document = {"metadata": {"labels": {"a": "1"}}, "list": [1, 2]}
    operations = [
        {"op": "test", "path": "/metadata/labels/a", "value": "1"},
        {"op": "replace", "path": "/metadata/labels/a", "value": "2"},
        {"op": "add", "path": "/metadata/labels/b~1c", "value": "3"},
        {"op": "add", "path": "/list/-", "value": 3},
        {"op": "remove", "path": "/list/0"},
        {"op": "copy", "from": "/list", "path": "/copy"},
        {"op": "move", "from": "/copy/0", "path": "/first"},
    ]
    assert json_patch(document, operations) == {
        "metadata": {"labels": {"a": "2", "b/c": "3"}},
        "list": [2, 3],
        "copy": [3],
        "first": 2,
    }
    assert document == {"metadata": {"labels": {"a": "1"}}, "list": [1, 2]}


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        ({}, PatchMalformed),
        ([{"op": "explode", "path": "/a"}], PatchInapplicable),
        ([{"path": "/a"}], PatchMalformed),
        (["x"], PatchMalformed),
        ([{"op": "add", "path": "/a"}], PatchMalformed),
        ([{"op": "add", "path": "a", "value": 1}], PatchMalformed),
        ([{"op": "add", "path": 3, "value": 1}], PatchMalformed),
        ([{"op": "test", "path": "/a", "value": 2}], PatchInapplicable),
        ([{"op": "remove", "path": "/missing"}], PatchInapplicable),
        ([{"op": "replace", "path": "/b/c", "value": 1}], PatchInapplicable),
        ([{"op": "add", "path": "/list/9", "value": 1}], PatchInapplicable),
        ([{"op": "add", "path": "/list/x", "value": 1}], PatchInapplicable),
        ([{"op": "add", "path": "/a/b", "value": 1}], PatchInapplicable),
        ([{"op": "replace", "path": "", "value": 1}], PatchInapplicable),
        ([{"op": "add", "path": "/x", "value": 1}] * 10_001, PatchMalformed),
    ],
)
def test_bad_json_patches(operations: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="cannot apply JSON patch"):
        json_patch({"a": 1, "list": []}, operations)


def test_json_patch_replaces_and_tests_the_whole() -> None:
    operations = [
        {"op": "test", "path": "", "value": {"b": [1], "a": None}},
        {"op": "replace", "path": "", "value": {"c": 1}},
    ]
    assert json_patch({"a": None, "b": [1]}, operations) == {"c": 1}


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        ([{"op": {}, "path": "/a"}], PatchMalformed),
        ([{"op": "remove"}], PatchMalformed),
        ([{"op": "copy", "path": "/b"}], PatchMalformed),
        ([{"op": "remove", "path": "/a~2"}], PatchMalformed),
        ([{"op": "remove", "path": ""}], PatchInapplicable),
        ([{"op": "remove", "path": "/list/-1"}], PatchInapplicable),
        ([{"op": "remove", "path": "/list/٠"}], PatchInapplicable),
        ([{"op": "remove", "path": "/list/00"}], PatchInapplicable),
        ([{"op": "replace", "path": "/list/-", "value": 1}], PatchInapplicable),
        ([{"op": "move", "from": "/map", "path": "/map/x"}], PatchInapplicable),
        ([{"op": "test", "path": "/a", "value": True}], PatchInapplicable),
        ([{"op": "add", "path": "", "value": [1]}], PatchInapplicable),
        ([{"op": "copy", "from": "", "path": f"/map/{n}"} for n in range(40)], PatchMalformed),
    ],
)
def test_json_patches_that_must_not_be_applied(operations: Any, error: type[Exception]) -> None:
    document = {"a": 1, "list": [0], "map": {}}
    with pytest.raises(error, match="cannot apply JSON patch"):
        json_patch(document, operations)
    assert document == {"a": 1, "list": [0], "map": {}}


@pytest.mark.parametrize(
    "patch",
    [
        {"finalizers": [{}]},
        {"finalizers": [["a"]]},
        {"$deleteFromPrimitiveList/finalizers": [{}]},
        {"ownerReferences": [{"uid": {}}]},
        {"$setElementOrder/finalizers": [{}], "finalizers": ["a"]},
    ],
)
def test_lists_are_merged_by_plain_keys(patch: dict[str, Any]) -> None:
    with pytest.raises(PatchMalformed):
        strategic_merge(ObjectMeta, {"finalizers": ["a"], "ownerReferences": [{"uid": "u"}]}, patch)
