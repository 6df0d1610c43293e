"""What nodes and their pods use, as their agents tell it.

Agents are asked when somebody wants to know, all at once, and an answer is good for some seconds: `kubectl top` in a loop and a controller
beside it ask each agent once. An agent that does not answer is left out, and not asked again for as long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from controlplane.apiserver import status
from kit import log
from kit.clock import deadline
from kit.http.client import ClientError

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

FRESH_SECONDS = 10.0
ANSWER_SECONDS = 8.0
AT_ONCE = 32
_LARGEST = 4 * 1024 * 1024  # bytes of an answer
PATH = "/stats/summary?only_cpu_and_memory=true"
_log = log.get("apiserver.usage")


class Cpu(msgspec.Struct, gc=False, rename="camel"):
    """Processor time: nanoseconds a second."""

    usage_nano_cores: int | None = None


class Memory(msgspec.Struct, gc=False, rename="camel"):
    """Bytes that cannot be taken away."""

    working_set_bytes: int | None = None


class Measured(msgspec.Struct, gc=False):
    """What one container or the whole machine uses."""

    name: str = ""
    cpu: Cpu = msgspec.field(default_factory=Cpu)
    memory: Memory = msgspec.field(default_factory=Memory)

    @property
    def amounts(self) -> dict[str, str]:
        """As quantities; nothing if it has not been measured yet."""
        cpu, memory = self.cpu.usage_nano_cores, self.memory.working_set_bytes
        if cpu is None or memory is None:
            return {}
        return {"cpu": f"{cpu}n" if cpu else "0", "memory": f"{memory // 1024}Ki"}


class PodRef(msgspec.Struct, gc=False):
    """Whose containers these are."""

    name: str = ""
    namespace: str = ""
    uid: str = ""


class PodMeasured(msgspec.Struct, gc=False, rename="camel"):
    """What one pod uses."""

    pod_ref: PodRef = msgspec.field(default_factory=PodRef)
    containers: list[Measured] = []


class Summary(msgspec.Struct, gc=False):
    """What one agent told; `at` is when (wall clock), by our clock."""

    node: Measured = msgspec.field(default_factory=Measured)
    pods: list[PodMeasured] = []
    at: float = 0.0


class Usage:
    """Asks agents and remembers their answers for a while."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, asyncio.Task[Summary | None]]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, nodes: Iterable[str], core: Core) -> dict[str, Summary]:
        """The summaries of those nodes whose agents answer."""
        names = list(dict.fromkeys(nodes))
        answers = await asyncio.gather(*(asyncio.shield(self._asking(name, core)) for name in names))
        return {name: summary for name, summary in zip(names, answers, strict=True) if summary is not None}

    def _asking(self, name: str, core: Core) -> asyncio.Task[Summary | None]:
        now = core.clock.monotonic()
        known = self._known.get(name)
        if known is not None and (not known[1].done() or now - known[0] < FRESH_SECONDS):
            return known[1]
        if len(self._known) > 2 * AT_ONCE:  # nodes go, and nobody says so here
            self._known = {
                other: (at, task)
                for other, (at, task) in self._known.items()
                if not task.done() or now - at < FRESH_SECONDS
            }
        task = asyncio.ensure_future(self._ask(name, core))
        self._known[name] = (now, task)
        return task

    async def _ask(self, name: str, core: Core) -> Summary | None:
        try:
            async with self._turns, deadline(core.clock, ANSWER_SECONDS):
                return await _fetch(name, core)
        except (status.StatusError, ClientError, msgspec.MsgspecError, TimeoutError, OSError) as error:
            _log.info("cannot tell what a node uses", node=name, error=str(error) or type(error).__name__)
            return None


async def _fetch(name: str, core: Core) -> Summary:
    client = core.agents.client(await core.agents.place(name, core), core)
    try:
        reply = await client.request("GET", PATH, timeout=ANSWER_SECONDS, most=_LARGEST)
    finally:
        await client.close()
    if reply.status != 200:
        raise status.internal_error(f"its agent answers {reply.status}: {reply.body[:200].decode(errors='replace')}")
    summary = msgspec.json.decode(reply.body, type=Summary)
    summary.at = core.clock.now()
    return summary
