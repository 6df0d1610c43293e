"""What of the machine pods may not have. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from api import quantity
from nodeagent.plan.pressure import parse_amount

MEMORY, DISK = "memory.available", "nodefs.available"
HARD: Mapping[str, str] = {
    MEMORY: "100Mi",
    DISK: "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}


@dataclass(frozen=True, slots=True)
class Reserved:
    """Quantities by resource for the system and for Kubernetes itself, and where eviction begins."""

    kube: Mapping[str, str] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)
    eviction: Mapping[str, str] = field(default_factory=lambda: HARD)


def compute_allocatable(capacity: Mapping[str, str], reserved: Reserved) -> dict[str, str]:
    """What is left for pods of a capacity."""
    left = {}
    huge = int(sum(quantity.parse(text) for name, text in capacity.items() if name.startswith("hugepages-")))
    for name, text in capacity.items():
        whole = quantity.parse(text)
        held = [quantity.parse(given[name]) for given in (reserved.kube, reserved.system) if name in given]
        taken = sum(held, Fraction())
        if name == "memory":
            taken += huge + threshold(reserved.eviction.get(MEMORY, ""), int(whole))
        elif name == "ephemeral-storage":
            taken += threshold(reserved.eviction.get(DISK, ""), int(whole))
        left[name] = text if not taken else _written(name, max(Fraction(), whole - taken))
    return left


def threshold(text: str, whole: int) -> int:
    """A limit as an amount; it may be a percentage. Empty: none. Raises ValueError."""
    return parse_amount(text).of(whole) if text else 0


def _written(name: str, left: Fraction) -> str:
    """As upstream writes each resource."""
    if name == "cpu":
        milli = int(left * 1000)
        return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
    return f"{int(left) // 1024}Ki" if name == "memory" else str(int(left))
