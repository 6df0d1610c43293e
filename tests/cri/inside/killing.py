"""Agent and containerd are killed a hundred times at points of their work while pods of many kinds come and go."""

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from api import kinds
from api.core_v1 import ConfigMap, ContainerStatus, Pod, Secret
from api.meta_v1 import ObjectMeta
from client.errors import NotFound
from kit import log
from nodeagent.config import Config
from nodeagent.cri.client import GrpcRuntime
from nodeagent.cri.errors import RuntimeFault
from tests.cri.inside import crowd, leftovers
from tests.cri.stage import NODE, make_config
from tests.scenario.kubectl.world import World, running

CROWD = 6
PATIENCE = 240.0
POINTS = {"runtime": 16, "file": 60, "mount": 12, "address": 3}  # so many are let pass, at most, before the next death
AGENT_LOG, RUNTIME_LOG = Path("/run/agent.log"), Path("/run/containerd.log")
BEGAN = time.monotonic()
PID = "/run/wherry/containerd.pid"


class Keeper:
    """Starts agent and containerd whenever they are dead."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self.left = 0  # deaths that are still to be died

    async def containerd(self) -> None:
        """Until cancelled."""
        with RUNTIME_LOG.open("ab") as log:
            while True:
                await _run(log, "sh", "-c", f"echo $$ > {PID}; exec containerd -c /etc/wherry/containerd.toml")
                self.left -= 1

    async def agents(self, lives: list[list[str]]) -> None:
        """One life after the other; the last one goes on."""
        self.left = sum(len(deaths) for deaths in lives)
        with AGENT_LOG.open("ab") as log:
            for deaths in lives:
                argv = [sys.executable, "-m", "tests.cri.inside.doomed", str(self._config_file), *deaths]
                code = await _run(log, *argv)
                assert code == -signal.SIGKILL, f"the agent ended by itself: {code}"
                self.left -= 1


async def _run(log: BinaryIO, *argv: str) -> int:
    process = await asyncio.create_subprocess_exec(*argv, stdout=log, stderr=log)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _lives(rng: random.Random, agents: int, runtimes: int) -> list[list[str]]:
    """Who dies after how many points, by lives of the agent: each ends with its death, but for the last."""
    victims = ["agent"] * agents + ["containerd"] * runtimes
    rng.shuffle(victims)
    lives: list[list[str]] = [[]]
    for victim in victims:
        sort = rng.choice(sorted(POINTS))
        lives[-1].append(f"{victim}:{sort}:{rng.randint(1, POINTS[sort])}")
        if victim == "agent":
            lives.append([])
    return lives


class Scene:
    """What is wanted, and what is looked at."""

    def __init__(self, world: World, config: Config, rng: random.Random) -> None:
        self.world = world
        self.client = world.client
        self.config = config
        self.rng = rng
        self.running: dict[tuple[str, str], str] = {}  # (uid, container) -> the instance that was once seen to run
        self.replaced: list[str] = []
        self._number = 0

    async def arrange(self) -> None:
        """What pods refer to."""
        crowd.MARKS.mkdir()
        await self.client.create(
            kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"one": "1"})
        )
        await self.client.create(
            kinds.SECRET, Secret(metadata=ObjectMeta(name="words", namespace="default"), data={"word": "eA=="})
        )

    async def pods(self) -> list[Pod]:
        """As the API server shows them; who was seen to run is to stay who it is."""
        found = await self.client.list(kinds.POD, "default")
        for pod in found:
            if crowd.is_of(pod, *crowd.LIVING) and pod.metadata.deletion_timestamp is None:
                self._follow(pod)
        return found

    def _follow(self, pod: Pod) -> None:
        for status in _statuses(pod):
            if status.state is not None and status.state.running is not None:
                key = pod.metadata.uid or "", status.name or ""
                before = self.running.setdefault(key, status.container_id or "")
                if before != status.container_id:
                    self.replaced.append(f"{pod.metadata.name}/{status.name}: {before} -> {status.container_id}")

    async def churn(self, keeper: Keeper) -> None:
        """Pods come and go until all deaths have been died."""
        left, end = keeper.left, time.monotonic() + PATIENCE
        while keeper.left:
            if keeper.left != left:
                left, end = keeper.left, time.monotonic() + PATIENCE
            assert time.monotonic() < end, f"{left} deaths are left, and nothing more is done"
            pods = await self.pods()
            lively = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
            if len(lively) < CROWD and len(pods) < 2 * CROWD:
                self._number += 1
                await self.client.create(kinds.POD, crowd.some(self.rng, self._number))
            elif lively:
                await self._delete(self.rng.choice(lively), self.rng.choice((None, None, 1, 0)))
            await asyncio.sleep(0.2)

    async def _delete(self, pod: Pod, grace: int | None) -> None:
        try:
            await self.client.delete(kinds.POD, pod.metadata.name or "", "default", grace=grace)
        except NotFound:
            pass

    async def settled(self) -> str:
        """What is not yet as it is to be."""
        for pod in await self.pods():
            if pod.metadata.deletion_timestamp is not None:
                return f"{pod.metadata.name} is to go"
            if crowd.is_of(pod, *crowd.LIVING) and not _is_ready(pod):
                return f"{pod.metadata.name} is not ready"
            if crowd.is_of(pod, *crowd.ENDING) and pod.status.phase not in ("Succeeded", "Failed"):
                return f"{pod.metadata.name} has not ended"
        return ""

    async def exactly(self) -> str:
        """In what the runtime differs from what is wanted."""
        runtime = GrpcRuntime(self.config.runtime_endpoint)
        try:
            ready = sorted(one.pod.uid for one in await runtime.sandboxes() if one.thing.ready)
            alive = sorted((one.pod.uid, one.thing.name) for one in await runtime.containers() if one.thing.running)
        except RuntimeFault as error:
            return str(error)
        finally:
            await runtime.close()
        living = [pod for pod in await self.pods() if pod.status.phase == "Running"]
        crashers = {pod.metadata.uid for pod in living if crowd.is_of(pod, crowd.crasher)}
        if (wanted := sorted(pod.metadata.uid or "" for pod in living)) != ready:
            return f"sandboxes: {wanted} are wanted, there are {ready}"
        names = [(pod, status.name or "") for pod in living for status in _statuses(pod) if _is_up(status)]
        wanted_alive = sorted((pod.metadata.uid or "", name) for pod, name in names)
        steady = [[key for key in some if key[0] not in crashers] for some in (wanted_alive, alive)]
        return f"containers: {steady[0]} are wanted, there are {steady[1]}" if steady[0] != steady[1] else ""

    async def counted(self) -> str:
        """What began and is not told; of what is begun again and again, the last time may not be told yet."""
        for pod in await self.pods():
            for status in _statuses(pod):
                began, told = crowd.starts(pod, status.name or ""), (status.restart_count or 0) + 1
                if began > told:
                    return f"{pod.metadata.name}/{status.name} began {began} times, told are {told}"
        return ""

    async def check(self) -> None:
        """Nobody was replaced who ran, and nothing ran twice."""
        pods = await self.pods()
        assert not self.replaced, self.replaced
        assert not crowd.WRONG.exists(), crowd.WRONG.read_text()
        for pod in pods:
            if crowd.is_of(pod, crowd.job):
                assert crowd.starts(pod, "a") <= 1, f"{pod.metadata.name} ran again"

    async def runtime_away(self) -> str:
        """Why containerd cannot be asked."""
        runtime = GrpcRuntime(self.config.runtime_endpoint)
        try:
            await runtime.version()
        except RuntimeFault as error:
            return str(error)
        finally:
            await runtime.close()
        return ""

    async def crowd_left(self) -> str:
        """What is left of pods, as far as the agent knows of pods."""
        return "\n".join(os.listdir(f"{self.config.root_dir}/pods") + os.listdir(self.config.pod_logs))

    async def clear(self) -> None:
        """Nothing is wanted any more."""
        for pod in await self.pods():
            await self._delete(pod, self.rng.choice((None, 1, 0)))


def _statuses(pod: Pod) -> list[ContainerStatus]:
    return [*pod.status.init_container_statuses, *pod.status.container_statuses]


def _is_up(status: ContainerStatus) -> bool:
    return status.state is not None and status.state.running is not None


def _is_ready(pod: Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)


async def until(check: Callable[[], Awaitable[Any]], what: str) -> None:
    """Wait until `check` has nothing to complain of."""
    end = time.monotonic() + PATIENCE
    while problem := await check():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: {problem}")
        await asyncio.sleep(0.1)


async def _left(config: Config, before: set[str]) -> str:
    """What there is that was not there before."""
    return "\n".join(sorted(leftovers.found(config) - before))


async def _once(scene: Scene) -> set[str]:
    """What a host has on which a pod was and is gone."""
    await until(scene.runtime_away, "containerd answers")
    nothing = leftovers.found(scene.config)
    await scene.client.create(kinds.POD, crowd.sleeper("sleeper-0"))
    await until(scene.settled, "the first pod runs")
    await scene.clear()
    await until(scene.pods, "the first pod goes")
    await until(scene.crowd_left, "nothing is left of the first pod")
    return nothing | leftovers.found(scene.config)


async def play(seed: int, agents: int, runtimes: int) -> None:
    """From an empty host to an empty host."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as world:
            kubeconfig = world.kubeconfig_of(f"system:node:{NODE}", "system:nodes")
            config = make_config(Path(folder), kubeconfig=str(kubeconfig))
            file = Path(folder) / "agent.yaml"
            file.write_bytes(msgspec.json.encode(config))
            await act(Scene(world, config, rng), Keeper(file), _lives(rng, agents, runtimes))
    faults = [line for line in AGENT_LOG.read_text(errors="replace").splitlines() if " trace=" in line]
    assert not faults, "\n".join(faults[:20])


async def act(scene: Scene, keeper: Keeper, lives: list[list[str]]) -> None:
    """All three acts: a quiet one to see what is usual, the killing, and what has come of it."""
    await scene.arrange()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keeper.containerd())]
        calm = group.create_task(keeper.agents([[]]))
        usual = await _once(scene)
        calm.cancel()
        await asyncio.wait([calm])
        tasks.append(group.create_task(keeper.agents(lives)))
        await asyncio.sleep(0)
        await scene.churn(keeper)
        _say("all have died")
        await until(scene.settled, "pods are as wanted")
        await until(scene.exactly, "the runtime has what is wanted")
        await until(scene.counted, "restarts are those that happened")
        await scene.check()
        _say("all is as wanted")
        await scene.clear()
        await until(scene.pods, "pods go")
        await until(lambda: _left(scene.config, usual), "nothing is left")
        _say("nothing is left")
        for task in tasks:
            task.cancel()


def _say(what: str) -> None:
    print(f"{time.monotonic() - BEGAN:.0f} s: {what}", flush=True)


if __name__ == "__main__":
    log.configure("warning")
    asyncio.run(play(*(int(word) for word in sys.argv[1:4])))
