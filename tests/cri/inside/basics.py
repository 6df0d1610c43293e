"""Scenes: pods come, run, and go."""

import time
from pathlib import Path

from api import kinds
from api.core_v1 import (
    ConfigMap,
    ConfigMapVolumeSource,
    Container,
    ContainerPort,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EnvVar,
    EnvVarSource,
    ExecAction,
    HostPathVolumeSource,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    Probe,
    ResourceRequirements,
    Secret,
    SecretKeySelector,
    SecretVolumeSource,
    SecurityContext,
    Volume,
    VolumeMount,
)
from api.meta_v1 import ObjectMeta
from tests.cri.stage import Stage, make_pod, shell

LIVES = "echo up; while true; do sleep 0.05; done"


def state_of(pod: Pod | None, name: str):  # type: ignore[no-untyped-def]
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses) if pod else ()
    return next((s for s in statuses if s.name == name), None)


async def runs_and_goes(stage: Stage) -> None:
    """A pod runs with an address; when deleted nothing is left."""
    await stage.create(make_pod("web", shell("a", "echo hello; sleep 1000")))
    pod = await stage.phase("web", "Running")
    assert pod.status.pod_ip and pod.status.pod_ip.startswith("10.244.7.")
    assert pod.status.host_ip == "192.0.2.9" and pod.status.qos_class == "BestEffort"
    conditions = {c.type: c.status for c in pod.status.conditions}
    assert conditions == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )
    status = state_of(pod, "a")
    assert status.container_id.startswith("containerd://") and status.restart_count == 0 and status.image_id
    await stage.says(pod, "a", "hello")
    told = {"Pulled", "Created", "Started"}
    await stage.until(lambda: {e.reason for e in stage.api.objects(kinds.EVENT)} >= told, "users are told")
    await stage.delete("web")


async def runs_to_its_end(stage: Stage) -> None:
    """Exit codes, phases and termination messages."""
    await stage.create(make_pod("ok", shell("a", "echo done > /dev/termination-log"), restart_policy="Never"))
    # The runtime tells the end of a container without waiting for the last of its log, so we do.
    bad = shell(
        "a",
        "echo first; echo last; until test -e /v/go; do sleep 0.05; done; exit 3",
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=[VolumeMount(name="v", mount_path="/v")],
    )
    volume = Volume(name="v", empty_dir=EmptyDirVolumeSource())
    await stage.create(make_pod("bad", bad, volumes=[volume], restart_policy="Never"))
    pod = await stage.phase("bad", "Running")
    await stage.says(pod, "a", "last")
    (stage.empty_dir(pod, "v") / "go").touch()
    pod = await stage.phase("ok", "Succeeded")
    end = state_of(pod, "a").state.terminated
    assert (end.exit_code, end.reason, end.message) == (0, "Completed", "done\n"), end
    pod = await stage.phase("bad", "Failed")
    end = state_of(pod, "a").state.terminated
    assert (end.exit_code, end.reason) == (3, "Error") and end.message == "first\nlast\n", end
    assert [c.reason for c in pod.status.conditions if c.type == "Ready"] == ["PodFailed"]


async def inits_and_sidecars_in_order(stage: Stage) -> None:
    """Init containers run one by one, sidecars stay, app containers come last."""
    volume = Volume(name="v", empty_dir=EmptyDirVolumeSource())
    mount = [VolumeMount(name="v", mount_path="/v")]
    inits = [
        shell("one", "echo one >> /v/order", volume_mounts=mount),
        shell("side", "echo side >> /v/order; touch /v/up; sleep 1000", volume_mounts=mount, restart_policy="Always"),
        shell("two", "until test -e /v/up; do sleep 0.05; done; echo two >> /v/order", volume_mounts=mount),
    ]
    main = shell("main", "cat /v/order; sleep 1000", volume_mounts=mount)
    await stage.create(make_pod("ordered", main, init_containers=inits, volumes=[volume]))
    pod = await stage.phase("ordered", "Running")
    await stage.says(pod, "main", "two")
    assert (await stage.log(pod, "main")).split() == ["one", "side", "two"]
    assert state_of(pod, "side").state.running and state_of(pod, "one").state.terminated.exit_code == 0


