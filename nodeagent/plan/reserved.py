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
        taken = _held(name, reserved)
        if name == "memory":
            taken += huge + threshold(reserved.eviction.get(MEMORY, ""), int(whole))
        elif name == "ephemeral-storage":
            taken += threshold(reserved.eviction.get(DISK, ""), int(whole))
        left[name] = text if not taken else _written(name, max(Fraction(), whole - taken))
    return left


def overdrawn(capacity: Mapping[str, str], reserved: Reserved) -> list[str]:
    """The resources of which more is held for others than there is."""
    return [name for name, text in capacity.items() if _held(name, reserved) > quantity.parse(text)]


def _held(name: str, reserved: Reserved) -> Fraction:
    """How much of a resource is for the system and for Kubernetes itself."""
    given = (reserved.kube.get(name, "0"), reserved.system.get(name, "0"))
    return sum((quantity.parse(text) for text in given), Fraction())


def threshold(text: str, whole: int) -> int:
    """A limit as an amount; it may be a percentage. Empty: none. Raises ValueError."""
    return parse_amount(text).of(whole) if text else 0


def _written(name: str, left: Fraction) -> str:
    """As upstream writes each resource."""
    if name == "cpu":
        milli = int(left * 1000)
        return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
    return f"{int(left) // 1024}Ki" if name == "memory" else str(int(left))
