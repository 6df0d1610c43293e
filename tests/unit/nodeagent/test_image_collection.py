"""Unused images go when they must, in the right order, and no others."""

import asyncio
from typing import Any

import pytest

from kit.clock import FakeClock
from nodeagent.cri.errors import Refused
from nodeagent.cri.fake import FakeContainer, FakeRuntime
from nodeagent.cri.port import SeenImage
from nodeagent.images.puller import Puller, Wish
from nodeagent.model.seen import ContainerState, PodRef, SeenContainer
from nodeagent.plan.images import (
    AGE,
    SPACE,
    Disk,
    ImagePolicy,
    ImageRecord,
    plan_images,
    record_images,
    shortage,
    spoken_size,
)
from nodeagent.server.disks import Filesystem
from nodeagent.upkeep.images import ImageCollection, ImageProblem
from proto import cri_v1_pb2 as pb

NOW = 10_000.0
FULL, EMPTY = Disk(1000, 100), Disk(1000, 900)  # 90 % used: 100 bytes over the low mark


def record(name: str, size: int = 60, used: float = 0.0, found: float = 0.0, pinned: bool = False) -> ImageRecord:
    return ImageRecord(name, size, pinned, found, used)


@pytest.mark.parametrize(
    ("records", "disk", "policy", "expected"),
    [
        ([record("a")], EMPTY, ImagePolicy(), []),
        ([record("a", 200)], FULL, ImagePolicy(), ["a"]),
        ([record("a"), record("b"), record("c")], FULL, ImagePolicy(), ["a", "b"]),  # enough is enough
        ([record("a", used=9), record("b", used=5), record("c", used=7)], FULL, ImagePolicy(), ["b", "c"]),
        ([record("a", found=9), record("b", found=5)], FULL, ImagePolicy(), ["b", "a"]),
        ([record("a", used=NOW), record("b", pinned=True)], FULL, ImagePolicy(), []),
        ([record("a", found=NOW - 119), record("b", found=NOW - 120)], FULL, ImagePolicy(), ["b"]),
        ([record("a")], Disk(1000, 160), ImagePolicy(), []),  # 84 %
        ([record("a")], Disk(1000, 150), ImagePolicy(), ["a"]),  # 85 %
        ([record("a")], Disk(1000, 2000), ImagePolicy(), []),
        ([record("a", 900)], Disk(0, 0), ImagePolicy(), []),
    ],
)
def test_for_space(records: list[ImageRecord], disk: Disk, policy: ImagePolicy, expected: list[str]) -> None:
    plan = plan_images(records, disk, policy, 0.0, NOW)
    assert [r.id for r in plan.removals] == expected and {r.reason for r in plan.removals} <= {SPACE}


def test_for_age() -> None:
    policy = ImagePolicy(maximum_age=500.0)
    records = [record("old", used=NOW - 501), record("new", used=NOW - 499), record("pin", pinned=True)]
    fresh = record("fresh", found=NOW - 10)  # pulled, and not yet used: a container is about to be made
    plan = plan_images([*records, record("never"), fresh], EMPTY, policy, 0.0, NOW)
    assert [(r.id, r.reason) for r in plan.removals] == [("never", AGE), ("old", AGE)]
    assert plan_images(records, EMPTY, policy, NOW - 400, NOW).removals == ()  # too early to know
    both = plan_images(records, FULL, policy, 0.0, NOW)
    assert [(r.id, r.reason) for r in both.removals] == [("old", AGE), ("new", SPACE)]


def test_what_is_remembered() -> None:
    images = [SeenImage("1", ("x:1",), size=5), SeenImage("2", (), ("d@sha256:2",), 6), SeenImage("3", size=7)]
    first = record_images({}, images, {"x:1", "d@sha256:2"}, 100.0)
    assert [(r.id, r.found, r.used) for r in first.values()] == [("1", 100, 100), ("2", 100, 100), ("3", 100, 0)]
    pause = SeenImage("4", ("example.org/pause:3.9",))
    assert record_images({}, [pause], set(), 100.0)["4"].used == 100  # it holds the sandboxes
    second = record_images(first, images[:2], {"2"}, 200.0)
    assert [(r.id, r.found, r.used) for r in second.values()] == [("1", 100, 100), ("2", 100, 200)]


