"""How little is read of connection tracking after a change, however much there is."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from kit.clock import FakeClock
from kit.metrics import Metrics
from linux.conntrack import ANY, Ends, FakeConntrack, Flow
from proxy.model.addresses import TCP, UDP, endpoint, join, pack
from proxy.plan.desired import NODE, Desired, Frontend, Route
from proxy.plan.diff import Change
from proxy.sync.flows import FEW, FlowCleaner
from proxy.sync.metrics import ProxyMetrics

VIP, NODE_IP, A, B = pack("10.96.0.1"), pack("192.0.2.1"), pack("10.244.0.1"), pack("10.244.0.2")


class Tracked(FakeConntrack):
    """Counts the flows that are handed out, and how often the table is walked through."""

    handed = walks = 0

    def flows(self, family: int, protocol: int | None = None, ends: Ends = ANY) -> Iterator[Flow]:
        self.walks += 1
        for flow in super().flows(family, protocol, ends):
            self.handed += 1
            yield flow


def flow(number: int, to: bytes, port: int, answers: bytes, protocol: int = UDP) -> tuple[int, Flow]:
    return 4, Flow(protocol, pack(f"10.99.{number >> 8}.{number & 255}"), 5000, to, port, answers, 8053)


def desired(number: int, *pods: bytes, protocol: int = UDP) -> Desired:
    frontends = (Frontend(VIP, 1000 + number, Route.INTERNAL), Frontend(NODE, 30000 + number, Route.EXTERNAL))
    every = join([endpoint(one, 8053) for one in pods])
    return Desired(f"ns/s{number}:p", 4, protocol, frontends, 0, False, every, b"", b"")


def gone(number: int, protocol: int = UDP) -> Change:
    return Change(desired(number, A, B, protocol=protocol), desired(number, A, protocol=protocol))


async def cleaned(tracked: Tracked, changes: list[Change], done: Callable[[], bool]) -> None:
    cleaner = FlowCleaner(tracked, FakeClock(), ProxyMetrics(Metrics(process=False)))
    task = asyncio.create_task(cleaner.run())
    cleaner.changed(changes)
    try:
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0.001)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def others(count: int) -> list[tuple[int, Flow]]:
    return [flow(number, VIP, 53, B) for number in range(count)]


async def test_of_many_flows_only_those_of_the_changed_frontends_are_read() -> None:
    stale = [flow(1, VIP, 1000, B), flow(2, NODE_IP, 30000, B)]
    fine = [flow(3, VIP, 1000, A), *others(2000)]
    tracked = Tracked([*stale, *fine])
    await cleaned(tracked, [gone(0)], lambda: tracked.held == fine)
    assert (tracked.handed, tracked.walks) == (3, 2)


async def test_after_many_changes_the_table_is_walked_through_once() -> None:
    stale, fine = [flow(number, VIP, 1000 + number, B) for number in range(FEW)], others(20)
    tracked = Tracked([*stale, *fine])
    await cleaned(tracked, [gone(number) for number in range(FEW)], lambda: tracked.held == fine)
    assert tracked.walks == 1


@pytest.mark.parametrize(
    "change",
    [gone(0, TCP), Change(desired(0, A), desired(0, A, B)), Change(desired(0, A, B), desired(0, A, B))],
    ids=["TCP", "an endpoint came", "none went"],
)
async def test_what_leaves_no_flow_behind_reads_nothing(change: Change) -> None:
    stale, fine = [flow(1, VIP, 1001, B), flow(2, NODE_IP, 30001, B)], [flow(3, VIP, 1000, B)]
    tracked = Tracked([*stale, *fine])
    await cleaned(tracked, [change, gone(1)], lambda: tracked.held == fine)
    assert (tracked.handed, tracked.walks) == (2, 2)  # for the other change
