"""Kernel settings below /proc/sys.

Names are written as sysctl(8) takes them: with dots ("net.ipv4.ip_forward"), or with slashes where a part itself has a dot
("net/ipv4/conf/eth0.7/forwarding"). Settings of the network belong to the network namespace of the calling thread: enter
it first (linux.netns). `write` reads before it writes, so that a read-only /proc/sys whose value is already right is fine.
"""

import os
from typing import Protocol


class SysctlError(Exception):
    """A kernel setting could not be read or written."""


class NotFound(SysctlError):
    """This kernel, or this namespace, has no such setting."""


class Sysctl(Protocol):
    """The door to kernel settings."""

    def read(self, name: str) -> str:
        """The value without the line's end; NotFound if there is no such setting."""
        ...

    def write(self, name: str, value: str) -> bool:
        """Set the value; False if it was so already."""
        ...


def path_parts(name: str) -> list[str]:
    """The parts of a setting's name; a name that would leave /proc/sys is an error."""
    slash, dot = name.find("/"), name.find(".")
    parts = name.split("/" if slash >= 0 and (dot < 0 or slash < dot) else ".")
    if not all(parts) or any(part in (".", "..") or "/" in part or "\0" in part for part in parts):
        raise SysctlError(f"cannot use kernel setting {name!r}: it is not a name such as net.ipv4.ip_forward")
    return parts


class ProcSysctl:
    """The settings of the running kernel."""

    def __init__(self, root: str = "/proc/sys") -> None:
        self._root = root

    def read(self, name: str) -> str:
        """The value without the line's end; NotFound if there is no such setting."""
        try:
            with open(self._path(name), encoding="ascii", errors="replace") as file:
                return file.read().strip()
        except OSError as error:
            raise _failure("read", name, error) from error

    def write(self, name: str, value: str) -> bool:
        """Set the value; False if it was so already."""
        if self.read(name).split() == value.split():
            return False
        try:
            with open(self._path(name), "w", encoding="ascii") as file:
                file.write(value + "\n")
        except OSError as error:
            raise _failure(f"write {value!r} to", name, error) from error
        return True

    def _path(self, name: str) -> str:
        return os.path.join(self._root, *path_parts(name))


def _failure(verb: str, name: str, error: OSError) -> SysctlError:
    kind = NotFound if isinstance(error, FileNotFoundError | NotADirectoryError) else SysctlError
    return kind(f"cannot {verb} kernel setting {name}: {error.strerror}")


class FakeSysctl:
    """Settings in memory: those given exist, all others do not."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = {"/".join(path_parts(name)): value for name, value in values.items()}

    def read(self, name: str) -> str:
        """The value; NotFound if there is no such setting."""
        try:
            return self.values["/".join(path_parts(name))]
        except KeyError:
            raise NotFound(f"cannot read kernel setting {name}: No such file or directory") from None

    def write(self, name: str, value: str) -> bool:
        """Set the value; False if it was so already."""
        if self.read(name).split() == value.split():
            return False
        self.values["/".join(path_parts(name))] = value
        return True
