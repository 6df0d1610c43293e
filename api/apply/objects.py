"""Typed objects, as the rest of this package wants them: as plain data, and only where two of them differ."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import msgspec

from api import apps_sets_v1, apps_v1, codec, core_v1
from api.apply import fresh
from api.apply.compare import SAME, Difference, compare, whole
from api.apply.schema import Map, Shape, Struct, shape_of
from api.apply.sets import Node, Set, is_member
from api.fields import NOTHING, Type
from api.meta_v1 import ObjectMeta

_MISSING = object()
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 32, 6 * 1024
_ABSENT: tuple[Any, ...] = (None, [], {}, NOTHING)
# What the server alone writes, or what is nobody's: see `ownership.SERVERS`.
_UNOWNED = frozenset(
    {
        "kind",
        "apiVersion",
        "name",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    }
)
# Structs that upstream's objects have even when they say nothing, and ours have not.
_ALWAYS_THERE: tuple[tuple[Any, ...], ...] = (
    (apps_v1.Deployment, "spec", "strategy"),
    (apps_sets_v1.DaemonSet, "spec", "updateStrategy"),
    (apps_sets_v1.StatefulSet, "spec", "updateStrategy"),
    (core_v1.Event, "source"),
)


class _Part(NamedTuple):
    name: str
    step: str
    shape: Shape
    always: bool  # it is written even when it is empty
    blank: Any  # its value in a new object


class Compared:
    """The fields of a type, or of its metadata, that can be owned. `reset` are those that a kind of write cannot change."""

    def __init__(self, cls: type[Type], reset: Set = None) -> None:
        shape = shape_of(cls)
        written: dict[str, Any] = codec.to_dict(cls())
        blank = blank_of(cls)
        self._parts: list[_Part] = []
        self._metadata: Compared | None = None
        self._texts: dict[tuple[str, bytes], str] = {}
        for name, json in zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True):
            below = (reset or {}).get("f:" + json)
            if json in _UNOWNED or (reset and is_member(below)):
                continue
            if json == "metadata" and cls is not ObjectMeta:
                self._metadata = Compared(ObjectMeta, below)
                continue
            self._parts.append(_Part(name, "f:" + json, shape.fields[json], json in written, blank.get(json, _MISSING)))

    def difference(self, old: Any, new: Any) -> Difference:
        """What differs between two objects."""
        removed: Node = {}
        modified: Node = {}
        added: Node = {}
        for name, step, shape, always, blank in self._parts:
            before, after = getattr(old, name), getattr(new, name)
            if before is not after and before != after:
                if not always and before in _ABSENT:
                    if blank is _MISSING:
                        added[step] = whole(shape, plain(after))
                    else:
                        _into((removed, modified, added), step, compare(shape, blank, plain(after)))
                elif not always and after in _ABSENT:
                    removed[step] = whole(shape, plain(before))
                else:
                    found = compare(shape, plain(before), plain(after))
                    _into((removed, modified, added), step, found)
        if self._metadata is not None and (found := self._metadata.difference(old.metadata, new.metadata)) is not SAME:
            _into((removed, modified, added), "f:metadata", found)
        if removed or modified or added:
            return Difference(removed or None, modified or None, added or None)
        return SAME

    def fresh(self, new: Any) -> str:
        """All that a new object has, as FieldsV1; "" for nothing."""
        found = {}
        for part in self._parts:
            name, step, shape, always, blank = part
            value = getattr(new, name)
            if not always and value in _ABSENT:
                continue
            if isinstance(shape, Struct) and not shape.leaf:
                text = self._remembered(part, value)
            else:
                data = value if isinstance(shape, Map) and shape.element.leaf else plain(value)
                text = fresh.whole(shape, data) if blank is _MISSING else fresh.fresh(shape, blank, data)
            if text:
                found[step] = text
        if self._metadata is not None and (text := self._metadata.fresh(new.metadata)):
            found["f:metadata"] = text
        return "{" + ",".join([f'"{step}":{found[step]}' for step in sorted(found)]) + "}" if found else ""

    def _remembered(self, part: _Part, value: Any) -> str:
        """The text for a struct: that of the last one that was the same."""
        data = msgspec.json.encode(value)
        known = self._texts.get((part.step, data))
        if known is not None:
            return known
        plain_value = msgspec.json.decode(data)
        text = (
            fresh.whole(part.shape, plain_value)
            if part.blank is _MISSING
            else fresh.fresh(part.shape, part.blank, plain_value)
        )
        if len(data) <= _LONGEST_REMEMBERED:
            if len(self._texts) >= _MOST_REMEMBERED:
                self._texts.clear()
            self._texts[part.step, data] = text
        return text


def _into(nodes: tuple[Node, Node, Node], step: str, found: Difference) -> None:
    for node, part in zip(nodes, found, strict=True):
        if part is not None:
            node[step] = part


def plain(value: Any) -> Any:
    """A value as JSON-able data."""
    try:
        return msgspec.to_builtins(value)
    except TypeError:  # some JSON in it is kept as it came
        return msgspec.json.decode(msgspec.json.encode(value))


@functools.cache
def blank_of(cls: type[Type]) -> dict[str, Any]:
    """A new object as plain data. It must not be changed."""
    document = codec.to_dict(cls())
    for type_, *path, name in _ALWAYS_THERE:
        if cls is type_:
            functools.reduce(dict.__getitem__, path, document)[name] = {}
    return document