async def crashes_and_backs_off(stage: Stage) -> None:
    """A container that fails is restarted after a growing while; its last state tells how it ended."""
    await stage.create(make_pod("crash", shell("a", "exit 7")))

    def waits() -> bool:
        status = state_of(stage.pod("crash"), "a")
        waiting = status.state.waiting if status and status.state else None
        return bool(waiting and waiting.reason == "CrashLoopBackOff" and status.restart_count >= 2)

    await stage.until(waits, "it backs off")
    pod = stage.pod("crash")
    status = state_of(pod, "a")
    assert pod is not None and pod.status.phase == "Running"
    assert (
        status.last_state.terminated.exit_code == 7 and "restarting failed container=a" in status.state.waiting.message
    )

    async def few() -> bool:
        return len(await stage.runtime.containers(pod.metadata.uid or "")) <= 2

    await stage.until_async(few, "what ended before the last one is removed")


async def killed_for_memory(stage: Stage) -> None:
    """The kernel's verdict is told as OOMKilled."""
    limits = ResourceRequirements(limits={"memory": "32Mi"})
    # The runtime hears of the kill and of the end on two ways: a child is killed first, its parent ends later.
    script = "tail /dev/zero; code=$?; sleep 3; exit $code"
    pod = make_pod("greedy", shell("a", script, resources=limits), restart_policy="Never")
    await stage.create(pod)
    pod = await stage.phase("greedy", "Failed")
    end = state_of(pod, "a").state.terminated
    assert (end.exit_code, end.reason) == (137, "OOMKilled"), end
    assert pod.status.qos_class == "Burstable"


async def sees_its_surroundings(stage: Stage) -> None:
    """Variables, files, names, user, limits."""
    await stage.client.create(
        kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="cm", namespace="default"), data={"k": "one"})
    )
    await stage.client.create(
        kinds.SECRET, Secret(metadata=ObjectMeta(name="s", namespace="default"), data={"p": b"hush"})
    )
    script = (
        "echo $GREETING; echo $SECRET; echo $IP; cat /cm/k; echo; cat /s/p; echo; cat /d/labels; echo;"
        " hostname; id -u; id -G; cat /etc/hosts | tail -n 1; cat /etc/resolv.conf; touch /x 2>/dev/null || echo readonly; sleep 1000"
    )
    container = shell(
        "a",
        script,
        env=[
            EnvVar(name="NAME", value="world"),
            EnvVar(name="GREETING", value="hello $(NAME) $$(NAME) $(NONE)"),
            EnvVar(name="SECRET", value_from=EnvVarSource(secret_key_ref=SecretKeySelector(name="s", key="p"))),
            EnvVar(name="IP", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="status.podIP"))),
        ],
        volume_mounts=[VolumeMount(name=n, mount_path=f"/{n}") for n in ("cm", "s", "d")],
        security_context=SecurityContext(run_as_user=1000, read_only_root_filesystem=True),
        resources=ResourceRequirements(requests={"cpu": "100m"}, limits={"cpu": "500m", "memory": "64Mi"}),
    )
    downward = DownwardAPIVolumeFile(path="labels", field_ref=ObjectFieldSelector(field_path="metadata.labels"))
    pod = make_pod(
        "seer",
        container,
        hostname="seer-host",
        volumes=[
            Volume(name="cm", config_map=ConfigMapVolumeSource(name="cm")),
            Volume(name="s", secret=SecretVolumeSource(secret_name="s")),
            Volume(name="d", downward_api=DownwardAPIVolumeSource(items=[downward])),
        ],
        security_context=PodSecurityContext(fs_group=2000),
    )
    pod.metadata.labels = {"app": "x"}
    await stage.create(pod)
    pod = await stage.phase("seer", "Running")
    await stage.says(pod, "a", "readonly")
    lines = (await stage.log(pod, "a")).splitlines()
    ip = pod.status.pod_ip
    assert lines[:8] == ["hello world $(NAME) $(NONE)", "hush", ip, "one", "hush", 'app="x"', "seer-host", "1000"], (
        lines
    )
    assert "2000" in lines[8].split() and lines[9] == f"{ip}\tseer-host", lines
    text = "\n".join(lines)
    assert "nameserver 10.96.0.10" in text and "default.svc.cluster.local" in text and lines[-1] == "readonly", text
    group = f"/sys/fs/cgroup/memory/wherry/kubepods/burstable/pod{pod.metadata.uid}"
    assert (Path(group) / "memory.limit_in_bytes").read_text().strip() == str(64 << 20)
    files = Path(f"/var/lib/wherry/agent/pods/{pod.metadata.uid}/volumes/kubernetes.io~configmap/cm")
    await stage.client.patch(kinds.CONFIG_MAP, "cm", {"data": {"k": "two"}}, "default")
    await stage.until(lambda: (files / "k").read_text() == "two", "the volume shows the new value")


