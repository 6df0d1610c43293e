"""Scenes: static pods, in a cluster and alone."""

from pathlib import Path
from typing import Any

import msgspec

from api import kinds
from api.core_v1 import Pod
from kit.http.client import HttpClient
from kit.supervisor import Supervisor
from nodeagent.app import Agent
from nodeagent.config import Config
from nodeagent.report.facts import read_machine
from tests.cri.inside.server import _has
from tests.cri.stage import DEMO, GRACE, NODE, Stage

MANIFESTS = Path("/etc/wherry/manifests")
POD = f"""\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: a
    image: {DEMO}
    command: [sh, -c, "echo I am WHO; sleep 1000"]
    livenessProbe:
      exec: {{command: [test, "!", -e, /tmp/sick]}}
      periodSeconds: 1
      timeoutSeconds: 60
      failureThreshold: 1
"""


def _write(text: str, name: str = "web.yaml") -> None:
    """At once: half a manifest would be another one."""
    MANIFESTS.mkdir(exist_ok=True)
    draft = MANIFESTS.with_name(f"draft-{name}")
    draft.write_text(text)
    draft.rename(MANIFESTS / name)


def _shown(stage: Stage, phase: str = "Running") -> Pod | None:
    pod = stage.pod(f"web-{NODE}")
    return pod if pod is not None and pod.status.phase == phase else None


async def _says(stage: Stage, text: str) -> None:
    await stage.until_async(lambda: _has(stage, f"/containerLogs/default/web-{NODE}/a", text), f"it says {text!r}")


async def with_a_mirror(stage: Stage) -> None:
    """It runs, is shown, survives the deletion of its mirror, changes with its manifest, and goes with it."""
    _write(POD.replace("WHO", "one"))
    _write("kind: Pod\napiVersion: v1\nmetadata: {name: bad}\nspec: {containers: [{name: x}]}\n", "broken.yaml")
    mirror = await stage.until(lambda: _shown(stage), "the mirror is Running")
    uid = mirror.metadata.annotations["kubernetes.io/config.mirror"]
    before = {c.thing.id for c in await stage.runtime.containers(uid)}
    await _says(stage, "I am one\n")
    await stage.client.delete(kinds.POD, f"web-{NODE}", "default", grace=0)
    again = await stage.until(
        lambda: (pod := _shown(stage)) and pod.metadata.uid != mirror.metadata.uid and pod, "there is a new mirror"
    )
    assert again.metadata.annotations["kubernetes.io/config.mirror"] == uid
    assert {c.thing.id for c in await stage.runtime.containers(uid)} == before
    _write(POD.replace("WHO", "two"))
    await stage.until(
        lambda: (pod := _shown(stage)) and pod.metadata.annotations["kubernetes.io/config.mirror"] != uid, "it changed"
    )
    await _says(stage, "I am two\n")

    async def none_before() -> bool:
        return await stage.runtime.containers(uid) == []

    await stage.until_async(none_before, "nothing is left of what was before")
    for file in MANIFESTS.iterdir():
        file.unlink()
    await stage.until(lambda: stage.pod(f"web-{NODE}") is None and not stage.agent.pods.workers, "it is gone")


with_a_mirror.changes = {"static_pod_path": str(MANIFESTS)}  # type: ignore[attr-defined]


async def alone(stage: Stage) -> None:
    """Without an API server everything works that needs none; joining a cluster later restarts nothing."""
    await stage.stop_agent()
    fields = {name: getattr(stage.config, name) for name in stage.config.__struct_fields__}
    config = Config(**{**fields, "own_pod_cidr": "10.244.9.0/24", "read_only": "127.0.0.1:10255"})
    _write(POD.replace("WHO", "alone"))
    from nodeagent.cri.client import GrpcRuntime  # a connection of its own, as the stage closes the other

    runtime = GrpcRuntime(config.runtime_endpoint)
    agent = Agent(config, stage.clock, None, runtime, read_machine("/var/lib/wherry"))
    supervisor = Supervisor(stage.clock, signals=False, grace=GRACE)
    async with supervisor:
        await agent.start(supervisor)
        pod = await _until_running(stage)
        assert pod["status"]["podIP"].startswith("10.244.9."), pod["status"]
        await _says(stage, "I am alone\n")
        [ident] = [c.thing.id for c in await runtime.containers(pod["metadata"]["uid"])]
        await runtime.exec_sync(ident, ["touch", "/tmp/sick"], 60)
        pod = await _until_running(stage, restarts=1)  # its probe found it sick
        containers = {c.thing.id for c in await runtime.containers(pod["metadata"]["uid"]) if c.thing.running}
        supervisor.stop()
    await runtime.close()
    await stage.start_agent()
    mirror = await stage.until(lambda: _shown(stage), "the mirror is Running")  # as the first status of it is
    assert mirror.status.pod_ip == pod["status"]["podIP"] and mirror.status.container_statuses[0].restart_count == 1
    now = {c.thing.id for c in await stage.runtime.containers(pod["metadata"]["uid"]) if c.thing.running}
    assert now == containers
    (MANIFESTS / "web.yaml").unlink()
    await stage.until(lambda: stage.pod(f"web-{NODE}") is None and not stage.agent.pods.workers, "it is gone")


alone.changes = {"static_pod_path": str(MANIFESTS)}  # type: ignore[attr-defined]


async def _until_running(stage: Stage, restarts: int = 0) -> dict:  # type: ignore[type-arg]
    """The static pod as the plain port shows it, once it runs."""
    caller = HttpClient("127.0.0.1", 10255)
    try:

        async def runs() -> Any:
            pods = msgspec.json.decode((await caller.request("GET", "/pods")).body)["items"]
            for pod in pods:
                statuses = pod.get("status", {}).get("containerStatuses", [])
                if any("running" in s["state"] and s["restartCount"] >= restarts for s in statuses):
                    return pod
            raise AssertionError(pods)

        return await stage.until_async(runs, "it runs")  # type: ignore[no-any-return]
    finally:
        await caller.close()
