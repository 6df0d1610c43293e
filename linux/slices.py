"""Control groups that systemd makes, where it owns the tree: a group is a slice, named by its path with dashes.

What is set in the files of such a group behind systemd's back is gone with its next reload. So limits are properties of
transient units, set over the message bus. systemd mostly answers at once, from memory; it makes the group a moment later. To be
rid of a slice takes as long as its processes take to end.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from linux import dbus_call, systemd
from linux.cgroup import PERIOD, ROOT, CgroupBusy, CgroupError, Limits, slice_path, unified_kills, weight_of
from linux.dbus import DbusError
from linux.logind import SYSTEMD

NO_LIMIT = (1 << 64) - 1
EXISTS, UNKNOWN = "org.freedesktop.systemd1.UnitExists", "org.freedesktop.systemd1.NoSuchUnit"
_KILL = 9
Property = tuple[str, tuple[str, Any]]
Call = Callable[[str, str, Sequence[Any]], object]


def slice_properties(limits: Limits, version: int) -> list[Property]:
    """Limits as systemd names them."""
    found: list[Property] = []
    if limits.shares is not None:
        weight = ("CPUWeight", weight_of(limits.shares)) if version == 2 else ("CPUShares", limits.shares)
        found.append((weight[0], ("t", weight[1])))
    if limits.quota is not None:
        a_second = limits.quota * 1_000_000 // PERIOD if limits.quota > 0 else NO_LIMIT
        found.append(("CPUQuotaPerSecUSec", ("t", a_second)))
    if limits.memory is not None:
        found.append(("MemoryMax" if version == 2 else "MemoryLimit", ("t", limits.memory or NO_LIMIT)))
    if limits.processes is not None:
        found.append(("TasksMax", ("t", limits.processes or NO_LIMIT)))
    return found


def _call(method: str, signature: str, values: Sequence[Any]) -> object:
    return dbus_call.call(SYSTEMD, method, signature, values)


class SliceCgroups:
    """Groups by the names of their slices."""

    def __init__(
        self,
        version: int,
        root: Path = ROOT,
        call: Call = _call,
        stop: Callable[[Sequence[str]], None] = systemd.stop,
    ) -> None:
        self.version = version
        self._tree = root if version == 2 else root / "systemd"
        self._call = call
        self._stop = stop

    def ensure(self, path: str, limits: Limits) -> None:
        """Make the slice, or change it; systemd makes those above it."""
        accounts: list[Property] = [(f"{name}Accounting", ("b", True)) for name in ("CPU", "Memory", "Tasks")]
        properties = slice_properties(limits, self.version)
        described = [("Description", ("s", f"pods, {path}")), ("DefaultDependencies", ("b", False))]
        try:
            made = [path, "replace", [*described, *accounts, *properties], []]
            self._call("StartTransientUnit", "ssa(sv)a(sa(sv))", made)
        except dbus_call.DbusRefused as error:
            if error.name != EXISTS:
                raise CgroupError(f"cannot make slice {path}: {error}") from error
            self._change(path, [*accounts, *properties])
        except DbusError as error:
            raise CgroupError(f"cannot make slice {path}: {error}") from error

    def _change(self, path: str, properties: list[Property]) -> None:
        try:
            self._call("SetUnitProperties", "sba(sv)", [path, True, properties])
        except DbusError as error:
            raise CgroupError(f"cannot set limits of slice {path}: {error}") from error

    def remove(self, path: str) -> None:
        """Stop the slice, and wait until it is gone."""
        if self._members(path):
            raise CgroupBusy(f"cannot remove slice {path}: processes live in it")
        if self._group(path).exists():
            try:
                self._stop([path])
            except systemd.SystemdError as error:
                raise CgroupError(f"cannot remove slice {path}: {error}") from error

    def kill(self, path: str) -> int:
        """SIGKILL to all in the slice and below."""
        members = self._members(path)
        try:
            if members:
                self._call("KillUnit", "ssi", [path, "all", _KILL])
        except DbusError as error:
            raise CgroupError(f"cannot kill the processes of slice {path}: {error}") from error
        return members

    def children(self, path: str) -> list[str]:
        """The slices directly below."""
        try:
            return sorted(entry.name for entry in self._group(path).iterdir() if entry.name.endswith(".slice"))
        except FileNotFoundError:
            return []

    def kills(self, path: str) -> tuple[int, int]:
        """What the kernel counts there, which it does of the whole slice in version 2 alone."""
        return unified_kills(self._group(path)) if self.version == 2 else (0, 0)

    def _group(self, name: str) -> Path:
        return self._tree / slice_path(name).lstrip("/")

    def _members(self, name: str) -> int:
        count = 0
        for folder, _, _ in os.walk(self._group(name)):
            try:
                count += len(Path(folder, "cgroup.procs").read_text().split())
            except OSError:
                continue  # removed meanwhile
        return count
