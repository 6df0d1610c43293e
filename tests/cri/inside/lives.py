"""Scenes: pods that change while they run, that are not taken, that begin and end in turn, that run out of time."""

from pathlib import Path

from api import kinds
from api.core_v1 import (
    ContainerResizePolicy,
    ExecAction,
    HostPathVolumeSource,
    Lifecycle,
    LifecycleHandler,
    Pod,
    PodReadinessGate,
    PodSecurityContext,
    Probe,
    ResourceRequirements,
    SleepAction,
    Sysctl,
    TCPSocketAction,
    Volume,
    VolumeMount,
)
from tests.cri.inside.basics import LIVES, state_of
from tests.cri.stage import Stage, make_pod, shell


def _needs(cpu: str, memory: str) -> ResourceRequirements:
    return ResourceRequirements(requests={"cpu": cpu, "memory": memory}, limits={"cpu": cpu, "memory": memory})


async def _resize(stage: Stage, name: str, needs: ResourceRequirements) -> Pod:
    pod = stage.pod(name)
    assert pod is not None
    pod.spec.containers[0].resources = needs
    return await stage.client.update(kinds.POD, pod, subresource="resize")


def _events(stage: Stage, name: str) -> list[str]:
    return [e.reason or "" for e in stage.api.objects(kinds.EVENT) if e.involved_object.name == name]


def _memory_limit(pod: Pod) -> set[int]:
    """What the kernel has for the pod's group and the groups of its containers."""
    trees = [Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")]
    files = [
        file
        for tree in trees
        for name in ("memory.limit_in_bytes", "memory.max")
        for file in tree.glob(f"**/pod{pod.metadata.uid}/**/{name}")
    ]
    return {int(text) for text in (file.read_text().strip() for file in files) if text.isdigit() and len(text) < 15}


async def resized_while_it_runs(stage: Stage) -> None:
    """The kernel gets other limits, the container lives on, and the status tells it; so does a new agent."""
    container = shell("a", "sleep 1000", resources=_needs("100m", "64Mi"))
    await stage.create(make_pod("grows", container))
    pod = await stage.phase("grows", "Running")
    before = state_of(pod, "a")
    assert before.resources.limits == {"cpu": "100m", "memory": "64Mi"} == before.allocated_resources
    await stage.until(lambda: 64 << 20 in _memory_limit(pod), "the kernel knows it")

    await _resize(stage, "grows", _needs("200m", "96Mi"))

    def done() -> bool:
        status = state_of(stage.pod("grows"), "a")
        return bool(status.resources.limits == {"cpu": "200m", "memory": "96Mi"} == status.allocated_resources)

    await stage.until(done, "it has more")
    await stage.until(lambda: "ResizeCompleted" in _events(stage, "grows"), "users are told")
    after = state_of(stage.pod("grows"), "a")
    assert (after.container_id, after.restart_count) == (before.container_id, 0)
    await stage.until(
        lambda: _memory_limit(pod) >= {96 << 20} and 64 << 20 not in _memory_limit(pod), "so does the kernel"
    )

    await stage.stop_agent()
    await stage.start_agent()
    await _resize(stage, "grows", _needs("100", "96Mi"))

    def waits() -> bool:
        shown = stage.pod("grows")
        conditions = {c.type: c for c in shown.status.conditions} if shown else {}
        pending = conditions.get("PodResizePending")
        return (
            pending is not None
            and pending.reason == "Deferred"
            and "resource: cpu, requested: 100000" in (pending.message or "")
        )

    await stage.until(waits, "it waits for what the node has not got")
    assert state_of(stage.pod("grows"), "a").allocated_resources["cpu"] == "200m"
    await _resize(stage, "grows", _needs("150m", "80Mi"))
    await stage.until(lambda: 80 << 20 in _memory_limit(pod), "it has less")
    shown = stage.pod("grows")
    await stage.until(
        lambda: "PodResizePending" not in {c.type for c in stage.pod("grows").status.conditions},  # type: ignore[union-attr]
        "nothing waits",
    )
    assert shown is not None and state_of(stage.pod("grows"), "a").container_id == before.container_id


async def resized_by_a_restart(stage: Stage) -> None:
    """A container that wants it so is made anew, without a back-off."""
    container = shell("a", "trap 'exit 0' TERM; sleep 1000 & wait", resources=_needs("100m", "64Mi"))
    container.resize_policy = [ContainerResizePolicy(resource_name="memory", restart_policy="RestartContainer")]
    await stage.create(make_pod("again", container, restart_policy="OnFailure"))
    await stage.phase("again", "Running")
    await _resize(stage, "again", _needs("100m", "96Mi"))

    def done() -> bool:
        status = state_of(stage.pod("again"), "a")
        return bool(status.restart_count == 1 and status.state.running and status.resources.limits["memory"] == "96Mi")

    await stage.until(done, "it runs again with more")

    def told() -> bool:
        reasons = [e.message for e in stage.api.objects(kinds.EVENT) if e.reason == "Killing"]
        return "Container a resize requires restart" in reasons

    await stage.until(told, "users are told")


async def not_taken(stage: Stage) -> None:
    """Pods that the node does not take fail at once and say why."""
    await stage.create(make_pod("big", shell("a", "sleep 1000", resources=_needs("500", "64Mi"))))
    unsafe = PodSecurityContext(sysctls=[Sysctl(name="kernel.msgmax", value="65536")])
    await stage.create(make_pod("tuned", shell("a", "sleep 1000"), security_context=unsafe))
    big, tuned = await stage.phase("big", "Failed"), await stage.phase("tuned", "Failed")
    assert (big.status.reason, tuned.status.reason) == ("OutOfcpu", "SysctlForbidden")
    assert (big.status.message or "").startswith(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 500000"
    )
    assert big.status.container_statuses == [] and await stage.runtime.sandboxes(big.metadata.uid or "") == []
    await stage.until(lambda: "OutOfcpu" in _events(stage, "big"), "users are told")


async def stays_without_a_handler(stage: Stage) -> None:
    """A pod whose RuntimeClass is not there, and one that wants users of its own, wait and say why."""
    await stage.create(make_pod("classy", shell("a", "sleep 1000"), runtime_class_name="none"))
    await stage.create(make_pod("users", shell("a", "sleep 1000"), host_users=False))

    def told() -> bool:
        messages = {e.message for e in stage.api.objects(kinds.EVENT) if e.reason == "FailedCreatePodSandBox"}
        return messages == {
            'Failed to create pod sandbox: runtimeclass.node.k8s.io "none" not found',
            "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces",
        }

    await stage.until(told, "users are told why")
    shown = stage.pod("classy")
    assert shown is not None and shown.status.phase == "Pending"


async def ends_in_turn(stage: Stage) -> None:
    """Hooks run at once; the app ends first, sidecars after it from the last; probes and statuses go on meanwhile."""
    say = "trap 'echo {0} >> /h/order; exit 0' TERM; " + LIVES
    order = Path("/var/lib/wherry/turns")
    order.mkdir()
    mounts = [VolumeMount(name="h", mount_path="/h")]

    def hook(*command: str) -> Lifecycle:
        return Lifecycle(pre_stop=LifecycleHandler(exec=ExecAction(command=["sh", "-c", *command])))

    first = hook("echo hook >> /h/order")
    waits = hook("until test -e /h/order; do sleep 0.05; done")  # for the hook of a sidecar, which is to end last
    nap = Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction(seconds=1)))
    inits = [
        shell(name, say.format(name), volume_mounts=mounts, restart_policy="Always", lifecycle=lifecycle)
        for name, lifecycle in (("one", first), ("two", nap))
    ]
    main = shell("main", say.format("main"), volume_mounts=mounts, lifecycle=waits)
    volume = Volume(name="h", host_path=HostPathVolumeSource(path=str(order)))
    await stage.create(
        make_pod("turns", main, init_containers=inits, volumes=[volume], termination_grace_period_seconds=300)
    )
    pod = await stage.phase("turns", "Running")
    for name in ("one", "two", "main"):
        await stage.says(pod, name, "up")
    await stage.delete("turns")
    assert (order / "order").read_text().split() == ["hook", "main", "two", "one"]


