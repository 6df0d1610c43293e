"""Which fields a value has, and in which two values differ. Values are plain JSON-able data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from api.apply.schema import ANYTHING, Anything, Items, Map, Shape, Struct
from api.apply.sets import LEAF, SELF, Node, Set, member, union


class Difference(NamedTuple):
    """The fields that are gone, that have another value, and that are new."""

    removed: Set = None
    modified: Set = None
    added: Set = None

    @property
    def changed(self) -> Set:
        """What has got a value."""
        return union(self.modified, self.added)


SAME = Difference()
_MISSING = object()
_WHOLE = (Difference(LEAF, None, None), Difference(None, LEAF, None), Difference(None, None, LEAF))
_REMOVED, _MODIFIED, _ADDED = _WHOLE


def named(shape: Shape, value: Any) -> Set:
    """The fields that an applied configuration names: leaves, list items, members of maps, and what is empty."""
    if shape.leaf:
        return LEAF
    out: Node = {}
    if isinstance(shape, Items):
        for step, items in _by_step(shape, value or ()).items():
            out[step] = LEAF if len(items) > 1 else member(named(shape.element, items[0]))
    elif isinstance(value, dict):
        fields = shape.fields if isinstance(shape, Struct) else {}
        for name, below in value.items():
            child = child_of(shape, name)
            found = named(child, below)
            if name not in fields or below is None or below == {}:
                found = member(found)
            if found is not None:
                out["f:" + name] = found
    elif value is not None and isinstance(shape, Anything):
        return LEAF
    return out or None


def whole(shape: Shape, value: Any) -> Node:
    """All fields of a value that was not there before: its leaves, and everything that holds them."""
    if (
        shape.leaf
        or not value
        or isinstance(value, str | int | float)
        or (shape is ANYTHING and isinstance(value, list))
    ):
        return LEAF
    out: Node = {SELF: LEAF}
    if isinstance(shape, Items):
        for step, items in _by_step(shape, value).items():
            out[step] = LEAF if len(items) > 1 else whole(shape.element, items[0])
        return out
    for name, below in value.items():
        out["f:" + name] = whole(child_of(shape, name), below)
    return out


def compare(shape: Shape, old: Any, new: Any) -> Difference:
    """What has to change to get from `old` to `new`, both of them there."""
    if old == new:
        return SAME
    if shape.leaf or not (old or new) or (isinstance(shape, Anything) and not _maps(old, new)):
        return _MODIFIED
    return _items(shape, old or (), new or ()) if isinstance(shape, Items) else _members(shape, old or {}, new or {})


def child_of(shape: Shape, name: str) -> Shape:
    """The shape of a member."""
    if isinstance(shape, Struct):
        return shape.fields.get(name, ANYTHING)
    return shape.element if isinstance(shape, Map) else ANYTHING


def _maps(old: Any, new: Any) -> bool:
    return isinstance(old, dict | None) and isinstance(new, dict | None)


def _members(shape: Shape, old: dict[str, Any], new: dict[str, Any]) -> Difference:
    removed: Node = {}
    modified: Node = {}
    added: Node = {}
    for name, after in new.items():
        before = old.get(name, _MISSING)
        if before is _MISSING:
            added["f:" + name] = whole(child_of(shape, name), after)
        elif before != after:
            _put("f:" + name, compare(child_of(shape, name), before, after), (removed, modified, added))
    for name, before in old.items():
        if name not in new:
            removed["f:" + name] = whole(child_of(shape, name), before)
    return Difference(removed or None, modified or None, added or None)


def _items(shape: Items, old: Iterable[Any], new: Iterable[Any]) -> Difference:
    before, after = _by_step(shape, old), _by_step(shape, new)
    removed: Node = {}
    modified: Node = {}
    added: Node = {}
    for step, items in after.items():
        known = before.get(step, ())
        _put(step, _item(shape.element, known, items), (removed, modified, added))
    for step, items in before.items():
        if step not in after:
            removed[step] = LEAF if len(items) > 1 else whole(shape.element, items[0])
    return Difference(removed or None, modified or None, added or None)


def _item(shape: Shape, old: Any, new: list[Any]) -> Difference:
    """Items of the same key. There may be several, of which one cannot say which is which: those are compared as one value."""
    if len(old) == 1 == len(new):
        return compare(shape, old[0], new[0])
    if len(old) > 1 and len(new) > 1:
        return SAME if old == new else _MODIFIED
    if len(new) == 1:
        return Difference(LEAF if old else None, None, whole(shape, new[0]))
    return Difference(whole(shape, old[0]) if old else None, None, LEAF)


def _put(step: str, found: Difference, into: tuple[Node, Node, Node]) -> None:
    for node, part in zip(into, found, strict=True):
        if part is not None:
            node[step] = part


def _by_step(shape: Items, items: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(shape.step(item), []).append(item)
    return found
