"""`wherry status`: every component with its state, health, process, memory, running time, restarts and version."""

import argparse
import asyncio
import json
import os
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from cli import cluster, health
from cli.errors import CliError
from cli.layout import CHECKOUT
from cli.machine import Machine
from cli.programs import NAMES
from cli.supervise import uptime
from linux import process

UNHEALTHY = 3  # the exit status


@dataclass(frozen=True)
class Component:
    """One line of the table."""

    name: str
    state: str
    healthy: bool
    problem: str
    pid: int
    memory_mb: float
    uptime_s: float
    restarts: int
    version: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `status` takes."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(options: argparse.Namespace) -> int:
    """Show all components."""
    if os.geteuid() != 0:
        raise CliError("show the cluster", "it needs root", "Run it as root, for example with sudo")
    machine = Machine()
    machine.cluster = cluster.load(machine.layout)
    if machine.cluster is None:
        raise CliError("show the cluster", "there is none on this machine", "Run './wherry up'")
    node = machine.cluster.node_name
    components = asyncio.run(look(machine))
    healthy = all(one.healthy for one in components)
    if options.json:
        document = {"node": node, "healthy": healthy, "components": [asdict(one) for one in components]}
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(table(components)))
    return 0 if healthy else UNHEALTHY


async def look(machine: Machine) -> list[Component]:
    """Ask all at once."""
    problems = await asyncio.gather(*(health.problem(machine, name) for name in NAMES))
    return [component(machine, name, problem) for name, problem in zip(NAMES, problems, strict=True)]


def component(machine: Machine, name: str, problem: str) -> Component:
    """What is known of one program."""
    seen = machine.services.state(name)
    if not seen.running:
        problem = "" if seen.word == "stopped" else problem
    return Component(
        name=name,
        state=seen.word,
        healthy=seen.running and not problem,
        problem=problem,
        pid=seen.pid,
        memory_mb=memory_mb(seen.pid),
        uptime_s=running_seconds(seen.pid),
        restarts=seen.restarts,
        version=containerd_version() if name == "containerd" else own_version(),
    )


def table(components: list[Component]) -> list[str]:
    """For people."""
    rows = [("COMPONENT", "STATE", "HEALTH", "PID", "MEMORY", "UP", "RESTARTS", "VERSION")]
    for one in components:
        well = "ok" if one.healthy else one.problem or "-"
        pid, memory = (str(one.pid), f"{one.memory_mb:.0f} MB") if one.pid else ("-", "-")
        up = duration(one.uptime_s) if one.pid else "-"
        rows.append((one.name, one.state, well, pid, memory, up, str(one.restarts), one.version))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def duration(seconds: float) -> str:
    """As kubectl writes ages: two units at most."""
    whole = int(seconds)
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size}{unit}" + (f"{rest}{smaller_unit}" if rest else "")
    return f"{whole}s"


def memory_mb(pid: int) -> float:
    """Resident memory."""
    try:
        found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return round(int(found[1]) / 1024, 1) if found else 0.0


def running_seconds(pid: int) -> float:
    """Since when a process runs."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return round(max(0.0, uptime() - ticks / os.sysconf("SC_CLK_TCK")), 1)


def own_version() -> str:
    """Of this checkout."""
    return str(tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"])


def containerd_version() -> str:
    """Of the program in PATH."""
    try:
        words = process.run(["containerd", "--version"]).text.split()
    except process.ProcessError:
        return "missing"
    return next((word for word in words if re.match(r"v?\d+\.\d", word)), "unknown")
