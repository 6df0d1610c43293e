"""Many pods that leave at once cost one more look at all flows, not one each."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from cni import ranges
from cni.policy.flows import Flows
from kit.clock import settle
from linux.conntrack import ANY, ConntrackError, Ends, FakeConntrack, Flow

FAR = ranges.parse("192.0.2.1")
PATIENCE = 60


def pod(number: int) -> bytes:
    return ranges.parse(f"10.0.0.{number}")


class Slow(FakeConntrack):
    """Is read only when it may be, and notes how often."""

    def __init__(self) -> None:
        super().__init__(
            (4, Flow(protocol, pod(n), 9, FAR, 53, FAR, 53)) for n in range(1, 60) for protocol in (1, 6, 17)
        )
        self.read = 0
        self.begun = asyncio.Event()
        self.fails = False
        self._loop = asyncio.get_running_loop()
        self._may = threading.Event()

    def flows(self, family: int, protocol: int | None = None, ends: Ends = ANY) -> Iterator[Flow]:
        self.read += ends == ANY
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self._may.wait(PATIENCE)
        if self.fails:
            raise ConntrackError("cannot read flows: no")
        return super().flows(family, protocol, ends)

    def go_on(self) -> None:
        self._may.set()


async def test_all_who_leave_at_once_are_looked_for_together() -> None:
    tracked = Slow()
    flows = Flows(lambda: tracked)
    first = asyncio.create_task(flows.forget([pod(1)]))
    await asyncio.wait_for(tracked.begun.wait(), PATIENCE)
    others = [asyncio.create_task(flows.forget([pod(number)])) for number in range(2, 50)]
    await settle()
    tracked.go_on()
    await asyncio.gather(first, *others)
    assert tracked.read == 1  # for a single one the kernel looks itself
    assert {flow.source for _, flow in tracked.held} == {pod(number) for number in range(50, 60)}


async def test_a_reading_that_fails_or_is_given_up_is_made_again_by_who_still_waits() -> None:
    given_up, failing, good = tracked = Slow(), Slow(), Slow()
    failing.fails = True
    opened = iter(tracked)
    flows = Flows(lambda: next(opened))
    first = asyncio.create_task(flows.forget([pod(1)]))
    await asyncio.wait_for(given_up.begun.wait(), PATIENCE)
    second, third = (asyncio.create_task(flows.forget([pod(number)])) for number in (2, 3))
    await settle()
    first.cancel()
    for one in tracked:
        one.go_on()
    with pytest.raises(ConntrackError):
        await second
    await third
    assert {pod(2), pod(3)}.isdisjoint(flow.source for _, flow in good.held)
