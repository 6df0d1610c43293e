"""The declarations as server-side apply reads them, configurations that do not fit them, and the text for new objects."""

from __future__ import annotations

from typing import Any

import pytest

from api import codec, core_v1, defaults, kinds
from api.apply import check, sets
from api.apply.compare import compare
from api.apply.objects import Compared, blank_of, plain
from api.apply.schema import Items, Map, Shape, Struct, shape_of
from api.kinds import Kind
from tests import samples

RICH_POD = {
    "metadata": {
        "generateName": "x-",
        "labels": {"app": "web", "ü": "100%"},
        "annotations": {"a/b": "{}"},
        "finalizers": ["a.b/c", "d.e/f"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}],
    },
    "spec": {
        "nodeSelector": {"a": "b"},
        "imagePullSecrets": [{"name": "s"}],
        "tolerations": [{"key": "k"}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["x"]}],
        "containers": [
            {
                "name": name,
                "image": "demo:1",
                "ports": [{"containerPort": port, "protocol": "UDP"} for port in (443, 80)],
                "env": [
                    {"name": "B", "value": "1"},
                    {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                ],
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                "resources": {"limits": {"cpu": "1"}},
            }
            for name in ("z", "a")
        ],
        "volumes": [
            {"name": "v", "emptyDir": {}},
            {"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}},
        ],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    },
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "podIPs": [{"ip": "10.0.0.2"}]},
}


def every() -> list[tuple[Kind[Any], dict[str, Any]]]:
    """A sample of each stored kind, and a richer pod."""
    return [(kind, samples.GOOD[kind]) for kind in kinds.ALL] + [(kinds.POD, RICH_POD)]


def test_the_claim_of_a_volume_is_owned_field_by_field() -> None:
    volume = shape_of(kinds.PERSISTENT_VOLUME.type).fields["spec"]
    assert isinstance(volume, Struct)
    claim, same = volume.fields["claimRef"], shape_of(core_v1.ObjectReference)
    assert isinstance(claim, Struct)
    assert (claim.leaf, same.leaf, claim.fields) == (False, True, same.fields)


@pytest.mark.parametrize(("kind", "body"), every(), ids=lambda one: one.name if isinstance(one, Kind) else "")
def test_the_text_for_a_new_object_is_the_set_that_comparing_gives(kind: Kind[Any], body: dict[str, Any]) -> None:
    obj = codec.from_dict(kind, body)
    defaults.apply(kind, obj)
    compared = Compared(kind.type)
    for _ in range(2):  # the second time from memory
        text = compared.fresh(obj)
        found = compare(shape_of(kind.type), blank_of(kind.type), plain(obj)).changed
        gone = sets.of(*(sets.field("metadata", name) for name in ("name", "namespace", "resourceVersion")))
        wanted = sets.without(found, gone)
        assert sets.decode(text.encode() or b"{}") == wanted
        assert text.encode() == (sets.encode(wanted) if wanted else b"")


@pytest.mark.parametrize(("kind", "body"), every(), ids=lambda one: one.name if isinstance(one, Kind) else "")
def test_two_objects_compared_part_by_part_differ_as_they_do_on_the_whole(
    kind: Kind[Any], body: dict[str, Any]
) -> None:
    old, new = codec.from_dict(kind, {}), codec.from_dict(kind, body)
    defaults.apply(kind, new)
    gone = sets.of(*(sets.field("metadata", name) for name in ("name", "namespace", "resourceVersion")))
    compared = Compared(kind.type)
    for one, other in ((old, new), (new, old)):
        found = compared.difference(one, other)
        wanted = compare(
            shape_of(kind.type), {**blank_of(kind.type), **plain(one)}, {**blank_of(kind.type), **plain(other)}
        )
        assert [sets.without(part, gone) for part in wanted] == list(found)
    assert not any(compared.difference(new, codec.from_dict(kind, plain(new))))


def test_fields_that_a_write_cannot_change_are_left_out() -> None:
    obj = codec.from_dict(kinds.POD, RICH_POD)
    only_status = Compared(kinds.POD.type, sets.of(sets.field("spec"), sets.field("metadata")))
    assert set(sets.decode(only_status.fresh(obj).encode()) or {}) == {"f:status"}
    no_owners = Compared(kinds.POD.type, sets.of(sets.field("metadata", "ownerReferences")))
    assert "ownerReferences" not in no_owners.fresh(obj)


def walk(shape: Shape, path: str, seen: set[int]) -> list[tuple[str, Shape]]:
    if id(shape) in seen:
        return []
    found = [(path, shape)]
    if isinstance(shape, Struct):
        for name, child in shape.fields.items():
            found += walk(child, f"{path}.{name}", seen | {id(shape)})
    elif isinstance(shape, Map | Items):
        found += walk(shape.element, f"{path}[]", seen)
    return found


