"""Configuration files: YAML read into a msgspec struct. A field that nobody knows is an error that names it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from kit import documents

T = TypeVar("T")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The base of configuration structs: snake_case in Python, camelCase in YAML, unknown fields refused."""


class ConfigError(Exception):
    """A configuration file cannot be used; the message names file and field."""


def load(kind: type[T], path: str | Path) -> T:
    """Read `path` into `kind`."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    return parse(kind, text, str(path))


def parse(kind: type[T], text: str | bytes, source: str) -> T:
    """Read YAML text into `kind`; `source` names it in errors."""
    try:
        document = documents.read(text)
        return msgspec.convert({} if document is None else document, kind)
    except documents.DocumentError as error:
        raise ConfigError(f"cannot read {source}: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"cannot use {source}: {_explain(kind, str(error))}") from error


def _explain(kind: type, message: str) -> str:
    """msgspec's message in our words: the field first, and what it may have been meant to be."""
    what, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    if found := re.match(r"Object contains unknown field `(.*)`", what):
        import difflib  # only for who has made a mistake

        name = f"{path}.{found[1]}" if path else found[1]
        close = difflib.get_close_matches(found[1], _names(kind, path), 1)
        return f"unknown field {name}" + (f" (did you mean {close[0]}?)" if close else "")
    if found := re.match(r"Object missing required field `(.*)`", what):
        return f"field {path + '.' if path else ''}{found[1]} is missing"
    lowered = what[:1].lower() + what[1:]
    return f"field {path}: {lowered}" if path else lowered


def _names(kind: type, path: str) -> list[str]:
    for part in filter(None, re.split(r"[.\[\]]+", path)):
        field = next((f for f in msgspec.structs.fields(kind) if f.encode_name == part), None)
        if field is None or not isinstance(field.type, type) or not issubclass(field.type, msgspec.Struct):
            return []
        kind = field.type
    return [field.encode_name for field in msgspec.structs.fields(kind)]
