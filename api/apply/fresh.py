"""The fields of a new object, written down as FieldsV1 right away: the same as `compare` with a blank one, without the set.

Objects of a kind have few shapes. The text for a struct is a template, made once for each combination of fields, with places
for those fields that hold more. And whoever makes many objects makes them alike: `objects` remembers the text for a part of an
object by the part's own JSON.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from api.apply import sets
from api.apply.compare import child_of
from api.apply.schema import ANYTHING, Items, Shape, Struct

_encode = msgspec.json.Encoder().encode
_LEAF = "{}"
_MOST_TEMPLATES = 512
_LONGEST_KNOWN = 256


class _Template(NamedTuple):
    text: str
    holes: tuple[tuple[str, Shape], ...]


_templates: dict[tuple[Struct, tuple[str, ...]], _Template] = {}


def whole(shape: Shape, value: Any) -> str:
    """The text for a value that was not there before."""
    if shape.leaf or not value:
        return _LEAF
    if isinstance(shape, Struct):
        key = (shape, tuple(value))
        template = _templates.get(key) or _new_template(key)
        if not template.holes:
            return template.text
        return template.text % tuple([whole(child, value[name]) for name, child in template.holes])
    if isinstance(shape, Items):
        return '{".":{},' + _items(shape, value) + "}"
    if not isinstance(value, dict):
        return _LEAF
    inner = [f"{_step(name)}:{whole(child_of(shape, name), value[name])}" for name in sorted(value)]
    return '{".":{},' + ",".join(inner) + "}"


def fresh(shape: Shape, blank: Any, value: Any) -> str:
    """The text for what a value has and the blank one has not; "" for nothing."""
    if blank == value:
        return ""
    if shape.leaf or not (blank or value) or shape is ANYTHING:
        return _LEAF
    if isinstance(shape, Items):
        return "{" + _items(shape, value) + "}" if value else ""
    known = blank or {}
    parts = []
    for name in sorted(value):
        child = child_of(shape, name)
        text = fresh(child, known[name], value[name]) if name in known else whole(child, value[name])
        if text:
            parts.append(f"{_step(name)}:{text}")
    return "{" + ",".join(parts) + "}" if parts else ""


def _items(shape: Items, items: list[Any]) -> str:
    steps = [shape.step(item) for item in items]
    found = dict(zip(steps, items, strict=True))
    if len(found) < len(steps):
        times = Counter(steps)
        inner = {step: _LEAF if times[step] > 1 else whole(shape.element, item) for step, item in found.items()}
    else:
        inner = {step: whole(shape.element, item) for step, item in found.items()}
    ordered = sorted(inner, key=sets.order) if len(inner) > 1 else inner
    return ",".join([f"{_text(step)}:{inner[step]}" for step in ordered])


def _new_template(key: tuple[Struct, tuple[str, ...]]) -> _Template:
    shape, names = key
    parts, holes = ['".":{}'], []
    for name in sorted(names):
        child, step = child_of(shape, name), _step(name).replace("%", "%%")
        if child.leaf:
            parts.append(f"{step}:{{}}")
        else:
            parts.append(f"{step}:%s")
            holes.append((name, child))
    text = "{" + ",".join(parts) + "}"
    if len(_templates) >= _MOST_TEMPLATES:
        _templates.clear()
    template = _templates[key] = _Template(text if holes else text.replace("%%", "%"), tuple(holes))
    return template


def _step(name: str) -> str:
    return _text("f:" + name)


def _text(step: str) -> str:
    return _known_text(step) if len(step) <= _LONGEST_KNOWN else _encode(step).decode()


@functools.lru_cache(4096)
def _known_text(step: str) -> str:
    return _encode(step).decode()
