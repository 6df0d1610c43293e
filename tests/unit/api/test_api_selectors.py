"""Label and field selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import selectors
from api.meta_v1 import LabelSelector, LabelSelectorRequirement

LABELS = {"app": "web", "tier": "front", "empty": "", "size": "10"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=web", False),
        ("missing!=web", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("tier in (front, back)", True),
        ("tier notin (front)", False),
        ("missing notin (front)", True),
        ("missing in (front)", False),
        ("app=web,tier in (front),!legacy", True),
        ("empty=", True),
        ("missing=", False),
        ("size>9", True),
        ("size<10", False),
        ("app>1", False),
        ("  app  =  web  ", True),
        ("example.com/a!=b,!service.kubernetes.io/headless", True),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert selectors.parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    "text",
    ["a,", ",a", "a b", "=x", "a=b=c", "a in b", "a in (b", "a notin", "-a", "a=-", "a>x", "a/b/c", "!a=b", "a=é"],
)
def test_bad_label_selectors(text: str) -> None:
    with pytest.raises(selectors.SelectorError):
        selectors.parse_labels(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a in", "unable to parse requirement: found '' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("a==(", "unable to parse requirement: found '(', expected: identifier"),
        (
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        ("a=-", 'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be'),
        ("-a", 'unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of'),
    ],
)
def test_bad_label_selectors_are_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(selectors.SelectorError) as refused:
        selectors.parse_labels(text)
    assert str(refused.value).startswith(message)


def test_struct_form() -> None:
    assert not selectors.from_struct(None).matches({})
    assert selectors.from_struct(LabelSelector()).matches(LABELS)
    selector = LabelSelector(
        match_labels={"app": "web"},
        match_expressions=[
            LabelSelectorRequirement(key="tier", operator="In", values=["front"]),
            LabelSelectorRequirement(key="legacy", operator="DoesNotExist"),
            LabelSelectorRequirement(key="empty", operator="Exists"),
            LabelSelectorRequirement(key="size", operator="NotIn", values=["1"]),
        ],
    )
    assert selectors.from_struct(selector).matches(LABELS)
    assert str(selectors.from_struct(selector)) == "app=web,empty,!legacy,size notin (1),tier in (front)"
    with pytest.raises(selectors.SelectorError, match="not a valid label selector operator"):
        selectors.from_struct(LabelSelector(match_expressions=[LabelSelectorRequirement(key="a", operator="Gt")]))


KEYS = st.from_regex(r"[a-z]{1,5}", fullmatch=True).filter(lambda key: key not in ("in", "notin"))
MAPS = st.dictionaries(KEYS, st.from_regex(r"([a-z0-9]{1,5})?", fullmatch=True), max_size=4)


@given(MAPS, MAPS)
def test_a_map_selects_its_supersets_and_survives_text(wanted: dict[str, str], labels: dict[str, str]) -> None:
    selector = selectors.from_map(wanted)
    assert selector.matches(labels) is (wanted.items() <= labels.items())
    assert selectors.parse_labels(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("spec.nodeName=n1", True),
        ("spec.nodeName==n1,status.phase!=Failed", True),
        ("spec.nodeName=", False),
        ("spec.missing=", True),
        ("metadata.name=a\\,b\\=c", True),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    fields = {"spec.nodeName": "n1", "status.phase": "Running", "metadata.name": "a,b=c"}
    selector = selectors.parse_fields(text)
    assert selector.matches(fields) is matches
    assert selectors.parse_fields(str(selector)) == selector


def test_field_selector_facts() -> None:
    selector = selectors.parse_fields("spec.nodeName=n1,status.phase!=Failed")
    assert selector.exact("spec.nodeName") == "n1"
    assert selector.exact("status.phase") is None
    assert selector.paths == {"spec.nodeName", "status.phase"}


@pytest.mark.parametrize("text", ["a", "=b", "a=b\\x", "a=b=c", "a!b"])
def test_bad_field_selectors(text: str) -> None:
    with pytest.raises(selectors.SelectorError, match="invalid selector"):
        selectors.parse_fields(text)
