"""How far a rolling update may go above and below the wanted number of pods. Pure."""

from __future__ import annotations

import math

from controlplane.controllers.seen import SeenDeployment


def scaled(value: int | str, whole: int, *, up: bool) -> int:
    """A number as it is, or `25%` of `whole`, rounded up or down. What cannot be read counts as none."""
    if isinstance(value, int):
        return value
    try:
        share = int(value.removesuffix("%")) * whole / 100
    except ValueError:
        return 0
    return math.ceil(share) if up else math.floor(share)


def _fenceposts(d: SeenDeployment) -> tuple[int, int]:
    surge = scaled(d.max_surge, d.replicas, up=True)
    unavailable = scaled(d.max_unavailable, d.replicas, up=False)
    # Both may round to nothing; then nothing could ever move.
    return (surge, unavailable) if surge or unavailable else (0, 1)


def max_surge(d: SeenDeployment) -> int:
    """Pods above the wanted number."""
    return 0 if d.recreate else _fenceposts(d)[0]


def max_unavailable(d: SeenDeployment) -> int:
    """Pods below the wanted number."""
    return 0 if d.recreate or not d.replicas else min(_fenceposts(d)[1], d.replicas)
