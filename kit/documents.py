"""YAML and JSON documents, read as Kubernetes reads them.

That is YAML 1.1 for booleans (`on`, `no`, `y`), numbers (`0644` is octal, `1_000`, `1e3`), but dates and `1:30` are text, and keys become
text as in JSON. A key given twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml

try:
    from yaml import CSafeDumper as _BaseDumper
    from yaml import CSafeLoader as _BaseLoader
except ImportError:  # built without libyaml
    from yaml import SafeDumper as _BaseDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _BaseLoader  # type: ignore[assignment]


DEPTH = 200
_MERGE = "tag:yaml.org,2002:merge"
EXPANDED = 500_000  # values a document with aliases may stand for


class DocumentError(Exception):
    """The text is not a readable document."""


_Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]
_SPECIAL = [
    ("bool", r"y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF", "yYtToOnNfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|0|[1-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
    ("merge", r"<<", "<"),
]


def _resolvers() -> _Resolvers:
    table: _Resolvers = {}
    for tag, pattern, first in _SPECIAL:
        for char in first:
            entry = (f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"))
            table.setdefault("" if char == "\0" else char, []).append(entry)
    return table


class _Loader(_BaseLoader):
    yaml_implicit_resolvers = _resolvers()

    doubles: list[str] | None = None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As the base class, but with keys as text, each once."""
        self.flatten_mapping(node)
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=True), key_node)
            if key in mapping and self.doubles is None:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is there twice", key_node.start_mark)
            if key in mapping and self.doubles is not None:
                self.doubles.append(f'line {key_node.start_mark.line + 1}: key "{key}" already set in map')
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put in what `<<` refers to; a key of the mapping's own, or of an earlier reference, goes before."""
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        if len(own) == len(node.value):
            return
        sources = [source for key, value in node.value if key.tag == _MERGE for source in _merged(value)]
        node.value = own  # before the sources are looked at: one of them may be this very mapping
        known = {key.value for key, _ in own if isinstance(key, yaml.ScalarNode)}
        for source in sources:
            self.flatten_mapping(source)
            self._merged = getattr(self, "_merged", 0) + len(source.value) + 1
            if self._merged > EXPANDED:
                raise yaml.constructor.ConstructorError(
                    None, None, f"more than {EXPANDED} values are merged", node.start_mark
                )
            for key, value in source.value:
                if key.value not in known:
                    known.add(key.value)
                    node.value.append((key, value))


class _Dumper(_BaseDumper):
    yaml_implicit_resolvers = _resolvers()  # so that what would be read as something else is quoted


def _merged(node: yaml.Node) -> list[yaml.MappingNode]:
    """The mappings that a `<<` names."""
    found: list[Any] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for one in found:
        if not isinstance(one, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "only mappings can be merged", one.start_mark)
    return found


def _key(key: object, node: yaml.Node) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise yaml.constructor.ConstructorError(None, None, "a key must be text, a number or a boolean", node.start_mark)


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdecimal():
        return int(digits, 8) * (-1 if text[0] == "-" else 1)
    return int(text, 0)


def _boolean(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return str(loader.construct_scalar(node)).lower() in ("y", "yes", "true", "on")


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)


def read_all(text: str | bytes, doubles: list[str] | None = None) -> list[Any]:
    """Every document in the text; empty ones are left out. With `doubles` a key may be there twice, and that is noted in the list."""
    try:
        if isinstance(text, bytes):
            text = text.decode()
        _check_depth(text)
        found = [document for document in _documents(text, doubles) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError(_one_line(error)) from error
    if "*" in text:
        _check_size(found)
    return found


def _documents(text: str, doubles: list[str] | None) -> Iterator[Any]:
    loader: Any = _Loader(text)
    loader.doubles = doubles
    try:
        while loader.check_data():
            yield loader.get_data()
    finally:
        loader.dispose()


def read(text: str | bytes, doubles: list[str] | None = None) -> Any:
    """The one document in the text, or None when there is none; `doubles` as in `read_all`."""
    documents = read_all(text, doubles)
    if len(documents) > 1:
        raise DocumentError(f"one document expected, found {len(documents)}")
    return documents[0] if documents else None


def write(document: Any) -> str:
    """The document as YAML, keys in their order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=4096, allow_unicode=True)


def _check_depth(text: str) -> None:
    """libyaml's loader recurses in C and would take the process down. A level needs one of these characters, so most texts are fine."""
    if sum(map(text.count, "[{-:?")) <= DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                raise DocumentError(f"it is nested more than {DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_size(document: object) -> None:
    """Aliases make small texts into huge or endless documents, once they are written out."""
    left, count = [document], 0
    while left:
        value = left.pop()
        count += 1
        if isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
        if count + len(left) > EXPANDED:
            raise DocumentError(f"its aliases stand for more than {EXPANDED} values")


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{' '.join(str(problem).split())}{where}"
