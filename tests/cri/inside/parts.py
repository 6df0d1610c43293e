"""Scenes: what is looked at from outside while a pod runs: how much it uses, and containers that come to have a look."""

import msgspec

from api import kinds
from api.core_v1 import EphemeralContainer
from tests.cri.inside.server import _get
from tests.cri.stage import DEMO, Stage, make_pod, shell


async def ephemeral_containers(stage: Stage) -> None:
    """One is added to a running pod, sees the processes of its target, ends, and is not started again."""
    await stage.create(make_pod("watched", shell("a", "exec sleep 54321")))
    pod = await stage.phase("watched", "Running")
    script = "tr '\\0' ' ' < /proc/1/cmdline; exit 3"
    debugger = EphemeralContainer(name="debug", image=DEMO, command=["sh", "-c", script], target_container_name="a")
    debugger.termination_message_policy, debugger.image_pull_policy = "File", "IfNotPresent"
    fresh = stage.pod("watched")
    assert fresh is not None
    fresh.spec.ephemeral_containers = [debugger]
    await stage.client.update(kinds.POD, fresh, subresource="ephemeralcontainers")

    def ended() -> bool:
        seen = stage.pod("watched")
        statuses = seen.status.ephemeral_container_statuses if seen is not None else []
        return bool(statuses and statuses[0].state and statuses[0].state.terminated)

    await stage.until(ended, "the ephemeral container has run")
    now = stage.pod("watched")
    assert now is not None
    (status,) = now.status.ephemeral_container_statuses
    assert status.state is not None and status.state.terminated is not None
    assert (status.name, status.state.terminated.exit_code, status.restart_count) == ("debug", 3, 0)
    assert now.status.phase == "Running"

    async def saw() -> bool:
        return "sleep 54321" in await stage.log(pod, "debug")

    await stage.until_async(saw, "it has seen the other's process")


async def use(stage: Stage) -> None:
    """How much a pod uses is a rate, in the summary and for collectors."""
    await stage.create(make_pod("busy", shell("a", "while true; do :; done"), shell("b", "sleep 1000")))
    await stage.phase("busy", "Running")
    await stage.agrees(lambda: _rates(stage), "it is a rate")


async def _rates(stage: Stage) -> None:
    summary = msgspec.json.decode((await _get(stage, "/stats/summary?only_cpu_and_memory=true")).body)
    assert summary["node"]["cpu"]["usageNanoCores"] > 0
    assert summary["node"]["memory"]["workingSetBytes"] > 0
    (pod,) = summary["pods"]
    used = {one["name"]: one["cpu"]["usageNanoCores"] for one in pod["containers"]}
    assert used["a"] > 10_000_000 and used["a"] > 10 * used["b"], used
    page = (await _get(stage, "/metrics/resource")).body.decode()
    for name in ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes"):
        assert f'{name}{{container="a",namespace="default",pod="busy"}}' in page
    assert 'container_start_time_seconds{container="a",namespace="default",pod="busy"}' in page
    assert "node_cpu_usage_seconds_total " in page and "resource_scrape_error 0" in page