async def probed(stage: Stage) -> None:
    """Readiness follows its probe; a failing liveness probe restarts the container."""
    patient = {"period_seconds": 1, "timeout_seconds": 60}
    page = HTTPGetAction(path="/", port="http")
    web = shell(
        "web",
        "mkdir -p /w; echo hi > /w/index.html; httpd -p 8080 -h /w; sleep 1000",
        readiness_probe=Probe(exec=ExecAction(command=["test", "-e", "/ready"]), **patient),
        startup_probe=Probe(http_get=page, failure_threshold=100, **patient),
        liveness_probe=Probe(http_get=page, failure_threshold=1, **patient),
        ports=[ContainerPort(name="http", container_port=8080)],
    )
    await stage.create(make_pod("probed", web))
    pod = await stage.phase("probed", "Running")
    await stage.until(lambda: state_of(stage.pod("probed"), "web").started, "it has started")
    assert not state_of(stage.pod("probed"), "web").ready
    ident = state_of(pod, "web").container_id.partition("//")[2]
    await stage.run(ident, "touch", "/ready")
    await stage.until(lambda: state_of(stage.pod("probed"), "web").ready, "it becomes ready")
    await stage.run(ident, "killall", "httpd")
    await stage.until(lambda: state_of(stage.pod("probed"), "web").restart_count == 1, "it is restarted")
    await stage.until(lambda: any(e.reason == "Unhealthy" for e in stage.api.objects(kinds.EVENT)), "users are told")


async def ends_with_grace(stage: Stage) -> None:
    """preStop runs, SIGTERM is sent, the deaf are killed when their grace is over."""
    words = Path("/var/lib/wherry/words")
    volume = Volume(name="h", host_path=HostPathVolumeSource(path="/var/lib/wherry"))
    mount = [VolumeMount(name="h", mount_path="/h")]
    hook = Lifecycle(pre_stop=LifecycleHandler(exec=ExecAction(command=["sh", "-c", "echo hook >> /h/words"])))
    polite = shell("polite", f"trap 'echo term >> /h/words; exit 5' TERM; {LIVES}", volume_mounts=mount, lifecycle=hook)
    deaf = shell("deaf", f"trap '' TERM; {LIVES}")
    await stage.create(make_pod("polite", polite, volumes=[volume], termination_grace_period_seconds=300))
    await stage.create(make_pod("deaf", deaf, termination_grace_period_seconds=2))
    for name in ("polite", "deaf"):
        await stage.says(await stage.phase(name, "Running"), name, "up")
    await stage.delete("polite")  # long before its grace is over
    assert words.read_text() == "hook\nterm\n"
    began = time.monotonic()
    await stage.delete("deaf")
    assert time.monotonic() - began >= 1.9


async def force_deleted_in_mid_grace(stage: Stage) -> None:
    """A shorter grace period takes effect while a longer one runs."""
    deaf = shell("deaf", f"trap 'echo no' TERM; {LIVES}")
    await stage.create(make_pod("stubborn", deaf, termination_grace_period_seconds=3000))
    pod = await stage.phase("stubborn", "Running")
    await stage.says(pod, "deaf", "up")
    await stage.client.delete(kinds.POD, "stubborn", "default")
    await stage.says(pod, "deaf", "no")
    await stage.delete("stubborn", 1)


