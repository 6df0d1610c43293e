"""An applied configuration merged into an object, and fields taken out of one. Values are plain JSON-able data and are never changed."""

from __future__ import annotations

from typing import Any

from api.apply.compare import child_of
from api.apply.schema import Anything, Items, Shape, Struct
from api.apply.sets import LEAF, SELF, Node, Set, is_member

_MISSING = object()


def merge(shape: Shape, live: Any, config: Any) -> Any:
    """The live value with what the configuration says. Nothing is removed; a leaf is the configuration's."""
    if config is _MISSING:
        return live
    if live is _MISSING or shape.leaf or not (live or config):
        return config
    if isinstance(shape, Items):
        return _merge_items(shape, live or [], config or [])
    if not isinstance(live, dict | None) or not isinstance(config, dict | None):
        return config
    return _merge_members(shape, live or {}, config or {})


def _merge_members(shape: Shape, live: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    out = dict(live)
    for name, value in config.items():
        out[name] = merge(child_of(shape, name), live.get(name, _MISSING), value)
    return out


def _merge_items(shape: Items, live: list[Any], config: list[Any]) -> list[Any]:
    """Items that both have come in the configuration's order, each of the others where its own list has it."""
    ours, theirs = [shape.step(item) for item in live], [shape.step(item) for item in config]
    found: dict[str, Any] = {}
    for step, item in zip(ours, live, strict=True):
        found[step] = None if step in found else item  # of several with one key none is the one that is meant
    wanted = dict(zip(theirs, config, strict=True))
    shared = [step for step in theirs if step in found]
    shared.reverse()
    out: list[Any] = []
    merged: set[str] = set()
    left = right = 0

    def take(step: str) -> None:
        merged.add(step)
        out.append(merge(shape.element, found.get(step, _MISSING), wanted[step]))
        if shared and shared[-1] == step:
            shared.pop()

    while left < len(ours) or right < len(theirs):
        if left < len(ours):
            step = ours[left]
            if step not in wanted:
                out.append(live[left])
                left += 1
                continue
            if right < len(theirs):
                if step == theirs[right]:
                    take(step)
                    left, right = left + 1, right + 1
                    continue
                if shared and shared[-1] != step:
                    left += 1  # the configuration has it later
                    continue
            if step in merged:
                left += 1
        if right < len(theirs):
            take(theirs[right])
            right += 1
    return out


def remove(shape: Shape, value: Any, gone: Set) -> Any:
    """The value without these members and items; what held them stays, even empty."""
    if not gone or not value or shape.leaf:
        return value
    if isinstance(shape, Items):
        return _remove_items(shape, value, gone)
    if not isinstance(value, dict):
        return value
    out = {}
    for name, below in value.items():
        node = gone.get("f:" + name)
        if not is_member(node):
            out[name] = below if node is None else remove(child_of(shape, name), below, node)
    return out


def _remove_items(shape: Items, value: list[Any], gone: Node) -> list[Any]:
    out = []
    for item in value:
        node = gone.get(shape.step(item))
        if not is_member(node):
            out.append(item if node is None else remove(shape.element, item, node))
    return out


def with_holders(shape: Shape, node: Set) -> Set:
    """The set with every declared field in it that has some of the set below it."""
    if not node:
        return node
    out: Node = {}
    for step, below in node.items():
        if step == SELF:
            out[step] = LEAF
            continue
        name = step[2:]
        child = shape.element if isinstance(shape, Items) and step[0] == "k" else child_of(shape, name)
        found = with_holders(child, below)
        assert found is not None
        if found and SELF not in found and step[0] == "f" and isinstance(shape, Struct) and name in shape.fields:
            found = {SELF: LEAF, **found}
        out[step] = found
    return out


def fitted(shape: Shape, node: Set) -> Set:
    """The set as this shape has it: who owned a part of what is now owned as a whole owns the whole."""
    if not node or (isinstance(shape, Anything) and not shape.leaf):
        return node
    if shape.leaf:
        return LEAF
    out = None
    for step, below in node.items():
        if step == SELF or not below:
            continue
        if isinstance(shape, Items):
            child = shape.element
        elif isinstance(shape, Struct):
            if step[2:] not in shape.fields:
                continue
            child = shape.fields[step[2:]]
        else:
            child = child_of(shape, step[2:])
        found = fitted(child, below)
        if found is not below:
            out = out if out is not None else dict(node)
            out[step] = found if found is not None else LEAF
    return node if out is None else out
