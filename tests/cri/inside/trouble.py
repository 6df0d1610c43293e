"""Scenes in which the test outside takes part."""

from pathlib import Path

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
