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


def ours(processes: Iterable[SeenProcess], layout: Layout) -> Iterator[SeenProcess]:
    """Our programs: they carry their configuration file or our run folder as an argument."""
    marks = {str(layout.config(name)) for name in NAMES}
    for one in processes:
        is_program = not marks.isdisjoint(one.argv) and ("--config" in one.argv)
        if is_program or ("cli.supervise" in one.argv and str(layout.run) in one.argv):
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


def kill_all(layout: Layout) -> int:
    """Kill what is left of our programs, containers first so that nothing starts them again. How many there were."""
    seen = table()
    programs = [one.pid for one in ours(seen, layout) if one.pid != os.getpid()]
    for pid in programs:
        end_process(pid, 10)
    seen = table()
    helpers = [one.pid for one in shims(seen, layout)]
    inside = below(seen, helpers)
    for pid in (*inside, *helpers):
        end_process(pid, 0)
    return len(programs) + len(helpers) + len(inside)


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
