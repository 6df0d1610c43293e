"""The part of the pods benchmark that runs on the test host: `python -m bench.pods_lab single|burst|full COUNT`."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import uvloop

from api import kinds
from api.core_v1 import Container, HTTPGetAction, Pod, PodSpec, Probe
from api.meta_v1 import ObjectMeta
from client import kubeconfig
from client.client import Client
from client.http import HttpTransport
from nodeagent.cri.client import GrpcRuntime
from nodeagent.cri.port import SeenImage
from nodeagent.render.container import ContainerInputs, build_container, termination_file
from nodeagent.render.sandbox import build_sandbox
from nodeagent.render.settings import NodeSettings
from nodeagent.sync.observer import make_termination_file

IMAGE, PORT = "wherry.local/demo:1", 8080
SOCKET = "unix:///run/wherry/containerd/containerd.sock"
ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
BURST, SIDE_BY_SIDE = 30, 4
COMMAND = ["sh", "-c", "trap exit TERM; sleep 1000000 & wait"]  # sleep alone, as PID 1, would wait to be killed
SETTINGS = NodeSettings("n", (), "/run/bench", "/var/log/pods", 8 << 30, {}, seccomp_default=True)
TOKEN = "/run/bench-token"  # stands for the volume with the account's token, which the API server gives each pod

Numbers = dict[str, list[float]]


def make_pod(name: str, probe: Probe | None = None) -> Pod:
    """The pod that is measured."""
    command = [] if probe else COMMAND  # with probes: the image's own web server
    container = Container(name="a", image=IMAGE, command=command, readiness_probe=probe, liveness_probe=probe)
    spec = PodSpec(containers=[container], termination_grace_period_seconds=0)
    return Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


class Lab:
    """The two ways to start a pod."""

    def __init__(self) -> None:
        self.runtime = GrpcRuntime(SOCKET)
        self.client = Client(HttpTransport(kubeconfig.load("/etc/wherry/admin.kubeconfig")))
        self.running: dict[str, asyncio.Event] = {}
        self.gone: dict[str, asyncio.Event] = {}
        self._serial = 0

    def name(self) -> str:
        """A name nobody has had."""
        self._serial += 1
        return f"bench-{os.getpid()}-{self._serial}"

    async def follow(self) -> None:
        """Watch all pods, and tell who waits for them."""
        async for event in self.client.watch(kinds.POD, "default"):
            pod = event.object
            name = pod.metadata.name or ""
            if event.type == "DELETED":
                self.gone.setdefault(name, asyncio.Event()).set()
            elif pod.status.phase == "Running":
                self.running.setdefault(name, asyncio.Event()).set()

    async def bare(self) -> str:
        """The calls that a pod cannot do without, with the same content as the agent's."""
        name = self.name()
        pod = make_pod(name)
        pod.metadata.uid, pod.metadata.namespace = name, "bare"
        pod.spec.containers[0].termination_message_path = "/dev/termination-log"
        make_termination_file(termination_file(pod, "a", 0, SETTINGS))
        sandbox = build_sandbox(pod, 0, f"/bench/pod{name}", SETTINGS)
        sandbox.labels.clear()  # the agent leaves alone what is no pod's
        os.makedirs(f"{sandbox.log_directory}/a", exist_ok=True)
        ident = await self.runtime.run_sandbox(sandbox)
        inputs = ContainerInputs(0, SeenImage(IMAGE), {}, {}, "/etc/hosts")
        config = build_container(pod, pod.spec.containers[0], inputs, SETTINGS)
        config.labels.clear()
        os.makedirs(TOKEN, exist_ok=True)
        config.mounts.add(host_path=TOKEN, container_path=ACCOUNT_DIRECTORY, readonly=True)
        container = await self.runtime.create_container(ident, config, sandbox)
        await self.runtime.start_container(container)
        return ident

    async def remove_bare(self, ident: str) -> None:
        """Take a bare pod away."""
        await self.runtime.stop_sandbox(ident)
        await self.runtime.remove_sandbox(ident)

    async def post(self, probe: Probe | None = None) -> str:
        """Create a pod and wait until it is Running on our watch."""
        name = self.name()
        seen = self.running.setdefault(name, asyncio.Event())
        await self.client.create(kinds.POD, make_pod(name, probe))
        await seen.wait()
        return name

    async def delete(self, name: str) -> None:
        """Delete a pod and wait until it is gone."""
        await self.client.delete(kinds.POD, name, "default", grace=0)
        await self.gone.setdefault(name, asyncio.Event()).wait()

    async def quiet(self) -> None:
        """Wait until the runtime holds nothing, and for its leftovers to be swept."""
        while await self.runtime.sandboxes():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)


