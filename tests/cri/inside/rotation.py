"""Scenes: logs that grow, and how they are read meanwhile."""

import asyncio
import gzip
from pathlib import Path

from api.core_v1 import EmptyDirVolumeSource, Pod, Volume, VolumeMount
from kit.clock import SystemClock
from nodeagent.plan.rotation import RotationPolicy
from nodeagent.upkeep.logs import LogRotation
from tests.cri.inside.server import _client, _get, _has
from tests.cri.stage import PATIENCE, Stage, make_pod, shell

BURSTS, LINES = 6, 2000


def _files(stage: Stage, pod: Pod) -> list[str]:
    meta = pod.metadata
    folder = Path(f"{stage.config.pod_logs}/{meta.namespace}_{meta.name}_{meta.uid}/a")
    return sorted(file.name for file in folder.iterdir())


async def _follow(stage: Stage, into: bytearray) -> None:
    caller = _client(stage)
    async with caller.stream("GET", "/containerLogs/default/talks/a?follow=true") as answer:
        async for piece in answer:
            into += piece
    await caller.close()


async def nothing_is_lost_over_rotations(stage: Stage) -> None:
    """A reader that follows gets each line once, while the log is rotated under it many times."""
    burst = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $n: line $i of some text that fills the file; done"
    script = f"echo begin; n=0; while [ $n -lt {BURSTS} ]; do until test -e /v/$n; do sleep 0.05; done;"
    script += f" {burst}; n=$((n+1)); done; echo end; until test -e /v/over; do sleep 0.05; done"
    talks = shell("a", script, volume_mounts=[VolumeMount(name="v", mount_path="/v")])
    volume = Volume(name="v", empty_dir=EmptyDirVolumeSource())
    await stage.create(make_pod("talks", talks, volumes=[volume], restart_policy="Never"))
    pod = await stage.phase("talks", "Running")
    signs = stage.empty_dir(pod, "v")
    got = bytearray()
    reader = asyncio.create_task(_follow(stage, got))
    await stage.until(lambda: got == b"begin\n", "it is followed")
    most: set[str] = set()
    wanted = ["begin"]
    for n in range(BURSTS):
        wanted += [f"{n}: line {i} of some text that fills the file" for i in range(1, LINES + 1)]
        last = f"{wanted[-1]}\n".encode()
        (signs / str(n)).touch()

        async def rotated(last: bytes = last) -> bool:
            await stage.agent.rotation.look()
            found = _files(stage, pod)
            most.update(found)
            assert len(found) <= 3 + 1, found  # one may be in the making
            return last in got

        await stage.until_async(rotated, f"all of {last!r} has come")  # who reads lags by a burst at most
        await asyncio.sleep(1.1)  # stamps have whole seconds
    await stage.until(lambda: got.endswith(b"end\n"), "the last line has come")  # its end does not wait for that
    (signs / "over").touch()
    await asyncio.wait_for(reader, PATIENCE)
    lines = got.decode().splitlines()
    assert lines == [*wanted, "end"], (len(lines), [a for a, b in zip(lines, wanted, strict=False) if a != b][:3])
    assert any(name.endswith(".gz") for name in most) and len(most) > 4, most


nothing_is_lost_over_rotations.changes = {  # type: ignore[attr-defined]
    "container_log_max_size": "100Ki",
    "container_log_max_files": 3,
}


async def the_end_of_a_log_over_its_files(stage: Stage) -> None:
    """`tail` goes back over files that were rotated away, and into compressed ones."""
    script = "n=0; while true; do n=$((n+1)); for i in 1 2 3 4 5 6 7 8 9 0; do echo $n $i; done;"
    script += " until [ -e /tmp/go$n ]; do sleep 0.05; done; done"
    await stage.create(make_pod("talks", shell("a", script)))
    pod = await stage.phase("talks", "Running")
    [ident] = [c.thing.id for c in await stage.runtime.containers(pod.metadata.uid or "")]
    agent = stage.agent  # its own rotation finds nothing: this one alone rotates, between turns and never within one
    rotation = LogRotation(agent.pods.workers, stage.runtime, agent.settings, SystemClock(), RotationPolicy(size=100))
    base = "/containerLogs/default/talks/a"
    for turn in (1, 2, 3):
        await stage.until_async(
            lambda t=turn: _has(stage, f"{base}?tailLines=1", f"{t} 0\n"), f"turn {turn} is written"
        )
        await rotation.look()
        await asyncio.sleep(1.1)  # stamps have whole seconds
        await stage.run(ident, "touch", f"/tmp/go{turn}")
    await stage.until_async(lambda: _has(stage, f"{base}?tailLines=1", "4 0\n"), "the last turn is written")
    assert len(_files(stage, pod)) >= 3, _files(stage, pod)
    wanted = [f"{turn} {n % 10}" for turn in (1, 2, 3, 4) for n in range(1, 11)]
    for tail in (1, 9, 10, 11, 20, 25, 40, 100):
        got = (await _get(stage, f"{base}?tailLines={tail}")).body.decode().splitlines()
        assert got == wanted[-tail:], (tail, got)
    assert (await _get(stage, base)).body.decode().splitlines() == wanted
    packed = [name for name in _files(stage, pod) if name.endswith(".gz")]
    meta = pod.metadata
    folder = Path(f"{stage.config.pod_logs}/{meta.namespace}_{meta.name}_{meta.uid}/a")
    assert packed and gzip.decompress((folder / packed[0]).read_bytes()).endswith(b" stdout F 1 0\n")


async def a_removed_log_is_made_again(stage: Stage) -> None:
    """Somebody removes the file of a container that runs."""
    await stage.create(make_pod("talks", shell("a", "while sleep 0.2; do echo again; done")))
    pod = await stage.phase("talks", "Running")
    meta = pod.metadata
    path = Path(f"{stage.config.pod_logs}/{meta.namespace}_{meta.name}_{meta.uid}/a/0.log")
    path.unlink()
    await stage.agent.rotation.look()
    await stage.until(lambda: path.exists() and "again" in path.read_text(), "it is written again")
