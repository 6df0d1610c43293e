"""Who owns what after which writes, and what an object is after configurations were applied to it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.apply import managers, ownership, sets
from api.apply.compare import compare
from api.apply.managers import APPLY, UPDATE, Managed, Owner, identity
from api.apply.objects import blank_of
from api.apply.ownership import Applier, Conflicts, Rules
from api.apply.schema import ItemError, shape_of
from api.fields import F, Int32, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta

T0, T1, T2 = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"


class Item(Type):
    name: Annotated[str, F(1)] = required(str)
    value: Annotated[str | None, F(2)] = None
    more: Annotated[dict[str, str], F(3)] = {}


class Port(Type):
    port: Annotated[Int32, F(1)] = required(int)
    protocol: Annotated[str, F(2)] = required(str)
    name: Annotated[str | None, F(3)] = None


class ThingSpec(Type):
    number: Annotated[Int32 | None, F(1)] = None
    text: Annotated[str | None, F(2)] = None
    tags: Annotated[list[str], F(3, unique=True)] = []
    items: Annotated[list[Item], F(4, merge="name")] = []
    ports: Annotated[list[Port], F(5, keys=("port", "protocol"))] = []
    atoms: Annotated[list[str], F(6, atomic=True)] = []
    labels: Annotated[dict[str, str], F(7)] = {}
    selector: Annotated[LabelSelector | None, F(8)] = None
    inner: Annotated[Item | None, F(9)] = None


class Thing(Type):
    kind: str = constant("Thing")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ThingSpec, F(2)] = required(ThingSpec)


RULES = Rules(shape_of(Thing), "v1")


class Object:
    """An object, and who owns its fields."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.live: dict[str, Any] = blank_of(Thing)
        self.managed: Managed = {}
        self.rules = rules

    def apply(self, manager: str, spec: dict[str, Any], *, force: bool = False, now: str = T0) -> bool:
        """Whether the object changed."""
        config = {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": spec}
        result = ownership.applied(self.live, config, self.managed, Applier(manager, now, force), self.rules)
        self.managed = result.managed
        if result.new is not None:
            self.live = result.new
        return result.new is not None

    def update(self, manager: str, spec: dict[str, Any], now: str = T0) -> None:
        """Replace the spec."""
        new = {**self.live, "spec": spec}
        self.managed = ownership.updated(self.managed, compare(RULES.shape, self.live, new), manager, self.rules, now)
        self.live = new

    @property
    def spec(self) -> dict[str, Any]:
        return self.live["spec"]

    def owns(self, manager: str, operation: str = APPLY) -> list[str]:
        """What a manager owns, in words."""
        owner = self.managed.get(identity(manager, operation, "v1", self.rules.subresource))
        return list(sets.paths(owner.fields)) if owner else []

    def time(self, manager: str, operation: str = APPLY) -> str | None:
        return self.managed[identity(manager, operation, "v1", self.rules.subresource)].time


def conflicts(obj: Object, manager: str, spec: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(Conflicts) as caught:
        obj.apply(manager, spec)
    return {who.manager: list(sets.paths(fields)) for who, fields in caught.value.found.items()}


def named(*names: str, value: str = "1") -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name in names]


# applying


def test_an_applied_object_is_the_configuration_and_its_manager_owns_what_it_names() -> None:
    obj = Object()
    assert obj.apply("me", {"number": 1, "labels": {"a": "b"}, "items": named("x"), "tags": ["t"], "atoms": ["a"]})
    assert obj.spec == {"number": 1, "labels": {"a": "b"}, "items": named("x"), "tags": ["t"], "atoms": ["a"]}
    assert obj.owns("me") == [
        ".spec.atoms",
        ".spec.number",
        '.spec.items[name="x"]',
        '.spec.items[name="x"].name',
        '.spec.items[name="x"].value',
        ".spec.labels.a",
        '.spec.tags[="t"]',
    ]
    assert obj.time("me") == T0


def test_the_same_again_changes_nothing_not_even_the_time() -> None:
    obj = Object()
    obj.apply("me", {"number": 1})
    before = obj.managed
    assert not obj.apply("me", {"number": 1}, now=T1)
    assert obj.managed == before


def test_what_is_no_longer_named_goes() -> None:
    obj = Object()
    obj.apply(
        "me", {"number": 1, "text": "t", "labels": {"a": "1", "b": "2"}, "items": named("x", "y"), "tags": ["s", "t"]}
    )
    assert obj.apply("me", {"text": "t", "labels": {"b": "2"}, "items": named("y"), "tags": ["t"]}, now=T1)
    assert obj.spec == {"text": "t", "labels": {"b": "2"}, "items": named("y"), "tags": ["t"]}
    assert obj.time("me") == T1
    obj.apply("me", {})
    assert obj.spec == {}
    assert obj.owns("me") == [".spec"]


def test_what_somebody_else_owns_as_well_stays() -> None:
    obj = Object()
    obj.apply("me", {"number": 1, "labels": {"a": "1"}, "items": named("x")})
    obj.apply("you", {"number": 1, "items": named("x")})
    obj.apply("me", {"text": "t"})
    assert obj.spec == {"number": 1, "text": "t", "items": named("x")}
    assert obj.owns("you")[0] == ".spec.number"


def test_what_nobody_named_stays() -> None:
    obj = Object()
    obj.live = {**obj.live, "spec": {"number": 1}}  # a default, say
    obj.apply("me", {"text": "t"})
    obj.apply("me", {})
    assert obj.spec == {"number": 1}


def test_an_item_that_goes_takes_along_what_nobody_else_owns_in_it() -> None:
    obj = Object()
    obj.apply("me", {"items": [{"name": "x", "value": "1"}]})
    obj.live["spec"]["items"][0]["more"] = {"default": "yes"}
    obj.apply("me", {"items": named("y")})
    assert obj.spec["items"] == named("y")


def test_an_item_in_which_another_owns_a_field_stays_with_that_field() -> None:
    obj = Object()
    obj.apply("me", {"items": [{"name": "x", "value": "1"}]})
    obj.apply("you", {"items": [{"name": "x", "more": {"k": "v"}}]})
    obj.apply("me", {"items": []})
    assert obj.spec["items"] == [{"name": "x", "more": {"k": "v"}}]


def test_a_shared_field_is_owned_by_both_until_one_changes_it() -> None:
    obj = Object()
    obj.apply("me", {"number": 1})
    assert not obj.apply("you", {"number": 1}, now=T1)
    assert obj.owns("me") == obj.owns("you") == [".spec.number"]
    assert obj.time("you") is None  # the object has not changed
    assert conflicts(obj, "you", {"number": 2}) == {"me": [".spec.number"]}
    obj.apply("you", {"number": 2}, force=True, now=T2)
    assert obj.owns("me") == [] and obj.owns("you") == [".spec.number"]
    assert obj.spec == {"number": 2} and obj.time("you") == T2


@pytest.mark.parametrize(
    ("mine", "yours", "fields"),
    [
        ({"number": 1}, {"number": 2}, [".spec.number"]),
        ({"labels": {"a": "1", "b": "1"}}, {"labels": {"a": "2", "c": "1"}}, [".spec.labels.a"]),
        ({"items": named("x", "y")}, {"items": named("x", value="2")}, ['.spec.items[name="x"].value']),
        ({"atoms": ["a"]}, {"atoms": ["a", "b"]}, [".spec.atoms"]),
        ({"selector": {"matchLabels": {"a": "1"}}}, {"selector": {"matchLabels": {"b": "1"}}}, [".spec.selector"]),
        (
            {"ports": [{"port": 80, "protocol": "TCP", "name": "a"}]},
            {"ports": [{"port": 80, "protocol": "TCP", "name": "b"}]},
            ['.spec.ports[port=80,protocol="TCP"].name'],
        ),
        ({"inner": {"name": "a"}}, {"inner": {"name": "b"}}, [".spec.inner.name"]),
    ],
)
def test_conflicts(mine: dict[str, Any], yours: dict[str, Any], fields: list[str]) -> None:
    obj = Object()
    obj.apply("me", mine)
    before = obj.spec
    assert conflicts(obj, "you", yours) == {"me": fields}
    assert obj.spec == before


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        ({"number": 1}, {"text": "t"}),
        ({"labels": {"a": "1"}}, {"labels": {"b": "1"}}),
        ({"items": named("x")}, {"items": named("y")}),
        ({"items": named("x")}, {"items": [{"name": "x", "more": {"a": "b"}}]}),
        ({"tags": ["a"]}, {"tags": ["a", "b"]}),
        ({"atoms": ["a"]}, {"atoms": ["a"]}),
        ({"ports": [{"port": 80, "protocol": "TCP"}]}, {"ports": [{"port": 80, "protocol": "UDP"}]}),
    ],
)
def test_no_conflicts(mine: dict[str, Any], yours: dict[str, Any]) -> None:
    obj = Object()
    obj.apply("me", mine)
    obj.apply("you", yours)
    obj.apply("me", mine)
    obj.apply("you", yours)


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ("abc", "", "abc"),
        ("", "abc", "abc"),
        ("abc", "d", "abcd"),
        ("abc", "cba", "cba"),
        ("abc", "ca", "bca"),
        ("abc", "bd", "abcd"),
        ("abc", "da", "dabc"),
        ("abcd", "xdya", "bcxdya"),
        ("ab", "xby", "axby"),
    ],
)
def test_the_order_of_items(live: str, config: str, merged: str) -> None:
    """The configuration's order for what it names; the others before the next of their own list that it names."""
    for field, one in (("tags", list), ("items", lambda text: named(*text))):
        obj = Object()
        obj.live = {**obj.live, "spec": {field: one(live)}}
        obj.apply("me", {field: one(config)})
        assert obj.spec[field] == one(merged)


