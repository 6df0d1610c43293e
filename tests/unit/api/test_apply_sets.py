"""Sets of fields: their JSON, their algebra, how they are shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.apply import sets
from api.apply.sets import LEAF, FieldsError, Set

STEPS = [
    "f:a",
    "f:b",
    'k:{"name":"x"}',
    'k:{"port":80,"protocol":"TCP"}',
    'k:{"port":443,"protocol":"TCP"}',
    'v:"x"',
    "v:1",
    "i:3",
]


def of(*paths: str) -> Set:
    """A set from paths written with slashes."""
    return sets.of(*(tuple(path.split("/")) for path in paths))


def members(node: Set, above: str = "") -> set[str]:
    """The slow and simple meaning of a set: the paths in it."""
    found = set()
    for step, below in (node or {}).items():
        if step != sets.SELF:
            if sets.is_member(below):
                found.add(above + step)
            found |= members(below, above + step + "/")
    return found


ANY_SET = st.sets(st.lists(st.sampled_from(STEPS), min_size=1, max_size=3).map("/".join), max_size=8).map(
    lambda paths: of(*sorted(paths))
)


@given(ANY_SET, ANY_SET)
def test_algebra_means_what_it_means_for_sets_of_paths(one: Set, other: Set) -> None:
    assert members(sets.union(one, other)) == members(one) | members(other)
    assert members(sets.intersection(one, other)) == members(one) & members(other)
    assert members(sets.difference(one, other)) == members(one) - members(other)
    gone = members(other)
    below = {path for path in members(one) if any(path == up or path.startswith(up + "/") for up in gone)}
    assert members(sets.without(one, other)) == members(one) - below


@given(ANY_SET, ANY_SET)
def test_results_are_in_the_one_form_that_equality_needs(one: Set, other: Set) -> None:
    for result in (
        sets.union(one, other),
        sets.intersection(one, other),
        sets.difference(one, other),
        sets.without(one, other),
    ):
        assert result == of(*sorted(members(result)))
        assert sets.decode(sets.encode(result)) == result


@given(ANY_SET, ANY_SET)
def test_what_changes_nothing_gives_the_same_object(one: Set, other: Set) -> None:
    both = sets.union(one, other)
    assert sets.union(both, one) is both
    assert sets.union(both, other) is both
    rest = sets.difference(one, other)
    assert sets.difference(rest, other) is rest
    assert sets.without(rest, sets.intersection(rest, of("f:z"))) is rest


@pytest.mark.parametrize(
    ("one", "other", "left"),
    [
        (["f:a", "f:a/f:b"], ["f:a"], ["f:a/f:b"]),
        (["f:a", "f:a/f:b"], ["f:a/f:b"], ["f:a"]),
        (["f:a"], ["f:a/f:b"], ["f:a"]),
        (["f:a/f:b"], ["f:a"], ["f:a/f:b"]),
        (["f:a"], ["f:a"], []),
    ],
)
def test_a_field_and_what_is_below_it_are_apart(one: list[str], other: list[str], left: list[str]) -> None:
    assert sets.difference(of(*one), of(*other)) == of(*left)


def test_the_order_is_by_name_then_keys_then_values_and_numbers_count_as_numbers() -> None:
    text = sets.encode(of(*reversed(STEPS), "f:a/f:c", "f:a/f:B", "v:10", "v:9", "v:true"))
    assert list(json.loads(text)) == [
        "f:a",
        "f:b",
        'k:{"name":"x"}',
        'k:{"port":80,"protocol":"TCP"}',
        'k:{"port":443,"protocol":"TCP"}',
        "v:1",
        "v:9",
        "v:10",
        'v:"x"',
        "v:true",
        "i:3",
    ]
    assert json.loads(text)["f:a"] == {".": {}, "f:B": {}, "f:c": {}}
    assert list(json.loads(text)["f:a"]) == [".", "f:B", "f:c"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{}", []),
        ("null", []),
        ('{"f:a":{}}', ["f:a"]),
        ('{"f:a":null}', ["f:a"]),
        ('{"f:a":{".":{}}}', ["f:a"]),
        ('{"f:a":{".":{},"f:b":{}}}', ["f:a", "f:a/f:b"]),
        ('{"f:a":{"f:b":{}}}', ["f:a/f:b"]),
        ('{"f:a":{"x:later":{}}}', ["f:a"]),
        ('{"x:later":{"f:b":{}}}', []),
        ('{".":{},"f:a":{}}', ["f:a"]),
        ('{"k:{\\"b\\": 1, \\"a\\":\\"x\\"}":{}}', ['k:{"a":"x","b":1}']),
        ('{"v: 1":{}}', ["v:1"]),
        ('{"i:03":{}}', ["i:3"]),
        ('{"f:a:b":{}}', ["f:a:b"]),
    ],
)
def test_reading(text: str, paths: list[str]) -> None:
    assert members(sets.decode(text.encode())) == set(paths)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '{"f":{}}',
        '{"fa":{}}',
        '{"f:a":1}',
        '{"f:a":[]}',
        '{"k:{":{}}',
        '{"k:1":{}}',
        '{"v:":{}}',
        '{"i:x":{}}',
        "{",
    ],
)
def test_what_is_no_set(text: str) -> None:
    with pytest.raises(FieldsError):
        sets.decode(text.encode())


def test_as_people_write_it() -> None:
    found = of("f:spec/f:ports/" + STEPS[3] + "/f:name", 'f:metadata/f:finalizers/v:"x"', "f:spec", "f:list/i:3")
    assert list(sets.paths(found)) == [
        ".spec",
        ".list[3]",
        '.metadata.finalizers[="x"]',
        '.spec.ports[port=80,protocol="TCP"].name',
    ]


def test_keys_and_values_are_written_as_go_does() -> None:
    assert sets.value_step("a<b>&c") == 'v:"a\\u003cb\\u003e\\u0026c"'
    assert sets.key_step({"a": 'quote"', "b": 2}) == 'k:{"a":"quote\\"","b":2}'
    assert sets.decode(sets.encode({sets.value_step("<"): LEAF})) == {sets.value_step("<"): LEAF}
