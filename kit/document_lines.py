"""On which line of a YAML or JSON text a field is, so that complaints about it can be found."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

_PART = re.compile(r"\[(\d+)\]|\[([^]]*)\]|([^.\[]+)")


def line_of(text: str, document: int, path: str) -> int:
    """The line of `spec.containers[0].image` in the given document, or of the nearest field around it that is there."""
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
    except (yaml.YAMLError, RecursionError):
        return 1
    if document >= len(nodes):
        return 1
    node = nodes[document]
    line = int(node.start_mark.line) + 1
    for part in _parts(path):
        found = _below(node, part)
        if found is None:
            break
        line, node = found
    return line


def _parts(path: str) -> Iterator[str | int]:
    for number, key, name in _PART.findall(path):
        yield int(number) if number else key or name


def _below(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return int(value.start_mark.line) + 1, value
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return int(key.start_mark.line) + 1, value
    return None
