"""Where pods stand among control groups."""

from pathlib import Path

import pytest

from api.core_v1 import ResourceRequirements
from linux.cgroup import CgroupBusy, FakeCgroups, Limits, slice_path
from linux.slices import SliceCgroups
from nodeagent.sync.cgroups import PodCgroups
from tests.unit.nodeagent.pods import pod


@pytest.mark.parametrize(
    ("root", "systemd", "requests", "expected"),
    [
        ("", False, {}, "/kubepods/besteffort/podu"),
        ("/wherry", False, {}, "/wherry/kubepods/besteffort/podu"),
        ("", False, {"cpu": "1"}, "/kubepods/burstable/podu"),
        ("", True, {}, "kubepods-besteffort-podu.slice"),
        ("/wherry", True, {"cpu": "1"}, "wherry-kubepods-burstable-podu.slice"),
    ],
)
def test_names(root: str, systemd: bool, requests: dict[str, str], expected: str) -> None:
    wanted = pod("a")
    wanted.spec.containers[0].resources = ResourceRequirements(requests=requests)
    assert PodCgroups(FakeCgroups(), root, systemd).parent(wanted) == expected


def test_guaranteed_pods_stand_above() -> None:
    wanted = pod("a")
    wanted.spec.containers[0].resources = ResourceRequirements(limits={"cpu": "1", "memory": "1Gi"})
    assert PodCgroups(FakeCgroups()).parent(wanted) == "/kubepods/podu"


def test_groups_are_made_weighed_and_removed() -> None:
    fake = FakeCgroups()
    groups = PodCgroups(fake, "/w")
    groups.prepare()
    wanted = pod("a")
    wanted.spec.containers[0].resources = ResourceRequirements(requests={"cpu": "500m"}, limits={"memory": "1Gi"})
    groups.ensure(wanted)
    assert fake.groups["/w/kubepods/burstable/podu"] == Limits(512, -1, 1 << 30)
    groups.weigh([wanted, wanted])
    assert fake.groups["/w/kubepods/burstable"] == Limits(shares=1024)
    assert groups.known() == {"u"}
    groups.remove("u")
    groups.remove("u")
    assert groups.known() == set()


def test_slices_are_made_and_removed(tmp_path: Path) -> None:
    asked: list[str] = []
    stopped: list[str] = []
    slices = SliceCgroups(2, tmp_path, lambda method, signature, values: asked.append(values[0]), stopped.extend)
    systemd = PodCgroups(slices, "", systemd=True)
    systemd.prepare()
    wanted = pod("a")
    wanted.metadata.uid = "a-b"
    systemd.ensure(wanted)
    assert asked == [
        "kubepods.slice",
        "kubepods-burstable.slice",
        "kubepods-besteffort.slice",
        "kubepods-besteffort-poda_b.slice",
    ]
    (tmp_path / slice_path(asked[-1])[1:]).mkdir(parents=True)
    assert systemd.known() == {"a-b"}
    systemd.remove("a-b")
    assert stopped == ["kubepods-besteffort-poda_b.slice"]


def test_what_nobody_knows_of_is_killed() -> None:
    fake = FakeCgroups()
    groups = PodCgroups(fake)
    groups.ensure(pod("a"))
    fake.busy.add("/kubepods/besteffort/podu")
    with pytest.raises(CgroupBusy):
        groups.remove("u")
    groups.remove("u")
    assert groups.known() == set()


def test_all_pods_together_and_each_of_them_have_limits() -> None:
    fake = FakeCgroups()
    groups = PodCgroups(fake, whole=Limits(memory=4 << 30), processes=100)
    groups.prepare()
    groups.ensure(pod("a"))
    assert fake.groups["/kubepods"] == Limits(memory=4 << 30)
    assert fake.groups["/kubepods/besteffort/podu"].processes == 100
