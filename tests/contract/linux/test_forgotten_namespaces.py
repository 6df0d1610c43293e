"""Namespaces that a killed runtime has forgotten go; those in which anybody or anything is stay."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.clock import FakeClock
from linux import netns
from nodeagent.upkeep.namespaces import FOLDER, ForgottenNamespaces, find_empty, folder_of

pytestmark = pytest.mark.root


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = folder_of(f"unix://{tmp_path}/runtime.sock")
    assert made == tmp_path / FOLDER
    made.mkdir(parents=True)
    yield made
    for path in made.iterdir():
        netns.remove(str(path))


def sleeper(path: Path) -> subprocess.Popen[bytes]:
    """A process that lives in a namespace, and has said so."""
    argv = ["nsenter", f"--net={path}", "sh", "-c", "echo here; exec sleep 3600"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"here\n"
    return process


async def test_only_the_empty_ones_go_and_not_at_once(folder: Path) -> None:
    names = ("cni-forgotten", "cni-lived-in", "cni-linked", "other")
    for name in names:
        netns.create(str(folder / name))
    subprocess.run(
        ["nsenter", f"--net={folder / 'cni-linked'}", "ip", "link", "add", "eth0", "type", "bridge"], check=True
    )
    process = sleeper(folder / "cni-lived-in")
    try:
        sweeper = ForgottenNamespaces(folder, FakeClock())
        await sweeper.look()
        assert sorted(path.name for path in folder.iterdir()) == sorted(names), "it may have been made just now"
        netns.create(str(folder / "cni-new"))
        await sweeper.look()
        assert sorted(path.name for path in folder.iterdir()) == ["cni-linked", "cni-lived-in", "cni-new", "other"]
    finally:
        process.kill()
        process.communicate()
    assert str(folder / "cni-lived-in") in find_empty(folder)


async def test_a_namespace_under_a_name_that_was_there_before_is_another(folder: Path) -> None:
    path = str(folder / "cni-a")
    netns.create(path)
    with netns.opened(path):  # its number is not given again
        sweeper = ForgottenNamespaces(folder, FakeClock())
        await sweeper.look()
        netns.remove(path)
        netns.create(path)
        await sweeper.look()
    assert netns.exists(path)


async def test_a_runtime_that_keeps_none_there(tmp_path: Path) -> None:
    await ForgottenNamespaces(tmp_path / "none", FakeClock()).look()
