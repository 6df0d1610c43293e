"""Sets of fields, in the shape of their JSON (FieldsV1), and their algebra.

A set is a tree of dicts. A key is one step of a path: `f:NAME` a field or a map's key, `k:{...}` the item of a list with
these keys, `v:...` an item of a set by its value, `i:N` one by its place. A node's value says what of it belongs to the set:
`{}` the field itself, `{...}` some of what is below it, `{".": {}, ...}` both. `None` is the empty set. Trees are shared and
must never be changed; an operation that has nothing to take away or to add returns its first argument itself, so that `is`
tells whether anything changed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec

Node: TypeAlias = dict[str, "Node"]
Set: TypeAlias = Node | None

SELF = "."
LEAF: Node = {}
_ONLY_SELF = {SELF: LEAF}
_RANK = {"f": 0, "k": 1, "v": 2, "i": 3}
_encode = msgspec.json.Encoder().encode


class FieldsError(ValueError):
    """JSON that is no set of fields."""


def member(node: Set) -> Node:
    """The node, with the field itself in it."""
    if not node:
        return LEAF
    return node if SELF in node else {SELF: LEAF, **node}


def is_member(node: Set) -> bool:
    """Whether the field itself belongs to the set."""
    return node is not None and (not node or SELF in node)


def union(one: Set, other: Set) -> Set:
    """What is in either."""
    if other is None or one is other:
        return one
    if one is None:
        return other
    if not one:
        return member(other)
    if not other:
        return member(one)
    out = None
    for key, theirs in other.items():
        ours = one.get(key)
        both = union(ours, theirs)
        if both is not ours:
            out = out if out is not None else dict(one)
            assert both is not None
            out[key] = both
    return one if out is None else out


def difference(one: Set, other: Set) -> Set:
    """What is in `one` and not in `other`; fields below one that is taken away stay."""
    if one is None or other is None:
        return one
    if not one:
        return None if is_member(other) else one
    if not other:
        other = _ONLY_SELF
    return _less(one, other, difference)


def without(one: Set, other: Set) -> Set:
    """What is in `one` and neither in `other` nor below a field in it."""
    if one is None or other is None:
        return one
    if not one or not other:
        return None if is_member(other) else one
    return _less(one, other, _without_field)


def _without_field(one: Set, other: Set) -> Set:
    return None if is_member(other) else without(one, other)


def _less(one: Node, other: Node, left_of: Callable[[Set, Set], Set]) -> Set:
    """The node without what `left_of` takes from those of its fields that `other` has too."""
    out = None
    for key, theirs in other.items():
        ours = one.get(key)
        if ours is None:
            continue
        left = left_of(ours, theirs)
        if left is not ours:
            out = out if out is not None else dict(one)
            if left is None:
                del out[key]
            else:
                out[key] = left
    return one if out is None else _node(out)


def intersection(one: Set, other: Set) -> Set:
    """What is in both."""
    if one is None or other is None:
        return None
    if not one or not other:
        return LEAF if is_member(one) and is_member(other) else None
    out: Node = {}
    for key, theirs in other.items():
        ours = one.get(key)
        if ours is not None:
            both = intersection(ours, theirs)
            if both is not None:
                out[key] = both
    return _node(out)


def _node(out: Node) -> Set:
    if SELF in out:
        return out if len(out) > 1 else LEAF
    return out or None


def of(*paths: tuple[str, ...]) -> Set:
    """The set of these paths, each given by its steps."""
    found: Set = None
    for path in paths:
        node: Node = LEAF
        for step in reversed(path):
            node = {step: node}
        found = union(found, node)
    return found


def field(*names: str) -> tuple[str, ...]:
    """The path of nested fields."""
    return tuple(f"f:{name}" for name in names)


def paths(node: Set, above: str = "") -> Iterator[str]:
    """Each field in the set as people write it, a field before those below it."""
    if not node:
        return
    steps = sorted((step for step in node if step != SELF), key=order)
    for step in steps:
        if is_member(node[step]):
            yield above + step_text(step)
    for step in steps:
        yield from paths(node[step], above + step_text(step))


def value_step(value: Any) -> str:
    """The step to an item of a set."""
    return "v:" + _text(value)


def key_step(keys: dict[str, Any]) -> str:
    """The step to an item of a list by its keys, which must come in order of their names."""
    return "k:{" + ",".join(f'"{name}":{_text(value)}' for name, value in keys.items()) + "}"


def _text(value: Any) -> str:
    text = _encode(value).decode()
    if isinstance(value, str) and ("<" in text or ">" in text or "&" in text):
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text


def encode(node: Set) -> bytes:
    """The set as FieldsV1."""
    return _encode(_ordered(node)) if node else b"{}"


def decode(data: bytes) -> Set:
    """The set in FieldsV1. Raises FieldsError."""
    try:
        document = msgspec.json.decode(data)
        if document is not None and not isinstance(document, dict):
            raise FieldsError("it is not a JSON object")
        return _children(document or {})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FieldsError(str(error)) from error


def _children(document: dict[str, Any]) -> Set:
    out: Node = {}
    for key, value in document.items():
        if key == SELF:
            continue
        step = _step(key)
        if step is None:
            continue  # of a kind that a later version may know
        if value is not None and not isinstance(value, dict):
            raise FieldsError(f"what is below {key} is not a JSON object")
        below = _children(value) if value else None
        node = member(below) if below is None or (value and SELF in value) else below
        known = out.get(step)
        out[step] = node if known is None else union(known, node) or LEAF
    return out or None


def _step(key: str) -> str | None:
    """The key of a node in the one form in which we write it."""
    if len(key) < 2 or key[1] != ":":
        raise FieldsError(f"{key!r} is no step of a path")
    kind, rest = key[0], key[2:]
    if kind == "f":
        return key
    if kind == "i":
        if not rest.isascii() or not rest.lstrip("+-").isdigit():
            raise FieldsError(f"{key!r} has no number")
        return f"i:{int(rest)}"
    if kind not in "kv":
        return None
    value = msgspec.json.decode(rest.encode())
    if kind == "v":
        return value_step(value)
    if not isinstance(value, dict):
        raise FieldsError(f"{key!r} has no keys")
    return key_step(dict(sorted(value.items())))


def _ordered(node: Node) -> Node:
    steps = sorted(node) if all(step[0] in ".f" for step in node) else sorted(node, key=order)
    return {step: _ordered(below) if (below := node[step]) else LEAF for step in steps}


def order(step: str) -> tuple[int, Any]:
    """What to sort steps by: fields by name, items by their keys, numbers as numbers."""
    return (_known_order if len(step) <= _LONGEST_KNOWN else _order)(step)


def _order(step: str) -> tuple[int, Any]:
    if step == SELF:
        return -1, ""
    rank = _RANK[step[0]]
    if rank == 0:
        return rank, step
    value = json.loads(step[2:])
    return rank, [(name, _rank(part)) for name, part in value.items()] if isinstance(value, dict) else _rank(value)


_LONGEST_KNOWN = 256
_known_order = functools.lru_cache(4096)(_order)


def _rank(value: Any) -> tuple[int, Any]:
    """Numbers before text before booleans before everything else."""
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (3, json.dumps(value))


def step_text(step: str) -> str:
    """A step as people write it."""
    if step[0] == "f":
        return "." + step[2:]
    value = json.loads(step[2:])
    if step[0] == "k":
        return "[" + ",".join(f"{name}={_quoted(part)}" for name, part in value.items()) + "]"
    return f"[={_quoted(value)}]" if step[0] == "v" else f"[{value}]"


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