def test_null_takes_a_scalar_and_leaves_what_holds_others() -> None:
    obj = Object()
    obj.live = {**obj.live, "spec": {"number": 1, "labels": {"a": "b"}, "tags": ["t"]}}
    obj.apply("me", {"number": None, "labels": None, "tags": None})
    assert obj.spec == {"number": None, "labels": {"a": "b"}, "tags": ["t"]}
    assert obj.owns("me") == [".spec.labels", ".spec.number", ".spec.tags"]


def test_items_that_cannot_be_told_apart() -> None:
    obj = Object()
    with pytest.raises(ItemError, match="omits all key fields"):
        Object(Rules(shape_of(Keyless), "v1")).apply("me", {"items": [{"value": "x"}]})
    obj.live = {**obj.live, "spec": {"tags": ["a", "a", "b"]}}
    obj.apply("me", {"tags": ["a"]})
    assert obj.spec["tags"].count("b") == 1


class Loose(Type):
    name: Annotated[str | None, F(1)] = None
    value: Annotated[str | None, F(2)] = None


class KeylessSpec(Type):
    items: Annotated[list[Loose], F(1, merge="name")] = []


class Keyless(Type):
    kind: str = constant("Thing")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[KeylessSpec, F(2)] = required(KeylessSpec)


# updates


