"""Names with a random end, chosen here rather than by the server: a request whose answer was lost can then be looked for by name."""

from __future__ import annotations

import random

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX = 5
LONGEST_PREFIX = 63 - SUFFIX


def prefix(owner: str) -> str:
    """What the names of an owner's children begin with."""
    return f"{owner[: LONGEST_PREFIX - 1]}-"


def child_name(owner: str, rng: random.Random) -> str:
    """`web-x7k2p`."""
    return prefix(owner) + "".join(rng.choices(ALPHABET, k=SUFFIX))