async def hooks_after_the_start(stage: Stage) -> None:
    """A hook runs in the container that has begun; one that fails ends it, and it is begun again."""

    def hook(script: str) -> Lifecycle:
        return Lifecycle(post_start=LifecycleHandler(exec=ExecAction(command=["sh", "-c", script])))

    waits = "until test -e /hooked; do sleep 0.05; done; echo hooked"
    good = shell("a", waits, lifecycle=hook("touch /hooked"))
    bad = shell("a", f"trap 'exit 0' TERM; {LIVES}", lifecycle=hook("exit 3"))
    await stage.create(make_pod("hooked", good, restart_policy="Never"))
    await stage.create(make_pod("unhooked", bad))
    await stage.says(await stage.phase("hooked", "Succeeded"), "a", "hooked")

    def begun_again() -> bool:
        status = state_of(stage.pod("unhooked"), "a")
        return bool(status and (status.restart_count or 0) >= 1)

    await stage.until(begun_again, "it is begun again")
    await stage.until(lambda: "FailedPostStartHook" in _events(stage, "unhooked"), "users are told why")


async def out_of_time(stage: Stage) -> None:
    """A pod that may be active only so long is ended then, whatever its containers are told to do at their end."""
    pod = make_pod("late", shell("a", "sleep 1000"), active_deadline_seconds=1, restart_policy="Always")
    await stage.create(pod)
    shown = await stage.phase("late", "Failed")
    assert shown.status.reason == "DeadlineExceeded", shown.status
    assert shown.status.message == "Pod was active on the node longer than the specified deadline"


async def ready_when_others_say_so(stage: Stage) -> None:
    """A pod is ready when its port takes connections, and somebody else has opened its gate."""
    gate = "example.com/gate"
    web = shell("web", "mkdir -p /w; exec httpd -f -p 8080 -h /w")
    web.readiness_probe = Probe(tcp_socket=TCPSocketAction(port=8080), period_seconds=1, timeout_seconds=60)
    await stage.create(make_pod("gated", web, readiness_gates=[PodReadinessGate(condition_type=gate)]))

    def conditions() -> dict[str, tuple[str, str | None]]:
        pod = stage.pod("gated")
        return {c.type: (c.status, c.reason) for c in pod.status.conditions} if pod else {}

    await stage.until(lambda: conditions().get("ContainersReady", ("",))[0] == "True", "its port takes connections")
    await stage.until(lambda: conditions()["Ready"] == ("False", "ReadinessGatesNotReady"), "its gate is closed")
    opened = {"status": {"conditions": [{"type": gate, "status": "True"}]}}
    await stage.client.patch(kinds.POD, "gated", opened, "default", subresource="status")
    await stage.until(lambda: conditions()["Ready"][0] == "True", "it is ready")
