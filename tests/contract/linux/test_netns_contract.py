"""Network namespaces: made, visited and removed, and no thread stays in the wrong one."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from linux import netns


def current() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


@pytest.fixture
def path() -> Iterator[str]:
    path = f"/run/netns/cn-netns-{os.getpid()}"
    yield path
    netns.remove(path)


@pytest.mark.root
def test_a_visit_ends_where_it_began_even_by_an_error(path: str) -> None:
    home = current()
    netns.create(path)
    assert current() == home
    fd = netns.open_path(path)
    with netns.inside(fd):
        assert current() != home
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
    assert current() == home
    with pytest.raises(KeyError), netns.inside(fd):
        raise KeyError
    assert current() == home
    os.close(fd)


@pytest.mark.root
def test_a_visit_moves_no_other_thread(path: str) -> None:
    home, inside, seen = current(), threading.Event(), []
    done = threading.Event()
    netns.create(path)

    def visit() -> None:
        fd = netns.open_path(path)
        with netns.inside(fd):
            inside.set()
            done.wait(120)
        os.close(fd)
        seen.append(current())

    thread = threading.Thread(target=visit)
    thread.start()
    assert inside.wait(120)
    assert current() == home
    done.set()
    thread.join()
    assert seen == [home]


@pytest.mark.root
def test_create_and_remove(path: str) -> None:
    netns.create(path)
    assert netns.exists(path)
    with pytest.raises(netns.NetnsError, match="cannot make network namespace .*: File exists"):
        netns.create(path)
    assert netns.remove(path) is True
    assert not os.path.exists(path)
    assert netns.remove(path) is False


def test_what_is_no_namespace_is_not_found(tmp_path: os.PathLike[str]) -> None:
    plain = os.path.join(tmp_path, "left-over")
    with open(plain, "w"):
        pass
    with pytest.raises(netns.NotFound, match="no namespace is mounted on it"):
        netns.open_path(plain)
    with pytest.raises(netns.NotFound, match="No such file"):
        netns.open_path(plain + "-2")
    assert not netns.exists(plain)
    assert netns.exists("/proc/self/ns/net")
