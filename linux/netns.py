"""Network namespaces: open one by its path, visit it, make and remove one with a name.

A visit moves only the calling thread, and never across an await: inside `with inside(fd):` open sockets or files, then
leave. If the way back fails, the process ends: a thread in a stranger's namespace would do its next work there. `create`
makes the namespace in a thread of its own that ends with it, so no thread of ours ever changes for good.
"""

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_NEWNET = 0x40000000
_BIND, _DETACH = 0x1000, 0x2
_NSFS_MAGIC = 0x6E736673
# What each namespace has from the beginning: its loopback, and tunnels while their modules are loaded.
_GIVEN = {"lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}
_libc = ctypes.CDLL(None, use_errno=True)


class NetnsError(Exception):
    """A network namespace could not be used."""


class NotFound(NetnsError):
    """There is no network namespace at this path."""


def open_path(path: str) -> int:
    """Open the namespace at a path (/run/netns/x, /proc/1/ns/net); the caller closes the descriptor."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        kind = NotFound if isinstance(error, FileNotFoundError | NotADirectoryError) else NetnsError
        raise kind(f"cannot open network namespace {path}: {error.strerror}") from error
    # A file that nothing is mounted on is what is left of a namespace that is gone.
    if not _is_namespace(fd):
        os.close(fd)
        raise NotFound(f"cannot open network namespace {path}: the file is there but no namespace is mounted on it")
    return fd


@contextmanager
def opened(path: str) -> Iterator[int]:
    """The namespace at a path, open for a while."""
    fd = open_path(path)
    try:
        yield fd
    finally:
        os.close(fd)


def lived_in() -> set[int]:
    """The inode numbers of the namespaces that processes are in."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.add(os.stat(f"/proc/{name}/ns/net").st_ino)
        except OSError:
            continue  # it has ended, or not even root may look at it, as at the first process in some containers
    return found


def made_links(fd: int) -> list[str]:
    """The links of a namespace that somebody made."""
    with inside(fd):
        return [name for _, name in socket.if_nameindex() if name not in _GIVEN]


def open_current() -> int:
    """The calling thread's namespace; the caller closes the descriptor."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def exists(path: str) -> bool:
    """Whether there is a network namespace at this path."""
    try:
        os.close(open_path(path))
    except NetnsError:
        return False
    return True


@contextmanager
def inside(fd: int) -> Iterator[None]:
    """Move the calling thread into the namespace, and back."""
    home = open_current()
    try:
        _enter(fd)
        try:
            yield
        finally:
            try:
                _enter(home)
            except NetnsError:
                os.abort()
    finally:
        os.close(home)


def create(path: str) -> None:
    """Make a new namespace and mount it at a path."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except OSError as error:
        raise NetnsError(f"cannot make network namespace {path}: {error.strerror}") from error
    import threading  # not at the top: a CNI request never makes a namespace

    failed: list[NetnsError] = []
    maker = threading.Thread(target=_make_and_mount, args=(path, failed), name="netns-create")
    maker.start()
    maker.join()
    if failed:
        os.unlink(path)
        raise failed[0]


def remove(path: str) -> bool:
    """Unmount the namespace and remove its file; False if there was none. It ends when its last user ends."""
    if not os.path.lexists(path):
        return False
    # Not mounted (EINVAL) is as good as unmounted; the file goes either way.
    _libc.umount2(path.encode(), _DETACH)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise NetnsError(f"cannot remove network namespace {path}: {error.strerror}") from error
    return True


def _make_and_mount(path: str, failed: list[NetnsError]) -> None:
    try:
        _check(_libc.unshare(_NEWNET), f"make network namespace {path}")
        _check(
            _libc.mount(b"/proc/thread-self/ns/net", path.encode(), b"none", _BIND, None),
            f"mount network namespace {path}",
        )
    except NetnsError as error:
        failed.append(error)


def _enter(fd: int) -> None:
    _check(_libc.setns(fd, _NEWNET), "enter network namespace")


def _check(result: int, doing: str) -> None:
    if result != 0:
        raise NetnsError(f"cannot {doing}: {os.strerror(ctypes.get_errno())}")


def _is_namespace(fd: int) -> bool:
    statfs = ctypes.create_string_buffer(256)
    if _libc.fstatfs(fd, statfs) != 0:
        return False
    return int.from_bytes(statfs.raw[:8], "little") == _NSFS_MAGIC
