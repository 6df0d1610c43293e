"""JSON patch: a list of operations, all of them or none.

Written here because the limits are the point: `copy` doubles a document with each operation, so copies are counted together.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from api.patch.errors import PatchInapplicable, PatchMalformed

_MOST_OPERATIONS = 10_000
_MOST_COPIED = 3 * 1024 * 1024  # bytes in all
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_ESCAPE = re.compile(r"~(?![01])")

_Pointer = list[str]
_MISSING = object()


def json_patch(document: dict[str, Any], operations: Any) -> dict[str, Any]:
    """The document after all operations."""
    if not isinstance(operations, list):
        raise PatchMalformed("cannot apply JSON patch: it is not a list of operations")
    if len(operations) > _MOST_OPERATIONS:
        raise PatchMalformed(f"cannot apply JSON patch: more than {_MOST_OPERATIONS} operations")
    state = _State(msgspec.json.decode(msgspec.json.encode(document)))
    for operation in [_checked(operation) for operation in operations]:
        _OPERATIONS[operation["op"]](state, operation)
    if not isinstance(state.document, dict):
        raise PatchInapplicable("cannot apply JSON patch: the result is not an object")
    return state.document


class _State:
    """The document between two operations, and what copies have cost so far."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.copied = 0

    def value(self, pointer: _Pointer) -> Any:
        """What stands at the pointer."""
        found = self.document
        for step in pointer:
            found = _member(found, step, pointer)
        return found

    def holder(self, pointer: _Pointer) -> Any:
        """The map or list that the last step leads into."""
        found = self.value(pointer[:-1])
        if not isinstance(found, dict | list):
            raise _nowhere(pointer)
        return found

    def copy(self, pointer: _Pointer) -> Any:
        """A copy of what stands at the pointer."""
        encoded = msgspec.json.encode(self.value(pointer))
        self.copied += len(encoded)
        if self.copied > _MOST_COPIED:
            raise PatchMalformed(f"cannot apply JSON patch: its copies have more than {_MOST_COPIED} bytes")
        return msgspec.json.decode(encoded)


def _add(state: _State, operation: dict[str, Any]) -> None:
    _put(state, operation["path"], operation["value"])


def _remove(state: _State, operation: dict[str, Any]) -> None:
    _take(state, operation["path"])


def _replace(state: _State, operation: dict[str, Any]) -> None:
    pointer, value = operation["path"], operation["value"]
    state.value(pointer)
    if not pointer:
        state.document = value
        return
    holder = state.holder(pointer)
    holder[_index(pointer, len(holder)) if isinstance(holder, list) else pointer[-1]] = value


def _move(state: _State, operation: dict[str, Any]) -> None:
    source, target = operation["from"], operation["path"]
    if source == target:
        state.value(source)
    elif target[: len(source)] == source:
        raise PatchInapplicable("cannot apply JSON patch: a value cannot move into itself")
    else:
        _put(state, target, _take(state, source))


def _copy(state: _State, operation: dict[str, Any]) -> None:
    _put(state, operation["path"], state.copy(operation["from"]))


def _test(state: _State, operation: dict[str, Any]) -> None:
    try:
        found = state.value(operation["path"])
    except PatchInapplicable:
        found = None
    if not _same(found, operation["value"]):
        where = _text(operation["path"])
        raise PatchInapplicable(f"cannot apply JSON patch: testing value {where} failed")


_OPERATIONS: dict[str, Callable[[_State, dict[str, Any]], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
_NEEDS = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from"}


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: to Python, 1 and true are equal too."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _checked(operation: Any) -> dict[str, Any]:
    """The operation with its pointers read."""
    if not isinstance(operation, dict):
        raise PatchMalformed("cannot apply JSON patch: an operation is not an object")
    name = operation.get("op")
    if not isinstance(name, str):
        raise PatchMalformed("cannot apply JSON patch: an operation has no name")
    if name not in _OPERATIONS:
        raise PatchInapplicable(f"cannot apply JSON patch: unknown operation {name!r}")
    needed = _NEEDS.get(name)
    if needed is not None and operation.get(needed, _MISSING) is _MISSING:
        raise PatchMalformed(f"cannot apply JSON patch: operation {name} lacks {needed}")
    read = {"op": name, "path": _pointer(operation.get("path")), "value": operation.get("value")}
    if needed == "from":
        read["from"] = _pointer(operation["from"])
    return read


def _pointer(text: Any) -> _Pointer:
    if not isinstance(text, str) or (text and text[0] != "/") or _ESCAPE.search(text):
        raise PatchMalformed(f"cannot apply JSON patch: {text!r} is not a path")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _text(pointer: _Pointer) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in pointer)


def _member(holder: Any, step: str, pointer: _Pointer) -> Any:
    if isinstance(holder, dict) and step in holder:
        return holder[step]
    if isinstance(holder, list) and _INDEX.fullmatch(step) and int(step) < len(holder):
        return holder[int(step)]
    raise _nowhere(pointer)


def _index(pointer: _Pointer, end: int) -> int:
    """The last step as a place before `end`."""
    if not _INDEX.fullmatch(pointer[-1]) or int(pointer[-1]) >= end:
        raise _nowhere(pointer)
    return int(pointer[-1])


def _put(state: _State, pointer: _Pointer, value: Any) -> None:
    if not pointer:
        state.document = value
        return
    holder = state.holder(pointer)
    if isinstance(holder, dict):
        holder[pointer[-1]] = value
    elif pointer[-1] == "-":
        holder.append(value)
    else:
        holder.insert(_index(pointer, len(holder) + 1), value)


def _take(state: _State, pointer: _Pointer) -> Any:
    value = state.value(pointer)
    if not pointer:
        raise PatchInapplicable("cannot apply JSON patch: the whole document cannot be removed")
    holder = state.holder(pointer)
    del holder[_index(pointer, len(holder)) if isinstance(holder, list) else pointer[-1]]
    return value


def _nowhere(pointer: _Pointer) -> PatchInapplicable:
    return PatchInapplicable(f"cannot apply JSON patch: there is nothing at {_text(pointer)}")
