"""Mounts: the kernel's, in a mount namespace of our own, and the fake, by one suite."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from linux.mounts import FakeMounts, KernelMounts, MountError, Mounts, remove_tree


def come_and_go(mounts: Mounts, home: Path) -> None:
    a, b = home / "a", home / "a/b"
    a.mkdir()
    mounts.tmpfs(str(a), 1 << 20, 0o777)
    b.mkdir()
    mounts.tmpfs(str(b))
    assert mounts.below(str(home)) == [str(b), str(a)]
    assert mounts.below(str(b)) == [str(b)]
    mounts.unmount(str(b))
    mounts.unmount(str(b))
    assert mounts.below(str(home)) == [str(a)]
    mounts.unmount(str(a))
    assert mounts.below(str(home)) == []


def refuse_what_cannot_be(mounts: Mounts, home: Path) -> None:
    for make in (lambda: mounts.tmpfs(str(home / "none")), lambda: mounts.bind(str(home / "x"), str(home))):
        try:
            make()
        except MountError as error:
            assert "cannot mount" in str(error) and "No such file" in str(error)
        else:
            raise AssertionError("it was mounted")


def remove_trees_but_not_what_is_mounted_in_them(mounts: Mounts, home: Path) -> None:
    (home / "precious").mkdir()
    (home / "precious/file").touch()
    (home / "tree/inside").mkdir(parents=True)
    mounts.bind(str(home / "precious"), str(home / "tree/inside"))
    remove_tree(mounts, home / "tree")
    assert not (home / "tree").exists() and (home / "precious/file").exists() and mounts.below(str(home)) == []


def show_the_same_in_two_places(mounts: Mounts, home: Path) -> None:
    (home / "from").mkdir()
    (home / "from/file").write_text("x")
    (home / "to").mkdir()
    mounts.bind(str(home / "from"), str(home / "to"), readonly=True)
    assert (home / "to/file").read_text() == "x"
    try:
        (home / "to/file").write_text("y")
    except OSError as error:
        assert error.strerror == "Read-only file system"
    else:
        raise AssertionError("it could be written")
    mounts.unmount(str(home / "to"))


def show_one_directory_alone(mounts: Mounts, home: Path) -> None:
    """Without what is mounted in it; what is unmounted there later stays at the source."""
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    (home / "from/inner").mkdir(parents=True)
    (home / "to").mkdir()
    mounts.tmpfs(str(home / "from"))
    (home / "from/inner").mkdir()
    mounts.tmpfs(str(home / "from/inner"))
    mounts.bind_alone(str(home / "from"), str(home / "to"))
    assert mounts.below(str(home / "to")) == [str(home / "to")]
    (home / "from/late").mkdir()
    mounts.tmpfs(str(home / "from/late"))
    remove_tree(mounts, home / "to")
    assert mounts.below(str(home)) == [str(home / f"from{name}") for name in ("/late", "/inner", "")]


def mount_any_kind(mounts: Mounts, home: Path) -> None:
    (home / "disk").mkdir()
    mounts.filesystem("tmpfs", "scratch", str(home / "disk"), ["size=64k", "ro"])
    assert mounts.below(str(home)) == [str(home / "disk")]
    assert os.statvfs(home / "disk").f_flag & os.ST_RDONLY
    (home / "none").mkdir()
    try:
        mounts.filesystem("nosuchfs", "x", str(home / "none"))
    except MountError as error:
        assert "nosuchfs" in str(error)
    else:
        raise AssertionError("it was mounted")


def take_no_source_for_an_option(mounts: Mounts, home: Path) -> None:
    """A pod that names its server --fstab=... would have any file system of the machine mounted."""
    table = home / "table"
    table.write_text(f"tmpfs {home / 'disk'} tmpfs size=64k 0 0\n")
    (home / "disk").mkdir()
    mounts.filesystem("tmpfs", f"--fstab={table}", str(home / "disk"), ["mode=700"])
    (line,) = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {home / 'disk'} " in line]
    assert f"--fstab={table}" in line.split() and "size=64k" not in line


BOTH = [come_and_go, refuse_what_cannot_be, remove_trees_but_not_what_is_mounted_in_them]
KERNEL = [show_the_same_in_two_places, show_one_directory_alone, mount_any_kind, take_no_source_for_an_option]


@pytest.mark.parametrize("check", BOTH)
def test_the_fake(check: Callable[[Mounts, Path], None], tmp_path: Path) -> None:
    check(FakeMounts(), tmp_path)


@pytest.mark.root
@pytest.mark.parametrize("check", [*BOTH, *KERNEL])
def test_the_kernel(check: Callable[[Mounts, Path], None], tmp_path: Path) -> None:
    """In a process with a mount namespace of its own, so that nothing of it is seen outside."""
    code = (
        "import sys; from pathlib import Path; from tests.contract.linux import test_mounts_contract as t;"
        f" from linux.mounts import KernelMounts; t.{check.__name__}(KernelMounts(), Path({str(tmp_path)!r}))"
    )
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_the_kernel_says_why() -> None:
    with pytest.raises(MountError, match="cannot mount tmpfs on /nonexistent"):
        KernelMounts().tmpfs("/nonexistent")
