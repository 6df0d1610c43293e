"""Scenes: the agent's own API."""

import asyncio
import time
from pathlib import Path

import msgspec

from kit.http.client import HttpClient, Reply
from kit.http.tls import client_context
from tests.cri.inside.basics import state_of
from tests.cri.stage import Stage, make_pod, shell


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


async def logs(stage: Stage) -> None:
    """All options of logs; those who may not get none."""
    script = "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; sleep 1000"
    await stage.create(make_pod("talks", shell("a", script)))
    await stage.phase("talks", "Running")
    await asyncio.sleep(0.3)
    base = "/containerLogs/default/talks/a"
    whole = (await _get(stage, base)).body.decode()
    assert sorted(whole.splitlines()) == sorted([*(f"line {i}" for i in range(1, 6)), "oops"])
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
    script = "i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i; sleep 0.05; done; echo bye"
    await stage.create(make_pod("counts", shell("a", script), restart_policy="Never"))
    await stage.phase("counts", "Running")
    caller = _client(stage)
    body, first = b"", 0.0
    async with caller.stream("GET", "/containerLogs/default/counts/a?follow=true") as answer:
        async for piece in answer:
            first = first or time.monotonic()
            body += piece
    await caller.close()
    assert body.decode().split() == [*map(str, range(1, 21)), "bye"]
    assert time.monotonic() - first > 0.3, "it came at once, not as it was written"


async def previous_run(stage: Stage) -> None:
    """The log of the run before."""
    await stage.create(make_pod("twice", shell("a", "echo run; exit 1")))
    await stage.until(lambda: getattr(state_of(stage.pod("twice"), "a"), "restart_count", 0) >= 1, "it is restarted")
    reply = await _get(stage, "/containerLogs/default/twice/a?previous=true")
    assert (reply.status, reply.body) == (200, b"run\n"), reply


async def tells_about_itself(stage: Stage) -> None:
    """Pods, health, metrics, usage."""
    await stage.create(make_pod("used", shell("a", "sleep 1000")))
    await stage.phase("used", "Running")
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
