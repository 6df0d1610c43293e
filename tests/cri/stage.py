"""A test host with a containerd of its own, and an agent with an API server in memory, for tests with real containers.

The tests run outside, in pytest; each asks for one scene (`tests/cri/inside/*.py`), which is played by a process in the
host's namespaces: there is the agent, and everything that it touches.
"""

import asyncio
import contextlib
import faulthandler
import importlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from api import codec, kinds
from api.core_v1 import Container, Pod, PodSpec
from api.meta_v1 import ObjectMeta
from cli.images.archive import build
from cli.images.recipes import DEMO, PAUSE, demo_image, pause_image
from client.client import Client
from client.fake.transport import FakeTransport
from cni import daemon as cni
from cni.host import KernelHost
from kit import log, pki
from kit.clock import SystemClock
from kit.supervisor import Supervisor
from nodeagent.app import Agent
from nodeagent.config import Cni, Config, CrashLoop, Eviction, Pki
from nodeagent.cri.client import GrpcRuntime
from nodeagent.cri.errors import RuntimeFault
from nodeagent.report.facts import read_machine
from testbed.node import Node

CHECKOUT = Path(__file__).resolve().parent.parent.parent
NODE = "n1"
RANGE = "10.244.7.0/24"
SOCKET = "/run/wherry/containerd/containerd.sock"
LIB = Path("/var/lib/wherry")
APPLETS = (
    *("sh", "cat", "echo", "sleep", "true", "false", "httpd", "hostname", "id", "ls", "mkdir", "nc", "touch", "wget"),
    *("env", "tail", "test", "stat", "kill", "killall", "sync", "dd"),
)
# Seconds. None says how fast anything is; each ends what hangs, the inner ones first, so that they can say where.
PATIENCE, SCENE, PLAY, GRACE = 120.0, 480.0, 600.0, 60.0
CONTAINERD = f"""\
version = 2
root = "{LIB}/containerd"
state = "/run/wherry/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{LIB}/cni/bin"
    conf_dir = "{LIB}/cni/net.d"
"""


def image_archives() -> list[bytes]:
    """What pods are made of."""
    machine, busybox = platform.machine(), Path("/bin/busybox").read_bytes()
    return [build(recipe).archive for recipe in (pause_image(machine), demo_image(machine, busybox, APPLETS))]


class Host:
    """The test host, seen from outside."""

    def __init__(self, name: str = "agent") -> None:
        self.node = Node(name, binds={str(CHECKOUT): CHECKOUT})
        self.log_file = Path(tempfile.gettempdir()) / f"containerd-{self.node.id}.log"
        self.said = self.log_file.with_name(f"scene-{self.node.id}.log")
        self.containerd: subprocess.Popen[bytes] | None = None
        try:
            self.node.sh("mkdir -p /var/lib/wherry /run/wherry /etc/wherry /var/log/wherry")
            self.node.sh("cat > /etc/wherry/containerd.toml <<'E'\n" + CONTAINERD + "E")
            self.start_containerd()
            self._import_images()
        except BaseException:
            self.close()
            raise

    def start_containerd(self) -> None:
        """Start it, and wait until it answers."""
        start = "echo $$ > /run/wherry/containerd.pid; exec containerd -c /etc/wherry/containerd.toml"
        self.containerd = self.node.popen(["sh", "-c", start], log=self.log_file)
        self.node.wait_until(f"ctr -a {SOCKET} version >/dev/null 2>&1")

    def _import_images(self) -> None:
        for archive in image_archives():
            self.node.run(["ctr", "-a", SOCKET, "-n", "k8s.io", "images", "import", "-"], input=archive)

    def play(self, scene: str) -> None:
        """Run one scene on the host. Fails with what it printed, and what containerd did."""
        self.finish(self.begin(scene))

    def begin(self, scene: str) -> "subprocess.Popen[bytes]":
        """Start a scene that the test takes part in."""
        argv = ["timeout", "-s", "KILL", str(PLAY), sys.executable, "-m", "tests.cri.stage", scene]
        self.said.unlink(missing_ok=True)
        return self.node.popen(argv, env={"PYTHONPATH": str(CHECKOUT)}, log=self.said)

    def finish(self, player: "subprocess.Popen[bytes]") -> None:
        """Wait for the end of a scene; fails with what it printed, and what containerd did."""
        code = player.wait(PLAY + PATIENCE)
        text = self.said.read_text(errors="replace")
        if code != 0:
            runtime = self.log_file.read_text(errors="replace")[-6000:]
            raise AssertionError(f"status {code}; containerd:\n{runtime}\nthe scene:\n{text[-40_000:]}")

    def wait_for_file(self, player: "subprocess.Popen[bytes]", path: str) -> None:
        """Wait until the scene has made a file."""
        while self.node.run(["test", "-e", path], check=False).code != 0:
            if player.poll() is not None:
                self.finish(player)
                raise AssertionError(f"the scene is over and has not made {path}")
            time.sleep(0.05)

    def kill_containerd(self) -> None:
        """SIGKILL, and only to containerd itself: shims and containers live on."""
        assert self.containerd is not None
        self.node.sh("kill -9 $(cat /run/wherry/containerd.pid)")
        self.containerd.wait()

    def close(self) -> None:
        """Take the host away."""
        self.node.close()
        if self.containerd is not None:
            self.containerd.kill()
            self.containerd.wait()
        for file in (self.log_file, self.said):
            file.unlink(missing_ok=True)