def test_what_is_said_when_it_is_not_enough() -> None:
    plan = plan_images([record("a")], FULL, ImagePolicy(), 0.0, NOW)
    assert shortage(plan, 100, FULL) == ""
    said = shortage(plan, 60, FULL)
    assert said.startswith("Insufficient free disk space on the node's image filesystem (90% of 1000 B used). Failed")
    assert "(freed 60 bytes)" in said
    assert [spoken_size(n) for n in (999, 2048, 5 << 30)] == ["999 B", "2.0 KiB", "5.0 GiB"]


class Events:
    """Remembers what was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, kind: str, reason: str, message: str) -> None:
        self.told.append(reason)


def stage(available: int, **images: int) -> tuple[ImageCollection, FakeRuntime, Events, FakeClock]:
    clock, events = FakeClock(), Events()
    runtime = FakeRuntime(clock)
    runtime.present = {name: SeenImage(name, (f"{name}:1",), size=size) for name, size in images.items()}
    measure = {"/var/lib/runtime": Filesystem(1000, available, 1000 - available)}.get
    collection = ImageCollection(
        runtime,
        events,  # type: ignore[arg-type]
        clock,
        ImagePolicy(),
        ("keep:1",),
        lambda reason: events.told.append(f"removed for {reason}"),
        measure,
    )
    return collection, runtime, events, clock


async def test_collecting() -> None:
    collection, runtime, events, clock = stage(100, keep=500, a=60, b=70)
    await collection.look()
    await clock.advance(300)
    await collection.collect()
    assert set(runtime.present) == {"keep"} and events.told == ["removed for space", "removed for space"]
    with pytest.raises(ImageProblem, match="Insufficient free disk space"):
        await collection.collect()
    assert events.told[2:] == ["FreeDiskSpaceFailed"]


async def test_the_second_failure_in_a_row_is_told() -> None:
    collection, runtime, events, clock = stage(100, a=200)

    def refuse(call: str, subject: str, done: bool) -> None:
        if call == "remove_image":
            raise Refused(call, subject, "read-only")

    runtime.faults = refuse
    task = asyncio.create_task(collection.run(300))
    await clock.advance(300)  # too young to go
    assert events.told == ["FreeDiskSpaceFailed"]
    await clock.advance(300)
    assert events.told == ["FreeDiskSpaceFailed", "ImageGCFailed"] and "a" in runtime.present
    task.cancel()


async def test_an_image_of_which_a_container_is_about_to_be_made_stays() -> None:
    """Between its pull and its container nobody uses it."""
    clock, image = FakeClock(NOW), SeenImage("sha256:1", ("docker.io/library/box:1",), size=9)
    runtime = FakeRuntime(clock)
    runtime.pullable["box:1"] = image
    puller = Puller(runtime, clock)
    events: Any = Events()
    collection = ImageCollection(runtime, events, clock, ImagePolicy(), soon=puller.kept)
    wish = Wish("u", "box:1", "IfNotPresent")
    assert await puller.present(wish) is None
    runtime.present["box:1"] = image  # the runtime shows it before the pull has returned
    await collection.clear()
    await puller.pull(wish)
    await collection.clear()
    assert "box:1" in runtime.present
    puller.settled("u")
    await clock.advance(1)
    runtime.present = {"sha256:1": image}
    await collection.clear()
    assert runtime.present == {}


async def test_an_image_that_came_into_use_since_the_plan_stays() -> None:
    collection, runtime, events, clock = stage(100, a=60, b=70)
    await collection.look()
    await clock.advance(300)

    def use_the_other(call: str, subject: str, done: bool) -> None:
        if call == "remove_image":
            (other,) = {"a", "b"} - {subject}
            seen = SeenContainer("c", "", "c", 0, ContainerState.RUNNING, image=other)
            pod = PodRef("u", "ns", "p")
            runtime.live_containers["c"] = FakeContainer(seen, pod, pb.ContainerConfig())

    runtime.faults = use_the_other
    with pytest.raises(ImageProblem, match="Insufficient free disk space"):
        await collection.collect()
    assert len(runtime.present) == 1 and events.told == ["removed for space", "FreeDiskSpaceFailed"]
