"""Which images go, and when. Pure.

Images that no container uses go when they have not been used for too long, and when the disk is fuller than `high` percent: then those
that were used longest ago first, until it is at `low`. What the runtime pinned, what is used, and what has only just come never goes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from nodeagent.cri.port import SeenImage

AGE, SPACE = "age", "space"


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """Percentages of the disk, and seconds; a maximum age of 0 is none."""

    high: int = 85
    low: int = 80
    minimum_age: float = 120.0
    maximum_age: float = 0.0


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What is remembered of one image; `used` is 0 as long as it was never seen in use."""

    id: str
    size: int
    pinned: bool
    found: float
    used: float = 0.0


@dataclass(frozen=True, slots=True)
class Disk:
    """The filesystem that images are on, in bytes."""

    capacity: int
    available: int


@dataclass(frozen=True, slots=True)
class RemoveImage:
    """Remove an image, and why."""

    id: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What to remove, and what that is for: `missing` bytes are needed, which may be more than the images to remove have."""

    removals: tuple[RemoveImage, ...] = ()
    missing: int = 0
    percent: int = 0


def record_images(
    known: Mapping[str, ImageRecord], images: Iterable[SeenImage], used: Collection[str], now: float
) -> dict[str, ImageRecord]:
    """The records after one more look; `used` are ids, tags or digests that containers name."""
    found = {}
    for image in images:
        record = known.get(image.id) or ImageRecord(image.id, image.size, image.pinned, now)
        names = (image.id, *image.tags, *image.digests)
        in_use = any(name in used or _is_sandbox_image(name) for name in names)
        found[image.id] = replace(record, size=image.size, pinned=image.pinned, used=now if in_use else record.used)
    return found


def _is_sandbox_image(name: str) -> bool:
    """What holds the namespaces of pods: it is used though no container says so, and older runtimes do not pin it."""
    return name.rpartition("/")[2].startswith(("pause:", "pause@"))


def plan_images(records: Iterable[ImageRecord], disk: Disk, policy: ImagePolicy, began: float, now: float) -> ImagePlan:
    """What to remove after the look at `now`; `began` is when the agent did."""
    order = sorted((r for r in records if not r.pinned and r.used < now), key=lambda r: (r.used, r.found, r.id))
    removals: list[RemoveImage] = []
    if policy.maximum_age and now - began > policy.maximum_age:
        removals = [RemoveImage(r.id, r.size, AGE) for r in order if now - max(r.used, r.found) > policy.maximum_age]
    available = min(disk.capacity, disk.available)
    percent = 100 - available * 100 // disk.capacity if disk.capacity else 0
    if percent < policy.high:
        return ImagePlan(tuple(removals), 0, percent)
    missing = disk.capacity * (100 - policy.low) // 100 - available
    gone, freed = {r.id for r in removals}, 0
    for record in order:
        if freed >= missing:
            break
        if record.id not in gone and now - record.found >= policy.minimum_age:
            removals.append(RemoveImage(record.id, record.size, SPACE))
            freed += record.size
    return ImagePlan(tuple(removals), missing, percent)


def shortage(plan: ImagePlan, freed: int, disk: Disk) -> str:
    """What to tell when images did not make enough room; empty when they did."""
    if freed >= plan.missing:
        return ""
    return (
        f"Insufficient free disk space on the node's image filesystem ({plan.percent}% of {spoken_size(disk.capacity)} used)."
        f" Failed to free sufficient space by deleting unused images (freed {freed} bytes)."
        " Investigate disk usage, as it could be used by active images, logs, volumes, or other data."
    )


def spoken_size(size: int) -> str:
    """A size for people."""
    number, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:.1f} {unit}" if unit != "B" else f"{size} B"
