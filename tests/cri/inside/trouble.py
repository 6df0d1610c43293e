"""Scenes in which the test outside takes part."""

import asyncio
import random
from pathlib import Path

from api import kinds
from api.core_v1 import HostPathVolumeSource, Volume, VolumeMount
from tests.cri.inside.basics import state_of
from tests.cri.stage import Stage, make_pod, shell


async def runtime_goes_away(stage: Stage) -> None:
    """containerd is killed: the node says so, containers live on, exits in between are told when it is back."""
    volume = Volume(name="h", host_path=HostPathVolumeSource(path="/run/wherry"))
    script = "until test -e /h/killed; do sleep 0.05; done; touch /h/ended; exit 9"
    ends = shell("b", script, volume_mounts=[VolumeMount(name="h", mount_path="/h")])
    await stage.create(make_pod("lives", shell("a", "sleep 1000"), ends, volumes=[volume], restart_policy="Never"))
    pod = await stage.phase("lives", "Running")
    ident = state_of(pod, "a").container_id
    Path("/run/wherry/kill-now").touch()
    await stage.until(Path("/run/wherry/ended").exists, "a container ends while there is no containerd")
    await stage.until(lambda: not stage.node_ready(), "the node is not ready")
    Path("/run/wherry/start-now").touch()

    def noticed() -> bool:
        end = state_of(stage.pod("lives"), "b").state.terminated
        return end is not None and end.exit_code == 9

    await stage.until(noticed, "the exit is noticed")
    found = stage.pod("lives")
    assert state_of(found, "a").container_id == ident and state_of(found, "a").state.running
    await stage.until(stage.node_ready, "the node is ready again")
    await stage.create(make_pod("after", shell("a", "sleep 1000")))
    await stage.phase("after", "Running")


async def agent_killed_again_and_again(stage: Stage) -> None:
    """The agent dies while pods start and stop; nothing is lost, doubled or left."""
    rng = random.Random(1)
    for turn in range(8):
        for i in range(3):
            hook = shell("a", "sleep 1000")
            await stage.create(make_pod(f"p{turn}-{i}", hook, init_containers=[shell("i", "true")]))
        await asyncio.sleep(rng.uniform(0, 0.6))
        for pod in rng.sample(stage.api.objects(kinds.POD), 1):
            await stage.client.delete(kinds.POD, pod.metadata.name or "", "default", grace=0)
        await asyncio.sleep(rng.uniform(0, 0.3))
        await stage.kill_agent()
        await stage.start_agent()

    def settled() -> bool:
        pods = stage.api.objects(kinds.POD)
        return all(p.status.phase == "Running" for p in pods) and len(stage.agent.pods.workers) == len(pods)

    await stage.until(settled, "all pods run")

    async def none_lost_or_doubled() -> None:
        pods = stage.api.objects(kinds.POD)
        running = [c for c in await stage.runtime.containers() if c.thing.running]
        assert len(running) == len(pods) == len({c.pod.uid for c in running}), "lost or doubled"
        ready = [s for s in await stage.runtime.sandboxes() if s.thing.ready]
        assert len(ready) == len(pods)
        assert len({p.status.pod_ip for p in pods}) == len(pods)

    await stage.agrees(none_lost_or_doubled, "each runs once")
    await asyncio.sleep(1)
    await none_lost_or_doubled()
