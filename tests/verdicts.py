"""Tables of what is refused: a good object, one change, and all that is then said of it."""

import copy
from typing import Any

import msgspec
import pytest

from api import codec, defaults, kinds, validation
from api.validation import problems

Document = dict[str, Any]
Verdict = list[str]  # the place and the message of each cause, which may go on
Kind = kinds.Kind[Any]

_REASONS = {
    "Required value": problems.REQUIRED,
    "Invalid value": problems.INVALID,
    "Forbidden": problems.FORBIDDEN,
    "Unsupported value": problems.NOT_SUPPORTED,
    "Duplicate value": problems.DUPLICATE,
    "Too many": problems.TOO_MANY,
    "Too long": problems.TOO_LONG,
    "Not found": problems.NOT_FOUND,
}


def build(kind: Kind, good: Document, *changes: Document) -> Any:
    """The good object with what stands at some paths changed or, if None, taken away; and then the defaults."""
    document = copy.deepcopy(good)
    for change in changes:
        for path, value in change.items():
            _put(document, path, copy.deepcopy(value))
    obj = codec.decode(kind, msgspec.json.encode(document))
    defaults.apply(kind, obj)
    return obj


def check(causes: list[problems.Cause], verdict: Verdict) -> None:
    """Those causes and no others, each with the reason that belongs to its words."""
    said = sorted({f"{cause.field}: {cause.message}" for cause in causes})
    assert len(said) == len(verdict), said
    for text, expected in zip(said, sorted(verdict), strict=True):
        assert text.startswith(expected)
    for cause in causes:
        assert cause.reason == _REASONS[cause.message.partition(":")[0]]


def judged(good: dict[Kind, Document], create: list[Any], update: list[Any]) -> tuple[Any, Any, Any]:
    """The tests of such tables: that good objects are good, what is said of new ones, and what of changed ones."""

    @pytest.mark.parametrize("kind", good, ids=lambda kind: kind.name)
    def of_good(kind: Kind) -> None:
        check(validation.validate_create(kind, build(kind, good[kind])), [])

    @pytest.mark.parametrize(("kind", "change", "verdict"), create, ids=lambda value: getattr(value, "name", ""))
    def of_create(kind: Kind, change: Document, verdict: Verdict) -> None:
        check(validation.validate_create(kind, build(kind, good[kind], change)), verdict)

    @pytest.mark.parametrize(
        ("kind", "subresource", "first", "change", "verdict"), update, ids=lambda value: getattr(value, "name", "")
    )
    def of_update(kind: Kind, subresource: str, first: Document, change: Document, verdict: Verdict) -> None:
        new, old = build(kind, good[kind], first, change), build(kind, good[kind], first)
        check(validation.validate_update(kind, new, old, subresource), verdict)

    return of_good, of_create, of_update


def _put(document: Document, path: str, value: Any) -> None:
    *outer, last = path.split("/")
    place: Any = document
    for step in outer:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if isinstance(place, list):
        place[int(last)] = value
    elif value is None:
        place.pop(last, None)
    else:
        place[last] = value
