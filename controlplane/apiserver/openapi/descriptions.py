"""What types and fields are, in words: read off the docstrings of their declarations.

A type's docstring is one sentence. Below it may stand what single fields are, one a line: `replicas: how many pods there should be`. What a
field is that has the same meaning everywhere stands here.
"""

from __future__ import annotations

import re

from api.fields import Type

_LINE = re.compile(r"^    (\w+): (.+)$", re.MULTILINE)
_EVERYWHERE = {
    "apiGroup": "the group of the API that it belongs to",
    "apiVersion": "the group and version of the API in which this is written",
    "collisionCount": "how often a name was taken already",
    "conditions": "what is, or is not, the case",
    "defaultMode": "the permissions of the files, as a number; 0644 by default",
    "fieldPath": "the part of the object that is meant",
    "fsType": "the filesystem that it has, or gets",
    "items": "the objects",
    "kind": "what kind of object this is",
    "message": "more about it, for people",
    "metadata": "name, labels, and what else all objects have",
    "mode": "the permissions of the file, as a number",
    "name": "what it is called",
    "namespace": "the namespace that it lies in",
    "observedGeneration": "the generation of the object that this was said of",
    "optional": "whether it may be missing",
    "readOnly": "whether it can only be read",
    "reason": "why, in one word",
    "resourceVersion": "the version of the object that is meant",
    "spec": "what is wanted",
    "status": "what is the case, as those say who see to it",
    "uid": "tells the object from all others that are, were or will be",
}
_OF_CONDITIONS = {
    "lastHeartbeatTime": "when it was looked at last",
    "lastProbeTime": "when it was looked at last",
    "lastTransitionTime": "when that changed last",
    "lastUpdateTime": "when this was said last",
    "message": "why, for people",
    "status": "whether it is the case: True, False or Unknown",
    "type": "what is, or is not, the case",
}


def of_type(cls: type[Type]) -> str:
    """The sentence about a type; "" if nobody has written one."""
    return _docstring(cls).partition("\n")[0]


def of_fields(cls: type[Type]) -> dict[str, str]:
    """What is known of a type's fields, by their Python names; sentences."""
    return {name: _sentence(text) for name, text in _LINE.findall(_docstring(cls))}


def of_everywhere(cls_name: str, json: str) -> str:
    """What a field of that name always is; "" if that depends."""
    own = _OF_CONDITIONS.get(json) if cls_name.endswith("Condition") else None
    return _sentence(own or _EVERYWHERE.get(json, ""))


def _docstring(cls: type[Type]) -> str:
    return cls.__dict__.get("__doc__") or ""  # not that of a base


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
