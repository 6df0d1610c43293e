"""Control groups: the kernel's, in a group of our own, and the fake, by one suite; and the files of both versions."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from linux.cgroup import (
    CgroupBusy,
    CgroupError,
    Cgroups,
    FakeCgroups,
    Limits,
    SplitCgroups,
    UnifiedCgroups,
    limits_swap,
    open_cgroups,
    split_values,
    unified_values,
)


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.root)])
def cgroups(request: pytest.FixtureRequest) -> Cgroups:
    return FakeCgroups() if request.param == "fake" else open_cgroups()


@pytest.fixture
def group(cgroups: Cgroups) -> Iterator[str]:
    name = f"/ag-test-{uuid.uuid4().hex[:8]}"
    yield name
    cgroups.remove(name)


def test_groups_come_and_go(cgroups: Cgroups, group: str) -> None:
    assert cgroups.children(group) == []
    cgroups.ensure(group, Limits())
    cgroups.ensure(f"{group}/burstable", Limits(shares=100))
    cgroups.ensure(f"{group}/burstable/pod1", Limits(shares=100, quota=50_000, memory=64 << 20))
    cgroups.ensure(f"{group}/burstable/pod1", Limits(shares=200, quota=-1, memory=0))
    cgroups.ensure(f"{group}/pod2", Limits())
    assert cgroups.children(group) == ["burstable", "pod2"]
    assert cgroups.children(f"{group}/burstable") == ["pod1"]
    cgroups.remove(f"{group}/burstable")
    cgroups.remove(f"{group}/burstable")
    assert cgroups.children(group) == ["pod2"]


def test_what_was_killed_for_memory(cgroups: Cgroups, group: str) -> None:
    assert cgroups.kills(group) == (0, 0), "there is no such group"
    cgroups.ensure(group, Limits())
    assert cgroups.kills(group) == (0, 0)


def test_what_version_2_counts_of_kills(tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()
    events, cgroups = tmp_path / "pod/memory.events", UnifiedCgroups(tmp_path)
    assert cgroups.kills("/pod") == (0, 0), "nobody counts memory"
    old = "low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\n"
    events.write_text(old)
    assert cgroups.kills("/pod") == (3, 0)
    events.write_text(f"{old}oom_group_kill 1\nsock_throttled 0\n")
    assert cgroups.kills("/pod") == (3, 1)


@pytest.mark.root
def test_the_kernel_keeps_to_the_limits(tmp_path: Path) -> None:
    cgroups = open_cgroups()
    name = f"/ag-test-{uuid.uuid4().hex[:8]}"
    try:
        limits = Limits(shares=512, quota=50_000, memory=64 << 20, processes=100)
        cgroups.ensure(name, limits)
        values = unified_values if cgroups.version == 2 else split_values
        for file, value in values(limits).items():
            folder = Path("/sys/fs/cgroup") if cgroups.version == 2 else Path("/sys/fs/cgroup") / file.partition(".")[0]
            assert (folder / name[1:] / file).read_text().split() == value.split()
    finally:
        cgroups.remove(name)


@pytest.mark.root
def test_a_group_with_processes_is_busy() -> None:
    cgroups = open_cgroups()
    if cgroups.version == 2:
        home = Path("/sys/fs/cgroup")
    else:
        home = Path("/sys/fs/cgroup/cpu")
    name = f"ag-test-{uuid.uuid4().hex[:8]}"
    cgroups.ensure(f"/{name}", Limits())
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        (home / name / "cgroup.procs").write_text(str(pid))
        with pytest.raises(CgroupBusy, match="cannot remove cgroup"):
            cgroups.remove(f"/{name}")
        assert cgroups.kill(f"/{name}") == 1
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for _ in range(100):
            try:
                cgroups.remove(f"/{name}")
                break
            except CgroupBusy:
                continue


def test_version_2_passes_controllers_on(tmp_path: Path) -> None:
    for folder in ("", "a", "a/b"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cgroup.controllers").write_text("cpuset cpu memory pids")
        (tmp_path / folder / "cgroup.subtree_control").write_text("memory")
    cgroups = UnifiedCgroups(tmp_path)
    for file in ("cpu.max", "memory.max", "cpu.weight"):
        (tmp_path / "a/b" / file).touch()
    cgroups.ensure("/a/b", Limits(shares=1024, quota=-1, memory=0))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +pids"
    assert (tmp_path / "a/cgroup.subtree_control").read_text() == "+cpu +pids"
    assert (tmp_path / "a/b/cgroup.subtree_control").read_text() == "memory"
    assert (tmp_path / "a/b/cpu.max").read_text() == "max 100000"
    assert (tmp_path / "a/b/memory.max").read_text() == "max" and (tmp_path / "a/b/cpu.weight").read_text() == "39"


def test_the_version_is_found(tmp_path: Path) -> None:
    assert open_cgroups(tmp_path).version == 1
    (tmp_path / "cgroup.controllers").touch()
    assert open_cgroups(tmp_path).version == 2


@pytest.mark.parametrize(("shares", "weight"), [(2, "1"), (102, "4"), (1024, "39"), (262144, "10000"), (0, "1")])
def test_weights(shares: int, weight: str) -> None:
    assert unified_values(Limits(shares=shares)) == {"cpu.weight": weight}


@pytest.mark.parametrize(
    ("controllers", "command_line", "swaps", "expected"),
    [
        ("cpu memory pids", "quiet", True, True),
        ("cpu memory pids", "quiet", False, False),
        ("cpu memory pids", "swapaccount=0 quiet", True, False),
        ("cpu pids", "quiet", True, False),
        (None, "quiet", True, False),
    ],
)
def test_whether_swap_has_a_limit(
    controllers: str | None, command_line: str, swaps: bool, expected: bool, tmp_path: Path
) -> None:
    (tmp_path / "cmdline").write_text(command_line + "\n")
    if controllers is not None:
        (tmp_path / "cgroup.controllers").write_text(controllers)
    if swaps:
        (tmp_path / "swaps").touch()
    assert limits_swap(tmp_path, tmp_path) is expected


def test_a_hierarchy_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/x").write_text("a file in the way")
    with pytest.raises(CgroupError, match="cannot make cgroup"):
        SplitCgroups(tmp_path).ensure("/x/y", Limits())
