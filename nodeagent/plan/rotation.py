"""When and how logs are rotated. Pure.

The newest rotated file stays as it is, for those who read it or collect it; it is compressed when the next one joins it. Of all files,
the written one included, there are never more than `files`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GZIP, TEMPORARY = ".gz", ".tmp"
SOONEST, LATEST = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """How large a log may become, and of how many files it may be."""

    size: int = 10 << 20
    files: int = 5


@dataclass(frozen=True, slots=True)
class RemoveLog:
    """Remove a file."""

    path: str


@dataclass(frozen=True, slots=True)
class CompressLog:
    """Replace a file by its compressed form."""

    path: str


@dataclass(frozen=True, slots=True)
class RotateLog:
    """Give the written file another name and let the runtime begin a new one."""

    path: str
    rotated: str


LogAction = RemoveLog | CompressLog | RotateLog


def plan_rotation(path: str, names: Iterable[str], stamp: str, policy: RotationPolicy) -> list[LogAction]:
    """What to do with the log at `path`, which is full; `names` are all files beside it that begin like it, and a dot."""
    there = set(names)
    if f"{path}.{stamp}" in there:
        return []  # one was rotated in this very second: the next look will do
    unused = sorted(name for name in there if name.endswith(TEMPORARY) or name + GZIP in there)
    kept = sorted(there - set(unused))
    excess = max(0, len(kept) - max(0, policy.files - 2))
    removed = [RemoveLog(name) for name in (*unused, *kept[:excess])]
    packed = [CompressLog(name) for name in kept[excess:] if not name.endswith(GZIP)]
    return [*removed, *packed, RotateLog(path, f"{path}.{stamp}")]


def plan_look(sizes: Mapping[str, int], before: Mapping[str, int], passed: float, policy: RotationPolicy) -> float:
    """Seconds until logs should be looked at again: in time for the one that will be full first."""
    if passed <= 0:
        return SOONEST
    wait = LATEST
    for path, size in sizes.items():
        growth = size - before.get(path, 0)
        if growth > 0:
            wait = min(wait, (policy.size - size) * passed / growth)
    return max(SOONEST, wait)
