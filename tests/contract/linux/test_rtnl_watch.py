"""What is told of changes in a network namespace: of what comes with each pod, nothing."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from linux import netns
from linux.rtnl_watch import NEIGHBOUR, ROUTE, Change, Watch

pytestmark = pytest.mark.root
PATIENCE = 60.0


class Space:
    """A namespace, and what is heard in it."""

    def __init__(self, path: str) -> None:
        self._path = path
        with netns.opened(path) as fd, netns.inside(fd):
            self.watch = Watch()

    def ip(self, words: str) -> str:
        argv = ["nsenter", f"--net={self._path}", "ip", *words.split()]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def news(self) -> list[Change]:
        return [change for change in self.watch.read() if change.kind != NEIGHBOUR]

    def wait_for(self, words: str, found: str) -> None:
        until = time.monotonic() + PATIENCE
        while found not in self.ip(words):
            assert time.monotonic() < until, f"{found} does not come"
            time.sleep(0.05)


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    path = str(tmp_path / "net")
    netns.create(path)
    made = Space(path)
    yield made
    made.watch.close()
    netns.remove(path)


def test_a_pods_link_comes_and_goes_unheard(space: Space) -> None:
    for words in ("link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"):
        space.ip(words)
    space.wait_for("-6 route show dev v0", "fe80::")
    assert space.news() == []
    space.ip("link delete v0")
    assert space.news() == []


def test_other_routes_are_heard(space: Space) -> None:
    for words in ("link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"):
        space.ip(words)
    number = int(space.ip("-o link show v0").partition(":")[0])
    for version, route in (("-4", "192.0.2.0/24"), ("-6", "2001:db8::/64")):
        for verb, gone in (("add", False), ("delete", True)):
            space.ip(f"{version} route {verb} {route} dev v0")
            assert space.news() == [Change(ROUTE, number, gone)]
