"""Checks against real servers: pages over redirects and TLS, health over gRPC, hooks; and how lengths of time read."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from api.core_v1 import Container, GRPCAction, HTTPGetAction, HTTPHeader, LifecycleHandler, Probe, TCPSocketAction
from kit import pki
from kit.clock import FakeClock, SystemClock
from nodeagent.cri.fake import FakeRuntime
from nodeagent.cri.port import ExecResult
from nodeagent.model.spans import span
from nodeagent.probes import grpc_health
from nodeagent.probes.checks import check_exec, check_grpc, check_http, check_tcp
from nodeagent.probes.http import page_of
from nodeagent.probes.outcome import Target
from nodeagent.probes.prober import Prober
from nodeagent.sync.hooks import run_hook
from tests.unit.nodeagent.pods import NOW, container, pod, sandbox, seen

LIMIT = 20


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m0s"),
        (160, "2m40s"),
        (300, "5m0s"),
        (3600, "1h0m0s"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


@asynccontextmanager
async def site(answers: list[bytes], tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives these answers in turn, and what it was asked."""
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answers[min(len(asked), len(answers)) - 1])
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


def target(**fields: Any) -> Target:
    return Target("c", Container(name="a", **fields), "127.0.0.1")


async def test_what_a_probe_says() -> None:
    async with site([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]) as (port, asked):
        assert (await check_http(SystemClock(), target(), HTTPGetAction(port=port, path="a b?x=1#y"), LIMIT)).ok
        assert asked[0].decode().split("\r\n") == [
            "GET /a%20b?x=1 HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "User-Agent: kube-probe/1.36",
            "Accept: */*",
            "Connection: close",
            "",
            "",
        ]


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ([("X-A", "1"), ("x-a", "2")], ["X-A: 1", "X-A: 2"]),
        ([("host", "example.org")], ["Host: example.org"]),
        ([("User-Agent", "me"), ("Accept", "")], ["User-Agent: me"]),
    ],
)
def test_own_headers(own: list[tuple[str, str]], sent: list[str]) -> None:
    page = page_of("http", "1.2.3.4", 80, "/", [HTTPHeader(name=n, value=v) for n, v in own], "kube-probe/1.36")
    lines = [f"{name}: {value}" for name, value in page.headers]
    assert [line for line in lines if line in sent] == sent
    for name, value in own:
        usual = {"host": "Host: 1.2.3.4:80", "accept": "Accept: */*", "user-agent": "User-Agent: kube-probe/1.36"}
        assert usual.get(name.lower()) not in lines, value


async def test_redirects() -> None:
    here = b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n"
    async with site([here, b"HTTP/1.1 500 No\r\n\r\n"]) as (port, asked):
        outcome = await check_http(SystemClock(), target(), HTTPGetAction(port=port, path="/"), LIMIT)
        assert not outcome.ok and asked[1].startswith(b"GET /there ")
    away = b"HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 4\r\n\r\nbye!"
    async with site([away]) as (port, asked):
        outcome = await check_http(SystemClock(), target(), HTTPGetAction(port=port, path="/"), LIMIT)
        assert outcome.ok and outcome.warning and len(asked) == 1
        assert outcome.output == "Probe terminated redirects, Response body: bye!"
    async with site([here]) as (port, asked):
        outcome = await check_http(SystemClock(), target(), HTTPGetAction(port=port, path="/"), LIMIT)
        assert outcome.output.endswith(": stopped after 10 redirects") and len(asked) == 10
    for nowhere in (b"http://[", b"http://127.0.0.1:none/"):
        async with site([b"HTTP/1.1 302 Found\r\nLocation: " + nowhere + b"\r\n\r\n"]) as (port, _):
            outcome = await check_http(SystemClock(), target(), HTTPGetAction(port=port, path="/"), LIMIT)
            assert outcome.ok is False and "failed to parse Location header" in outcome.output


async def test_certificates_are_not_looked_at(tmp_path: Path) -> None:
    pair = pki.issue(pki.make_ca("nobody"), "elsewhere", dns=["elsewhere"], server=True)
    pair.save(tmp_path / "c", tmp_path / "k")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    async with site([b"HTTP/1.1 204 OK\r\n\r\n"], context) as (port, _):
        assert (await check_http(SystemClock(), target(), HTTPGetAction(port=port, scheme="HTTPS"), LIMIT)).ok
    async with site([b"HTTP/1.1 400 Bad\r\n\r\n" * 3]) as (port, _):
        wrong = await check_http(SystemClock(), target(), HTTPGetAction(port=port, scheme="HTTPS"), LIMIT)
        assert wrong.ok is False


@asynccontextmanager
async def health(answer: Any) -> AsyncIterator[tuple[int, list[tuple[bytes, str]]]]:
    """A server of grpc.health.v1, and what it was asked by whom."""
    asked: list[tuple[bytes, str]] = []

    async def check(request: bytes, context: Any) -> bytes:
        agent = dict(context.invocation_metadata()).get("user-agent", "")
        asked.append((request, agent))
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "because")
        if answer is None:
            await asyncio.Event().wait()
        return bytes(answer)

    server = grpc.aio.server()
    handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port, asked
    await server.stop(None)


