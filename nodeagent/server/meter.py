"""How fast pods and the machine use processors, and how much memory they hold.

Runtimes and the kernel count processor time from the start; what people want to know is how much of it is used now. The meter remembers
its last reading, and what was used since then, over the time in between, is the rate. A first reading has nothing to be compared with, so
it is taken twice, a second apart; readings that come fast after each other are one.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kit.clock import Clock
from proto import cri_v1_pb2 as pb

FRESH_SECONDS = 5.0
STALE_SECONDS = 90.0
APART_SECONDS = 1.0
MACHINE = ""  # its key among the rates
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class MachineUse:
    """What the machine has used: processor time in nanoseconds since it was started at `boot`; memory in bytes."""

    cpu: int
    memory: int
    available: int
    boot: float
    swap_used: int = 0
    swap_free: int = 0
    cpus: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What everything used up to one moment, and how fast (nanoseconds of processor time a second, by container or sandbox)."""

    at: float  # wall clock
    monotonic: float
    machine: MachineUse
    pods: tuple[pb.PodSandboxStats, ...]
    rates: Mapping[str, int]


class Source(Protocol):
    """The runtime, as far as it measures."""

    async def pod_stats(self) -> list[pb.PodSandboxStats]: ...


class Meter:
    """Reads when asked."""

    def __init__(self, source: Source, clock: Clock, machine: Callable[[], MachineUse] | None = None) -> None:
        self._source = source
        self._clock = clock
        self._machine = machine or read_machine_use
        self._last: Reading | None = None
        self._turn = asyncio.Lock()

    async def read(self) -> Reading:
        """What is used now. Raises RuntimeFault."""
        async with self._turn:
            now, last = self._clock.monotonic(), self._last
            if last is not None and now - last.monotonic < FRESH_SECONDS:
                return last
            if last is None or now - last.monotonic > STALE_SECONDS:
                last = await self._take(None)
                await self._clock.sleep(APART_SECONDS)
            self._last = await self._take(last)
            return self._last

    async def _take(self, before: Reading | None) -> Reading:
        pods = tuple(await self._source.pod_stats())
        at, monotonic, machine = self._clock.now(), self._clock.monotonic(), self._machine()
        rates = _rates(before, pods, machine, monotonic) if before is not None else {}
        return Reading(at, monotonic, machine, pods, rates)


def _rates(
    before: Reading, pods: tuple[pb.PodSandboxStats, ...], machine: MachineUse, monotonic: float
) -> dict[str, int]:
    span = max(1, int((monotonic - before.monotonic) * _SECOND))
    old, new = _counters(before.pods), _counters(pods)
    rates = {MACHINE: max(0, machine.cpu - before.machine.cpu) * _SECOND // span}
    for ident, (stamp, used) in new.items():
        then, already = old.get(ident, (0, 0))  # what was not there then has begun since
        passed = stamp - then if ident in old and stamp > then else span
        rates[ident] = max(0, used - already) * _SECOND // passed
    return rates


def _counters(pods: tuple[pb.PodSandboxStats, ...]) -> dict[str, tuple[int, int]]:
    """Processor time used, and when that was read, of each sandbox and container."""
    found = {}
    for pod in pods:
        for ident, cpu in (
            (pod.attributes.id, pod.linux.cpu),
            *((c.attributes.id, c.cpu) for c in pod.linux.containers),
        ):
            if cpu.HasField("usage_core_nano_seconds"):
                found[ident] = (cpu.timestamp, cpu.usage_core_nano_seconds.value)
    return found


def read_machine_use(proc: str = "/proc") -> MachineUse:
    """Look at the machine we are on."""
    cpu, boot, cpus = 0, 0.0, 0
    tick = _SECOND // os.sysconf("SC_CLK_TCK")
    for line in Path(proc, "stat").read_text().splitlines():
        name, *numbers = line.split()
        if name == "cpu":
            user, nice, system, _, _, *interrupts = map(int, numbers[:8])
            cpu = (user + nice + system + sum(interrupts)) * tick
        elif name.startswith("cpu"):
            cpus += 1
        elif name == "btime":
            boot = float(numbers[0])
    memory = {name: int(text.split()[0]) * 1024 for name, text in _pairs(Path(proc, "meminfo").read_text())}
    total = memory.get("MemTotal", 0)
    available = memory.get("MemAvailable", memory.get("MemFree", 0))
    free = memory.get("SwapFree", 0)
    return MachineUse(cpu, max(0, total - available), available, boot, memory.get("SwapTotal", 0) - free, free, cpus)


@dataclass(frozen=True, slots=True)
class OwnUse:
    """What this process has used: processor time in nanoseconds, memory in bytes."""

    cpu: int
    memory: int


def read_own_use() -> OwnUse:
    """Look at this process."""
    spent = os.times()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        pages = 0
    return OwnUse(int((spent.user + spent.system) * _SECOND), pages * os.sysconf("SC_PAGE_SIZE"))


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition(":") for line in text.splitlines()) if value.strip()]
