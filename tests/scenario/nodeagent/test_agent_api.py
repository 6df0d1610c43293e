"""The agent's API as debuggers and scripts know it: which paths there are, and what is answered where there is nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from kit.http.model import Peer, Request, Response
from nodeagent.serving import agent_api
from tests.scenario.nodeagent.test_agent_scenarios import Scene


class Carrier:
    """A connection of the API server."""

    disconnected = False
    remote = "192.0.2.7"
    peer = Peer("kube-apiserver-kubelet-client", ())


async def ask(scene: Scene, method: str, target: str, accept: str = "") -> Response:
    headers = [(b"Accept", accept.encode())] if accept else []
    answer = agent_api(scene.agent)(Request(method, target, headers, b"", Carrier()))  # type: ignore[arg-type]
    if isinstance(answer, Awaitable):
        task = asyncio.ensure_future(answer)
        while not task.done():
            await scene.clock.advance(0.1)
        answer = task.result()
    assert isinstance(answer, Response)
    return answer


def text(answer: Response) -> str:
    return bytes(answer.body).decode()  # type: ignore[arg-type]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("method", "target", "status", "body"),
    [
        ("GET", "/healthz", 200, "ok"),
        ("GET", "/healthz/ping", 200, "ok"),
        ("GET", "/healthz/log", 200, "ok"),
        ("GET", "/healthz/syncloop", 200, "ok"),
        ("GET", "/healthz/none", 404, "404 page not found\n"),
        ("GET", "/healthz?verbose", 200, "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n"),
        (
            "GET",
            "/healthz?verbose&exclude=log",
            200,
            "[+]ping ok\n[+]syncloop ok\n[+]log excluded: ok\nhealthz check passed\n",
        ),
        ("GET", "/nope", 404, "404 page not found\n"),
        ("GET", "/debug/pprof/", 405, "profiling endpoint is disabled.\n"),
        ("GET", "/debug/pprof/profile?seconds=1", 405, "profiling endpoint is disabled.\n"),
        ("PUT", "/debug/flags/v", 405, "flags endpoint is disabled.\n"),
        ("GET", "/logs/", 405, "logs endpoint is disabled.\n"),
        ("POST", "/pods", 405, "405: Method Not Allowed"),
        ("GET", "/checkpoint/default/web/a", 405, "405: Method Not Allowed"),
        ("POST", "/checkpoint/default/none/a", 404, "pod does not exist"),
        ("GET", "/run/default/none/a?cmd=id", 405, "405: Method Not Allowed"),
        ("POST", "/run/default/none/a?cmd=id", 404, "pod does not exist"),
        ("POST", "/exec/default/none/a?command=id&output=1", 404, "pod does not exist"),
        ("DELETE", "/exec/default/none/a?output=1", 405, "405: Method Not Allowed"),
        ("GET", "/containerLogs/default/none/a", 404, 'pod "none" does not exist\n'),
    ],
)
async def test_answers(scene: Scene, method: str, target: str, status: int, body: str) -> None:
    answer = await ask(scene, method, target)
    assert (answer.status, text(answer)) == (status, body)
    assert ("Allow" in dict(answer.headers)) == (body.startswith("405:"))


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("", 200, ""),
        ("text/plain", 200, ""),
        ("*/*", 200, ""),
        ("application/json;as=Statusz;g=config.k8s.io;v=v1beta1", 200, "config.k8s.io/v1beta1"),
        ("application/json; as=Statusz; g=config.k8s.io; v=v1alpha1, text/plain", 200, "config.k8s.io/v1alpha1"),
        ("application/json;as=Statusz;g=config.k8s.io;v=v9", 406, ""),
        ("application/json", 406, ""),
        ("image/png", 406, ""),
    ],
)
async def test_statusz(scene: Scene, accept: str, status: int, kind: str) -> None:
    answer = await ask(scene, "GET", "/statusz", accept)
    assert answer.status == status
    if kind:
        found = json.loads(text(answer))
        assert (found["kind"], found["apiVersion"], found["binaryVersion"]) == ("Statusz", kind, "1.36.0")
        assert "/metrics" in found["paths"] and found["startTime"].endswith("Z") and found["uptimeSeconds"] >= 0
    elif status == 200:
        assert text(answer).startswith("\nkubelet statusz\nWarning: ") and "\nBinary version: 1.36.0\n" in text(answer)


async def test_flagz(scene: Scene) -> None:
    assert "\nhostname-override: n1\n" in text(await ask(scene, "GET", "/flagz"))
    answer = await ask(scene, "GET", "/flagz", "application/json;as=Flagz;g=config.k8s.io;v=v1beta1")
    assert json.loads(text(answer))["flags"]["node-ip"] == "192.0.2.1"


async def test_configz_says_what_is_off(scene: Scene) -> None:
    found = json.loads(text(await ask(scene, "GET", "/configz")))["kubeletconfig"]
    for name, value in {
        "enableProfilingHandler": False,
        "enableDebugFlagsHandler": False,
        "enableSystemLogQuery": False,
        "enableSystemLogHandler": False,
        "shutdownGracePeriod": "0s",
        "seccompDefault": True,
        "maxPods": 110,
        "nodeLeaseDurationSeconds": 40,
    }.items():
        assert found[name] == value, name