def test_an_update_owns_what_it_changes_and_takes_it_from_others() -> None:
    obj = Object()
    obj.apply("me", {"number": 1, "text": "t", "labels": {"a": "1"}})
    obj.update("controller", {"number": 2, "text": "t", "labels": {"a": "1", "b": "2"}}, now=T1)
    assert obj.owns("controller", UPDATE) == [".spec.number", ".spec.labels.b"]
    assert obj.owns("me") == [".spec.text", ".spec.labels.a"]
    assert conflicts(obj, "me", {"number": 1}) == {"controller": [".spec.number"]}


def test_what_an_update_removes_is_nobodys() -> None:
    obj = Object()
    obj.apply("me", {"number": 1, "items": named("x")})
    obj.update("controller", {"number": 1})
    assert obj.owns("me") == [".spec.number"]
    assert obj.owns("controller", UPDATE) == []
    obj.update("controller", {})
    assert obj.managed == {}


def test_updates_of_one_manager_are_one_entry_whose_time_is_that_of_the_last_change() -> None:
    obj = Object()
    obj.update("c", {"number": 1}, now=T0)
    obj.update("c", {"number": 1, "text": "t"}, now=T1)
    assert obj.owns("c", UPDATE) == [".spec.number", ".spec.text"] and obj.time("c", UPDATE) == T1
    obj.update("c", {"number": 1, "text": "t"}, now=T2)
    assert obj.time("c", UPDATE) == T1
    obj.update("c", {"number": 1}, now=T2)
    assert obj.time("c", UPDATE) == T1 and obj.owns("c", UPDATE) == [".spec.number"]