class Stage:
    """The inside of the host: an agent that runs, and an API server to talk to."""

    make_host: Callable[[], KernelHost] = partial(KernelHost, lives_on=True)

    def __init__(self, supervisor: Supervisor, folder: Path, **changes: Any) -> None:
        self.clock = SystemClock()
        self.supervisor = supervisor
        self.api = FakeTransport(self.clock, seed=os.getpid())
        self.client = Client(self.api)
        self.rights = {("jane", "get", "metrics"), ("jane", "get", "pods")}  # user, verb, subresource of nodes
        self.api.answers = {kinds.SUBJECT_ACCESS_REVIEW: self._may, kinds.TOKEN_REVIEW: self._who}
        self.config = make_config(folder, **changes)

    def _may(self, review: dict[str, Any]) -> dict[str, Any]:
        asked = review["spec"]["resourceAttributes"]
        right = (review["spec"]["user"], asked["verb"], asked["subresource"])
        return {**review, "status": {"allowed": right in self.rights and asked["name"] == NODE}}

    def _who(self, review: dict[str, Any]) -> dict[str, Any]:
        known = review["spec"]["token"] == "janes"
        return {**review, "status": {"authenticated": known, "user": {"username": "jane"} if known else {}}}

    async def start(self) -> None:
        """Start the agent with the pod network, and wait until the node is ready."""
        config = self.config
        cni.install(config.cni.bin_dir, sys.executable, config.cni.socket, data_dir=config.cni.data_dir)
        where, make_host = (config.cni.socket, config.cni.data_dir), type(self).make_host
        self.supervisor.spawn("cni", lambda: cni.serve(*where, clock=self.clock, make_host=make_host))
        await self.start_agent()
        await self.until(lambda: bool(self.api.objects(kinds.NODE)), "the node registers")
        await self.client.patch(kinds.NODE, NODE, {"spec": {"podCIDR": RANGE, "podCIDRs": [RANGE]}})
        await self.until(self.node_ready, "the node is ready")

    async def start_agent(self) -> None:
        """A new agent in a supervisor of its own, so that it can be ended alone."""
        self.runtime = GrpcRuntime(self.config.runtime_endpoint)
        machine = read_machine("/var/lib/wherry")
        self.agent = Agent(self.config, self.clock, self.client, self.runtime, machine)
        self.runtime.called = self.agent.tally.called
        self.agent_supervisor = Supervisor(self.clock, signals=False, grace=GRACE)
        self.agent_task = asyncio.create_task(self._run_agent())

    async def _run_agent(self) -> None:
        async with self.agent_supervisor:
            await self.agent.start(self.agent_supervisor)
        await self.runtime.close()

    async def stop_agent(self) -> None:
        """End the agent; pods live on."""
        self.agent_supervisor.stop()
        await self.agent_task

    async def kill_agent(self) -> None:
        """End the agent in the middle of whatever it does: its connections break, nothing is tidied up."""
        for task in list(self.agent.pods._tasks.values()):
            task.cancel()
        await self.runtime.close()
        self.agent_supervisor.stop()
        await self.agent_task

    def node_ready(self) -> bool:
        """Whether the node says so."""
        conditions = {c.type: c.status for n in self.api.objects(kinds.NODE) for c in n.status.conditions}
        return conditions.get("Ready") == "True"

    async def create(self, pod: Pod) -> Pod:
        """Create a pod on this node."""
        pod.spec.node_name = NODE
        return await self.client.create(kinds.POD, pod)

    def pod(self, name: str) -> Pod | None:
        """The pod as the API server has it."""
        return next((p for p in self.api.objects(kinds.POD) if p.metadata.name == name), None)

    async def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait until something holds; its value."""

        async def check() -> Any:
            return holds()

        return await self.until_async(check, what, pause=0.02)

    async def until_async(self, check: Callable[[], Awaitable[Any]], what: str, *, pause: float = 0.05) -> Any:
        """Wait until something that has to be asked for holds; its value. What it asserts may come true later, too."""
        end = time.monotonic() + PATIENCE
        last: Any = None
        while True:
            try:
                if last := await check():
                    return last
            except (OSError, AssertionError) as error:  # a file may be on its way in or out
                last = error
            if time.monotonic() > end:
                raise AssertionError(f"not within {PATIENCE:g} s: {what}; last seen: {last!r}\n{await self._seen()}")
            await asyncio.sleep(pause)

    async def agrees(self, check: Callable[[], Awaitable[None]], what: str) -> None:
        """Wait until all that `check` asserts holds at once."""

        async def passes() -> bool:
            await check()
            return True

        await self.until_async(passes, what)

    async def _seen(self) -> str:
        """What there is at this moment, for whoever reads of a failure."""
        lines = [f"pod: {codec.encode(pod).decode()}" for pod in self.api.objects(kinds.POD)]
        lines += [f"event: {e.involved_object.name}: {e.reason}: {e.message}" for e in self.api.objects(kinds.EVENT)]
        lines += [f"worker: {uid}: {worker.state}" for uid, worker in self.agent.pods.workers.items()]
        try:
            lines += [f"container: {one}" for one in await asyncio.wait_for(self.runtime.containers(), 20)]
            lines += [f"sandbox: {one}" for one in await asyncio.wait_for(self.runtime.sandboxes(), 20)]
        except (RuntimeFault, TimeoutError) as error:
            lines.append(f"the runtime does not say what it has: {error!r}")
        for path in sorted(Path(self.config.pod_logs).glob("*/*/*.log")):
            with contextlib.suppress(OSError):
                lines.append(f"log: {path}: {path.read_text(errors='replace')[-500:]!r}")
        return "\n".join(lines)

    async def phase(self, name: str, phase: str) -> Pod:
        """Wait until a pod is in a phase."""

        def found() -> Pod | None:
            pod = self.pod(name)
            return pod if pod is not None and pod.status.phase == phase else None

        pod: Pod = await self.until(found, f"pod {name} is {phase}")
        return pod

    async def delete(self, name: str, grace: int | None = None) -> None:
        """Delete a pod and wait until it is gone, from the API server and from the runtime."""
        pod = self.pod(name)
        assert pod is not None
        await self.client.delete(kinds.POD, name, "default", grace=grace)
        await self.until(lambda: self.pod(name) is None, f"pod {name} is deleted")
        await self.until(lambda: pod.metadata.uid not in self.agent.pods.workers, f"nothing of {name} is left")

    async def log(self, pod: Pod, container: str, attempt: int = 0) -> str:
        """What a container has written by now, as plain text."""
        meta = pod.metadata
        path = Path(f"{self.config.pod_logs}/{meta.namespace}_{meta.name}_{meta.uid}/{container}/{attempt}.log")
        lines = path.read_text().split("\n")[:-1] if path.exists() else []  # the last may be half written
        return "\n".join(line.split(" ", 3)[3] for line in lines)

    async def says(self, pod: Pod, container: str, text: str, attempt: int = 0) -> None:
        """Wait until a container has written this, in lines of its own."""

        async def said() -> bool:
            found = await self.log(pod, container, attempt)
            assert f"\n{text}\n" in f"\n{found}\n", found
            return True

        await self.until_async(said, f"{container} of {pod.metadata.name} says {text!r}")

    def empty_dir(self, pod: Pod, volume: str) -> Path:
        """Where an emptyDir of a pod is on the host."""
        return Path(self.config.root_dir, "pods", pod.metadata.uid or "", "volumes/kubernetes.io~empty-dir", volume)

    async def run(self, ident: str, *argv: str) -> bytes:
        """What a command in a container prints."""
        done = await self.runtime.exec_sync(ident, list(argv), PATIENCE)
        assert done.code == 0, (argv, done)
        return done.stdout


def make_config(folder: Path, **changes: Any) -> Config:
    """A configuration with certificates of its own."""
    ca = pki.make_ca("test")
    for name, pair in (
        ("ca", ca),
        ("serving", pki.issue(ca, "n1", dns=["localhost"], ips=["127.0.0.1"], server=True)),
        ("client", pki.issue(ca, "kube-apiserver-kubelet-client", client=True)),
        ("other", pki.issue(ca, "somebody", ["system:nodes"], client=True)),
    ):
        pair.save(folder / f"{name}.crt", folder / f"{name}.key")
    given: dict[str, Any] = {
        "node_name": NODE,
        "node_address": "192.0.2.9",
        "kubeconfig": "",
        "runtime_endpoint": f"unix://{SOCKET}",
        "pki": Pki(cert=f"{folder}/serving.crt", key=f"{folder}/serving.key", client_ca=f"{folder}/ca.crt"),
        "listen": "127.0.0.1:10250",
        "cni": Cni(),
        "cgroup_root": "/wherry",
        "cluster_dns": ["10.96.0.10"],
        "crash_loop": CrashLoop(first=0.5, most=4.0),
        "eviction": Eviction(hard={}),  # whatever the machine of the tests has left
    }
    return Config(**{**given, **changes})


def make_pod(name: str, *containers: Container, **spec: Any) -> Pod:
    """A pod; containers without an image get the demo image."""
    for container in (*containers, *spec.get("init_containers", ())):
        container.image = container.image or DEMO
    spec.setdefault("termination_grace_period_seconds", 1)
    return Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=PodSpec(containers=list(containers), **spec))


def shell(name: str, script: str, **fields: Any) -> Container:
    """A container that runs a shell script."""
    return Container(name=name, command=["sh", "-c", script], **fields)


Scene = Callable[[Stage], Awaitable[None]]


async def play(scene: Scene, kind: type[Stage] = Stage, **changes: Any) -> None:
    """One scene from an empty stage to an empty stage."""
    with tempfile.TemporaryDirectory() as folder:
        async with Supervisor(signals=False, grace=GRACE) as supervisor:
            stage = kind(supervisor, Path(folder), **{**changes, **getattr(scene, "changes", {})})
            try:
                async with asyncio.timeout(SCENE):
                    await stage.start()
                    await scene(stage)
                    for pod in stage.api.objects(kinds.POD):
                        await stage.delete(pod.metadata.name or "", 0)
                    await check_empty(stage)
                    await stage.stop_agent()
            finally:
                supervisor.stop()


async def check_empty(stage: Stage) -> None:
    """Nothing of any pod is left; what a killed agent left, the next sweep finds."""
    await stage.agent.pods.relist()

    async def empty() -> None:
        assert not stage.agent.pods.workers
        assert await stage.runtime.sandboxes() == []
        assert await stage.runtime.containers() == []
        assert stage.agent.doors.cgroups.known() == set()
        assert stage.agent.doors.volumes.known() == []
        assert list(Path(stage.config.pod_logs).glob("*")) == []
        mounts = Path("/proc/self/mountinfo").read_text()
        assert "/var/lib/wherry/agent" not in mounts, mounts

    await stage.agrees(empty, "nothing is left")


def main() -> None:
    """Play the scene that the command line names: MODULE.FUNCTION."""
    log.configure(os.environ.get("STAGE_LOG", "debug"))
    faulthandler.dump_traceback_later(SCENE + 60, exit=True)
    module, _, name = sys.argv[1].rpartition(".")
    asyncio.run(play(getattr(importlib.import_module(f"tests.cri.inside.{module}"), name)))


if __name__ == "__main__":
    main()
