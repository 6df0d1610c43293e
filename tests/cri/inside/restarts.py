"""Scenes: containers that begin anew because of how one of them ended."""

from api.core_v1 import (
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    EmptyDirVolumeSource,
    Volume,
    VolumeMount,
)
from tests.cri.inside.basics import state_of
from tests.cri.stage import Stage, make_pod, shell


async def all_begin_anew(stage: Stage) -> None:
    """One container ends as its rule foresees: all run again from the first init container on, in the same sandbox."""

    mounts = [VolumeMount(name="v", mount_path="/v")]
    rule = ContainerRestartRule(
        action="RestartAllContainers", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=[42])
    )
    once = "while ! test -e /v/go; do sleep 0.1; done; test -e /v/done && sleep 1000; touch /v/done; exit 42"
    watched = shell("watched", once, volume_mounts=mounts, restart_policy="Never", restart_policy_rules=[rule])
    beside = shell(
        "beside", "trap 'exit 0' TERM; echo beside >> /v/order; while true; do sleep 0.1; done", volume_mounts=mounts
    )
    first = shell("first", "echo first >> /v/order", volume_mounts=mounts)
    pod = make_pod(
        "anew",
        watched,
        beside,
        init_containers=[first],
        restart_policy="Never",
        volumes=[Volume(name="v", empty_dir=EmptyDirVolumeSource())],
    )
    await stage.create(pod)
    pod = await stage.phase("anew", "Running")
    [sandbox] = await stage.runtime.sandboxes(pod.metadata.uid or "")
    shared = stage.empty_dir(pod, "v")
    await stage.until(lambda: (shared / "order").read_text().split() == ["first", "beside"], "all have begun")
    (shared / "go").touch()

    def anew() -> bool:
        found = [state_of(stage.pod("anew"), name) for name in ("first", "watched", "beside")]
        return [s.restart_count for s in found] == [1, 1, 1] and all(s.state.running for s in found[1:])

    await stage.until(anew, "all have begun anew")
    await stage.until(lambda: (shared / "order").read_text().split() == ["first", "beside"] * 2, "in their order")
    shown = stage.pod("anew")
    assert shown is not None and shown.status.phase == "Running"
    assert [s.thing.id for s in await stage.runtime.sandboxes(pod.metadata.uid or "")] == [sandbox.thing.id]
    await stage.delete("anew")
