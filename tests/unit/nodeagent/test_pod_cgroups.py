"""Where pods stand among control groups."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from api.core_v1 import ResourceRequirements
from linux.cgroup import CgroupBusy, FakeCgroups, Limits, slice_path
from linux.slices import SliceCgroups
from nodeagent.plan.qos import pod_limits
from nodeagent.sync.cgroups import Cgroupfs, Driver, PodCgroups, Systemd, at_once
from tests.unit.nodeagent.pods import pod


@pytest.mark.parametrize(
    ("root", "driver", "requests", "expected"),
    [
        ("", Cgroupfs(), {}, "/kubepods/besteffort/podu"),
        ("/wherry", Cgroupfs(), {}, "/wherry/kubepods/besteffort/podu"),
        ("", Cgroupfs(), {"cpu": "1"}, "/kubepods/burstable/podu"),
        ("", Systemd(), {}, "kubepods-besteffort-podu.slice"),
        ("/wherry", Systemd(), {"cpu": "1"}, "wherry-kubepods-burstable-podu.slice"),
    ],
)
def test_names(root: str, driver: Driver, requests: dict[str, str], expected: str) -> None:
    wanted = pod("a")
    wanted.spec.containers[0].resources = ResourceRequirements(requests=requests)
    assert PodCgroups(FakeCgroups(), root, driver).parent(wanted) == expected


def test_guaranteed_pods_stand_above() -> None:
    wanted = pod("a")
    wanted.spec.containers[0].resources = ResourceRequirements(limits={"cpu": "1", "memory": "1Gi"})
    assert PodCgroups(FakeCgroups()).parent(wanted) == "/kubepods/podu"


async def test_groups_are_made_weighed_and_removed() -> None:
    fake = FakeCgroups()
    groups = PodCgroups(fake, "/w")
    await groups.prepare()
    wanted = pod("a")
    wanted.spec.containers[0].resources = ResourceRequirements(requests={"cpu": "500m"}, limits={"memory": "1Gi"})
    await groups.limit(wanted, pod_limits(wanted))
    assert fake.groups["/w/kubepods/burstable/podu"] == Limits(512, -1, 1 << 30)
    await groups.weigh([wanted, wanted])
    assert fake.groups["/w/kubepods/burstable"] == Limits(shares=1024)
    assert groups.known() == {"u"}
    await groups.remove("u", at_once)
    await groups.remove("u", at_once)
    assert groups.known() == set()


async def test_slices_are_made_and_removed(tmp_path: Path) -> None:
    asked: list[str] = []
    stopped: list[str] = []
    slices = SliceCgroups(2, tmp_path, lambda method, signature, values: asked.append(values[0]), stopped.extend)
    systemd = PodCgroups(slices, driver=Systemd())
    await systemd.prepare()
    wanted = pod("a")
    wanted.metadata.uid = "a-b"
    await systemd.limit(wanted, pod_limits(wanted))
    assert asked == [
        "kubepods.slice",
        "kubepods-burstable.slice",
        "kubepods-besteffort.slice",
        "kubepods-besteffort-poda_b.slice",
    ]
    (tmp_path / slice_path(asked[-1])[1:]).mkdir(parents=True)
    assert systemd.known() == {"a-b"}
    await systemd.remove("a-b", at_once)
    assert stopped == ["kubepods-besteffort-poda_b.slice"]


async def test_systemd_is_waited_for_beside_the_loop_and_asked_in_order(tmp_path: Path) -> None:
    done: list[str] = []
    asked, free = threading.Event(), threading.Event()

    def call(method: str, signature: str, values: Sequence[Any]) -> None:
        asked.set()
        assert threading.current_thread() is not threading.main_thread(), "the loop would stand still"
        free.wait()
        (tmp_path / slice_path(values[0])[1:]).mkdir(parents=True)
        done.append(method)

    slices = SliceCgroups(2, tmp_path, call, lambda names: done.append("stop"))
    groups = PodCgroups(slices, driver=Systemd())
    making = asyncio.create_task(groups.limit(pod("a"), pod_limits(pod("a"))))
    await asyncio.to_thread(asked.wait)
    making.cancel()
    await asyncio.gather(making, return_exceptions=True)
    removing = asyncio.create_task(groups.remove("u", at_once))
    for _ in range(10):
        await asyncio.sleep(0)
    assert done == [], "the group would be made after it was removed"
    free.set()
    await removing
    assert done == ["StartTransientUnit", "stop"]


async def test_what_nobody_knows_of_is_killed() -> None:
    fake = FakeCgroups()
    groups = PodCgroups(fake)
    await groups.limit(pod("a"), pod_limits(pod("a")))
    fake.busy.add("/kubepods/besteffort/podu")
    with pytest.raises(CgroupBusy):
        await groups.remove("u", at_once)
    await groups.remove("u", at_once)
    assert groups.known() == set()


async def test_all_pods_together_and_each_of_them_have_limits() -> None:
    fake = FakeCgroups()
    groups = PodCgroups(fake, whole=Limits(memory=4 << 30), processes=100)
    await groups.prepare()
    await groups.limit(pod("a"), pod_limits(pod("a")))
    assert fake.groups["/kubepods"] == Limits(memory=4 << 30)
    assert fake.groups["/kubepods/besteffort/podu"].processes == 100
