"""Scenes in which the test outside takes part."""

import asyncio
from pathlib import Path

from nodeagent.cri.errors import RuntimeAway
from tests.cri.inside.basics import state_of
from tests.cri.stage import Stage, make_pod, shell


async def runtime_goes_away(stage: Stage) -> None:
    """containerd is killed: the node says so, containers live on, exits in between are told when it is back."""
    await stage.create(
        make_pod("lives", shell("a", "sleep 1000"), shell("b", "sleep 1; exit 9"), restart_policy="Never")
    )
    pod = await stage.phase("lives", "Running")
    ident = state_of(pod, "a").container_id
    Path("/run/wherry/kill-now").touch()
    killed = Path("/run/wherry/killed")
    await stage.until(killed.exists, "containerd was killed")

    def noticed() -> bool:
        end = state_of(stage.pod("lives"), "b").state.terminated
        return end is not None and end.exit_code == 9

    await stage.until(noticed, "the exit is noticed", 30)
    found = stage.pod("lives")
    assert state_of(found, "a").container_id == ident and state_of(found, "a").state.running
    await stage.until(stage.node_ready, "the node is ready again", 30)
    for _ in range(100):
        try:
            await stage.runtime.version()
            break
        except RuntimeAway:
            await asyncio.sleep(0.05)
    await stage.create(make_pod("after", shell("a", "sleep 1000")))
    await stage.phase("after", "Running")
