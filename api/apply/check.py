"""Whether an applied configuration fits the declarations of its type, in upstream's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.apply.compare import child_of
from api.apply.schema import ANYTHING, Anything, ItemError, Items, Scalar, Shape, Struct
from api.apply.sets import step_text

_LIMIT = 100


def problems(shape: Shape, config: Any) -> str:
    """What is wrong with the configuration; "" if nothing is."""
    found = []
    for where, what in _problems(shape, config):
        found.append(f"{where}: {what}" if where else what)
        if len(found) == _LIMIT:
            break
    if len(found) < 2:
        return "".join(found)
    return "\n".join(["errors:", *(f"  {problem}" for problem in found)])


def _problems(shape: Shape, value: Any) -> Iterator[tuple[str, str]]:
    if value is None or isinstance(shape, Anything):
        return
    if isinstance(shape, Scalar):
        if not _fits(shape.name, value):
            yield "", _expected(shape.name, value)
    elif isinstance(shape, Items):
        if not isinstance(value, list):
            yield "", f"expected list, got {_go(value)}"
            return
        yield from _in_items(shape, value)
    elif not isinstance(value, dict):
        yield "", f"expected map, got {_go(value)}"
    else:
        for name, below in value.items():
            child = child_of(shape, name)
            if child is ANYTHING and isinstance(shape, Struct) and name not in shape.fields:
                yield f".{name}", "field not declared in schema"
                continue
            for where, what in _problems(child, below):
                yield f".{name}{where}", what


def _in_items(shape: Items, items: list[Any]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        step = f"i:{index}"
        if not shape.leaf:
            try:
                step = shape.step(item)
            except ItemError as error:
                yield "", f"element {index}: {error}"
                return
            if step in seen:
                yield "", f"duplicate entries for key {step_text(step)}"
            seen.add(step)
        for where, what in _problems(shape.element, item):
            yield step_text(step) + where, what


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return name in ("boolean", "untyped")
    if isinstance(value, int | float):
        return name in ("numeric", "untyped")
    return isinstance(value, str) and name in ("string", "untyped")


def _expected(name: str, value: Any) -> str:
    if name == "numeric":
        return f"expected numeric (int or float), got {_go_type(value)}"
    if name == "string":
        return f"expected string, got &value.valueUnstructured{{Value:{_go_literal(value)}}}"
    return f"expected {'boolean' if name == 'boolean' else 'any scalar'}, got {_go(value)}"


def _go_type(value: Any) -> str:
    if isinstance(value, str | bool):
        return "string" if isinstance(value, str) else "bool"
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"


def _go_literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else f"{_go_type(value)}{{...}}"


def _go(value: Any) -> str:
    """A value as upstream shows it in its errors."""
    return f"&{{{_plain(value)}}}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_plain, value)) + "]"
    return str(value)
