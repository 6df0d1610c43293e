"""Where pods stand among control groups."""

import pytest

from api.core_v1 import ResourceRequirements
from linux.cgroup import CgroupBusy, FakeCgroups, Limits
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
    stopped: list[str] = []
    systemd = PodCgroups(fake, "", systemd=True, stop=stopped.extend)
    systemd.prepare()
    systemd.ensure(wanted)
    assert systemd.known() == set(), "systemd makes slices when the runtime asks for them"
    systemd.remove("a-b")
    assert "kubepods-besteffort-poda_b.slice" in stopped and "kubepods-poda_b.slice" in stopped


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
