"""The numbers of a Deployment's history, and the annotations that carry them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controlplane.controllers.deployment.limits import max_surge
from controlplane.controllers.deployment.names import DESIRED, HISTORY, LONGEST_HISTORY, MAXIMUM, NOT_COPIED, REVISION
from controlplane.controllers.seen import SeenDeployment, SeenReplicaSet

Annotations = Mapping[str, str]


def revision(annotations: Annotations) -> int:
    """The revision, 0 if there is none or it cannot be read."""
    text = annotations.get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def next_revision(olds: Iterable[SeenReplicaSet]) -> int:
    """The revision of the new ReplicaSet: behind all others."""
    return max((revision(rs.annotations) for rs in olds), default=0) + 1


def inherited(d: SeenDeployment) -> dict[str, str]:
    """What a ReplicaSet takes over from its Deployment."""
    return {key: value for key, value in d.annotations.items() if key not in NOT_COPIED}


def sizes_noted(d: SeenDeployment) -> dict[str, str]:
    """What a ReplicaSet is told of the Deployment's size, so that a change of it can be recognised as scaling."""
    return {DESIRED: str(d.replicas), MAXIMUM: str(d.replicas + max_surge(d))}


def for_new(d: SeenDeployment, new: SeenReplicaSet, olds: Sequence[SeenReplicaSet]) -> dict[str, str]:
    """Annotations the new ReplicaSet should have and has not. One that is rolled back to remembers its former revisions."""
    wanted = inherited(d)
    number, before = next_revision(olds), new.annotations.get(REVISION, "")
    if (not before or before.isdecimal()) and revision(new.annotations) < number:
        wanted[REVISION] = str(number)
        if before:
            wanted[HISTORY] = _longer(new.annotations.get(HISTORY, ""), before)
    return {key: value for key, value in wanted.items() if new.annotations.get(key) != value}


def _longer(history: str, before: str) -> str:
    parts = [part for part in history.split(",") if part] + [before]
    while len(",".join(parts)) > LONGEST_HISTORY and len(parts) > 1:
        parts.pop(0)
    return ",".join(parts)
