"""Rates from counters, and what the agent tells of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.clock import FakeClock
from nodeagent.cri.port import CONTAINER_NAME
from nodeagent.server.meter import MACHINE, MachineUse, Meter, read_machine_use
from nodeagent.server.resource_metrics import exposition
from nodeagent.server.stats import summarize
from proto import cri_v1_pb2 as pb

SECOND = 1_000_000_000
START = 1_700_000_000


class Workload:
    """A runtime with one pod whose container burns a fixed share of a processor."""

    def __init__(self, clock: FakeClock, share: float) -> None:
        self.clock, self.share, self.asked = clock, share, 0
        self.others: list[str] = []

    def burnt(self) -> int:
        return int((self.clock.now() - START) * self.share * SECOND)

    async def pod_stats(self) -> list[pb.PodSandboxStats]:
        self.asked += 1
        stamp = int(self.clock.now() * SECOND)

        def cpu(used: int) -> pb.CpuUsage:
            return pb.CpuUsage(timestamp=stamp, usage_core_nano_seconds=pb.UInt64Value(value=used))

        memory = pb.MemoryUsage(timestamp=stamp, working_set_bytes=pb.UInt64Value(value=4096))
        containers = [
            pb.ContainerStats(
                attributes=pb.ContainerAttributes(id=ident, labels={CONTAINER_NAME: ident}),
                cpu=cpu(self.burnt()),
                memory=memory,
            )
            for ident in ("app", *self.others)
        ]
        linux = pb.LinuxPodSandboxStats(cpu=cpu(self.burnt()), memory=memory, containers=containers)
        meta = pb.PodSandboxMetadata(name="p", namespace="default", uid="u")
        return [pb.PodSandboxStats(attributes=pb.PodSandboxAttributes(id="box", metadata=meta), linux=linux)]

    def machine(self) -> MachineUse:
        return MachineUse(2 * self.burnt(), 1 << 30, 1 << 20, START - 60)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(now=START + 100)


async def reading(meter: Meter, clock: FakeClock, pause: float = 0.0):
    await clock.advance(pause)
    asked = asyncio.ensure_future(meter.read())
    await asyncio.sleep(0)
    await clock.advance(1.0)
    return await asyncio.wait_for(asked, 120)


async def test_the_first_reading_is_two(clock):
    runtime = Workload(clock, 0.25)
    meter = Meter(runtime, clock, runtime.machine)
    found = await reading(meter, clock)
    assert runtime.asked == 2
    assert found.rates == {"box": SECOND // 4, "app": SECOND // 4, MACHINE: SECOND // 2}


async def test_later_ones_compare_with_the_one_before(clock):
    runtime = Workload(clock, 0.5)
    meter = Meter(runtime, clock, runtime.machine)
    first = await reading(meter, clock)
    assert await meter.read() is first  # so soon it is the same
    runtime.share = 0.25  # counters may not fall, whatever a runtime says
    found = await reading(meter, clock, 10)
    assert found.rates["app"] == 0
    assert runtime.asked == 3
    found = await reading(meter, clock, 20)
    assert found.rates["app"] == SECOND // 4
    await reading(meter, clock, 500)
    assert runtime.asked == 6


async def test_a_container_that_has_begun_since(clock):
    runtime = Workload(clock, 0.01)
    meter = Meter(runtime, clock, runtime.machine)
    await reading(meter, clock)
    runtime.others.append("new")
    found = await reading(meter, clock, 19)
    assert found.rates["new"] == 1_200_000_000 // 19  # all that it used, since the reading before


async def test_the_summary(clock):
    runtime = Workload(clock, 0.25)
    found = summarize("n1", await reading(Meter(runtime, clock, runtime.machine), clock))
    node = found["node"]
    assert (node["nodeName"], node["cpu"]["usageNanoCores"], node["memory"]["workingSetBytes"]) == (
        "n1",
        SECOND // 2,
        1 << 30,
    )
    assert node["startTime"] == "2023-11-14T22:12:20Z"
    (pod,) = found["pods"]
    (container,) = pod["containers"]
    assert pod["podRef"] == {"name": "p", "namespace": "default", "uid": "u"}
    assert (container["name"], container["cpu"]["usageNanoCores"]) == ("app", SECOND // 4)
    assert container["memory"]["workingSetBytes"] == 4096


async def test_the_page_for_collectors(clock):
    runtime = Workload(clock, 0.25)
    found = await reading(Meter(runtime, clock, runtime.machine), clock)
    page = exposition(found, {("default", "p", "app"): START + 7.5}).decode()
    at = (START + 101) * 1000
    for line in (
        "# TYPE container_cpu_usage_seconds_total counter",
        f'container_cpu_usage_seconds_total{{container="app",namespace="default",pod="p"}} 25.25 {at}',
        f'container_memory_working_set_bytes{{container="app",namespace="default",pod="p"}} 4096 {at}',
        'container_start_time_seconds{container="app",namespace="default",pod="p"} 1700000007.5',
        f"node_cpu_usage_seconds_total 50.5 {at}",
        f"node_memory_working_set_bytes 1073741824 {at}",
        f'pod_cpu_usage_seconds_total{{namespace="default",pod="p"}} 25.25 {at}',
        "resource_scrape_error 0",
    ):
        assert line in page.splitlines()


def test_the_machine_itself(tmp_path: Path):
    (tmp_path / "stat").write_text("cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 1 2 3\nbtime 1700000000\n")
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\n")
    found = read_machine_use(str(tmp_path))
    assert found == MachineUse(171 * (SECOND // 100), 600 * 1024, 400 * 1024, 1_700_000_000.0, cpus=1)
    assert read_machine_use().cpu > 0