@pytest.mark.parametrize(
    ("answer", "ok", "output"),
    [
        (b"\x08\x01", True, "service healthy"),
        (b"\x08\x02", False, 'service unhealthy (responded with "NOT_SERVING")'),
        (b"", False, 'service unhealthy (responded with "UNKNOWN")'),
        (
            grpc.StatusCode.NOT_FOUND,
            False,
            "error: health rpc probe failed: rpc error: code = NotFound desc = because",
        ),
        (
            grpc.StatusCode.UNIMPLEMENTED,
            False,
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): because",
        ),
    ],
)
async def test_health_over_grpc(answer: Any, ok: bool, output: str) -> None:
    async with health(answer) as (port, asked):
        outcome = await check_grpc(SystemClock(), target(), GRPCAction(port=port, service="db"), LIMIT)
        assert (outcome.ok, outcome.output) == (ok, output)
        assert asked[0][0] == b"\x0a\x02db" and asked[0][1].startswith("kube-probe/1.36")


async def test_health_that_does_not_come() -> None:
    async with health(None) as (port, asked):
        limits = {0.3: "300ms", 3: "3s", 30: "30s"}
        for limit in limits:  # until it gets through in time
            outcome = await check_grpc(SystemClock(), target(), GRPCAction(port=port), limit)
            if asked:
                break
        assert outcome.output == f"timeout: health rpc did not complete within {limits[limit]}"
    outcome = await check_grpc(SystemClock(), target(), GRPCAction(port=port), 0.3)
    expected = f'timeout: failed to connect service "127.0.0.1:{port}" within 300ms: context deadline exceeded'
    assert outcome.output == expected


def test_questions_and_answers() -> None:
    assert grpc_health.question("") == b"" and grpc_health.question("x" * 200)[:3] == b"\x0a\xc8\x01"
    assert grpc_health.state_of(b"\x08\x03") == "SERVICE_UNKNOWN" and grpc_health.state_of(b"\x08\x09") == "9"


async def test_hooks_tell_what_went_wrong() -> None:
    class World:
        clock = SystemClock()
        runtime = FakeRuntime(clock)
        events = None

    wanted = pod("a")
    command = ["sh", "-c", "no"]
    World.runtime.exec_sync = _fails  # type: ignore[method-assign]
    outcome = await run_hook(World, wanted, LifecycleHandler(exec=_exec(command)), target())  # type: ignore[arg-type]
    assert outcome is not None and outcome.output == (
        'Exec lifecycle hook ([sh -c no]) for Container "a" in Pod "p_ns(u)" failed - error: '
        "command 'sh -c no' exited with 7: bad\n, message: \"outbad\\n\""
    )
    async with site([b"HTTP/1.1 500 No\r\n\r\n"]) as (port, asked):
        action = HTTPGetAction(port=port, path="/bye")
        outcome = await run_hook(World, wanted, LifecycleHandler(http_get=action), target())  # type: ignore[arg-type]
        assert outcome is not None and outcome.ok, "any answer will do"
        assert b"User-Agent: kube-lifecycle/1.36" in asked[0]


async def _fails(ident: str, command: list[str], timeout: float) -> ExecResult:
    return ExecResult(7, b"out", b"bad\n")


def _exec(command: list[str]) -> Any:
    from api.core_v1 import ExecAction

    return ExecAction(command=command)


async def test_what_ran_before_the_agent_keeps_its_health() -> None:
    clock = FakeClock(NOW + 100)
    told: list[Any] = []
    wanted = pod("a")
    probe = Probe(period_seconds=10, timeout_seconds=1, failure_threshold=1, success_threshold=1, exec=_exec(["x"]))
    wanted.spec.containers[0].liveness_probe = wanted.spec.containers[0].readiness_probe = probe
    from api.core_v1 import ContainerStatus

    status = ContainerStatus(name="a", image="", image_id="", ready=True, started=True, restart_count=0)
    status.container_id = "containerd://a0"
    wanted.status.container_statuses = [status]
    prober = Prober(FakeRuntime(clock), clock, None, lambda uid, ident, h: told.append(h))  # type: ignore[arg-type]
    running = container("a")
    prober.follow(wanted, seen(sandbox(), running))
    prober._runtime.exec_sync = _works  # type: ignore[method-assign]
    await clock.advance(11)
    assert told and all(h.ready for h in told), "it is not unready for a moment"
    prober.close()


async def _works(ident: str, command: list[str], timeout: float) -> ExecResult:
    return ExecResult(0, b"", b"")


async def test_exec_may_use_plain_variables() -> None:
    asked: list[list[str]] = []

    class Runtime:
        async def exec_sync(self, ident: str, command: list[str], timeout: float) -> ExecResult:
            asked.append(command)
            return ExecResult(0, b"", b"")

    assert (await check_exec(Runtime(), target(), ["$(A)"], 1)).ok  # type: ignore[arg-type]
    assert asked == [["$(A)"]]


@pytest.mark.parametrize("host", ["a..b", "a" * 70])
async def test_a_host_that_is_no_name_fails_a_probe(host: str) -> None:
    target = Target("c", Container(name="a"), "127.0.0.1")
    page = await check_http(SystemClock(), target, HTTPGetAction(host=host, port=80), LIMIT)
    port = await check_tcp(SystemClock(), target, TCPSocketAction(host=host, port=80), LIMIT)
    assert page.ok is False and port.ok is False
    assert port.output == f"dial tcp: lookup {host}: no such host" and port.output in page.output


async def test_a_header_is_no_second_request() -> None:
    async with site([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]) as (port, asked):
        value = "a\r\n\r\nPOST /admin HTTP/1.1\r\nHost: b"
        action = HTTPGetAction(port=port, http_headers=[HTTPHeader(name="X-Name", value=value)])
        found = await check_http(SystemClock(), Target("c", Container(name="a"), "127.0.0.1"), action, LIMIT)
    assert found.ok is False and found.output.endswith('net/http: invalid header field value for "X-Name"')
    assert asked == []