def test_applying_and_updating_are_two_owners_though_one_manager() -> None:
    obj = Object()
    obj.update("me", {"number": 1})
    assert conflicts(obj, "me", {"number": 2}) == {"me": [".spec.number"]}
    obj.apply("me", {"number": 1})
    assert len(obj.managed) == 2


def test_a_write_that_cannot_change_a_field_does_not_own_it() -> None:
    obj = Object(Rules(RULES.shape, "v1", "status", sets.of(sets.field("spec", "labels"))))
    obj.update("c", {"number": 1, "labels": {"a": "1"}})
    assert obj.owns("c", UPDATE) == [".spec.number"]
    obj.apply("me", {"number": 1, "labels": {"a": "2"}})
    assert obj.owns("me") == [".spec.number"]


def test_versions_that_nobody_serves_own_nothing() -> None:
    obj = Object()
    obj.managed = {identity("old", UPDATE, "v0", ""): Owner(sets.of(sets.field("spec", "number")), None, "v0", T0)}
    obj.update("c", {"text": "t"})
    assert {who.manager for who in obj.managed} == {"c"}
    obj.managed = {identity("old", APPLY, "v0", ""): Owner(sets.of(sets.field("spec", "number")), None, "v0", T0)}
    obj.apply("me", {"number": 2})
    assert {who.manager for who in obj.managed} == {"me"}


def test_what_the_server_decides_is_nobodys() -> None:
    obj = Object()
    meta = {"name": "x", "namespace": "n", "uid": "u", "resourceVersion": "1", "generation": 1, "creationTimestamp": T0}
    new = {**obj.live, "metadata": {**meta, "labels": {"a": "b"}}}
    managed = ownership.created(blank_of(Thing), new, "c", RULES, T0)
    assert list(sets.paths(managed[identity("c", UPDATE, "v1", "")].fields)) == [
        ".metadata.labels",
        ".metadata.labels.a",
    ]


def test_whoever_was_there_before_the_first_apply_is_one_manager() -> None:
    live = {**blank_of(Thing), "spec": {"number": 1, "text": "t"}}
    managed = ownership.before_apply(live, blank_of(Thing), RULES, T0)
    obj = Object()
    obj.live, obj.managed = live, managed
    assert obj.owns("before-first-apply", UPDATE) == [".spec.number", ".spec.text"]
    assert conflicts(obj, "me", {"number": 2}) == {"before-first-apply": [".spec.number"]}


def test_too_many_updaters_become_one() -> None:
    obj = Object()
    for number in range(10):
        obj.update(
            f"m{number:02}",
            {**obj.spec, "labels": {**obj.spec.get("labels", {}), f"l{number}": "1"}},
            f"2026-01-01T00:00:{number:02}Z",
        )
    assert len(obj.managed) == 10
    for number in (10, 11):
        obj.update(
            f"m{number:02}",
            {**obj.spec, "labels": {**obj.spec["labels"], f"l{number}": "1"}},
            f"2026-01-01T00:00:{number:02}Z",
        )
        assert len(obj.managed) == 10
    assert obj.owns("ancient-changes", UPDATE) == [
        ".spec.labels",
        ".spec.labels.l0",
        ".spec.labels.l1",
        ".spec.labels.l2",
    ]
    assert obj.time("ancient-changes", UPDATE) == "2026-01-01T00:00:02Z"
    obj.apply("one more who applies", {"text": "t"})
    assert len(obj.managed) == 11