async def agent_restarts(stage: Stage) -> None:
    """An agent that is restarted takes over: same containers, no restarts, exits in between are told."""
    volume = Volume(name="v", empty_dir=EmptyDirVolumeSource())
    mount = [VolumeMount(name="v", mount_path="/v")]
    ends = shell("b", "until test -e /v/go; do sleep 0.05; done; rm /v/go; exit 4", volume_mounts=mount)
    await stage.create(make_pod("stays", shell("a", "sleep 1000"), ends, volumes=[volume], restart_policy="OnFailure"))
    pod = await stage.phase("stays", "Running")
    ids = {s.name: s.container_id for s in pod.status.container_statuses}
    await stage.stop_agent()

    async def running() -> int:
        return len([c for c in await _containers(stage) if c.running])

    assert await running() == 2
    (stage.empty_dir(pod, "v") / "go").touch()

    async def one_ended() -> bool:
        return await running() == 1

    await stage.until_async(one_ended, "a container ends while there is no agent")
    await stage.start_agent()
    await stage.until(lambda: state_of(stage.pod("stays"), "b").restart_count >= 1, "the exit is noticed")
    found = stage.pod("stays")
    assert state_of(found, "a").container_id == ids["a"] and state_of(found, "a").restart_count == 0
    assert state_of(found, "b").last_state.terminated.exit_code == 4


async def _containers(stage: Stage):  # type: ignore[no-untyped-def]
    from nodeagent.cri.client import GrpcRuntime

    runtime = GrpcRuntime(stage.config.runtime_endpoint)
    try:
        return [c.thing for c in await runtime.containers()]
    finally:
        await runtime.close()


async def images_missing(stage: Stage) -> None:
    """Each way in which an image is not there has its own reason."""
    never = Container(name="a", image="wherry.local/none:1", image_pull_policy="Never")
    await stage.create(make_pod("never", never))
    await stage.create(make_pod("invalid", Container(name="a", image="UPPER CASE")))
    await stage.create(make_pod("unknown", Container(name="a", image="127.0.0.1:1/none:1")))
    for name, reasons in (
        ("never", {"ErrImageNeverPull"}),
        ("invalid", {"InvalidImageName"}),
        ("unknown", {"ErrImagePull", "ImagePullBackOff"}),
    ):

        def told(name: str = name, reasons: set[str] = reasons) -> bool:
            status = state_of(stage.pod(name), "a")
            return bool(status and status.state.waiting and status.state.waiting.reason in reasons)

        await stage.until(told, f"{name} says {reasons}")


async def on_the_hosts_network(stage: Stage) -> None:
    """A pod on the host's network has the node's address and the host's own names."""
    await stage.create(make_pod("host", shell("a", "hostname; cat /etc/hosts; sleep 1000"), host_network=True))
    pod = await stage.phase("host", "Running")
    assert pod.status.pod_ip == "192.0.2.9"

    async def said() -> bool:
        return "host network" in await stage.log(pod, "a")

    await stage.until_async(said, "the host's own names are seen")


async def waits_for_what_it_needs(stage: Stage) -> None:
    """A missing ConfigMap holds a pod up with a reason; when it comes the pod starts."""
    volume = Volume(name="v", config_map=ConfigMapVolumeSource(name="late"))
    pod = make_pod(
        "waits", shell("a", "sleep 1000", volume_mounts=[VolumeMount(name="v", mount_path="/v")]), volumes=[volume]
    )
    await stage.create(pod)

    def told() -> bool:
        return any(
            e.reason == "FailedMount" and '"late" not found' in (e.message or "")
            for e in stage.api.objects(kinds.EVENT)
        )

    await stage.until(told, "it is told")
    late = ConfigMap(metadata=ObjectMeta(name="late", namespace="default"), data={"k": "v"})
    await stage.client.create(kinds.CONFIG_MAP, late)
    await stage.phase("waits", "Running")


async def orphans_are_removed(stage: Stage) -> None:
    """What the runtime holds for pods that the API server no longer knows is stopped and removed."""
    await stage.create(make_pod("orphan", shell("a", "sleep 1000")))
    await stage.phase("orphan", "Running")
    await stage.stop_agent()
    stage.api.remove(kinds.POD, "orphan", "default")
    await stage.start_agent()

    async def gone() -> bool:
        return not stage.agent.pods.workers and await stage.runtime.sandboxes() == []

    await stage.until_async(gone, "the orphan is gone")
