"""Where pods stand among control groups: kubepods, a group a class of service, a group a pod."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from api.core_v1 import Pod
from kit.threads import Threads
from linux.cgroup import CgroupBusy, Cgroups, Limits
from nodeagent.model import seen
from nodeagent.plan import qos
from nodeagent.plan.kills import Kills
from nodeagent.volumes.images import Blocking

CLASSES = {qos.GUARANTEED: "", qos.BURSTABLE: "burstable", qos.BEST_EFFORT: "besteffort"}


class Driver(Protocol):
    """How groups are named, and how whoever makes them is asked."""

    def name(self, words: Iterable[str]) -> str:
        """The group below so many others."""

    def last_word(self, name: str) -> str:
        """Of a group that is told as a child of another, its own."""

    async def ask(self, work: Callable[[], None], aside: Blocking) -> None:
        """Make, change or remove a group; `aside` is for what may take a while, as our caller wishes it."""


class Cgroupfs:
    """Groups are directories; the kernel answers at once."""

    def name(self, words: Iterable[str]) -> str:
        return "/" + "/".join(words)

    def last_word(self, name: str) -> str:
        return name

    async def ask(self, work: Callable[[], None], aside: Blocking) -> None:
        await aside(work)


class Systemd:
    """Groups are slices, and systemd may take long to answer.

    So it is asked in a thread of its own, for one thing after the other in the order in which they were wanted: what was given up, but had
    begun, is over before the group is removed.
    """

    def __init__(self) -> None:
        self._turns = Threads("slices", 1)

    def name(self, words: Iterable[str]) -> str:
        return "-".join(word.replace("-", "_") for word in words) + ".slice"

    def last_word(self, name: str) -> str:
        return name.removesuffix(".slice").rpartition("-")[2].replace("_", "-")

    async def ask(self, work: Callable[[], None], aside: Blocking) -> None:
        await self._turns.run(work)


async def at_once(work: Callable[[], None]) -> None:
    """For work that is not worth a thread."""
    work()


@dataclass(slots=True)
class PodCgroups:
    """Names, makes and removes the groups of pods."""

    cgroups: Cgroups
    root: str = ""
    driver: Driver = field(default_factory=Cgroupfs)
    whole: Limits = field(default_factory=Limits)  # of all pods together
    processes: int = 0  # that one pod may have; 0 is no limit
    _burstable: int = field(default=0, init=False)

    def top(self) -> str:
        """The group of all pods together."""
        return self._name()

    def parent(self, pod: Pod) -> str:
        """The group of a pod, as the runtime wants it named."""
        return self._name(CLASSES[qos.qos_class(pod)], f"pod{pod.metadata.uid}")

    async def prepare(self) -> None:
        """Make the groups above those of pods."""
        await self._ensure(self._name(), self.whole)
        await self._ensure(self._name("burstable"), Limits(shares=qos.MIN_SHARES))
        await self._ensure(self._name("besteffort"), Limits(shares=qos.MIN_SHARES))

    async def limit(self, pod: Pod, limits: seen.Limits) -> None:
        """Give the group of a pod these limits; it is made if it is not there."""
        whole = Limits(limits.shares, limits.quota, limits.memory, self.processes or None)
        await self._ensure(self.parent(pod), whole)

    async def remove(self, uid: str, aside: Blocking) -> None:
        """Remove the group of a pod, wherever it is.

        Processes that nobody knows of any more, as after the death of the runtime, are killed; try again a moment later.
        """
        await self.driver.ask(partial(self._remove, uid), aside)

    def _remove(self, uid: str) -> None:
        for name in (self._name(name, f"pod{uid}") for name in CLASSES.values()):
            try:
                self.cgroups.remove(name)
            except CgroupBusy:
                self.cgroups.kill(name)
                raise

    def kills(self, pod: Pod) -> Kills:
        """What the kernel has killed for memory in the group of a pod until now."""
        return Kills(*self.cgroups.kills(self.parent(pod)))

    async def weigh(self, pods: Iterable[Pod]) -> None:
        """Give the Burstable pods together the CPU they asked for."""
        shares = qos.burstable_shares(pods)
        if shares != self._burstable:
            await self._ensure(self._name("burstable"), Limits(shares=shares))
            self._burstable = shares

    def known(self) -> set[str]:
        """The uids of pods that have a group."""
        children = (child for name in CLASSES.values() for child in self.cgroups.children(self._name(name)))
        words = (self.driver.last_word(child) for child in children)
        return {word.removeprefix("pod") for word in words if word.startswith("pod")}

    async def _ensure(self, name: str, limits: Limits) -> None:
        await self.driver.ask(partial(self.cgroups.ensure, name, limits), at_once)

    def _name(self, *parts: str) -> str:
        return self.driver.name(word for word in (*self.root.strip("/").split("/"), "kubepods", *parts) if word)