def test_the_entries_come_in_upstreams_order_and_back() -> None:
    obj = Object()
    obj.update("b", {"number": 1}, T1)
    obj.update("a", {"number": 1, "text": "t"}, T1)
    obj.update("z", {"number": 1, "text": "t", "labels": {"a": "b"}}, T0)
    obj.apply("me", {"number": 1}, now=T2)
    entries = managers.encode(obj.managed)
    assert [(entry.operation, entry.manager) for entry in entries] == [
        ("Apply", "me"),
        ("Update", "z"),
        ("Update", "a"),
        ("Update", "b"),
    ]
    read = managers.decode(entries, RULES.shape)
    assert {who: (owner.fields, owner.time) for who, owner in read.items()} == {
        who: (owner.fields, owner.time) for who, owner in obj.managed.items()
    }


# properties

NAMES = st.sampled_from("abcd")
TEXT = st.sampled_from(["1", "2"])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "number": st.integers(0, 2),
        "text": TEXT,
        "tags": st.lists(NAMES, unique=True, max_size=3, min_size=1),
        "items": st.dictionaries(NAMES, TEXT, max_size=3, min_size=1).map(
            lambda found: [{"name": name, "value": value} for name, value in found.items()]
        ),
        "labels": st.dictionaries(NAMES, TEXT, max_size=3, min_size=1),
        "atoms": st.lists(NAMES, max_size=2, min_size=1),
        "selector": st.dictionaries(NAMES, TEXT, max_size=2, min_size=1).map(lambda labels: {"matchLabels": labels}),
    },
)


def settled(value: Any) -> Any:
    """The value without what is empty, and sets without order: for those who only ask what is there."""
    if isinstance(value, dict):
        return {name: left for name, below in value.items() if (left := settled(below)) not in ({}, [], None)}
    if isinstance(value, list):
        return sorted((settled(item) for item in value), key=repr)
    return value


@given(SPECS, SPECS)
def test_applying_twice_is_applying_once(before: dict[str, Any], spec: dict[str, Any]) -> None:
    obj = Object()
    obj.update("c", before)
    obj.apply("me", spec, force=True)
    live, managed = obj.live, obj.managed
    assert not obj.apply("me", spec, now=T1)
    assert obj.live == live and obj.managed == managed


@given(SPECS, SPECS)
def test_what_was_added_goes_when_it_is_no_longer_applied(before: dict[str, Any], spec: dict[str, Any]) -> None:
    """As long as it took nothing from anybody."""
    obj = Object()
    obj.update("c", before)
    try:
        obj.apply("me", spec)
    except Conflicts:
        return
    obj.apply("me", {})
    assert settled(obj.spec) == settled(before)


@given(SPECS, SPECS)
def test_two_who_do_not_conflict_may_apply_in_any_order(mine: dict[str, Any], yours: dict[str, Any]) -> None:
    one, other = Object(), Object()
    try:
        one.apply("me", mine)
        one.apply("you", yours)
    except Conflicts:
        other.apply("you", yours)
        with pytest.raises(Conflicts):
            other.apply("me", mine)
        return
    other.apply("you", yours)
    other.apply("me", mine)
    assert settled(one.live) == settled(other.live)
    assert {who: owner.fields for who, owner in one.managed.items()} == {
        who: owner.fields for who, owner in other.managed.items()
    }


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans(), SPECS), max_size=6))
def test_what_is_owned_is_there(writes: list[tuple[str, bool, dict[str, Any]]]) -> None:
    obj = Object()
    for manager, applies, spec in writes:
        if applies:
            obj.apply(manager, spec, force=True)
            there = named_in(obj.spec, spec)
            assert settled(there) == settled(spec)
        else:
            obj.update(manager, spec)
    every = sets.member(None)
    every = compare(RULES.shape, blank_of(Thing), obj.live).changed or every
    for owner in obj.managed.values():
        assert owner.fields is not None
        leaves = set(sets.paths(owner.fields))
        known = set(sets.paths(every)) | {".spec"}
        assert {path for path in leaves if not path.endswith(("labels", "items", "tags"))} <= known


def named_in(live: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Those parts of an object that a configuration names."""
    out: dict[str, Any] = {}
    for name, value in config.items():
        there = live[name]
        if name == "labels":
            out[name] = {key: there[key] for key in value}
        elif name == "items":
            out[name] = [next(item for item in there if item["name"] == wanted["name"]) for wanted in value]
        elif name == "tags":
            out[name] = [item for item in there if item in value]
        else:
            out[name] = there
    return out
