"""What Deployments write on ReplicaSets, and how these are called."""

from __future__ import annotations

import hashlib

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = frozenset(
    {
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
    }
)
LONGEST_HISTORY = 2000

# Neither vowels nor digits that look like letters: a hash never spells a word.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_NAME = 253


def template_hash(digest: str, collisions: int | None) -> str:
    """The value of pod-template-hash: short, stable, and another one after each collision."""
    text = f"{digest}/{collisions}" if collisions is not None else digest
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def replica_set_name(deployment: str, hashed: str) -> str:
    """`web-7d9c6b4f8d`, cut so that it stays a valid name."""
    return f"{deployment[: _LONGEST_NAME - 1 - len(hashed)]}-{hashed}"
