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
    "audiences": "for whom the token is meant",
    "availableReplicas": "how many pods have been ready for long enough",
    "caBundle": "certificates of the authorities that the other side is trusted by, in PEM",
    "collisionCount": "how often a name was taken already",
    "conditions": "what is, or is not, the case",
    "containerName": "the container",
    "currentReplicas": "how many pods there are",
    "defaultMode": "the permissions of the files, as a number; 0644 by default",
    "driver": "the driver, by its name",
    "expirationSeconds": "for how long it is asked for",
    "failurePolicy": "whether the request fails when this does",
    "fieldPath": "the part of the object that is meant",
    "fsType": "the filesystem that it has, or gets",
    "fullyLabeledReplicas": "how many pods have all labels of the template",
    "groups": "the groups of the user",
    "items": "the objects",
    "kind": "what kind of object this is",
    "matchPolicy": "whether requests by other versions of a resource count too",
    "message": "more about it, for people",
    "metadata": "name, labels, and what else all objects have",
    "mode": "the permissions of the file, as a number",
    "monitors": "the monitors, by their addresses",
    "name": "what it is called",
    "namespace": "the namespace that it lies in",
    "nodeName": "the node",
    "observedGeneration": "the generation of the object that this was said of",
    "optional": "whether it may be missing",
    "partition": "the partition, by number",
    "pool": "the pool",
    "readOnly": "whether it can only be read",
    "readyReplicas": "how many pods are ready",
    "reason": "why, in one word",
    "replicas": "how many pods",
    "resourceVersion": "the version of the object that is meant",
    "secretName": "the Secret",
    "signerName": "who signs",
    "spec": "what is wanted",
    "status": "what is the case, as those say who see to it",
    "terminatingReplicas": "how many pods are about to go",
    "timeoutSeconds": "how long it may take",
    "uid": "tells the object from all others that are, were or will be",
    "unavailableReplicas": "how many pods are missing",
    "updatedReplicas": "how many pods are of the newest template",
    "username": "the name of the user",
    "volumeName": "the volume",
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
