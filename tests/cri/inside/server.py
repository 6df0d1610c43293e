"""Scenes: the agent's own API."""

import asyncio
from pathlib import Path

import msgspec

from api.core_v1 import EmptyDirVolumeSource, Volume, VolumeMount
from kit.http.client import HttpClient, Reply
from kit.http.tls import client_context
from tests.cri.inside.basics import state_of
from tests.cri.stage import PATIENCE, Stage, make_pod, shell


def _client(stage: Stage, who: str = "client") -> HttpClient:
    """Somebody who calls the agent, as the API server does or with another certificate."""
    folder = Path(stage.config.pki.cert).parent
    ca, cert, key = ((folder / name).read_bytes() for name in ("ca.crt", f"{who}.crt", f"{who}.key"))
    return HttpClient("127.0.0.1", 10250, client_context(ca, cert, key))


async def _get(stage: Stage, path: str, who: str = "client") -> Reply:
    caller = _client(stage, who)
    try:
        return await caller.request("GET", path)
    finally:
        await caller.close()


async def _has(stage: Stage, path: str, text: str) -> bool:
    body = (await _get(stage, path)).body.decode()
    assert body == text, body
    return True


async def logs(stage: Stage) -> None:
    """All options of logs; those who may not get none."""
    script = "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; sleep 1000"
    await stage.create(make_pod("talks", shell("a", script)))
    await stage.phase("talks", "Running")
    base = "/containerLogs/default/talks/a"

    async def all_lines() -> str:
        text = (await _get(stage, base)).body.decode()
        assert sorted(text.splitlines()) == sorted([*(f"line {i}" for i in range(1, 6)), "oops"])
        return text

    whole = await stage.until_async(all_lines, "all is written")
    assert len((await _get(stage, f"{base}?tailLines=2")).body.splitlines()) == 2
    assert (await _get(stage, f"{base}?tailLines=0")).body == b""
    assert (await _get(stage, f"{base}?limitBytes=4")).body == whole.encode()[:4]
    stamped = (await _get(stage, f"{base}?timestamps=true&tailLines=1")).body.decode()
    assert stamped.startswith("20") and "Z " in stamped
    assert (await _get(stage, f"{base}?sinceSeconds=3600")).body.decode() == whole
    assert (await _get(stage, f"{base}?sinceTime=2999-01-01T00:00:00Z")).body == b""
    assert (await _get(stage, f"{base}?tailLines=x")).status == 400
    assert (await _get(stage, f"{base}?previous=true")).status == 400
    assert (await _get(stage, "/containerLogs/default/none/a")).status == 404
    assert (await _get(stage, "/containerLogs/default/talks/none")).status == 404
    assert (await _get(stage, base, "other")).status == 403


async def follows_to_the_end(stage: Stage) -> None:
    """Following gives every line as it comes, and ends with the container."""
    script = "for i in 1 2 3 4 5 6 7 8; do echo $i; until test -e /v/$i; do sleep 0.05; done; done; echo bye"
    counter = shell("a", script, volume_mounts=[VolumeMount(name="v", mount_path="/v")])
    volume = Volume(name="v", empty_dir=EmptyDirVolumeSource())
    await stage.create(make_pod("counts", counter, volumes=[volume], restart_policy="Never"))
    uid = (await stage.phase("counts", "Running")).metadata.uid or ""
    shared = Path(stage.config.root_dir, "pods", uid, "volumes/kubernetes.io~empty-dir/v")
    caller = _client(stage)
    body, told = b"", 0
    async with asyncio.timeout(PATIENCE), caller.stream("GET", "/containerLogs/default/counts/a?follow=true") as answer:
        async for piece in answer:
            body += piece
            if told < body.count(b"\n") <= 8:  # it goes on when the line has come, and no sooner
                told = body.count(b"\n")
                (shared / str(told)).touch()
    await caller.close()
    assert body.decode().split() == [*map(str, range(1, 9)), "bye"]


async def previous_run(stage: Stage) -> None:
    """The log of the run before."""
    volume = Volume(name="v", empty_dir=EmptyDirVolumeSource())
    script = "test -e /v/again && exec sleep 1000; touch /v/again; echo run; exit 1"
    twice = shell("a", script, volume_mounts=[VolumeMount(name="v", mount_path="/v")])
    await stage.create(make_pod("twice", twice, volumes=[volume]))
    await stage.until(lambda: getattr(state_of(stage.pod("twice"), "a"), "restart_count", 0) == 1, "it is restarted")

    async def shown() -> bool:
        reply = await _get(stage, "/containerLogs/default/twice/a?previous=true")
        assert (reply.status, reply.body) == (200, b"run\n"), reply
        return True

    await stage.until_async(shown, "what the first one wrote is there")


async def tells_about_itself(stage: Stage) -> None:
    """Pods, health, metrics, usage."""
    await stage.create(make_pod("used", shell("a", "sleep 1000")))
    await stage.phase("used", "Running")
    await stage.agrees(lambda: _tells(stage), "it tells about the pod")


async def _tells(stage: Stage) -> None:
    pods = msgspec.json.decode((await _get(stage, "/pods")).body)
    assert [p["metadata"]["name"] for p in pods["items"]] == ["used"] and pods["kind"] == "PodList"
    assert (await _get(stage, "/healthz")).body == b"ok"
    assert b"kubelet_running_pods 1\n" in (await _get(stage, "/metrics")).body
    summary = msgspec.json.decode((await _get(stage, "/stats/summary")).body)
    assert summary["pods"][0]["podRef"]["name"] == "used"
    assert summary["pods"][0]["containers"][0]["memory"]["workingSetBytes"] > 0
    local = HttpClient("127.0.0.1", 10248)
    assert (await local.request("GET", "/healthz")).body == b"ok"
    await local.close()
