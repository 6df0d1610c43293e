"""Scenes: exec, attach and port-forward on the agent's port, against the runtime's own streaming server."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlencode

from kit.http.client import HttpClient
from kit.http.raw import RawStream
from kit.http.spdy import Data, Replied, Session
from kit.http.tls import client_context
from kit.http.websocket import Op, Reader, frame
from tests.cri.inside.basics import state_of
from tests.cri.stage import PATIENCE, Stage, make_pod, shell

V4 = "v4.channel.k8s.io"


def _caller(stage: Stage, who: str = "client") -> HttpClient:
    folder = Path(stage.config.pki.cert).parent
    ca, cert, key = ((folder / name).read_bytes() for name in ("ca.crt", f"{who}.crt", f"{who}.key"))
    return HttpClient("127.0.0.1", 10250, client_context(ca, cert, key))


async def _upgrade(caller: HttpClient, method: str, path: str, *headers: tuple[str, str]) -> RawStream:
    reply, raw = await caller.upgrade(method, path, headers=[("Connection", "Upgrade"), *headers])
    assert raw is not None, reply
    return raw


class _Command:
    """A command over SPDY, as the API server runs it."""

    def __init__(self, raw: RawStream, *kinds: str) -> None:
        self.raw = raw
        self.session = Session(client=True)
        self.streams = {kind: self.session.open([("streamtype", kind)]) for kind in ("error", *kinds)}
        self.said: dict[str, bytes] = dict.fromkeys(self.streams, b"")
        self.ended: set[str] = set()
        self.replied: set[int] = set()
        self.flush()

    def flush(self) -> None:
        self.raw.write(self.session.outgoing())

    async def step(self) -> None:
        data = await asyncio.wait_for(self.raw.read(), PATIENCE)
        assert data, (self.said, self.ended)
        names = {stream: kind for kind, stream in self.streams.items()}
        for event in self.session.receive(data):
            if isinstance(event, Replied):
                self.replied.add(event.stream)
            elif isinstance(event, Data):
                self.said[names[event.stream]] += event.data
                if event.fin:
                    self.ended.add(names[event.stream])
        self.flush()

    async def accepted(self) -> None:
        while len(self.replied) < len(self.streams):
            await self.step()

    async def status(self) -> dict[str, object]:
        """What the runtime says at the end; it closes the connection behind it, without ending the stream first."""
        while "stdout" not in self.ended or not self.said["error"]:
            await self.step()
        status: dict[str, object] = json.loads(self.said["error"])
        return status


async def runs_commands(stage: Stage) -> None:
    """SPDY: output, exit code, input and its end; errors as upstream's kubelet has them."""
    await stage.create(make_pod("home", shell("a", "sleep 1000")))
    await stage.phase("home", "Running")
    caller = _caller(stage)
    spdy = (("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", V4))
    query = urlencode([("command", w) for w in ("sh", "-c", "echo out; echo err >&2; exit 7")])
    raw = await _upgrade(caller, "POST", f"/exec/default/home/a?{query}&output=1&error=1", *spdy)
    command = _Command(raw, "stdout", "stderr")
    status = await command.status()
    assert (command.said["stdout"], command.said["stderr"]) == (b"out\n", b"err\n")
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "7"}]}, status
    raw.close()

    raw = await _upgrade(caller, "POST", "/exec/default/home/a?command=cat&input=1&output=1", *spdy)
    command = _Command(raw, "stdin", "stdout")
    await command.accepted()
    data = bytes(range(256)) * 8192
    for start in range(0, len(data), 60_000):
        command.session.send(command.streams["stdin"], data[start : start + 60_000])
        command.flush()
    command.session.send(command.streams["stdin"], b"", fin=True)
    command.flush()
    assert (await command.status())["status"] == "Success"
    assert command.said["stdout"] == data
    raw.close()

    uid = stage.pod("home").metadata.uid  # type: ignore[union-attr]
    for method, path, code, text in (
        ("POST", "/exec/default/home/a?command=true", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("POST", "/exec/default/none/a?command=true&output=1", 404, "pod does not exist"),
        ("POST", "/exec/default/home/not-me/a?command=true&output=1", 404, "pod not found"),
        ("POST", "/exec/default/home/b?command=true&output=1", 500, 'container not found ("b")'),
        ("POST", f"/attach/default/home/{uid}/b?output=1", 500, "container b not found in pod home_default"),
        ("PUT", "/exec/default/home/a?command=true&output=1", 405, "405: Method Not Allowed"),
        ("GET", f"/exec/default/home/{uid}/a?command=true&output=1", 400, "Upgrade request required"),
        ("GET", "/portForward/default/none", 404, "pod does not exist"),
    ):
        reply = await caller.request(method, path)
        assert (reply.status, reply.body.decode()) == (code, text), (path, reply)
    reply = await caller.request("POST", "/run/default/home/a?cmd=echo+hello")
    assert (reply.status, reply.body) == (200, b"hello\n"), reply
    assert (await caller.request("POST", "/run/default/home/a?cmd=false")).status == 500
    await caller.close()
    stranger = _caller(stage, "other")
    assert (await stranger.request("POST", "/exec/default/home/a?command=true&output=1")).status == 403
    assert (await stranger.request("POST", "/run/default/home/a?cmd=true")).status == 403
    await stranger.close()


async def runs_commands_over_websocket(stage: Stage) -> None:
    """The runtime's own WebSocket, version 4, is passed through."""
    await stage.create(make_pod("socket", shell("a", "sleep 1000")))
    await stage.phase("socket", "Running")
    caller = _caller(stage)
    query = urlencode([("command", w) for w in ("sh", "-c", "read x; echo got $x; exit 3")])
    headers = (
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", V4),
    )
    raw = await _upgrade(caller, "GET", f"/exec/default/socket/a?{query}&input=1&output=1", *headers)
    raw.write(frame(Op.BINARY, b"\0line\n", mask=b"abcd"))
    said: dict[int, bytes] = {}
    reader = Reader(masked=False)
    while data := await asyncio.wait_for(raw.read(), PATIENCE):
        for message in reader.feed(data):
            if message.op is Op.BINARY and message.data:
                said[message.data[0]] = said.get(message.data[0], b"") + message.data[1:]
    assert said[1] == b"got line\n", said
    assert json.loads(said[3])["details"]["causes"][0]["message"] == "3"
    raw.close()
    await caller.close()


async def attaches(stage: Stage) -> None:
    """Attached to the container's own process, input included."""
    await stage.create(make_pod("talks", shell("a", "while read x; do echo you said $x; done", stdin=True)))
    await stage.phase("talks", "Running")
    caller = _caller(stage)
    spdy = (("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", V4))
    raw = await _upgrade(caller, "POST", "/attach/default/talks/a?input=1&output=1&error=1", *spdy)
    command = _Command(raw, "stdin", "stdout", "stderr")
    await command.accepted()
    command.session.send(command.streams["stdin"], b"hello\n")
    command.flush()
    while command.said["stdout"] != b"you said hello\n":
        await command.step()
    raw.close()
    await caller.close()


async def forwards_ports(stage: Stage) -> None:
    """A connection to a port of the pod, in its network."""
    await stage.create(
        make_pod("web", shell("a", "mkdir -p /tmp/w; echo page > /tmp/w/index.html; httpd -f -p 8090 -h /tmp/w"))
    )
    ident = state_of(await stage.phase("web", "Running"), "a").container_id.partition("//")[2]
    await stage.until_async(lambda: stage.run(ident, "wget", "-qO-", "http://127.0.0.1:8090/"), "it serves")
    caller = _caller(stage)
    spdy = (("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", "portforward.k8s.io"))
    raw = await _upgrade(caller, "POST", "/portForward/default/web", *spdy)
    session = Session(client=True)
    names = [("port", "8090"), ("requestid", "0")]
    error = session.open([("streamtype", "error"), *names])
    session.send(error, b"", fin=True)
    data = session.open([("streamtype", "data"), *names])
    raw.write(session.outgoing())
    answer, replied = b"", set()
    while b"page" not in answer:
        piece = await asyncio.wait_for(raw.read(), PATIENCE)
        assert piece, answer
        for event in session.receive(piece):
            if isinstance(event, Replied):
                replied.add(event.stream)
                if event.stream == data:
                    session.send(data, b"GET / HTTP/1.0\r\n\r\n")
            elif isinstance(event, Data) and event.stream == data:
                answer += event.data
        raw.write(session.outgoing())
    raw.close()
    await caller.close()