def test_items_can_be_told_apart() -> None:
    """A list that is no leaf has keys that its items have, or scalars."""
    for kind in kinds.SERVED:
        for path, shape in walk(shape_of(kind.type), kind.name, set()):
            if isinstance(shape, Items) and not shape.leaf:
                if shape.keys:
                    assert isinstance(shape.element, Struct), path
                    assert set(shape.keys) <= set(shape.element.fields), path
                else:
                    assert shape.element.leaf, path


@pytest.mark.parametrize(
    ("kind", "path", "leaf", "keys"),
    [
        (kinds.POD, "spec.containers", False, ("name",)),
        (kinds.POD, "spec.containers[].ports", False, ("containerPort", "protocol")),
        (kinds.POD, "spec.containers[].args", True, ()),
        (kinds.POD, "spec.tolerations", True, ()),
        (kinds.POD, "spec.nodeSelector", True, None),
        (kinds.POD, "spec.imagePullSecrets", False, ("name",)),
        (kinds.POD, "metadata.finalizers", False, ()),
        (kinds.POD, "metadata.ownerReferences", False, ("uid",)),
        (kinds.POD, "metadata.labels", False, None),
        (kinds.DEPLOYMENT, "spec.selector", True, None),
        (kinds.SERVICE, "spec.ports", False, ("port", "protocol")),
        (kinds.SERVICE, "spec.selector", True, None),
        (kinds.CLUSTER_ROLE_BINDING, "roleRef", True, None),
        (kinds.CONTROLLER_REVISION, "data", True, None),
        (kinds.EVENT, "involvedObject", True, None),
        (kinds.REPLICATION_CONTROLLER, "spec.selector", True, None),
        (kinds.NODE, "status.conditions", False, ("type",)),
        (kinds.NODE, "spec.podCIDRs", False, ()),
    ],
)
def test_facts(kind: Kind[Any], path: str, leaf: bool, keys: tuple[str, ...] | None) -> None:
    shape: Shape = shape_of(kind.type)
    for name in path.replace("[]", ".[]").split("."):
        if isinstance(shape, Struct):
            shape = shape.fields[name]
        elif name == "[]":
            assert isinstance(shape, Items)
            shape = shape.element
    assert shape.leaf is leaf
    if keys is not None:
        assert isinstance(shape, Items) and (shape.leaf or shape.keys == keys)


POD = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c"}]}}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"spec": None}, ""),
        ({"spec": {"foo": 1}}, ".spec.foo: field not declared in schema"),
        ({"spec": []}, ".spec: expected map, got &{[]}"),
        ({"spec": {"containers": {"a": 1}}}, ".spec.containers: expected list, got &{map[a:1]}"),
        ({"spec": {"hostNetwork": "yes"}}, ".spec.hostNetwork: expected boolean, got &{yes}"),
        (
            {"spec": {"activeDeadlineSeconds": "1"}},
            ".spec.activeDeadlineSeconds: expected numeric (int or float), got string",
        ),
        ({"spec": {"nodeName": 1}}, ".spec.nodeName: expected string, got &value.valueUnstructured{Value:1}"),
        (
            {"spec": {"containers": [{"name": "c"}, {"name": "c"}]}},
            '.spec.containers: duplicate entries for key [name="c"]',
        ),
        (
            {"spec": {"containers": ["c"]}},
            ".spec.containers: element 0: associative list with keys may not have non-map elements",
        ),
        (
            {"spec": {"containers": [None]}},
            ".spec.containers: element 0: associative list with keys may not have a null element",
        ),
        (
            {"metadata": {"finalizers": [{}]}},
            ".metadata.finalizers: element 0: associative list without keys has an element that's a map type",
        ),
        ({"spec": {"tolerations": [{"foo": 1}]}}, ".spec.tolerations[0].foo: field not declared in schema"),
        (
            {"spec": {"containers": [{"name": "c", "bar": 1}]}},
            '.spec.containers[name="c"].bar: field not declared in schema',
        ),
        (
            {"spec": {"nodeSelector": {"a": 1}}},
            ".spec.nodeSelector.a: expected string, got &value.valueUnstructured{Value:1}",
        ),
        ({"a": 1, "b": 2}, "errors:\n  .a: field not declared in schema\n  .b: field not declared in schema"),
        ({"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": 1, "memory": "1Mi"}}}]}}, ""),
    ],
)
def test_configurations_that_do_not_fit(change: dict[str, Any], problem: str) -> None:
    assert check.problems(shape_of(kinds.POD.type), {**POD, **change}) == problem


def test_keys_that_an_item_leaves_out_have_defaults() -> None:
    ports = shape_of(kinds.SERVICE.type).fields["spec"]
    assert isinstance(ports, Struct)
    shape = ports.fields["ports"]
    assert isinstance(shape, Items)
    assert shape.step({"port": 80}) == 'k:{"port":80,"protocol":"TCP"}'
    assert shape.step({"port": 80, "protocol": "UDP"}) == 'k:{"port":80,"protocol":"UDP"}'
    assert shape.step({}) == 'k:{"port":0,"protocol":"TCP"}'
