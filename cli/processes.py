"""Finding our processes when nobody keeps them any more: by their command lines, and by whose children they are."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.layout import Layout
from cli.programs import NAMES
from cli.services import end_process


@dataclass(frozen=True)
class SeenProcess:
    """A process of this machine."""

    pid: int
    parent: int
    argv: tuple[str, ...]


def table() -> list[SeenProcess]:
    """All processes, from /proc."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                argv = Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended
                continue
            found.append(SeenProcess(int(entry.name), int(fields[1]), tuple(argv)))
    return found


def programs(processes: Iterable[SeenProcess], layout: Layout, names: Iterable[str] = NAMES) -> Iterator[SeenProcess]:
    """Our programs: they carry their configuration file as an argument."""
    marks = {str(layout.config(name)) for name in names}
    for one in processes:
        if "--config" in one.argv and not marks.isdisjoint(one.argv):
            yield one


def supervisors(processes: Iterable[SeenProcess], layout: Layout) -> Iterator[SeenProcess]:
    """Our supervisor: it has our run folder as an argument."""
    for one in processes:
        if "cli.supervise" in one.argv and str(layout.run) in one.argv:
            yield one


def shims(processes: Iterable[SeenProcess], layout: Layout) -> Iterator[SeenProcess]:
    """containerd's helpers, one a pod; they outlive containerd."""
    socket = str(layout.containerd_socket)
    for one in processes:
        if one.argv and "containerd-shim" in one.argv[0] and socket in one.argv:
            yield one


def below(processes: Iterable[SeenProcess], roots: Iterable[int]) -> list[int]:
    """All descendants."""
    children: dict[int, list[int]] = {}
    for one in processes:
        children.setdefault(one.parent, []).append(one.pid)
    found: list[int] = []
    queue = list(roots)
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def end_strays(layout: Layout, names: Iterable[str] = NAMES) -> None:
    """End programs that nobody who can be asked keeps running; first whoever would start them again."""
    seen = table()
    strays = list(programs(seen, layout, names))
    if not strays:
        return
    for one in supervisors(seen, layout):
        end_process(one.pid, 0)
    for one in reversed(strays):
        end_process(one.pid, 10)


def kill_all(layout: Layout) -> None:
    """Kill what is left: our programs, then the runtime's helpers and what runs below them."""
    end_strays(layout)
    for one in supervisors(table(), layout):
        end_process(one.pid, 10)
    seen = table()
    helpers = [one.pid for one in shims(seen, layout)]
    for pid in (*below(seen, helpers), *helpers):
        end_process(pid, 0)


def kill_in_groups(groups: Iterable[Path]) -> None:
    """Kill every process of these cgroups and of those below."""
    for group in groups:
        for folder, _, _ in os.walk(group):
            try:
                pids = [int(word) for word in Path(folder, "cgroup.procs").read_text().split()]
            except OSError:  # removed meanwhile
                continue
            for pid in pids:
                end_process(pid, 0)
