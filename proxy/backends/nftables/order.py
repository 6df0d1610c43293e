"""The places of endpoints in a group: index 0 to N-1 without holes, moved as little as possible. Pure."""

from collections.abc import Sequence


def rearrange(current: Sequence[bytes], wanted: Sequence[bytes]) -> list[bytes]:
    """The wanted endpoints in an order that differs from the current one in the fewest places.

    Who stays keeps the index if it is still below the new count; newcomers and those beyond it fill the holes.
    """
    keep = set(wanted)
    known = set(current)
    count = len(keep)
    order: list[bytes | None] = [one if one in keep else None for one in current[:count]]
    order += [None] * (count - len(order))
    fill = [one for one in current[count:] if one in keep] + [one for one in wanted if one not in known]
    newcomers = iter(fill)
    return [one if one is not None else next(newcomers) for one in order]