async def single(lab: Lab, rounds: int) -> Numbers:
    """One by one, in turns."""
    numbers: Numbers = {"cri": [], "agent": []}
    for turn in range(-1, rounds):
        began = time.monotonic()
        ident = await lab.bare()
        bare = time.monotonic() - began
        await lab.remove_bare(ident)
        await lab.quiet()
        began = time.monotonic()
        name = await lab.post()
        posted = time.monotonic() - began
        await lab.delete(name)
        await lab.quiet()
        if turn >= 0:  # the first warms up
            numbers["cri"].append(bare)
            numbers["agent"].append(posted)
    return numbers


async def burst(lab: Lab, rounds: int) -> Numbers:
    """Thirty at once, in turns: pods per second, and the share of the time after which half of them run."""
    numbers: Numbers = {"cri": [], "agent": [], "half": []}
    for _ in range(rounds):
        limit = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(limit: asyncio.Semaphore = limit) -> str:
            async with limit:
                return await lab.bare()

        began = time.monotonic()
        idents = await asyncio.gather(*(one() for _ in range(BURST)))
        numbers["cri"].append(BURST / (time.monotonic() - began))
        await asyncio.gather(*map(lab.remove_bare, idents))
        await lab.quiet()
        times: list[float] = []

        async def timed(began: float, times: list[float] = times) -> str:
            name = await lab.post()
            times.append(time.monotonic() - began)
            return name

        began = time.monotonic()
        names = await asyncio.gather(*(timed(began) for _ in range(BURST)))
        numbers["agent"].append(BURST / max(times))
        numbers["half"].append(sorted(times)[BURST // 2 - 1] / max(times))
        await asyncio.gather(*map(lab.delete, names))
        await lab.quiet()
    numbers["ratio"] = [ours / bare for ours, bare in zip(numbers["agent"], numbers["cri"], strict=True)]
    return numbers


async def full(lab: Lab, count: int) -> Numbers:
    """A full node with probes every ten seconds: what the agent needs."""
    probe = Probe(http_get=HTTPGetAction(path="/", port=PORT), period_seconds=10)
    names = await asyncio.gather(*(lab.post(probe) for _ in range(count)))
    await asyncio.sleep(10)
    pid = agent_pid()
    began, used = time.monotonic(), cpu_seconds(pid)
    await asyncio.sleep(30)
    share = (cpu_seconds(pid) - used) / (time.monotonic() - began) * 100
    rss = next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line)
    await asyncio.gather(*map(lab.delete, names))
    return {"rss": [rss / 1024], "cpu": [share]}


def agent_pid() -> int:
    """The process of the agent on this host."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"agent" in words and b"cli" in words:
                return int(entry.name)
    raise RuntimeError("cannot measure the agent: it does not run")


def cpu_seconds(pid: int) -> float:
    """CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def main(what: str, count: int) -> None:
    """Measure one thing and print it."""
    lab = Lab()
    watching = asyncio.create_task(lab.follow())
    await asyncio.sleep(0.5)
    measure = {"single": single, "burst": burst, "full": full}[what]
    numbers = await measure(lab, count)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await lab.client.close()
    await lab.runtime.close()
    print(json.dumps(numbers))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the agent has it
        runner.run(main(sys.argv[1], int(sys.argv[2])))
