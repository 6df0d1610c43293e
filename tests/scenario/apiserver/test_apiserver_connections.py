"""exec, attach, port-forward and logs through the API server to a node's agent, byte by byte on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest

from api import kinds
from api.core_v1 import Container, Pod, PodSpec
from api.meta_v1 import ObjectMeta
from controlplane.apiserver.connect.agents import Agents
from kit import pki
from kit.http import client, websocket
from kit.http.client import HttpClient
from kit.http.server import Server
from kit.http.tls import ServerTls, client_context
from kit.http.websocket import Op
from tests.scenario.apiserver.conftest import Cluster
from tests.scenario.apiserver.connections import (
    Agent,
    Data,
    Refused,
    Replied,
    Session,
    beside,
    connect,
    node,
    until,
)

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
BASE = kinds.POD.path("default", "p")


class Scene:
    """An API server, a node's agent, and a user."""

    def __init__(self, cluster: Cluster, agent: Agent, port: int) -> None:
        self.cluster, self.agent, self.port = cluster, agent, port
        self.open: list[HttpClient] = []

    def user(self, name: str = "admin", *groups: str) -> HttpClient:
        """An HTTP client with that user's certificate."""
        pair = pki.issue(self.cluster.ca, name, groups or ["system:masters"], client=True)
        tls = client_context(self.cluster.ca.cert, pair.cert, pair.key)
        self.open.append(HttpClient("127.0.0.1", self.cluster.port, tls))
        return self.open[-1]

    async def quiet(self) -> None:
        """All connections have ended, here and at the agent, and nobody waits for anything."""
        await until(lambda: self.agent.open == 0, "the agent's connections end")
        await until(lambda: not busy(), f"the server's tasks end: {busy()}")


def busy() -> list[str]:
    """Tasks that serve a connection."""
    names = ("_connect", "translate", "pass_on", "tunnel", "from_", "copy", "_later", "read_out", "part")
    return [repr(t) for t in asyncio.all_tasks() if any(name in repr(t.get_coro()) for name in names)]


def path(subresource: str, **query: object) -> str:
    return f"{BASE}/{subresource}?{urlencode(query, doseq=True)}"


@pytest.fixture
async def scene(secure: Cluster) -> AsyncIterator[Scene]:
    agent = Agent()
    pki.issue(secure.ca, "n1", ips=["127.0.0.1"], server=True).save(
        secure.directory / "agent.crt", secure.directory / "agent.key"
    )
    tls = ServerTls(
        secure.directory / "agent.crt", secure.directory / "agent.key", secure.directory / "ca.crt", require_client=True
    )
    own = pki.issue(secure.ca, "kubelet-client", ["system:masters"], client=True)
    async with Server(agent, "127.0.0.1", 0, tls) as listening:
        secure.server.core.agents = Agents(client_context(cert=own.cert, key=own.key, verify=False), beside)
        client = secure.server.client("admin", "system:masters")
        await client.create(kinds.NODE, node(listening.port))
        for name, containers in (("p", ["app"]), ("two", ["app", "side"])):
            spec = PodSpec(containers=[Container(name=c, image="app:1") for c in containers], node_name="n1")
            await client.create(kinds.POD, Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
        spec = PodSpec(containers=[Container(name="app", image="app:1")])
        await client.create(kinds.POD, Pod(metadata=ObjectMeta(name="homeless", namespace="default"), spec=spec))
        made = Scene(secure, agent, listening.port)
        yield made
        for one in made.open:
            await one.close()


async def test_a_command_its_output_and_its_code(scene):
    query = {"command": ["exit", "7"], "stdout": "true", "stderr": "true", "container": "app"}
    socket = await connect(scene.user(), path("exec", **query), V5)
    assert socket.headers["sec-websocket-protocol"] == V5
    first = await socket.next()
    assert (first.op, first.data) == (Op.BINARY, b"\1")  # connected, before the command has said anything
    found = await socket.channels()
    assert (found[1], found[2]) == (b"out\n", b"err\n")
    status = json.loads(found[3])
    assert status == {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: command terminated with exit code 7",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "7"}]},
    }
    assert scene.agent.asked == [("POST", "/exec/default/p/app?command=exit&command=7&error=1&output=1")]
    assert "authorization" not in scene.agent.headers[0]
    await scene.quiet()


async def test_input_and_its_end(scene):
    socket = await connect(scene.user(), path("exec", command="cat", stdin=1, stdout=1), V5)
    data = bytes(range(256)) * 4096  # 1 MiB
    for start in range(0, len(data), 30_000):
        socket.send(b"\0" + data[start : start + 30_000])
    socket.send(b"", Op.PING)
    socket.send(b"\x09not a channel")
    socket.send(b"")
    socket.send(b"\xff\0")
    found = await socket.channels()
    assert found[1] == data
    assert json.loads(found[3])["status"] == "Success"
    await scene.quiet()


async def test_pings_are_answered(scene):
    socket = await connect(scene.user(), path("exec", command="cat", stdin=1, stdout=1), V5)
    await socket.next()
    socket.send(b"anyone?", Op.PING)
    pong = await socket.next()
    assert (pong.op, pong.data) == (Op.PONG, b"anyone?")
    socket.raw.close()
    await scene.quiet()


async def test_a_terminal_has_sizes_and_one_stream_of_output(scene):
    query = {"command": ["cat"], "stdin": 1, "stdout": 1, "stderr": 1, "tty": 1}
    socket = await connect(scene.user(), path("exec", **query), V5)
    socket.send(b'\4{"Width":80,"Height":24}')
    socket.send(b"\0hi")
    socket.send(b"\xff\0")
    found = await socket.channels()
    assert found[1] == b"hi"
    assert scene.agent.sizes == [b'{"Width":80,"Height":24}']
    assert scene.agent.asked[0][1].endswith("?command=cat&error=1&input=1&output=1&tty=1")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("refused", "unable to upgrade connection: you must specify at least 1 of stdin, stdout, stderr"),
        ("die", "the connection to the node broke before the command ended"),
        ("odd", "unable to upgrade connection: fine"),
    ],
)
async def test_what_goes_wrong_at_the_node_is_told_on_the_error_channel(scene, command, message):
    socket = await connect(scene.user(), path("exec", command=command, stdout=1), V5)
    status = json.loads((await socket.channels())[3])
    assert (status["code"], status["reason"]) == (500, "InternalError")
    assert status["message"] == f"Internal error occurred: {message}"
    await scene.quiet()


async def test_a_status_of_the_node_is_passed_on(scene):
    socket = await connect(scene.user(), path("attach", container="app", stdout=1, command="ignored"), V5)
    socket.raw.close()
    socket = await connect(scene.user(), path("exec", command="forbidden", stdout=1), V5)
    assert json.loads((await socket.channels())[3])["message"] == "no way"


async def test_a_client_that_goes_ends_everything(scene):
    socket = await connect(scene.user(), path("exec", command="cat", stdin=1, stdout=1), V5)
    await socket.next()
    await until(lambda: scene.agent.open == 1, "the command runs")
    socket.raw.abort()
    await scene.quiet()


async def test_a_client_that_says_goodbye(scene):
    socket = await connect(scene.user(), path("exec", command="cat", stdin=1, stdout=1), V5)
    await socket.next()
    socket.send((1001).to_bytes(2, "big"), Op.CLOSE)
    closing = await socket.next()
    assert (closing.op, closing.code) == (Op.CLOSE, 1001)
    await scene.quiet()


async def test_a_client_that_breaks_the_protocol(scene):
    socket = await connect(scene.user(), path("exec", command="cat", stdin=1, stdout=1), V5)
    await socket.next()
    socket.raw.write(b"\xff\xff\xff\xff")
    closing = await socket.next()
    assert (closing.op, closing.code) == (Op.CLOSE, 1002)
    await scene.quiet()


@pytest.mark.parametrize("protocol", [V5, V4])
async def test_a_reader_that_sleeps_stops_the_writer(scene, protocol):
    query = {"command": "flood", "stdout": 1}
    if protocol == V5:
        socket = await connect(scene.user(), path("exec", **query), V5)
        raw = socket.raw
    else:
        raw = await spdy(scene, path("exec", **query))
        session = Session(client=True)
        for kind in ("error", "stdout"):
            session.open([("streamtype", kind)])
        raw.write(session.outgoing())
    raw.transport.pause_reading()
    before = -1
    while before != scene.agent.written or not before:
        before = scene.agent.written
        await asyncio.sleep(0.3)
    assert scene.agent.written < 64 << 20
    raw.abort()
    await scene.quiet()


@pytest.mark.parametrize("what", ["pings", "streams"])
async def test_a_node_that_asks_without_end_is_left(scene, what, monkeypatch):
    # On a slow machine the kernel would take it for one that has vanished, before it has asked too much.
    monkeypatch.setattr(client, "_keep_alive", lambda _: None)
    socket = await connect(scene.user(), path("exec", command=what, stdout=1), V5)
    found = await socket.channels()
    message = json.loads(found[3])["message"]
    assert "cannot understand the node: more than 1000 answers wait to be read" in message
    await scene.quiet()


async def test_a_node_may_ask_often(scene):
    socket = await connect(scene.user(), path("exec", command=["ping", "900"], stdout=1), V5)
    assert json.loads((await socket.channels())[3])["status"] == "Success"
    await scene.quiet()


async def test_a_client_that_pings_and_does_not_read_is_not_read_either(scene):
    socket = await connect(scene.user(), path("exec", command="cat", stdin=1, stdout=1), V5)
    await socket.next()
    socket.raw.transport.pause_reading()
    sent = 0
    transport = socket.raw.transport
    while transport.get_write_buffer_size() < 1 << 20:
        for _ in range(1000):
            socket.send(b"x" * 125, Op.PING)
        sent += 1
        await asyncio.sleep(0)
        assert sent < 10_000, "the server takes in whatever comes"
    socket.raw.abort()
    await scene.quiet()


async def spdy(scene: Scene, where: str, protocol: str = V4):
    """A SPDY connection through the API server."""
    headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", protocol)]
    reply, raw = await scene.user().upgrade("POST", where, headers=headers)
    if raw is None:
        raise Refused(reply.status, reply.body.decode())
    assert reply.headers["upgrade"] == "SPDY/3.1"
    assert reply.headers["x-stream-protocol-version"] == protocol
    return raw


async def test_spdy_is_relayed(scene):
    raw = await spdy(scene, path("exec", command=["exit", "3"], stdout="true", stderr="true"))
    session = Session(client=True)
    streams = {kind: session.open([("streamtype", kind)]) for kind in ("error", "stdout", "stderr")}
    raw.write(session.outgoing())
    found: dict[int, bytes] = {}
    replied = set()
    ended = set()
    while len(ended) < 3:
        data = await raw.read()
        assert data
        for event in session.receive(data):
            if isinstance(event, Replied):
                replied.add(event.stream)
            elif isinstance(event, Data):
                found[event.stream] = found.get(event.stream, b"") + event.data
                if event.fin:
                    ended.add(event.stream)
    assert replied == set(streams.values())
    assert found[streams["stdout"]] == b"out\n"
    assert json.loads(found[streams["error"]])["details"]["causes"][0]["message"] == "3"
    raw.close()
    await scene.quiet()
    assert scene.agent.asked == [("POST", "/exec/default/p/app?command=exit&command=3&error=1&output=1")]


async def test_older_websockets_are_relayed(scene):
    protocols = (V4, "base64url.bearer.authorization.k8s.io.c2VjcmV0")
    socket = await connect(scene.user(), path("attach", stdin=1, stdout=1), *protocols)
    assert socket.headers["sec-websocket-protocol"] == V4
    assert scene.agent.headers[0]["sec-websocket-protocol"] == V4  # no tokens for nodes
    socket.raw.write(b"raw bytes")
    assert await socket.raw.read() == b"<raw bytes>"
    socket.raw.close()
    await scene.quiet()
    assert scene.agent.asked == [("GET", "/attach/default/p/app?input=1&output=1")]


async def test_a_node_that_speaks_websocket_itself(scene):
    client = scene.cluster.server.client("admin", "system:masters")
    await client.delete(kinds.NODE, "n1")
    await client.create(kinds.NODE, node(scene.port, "ExtendWebSocketsToKubelet"))
    socket = await connect(scene.user(), path("exec", command="cat", stdout=1), V5)
    socket.raw.write(b"raw bytes")
    assert await socket.raw.read() == b"<raw bytes>"
    assert scene.agent.asked == [("GET", "/exec/default/p/app?command=cat&output=1")]
    socket.raw.close()
    await scene.quiet()


async def test_port_forward_in_websocket_messages(scene):
    socket = await connect(scene.user(), path("portforward"), "SPDY/3.1+portforward.k8s.io")
    assert socket.headers["sec-websocket-protocol"] == "SPDY/3.1+portforward.k8s.io"
    socket.send(b"tunnelled")
    found = await socket.next()
    assert (found.op, found.data) == (Op.BINARY, b"<tunnelled>")
    assert scene.agent.asked == [("POST", "/portForward/default/p")]
    headers = scene.agent.headers[0]
    assert headers["upgrade"] == "SPDY/3.1"
    assert headers["x-stream-protocol-version"] == "portforward.k8s.io"
    assert not any(name.startswith("sec-websocket") for name in headers)
    socket.raw.close()
    await scene.quiet()


async def test_port_forward_over_spdy_and_old_websocket(scene):
    raw = await spdy(scene, path("portforward"), "portforward.k8s.io")
    raw.write(b"x")
    assert await raw.read() == b"<x>"
    raw.close()
    socket = await connect(scene.user(), path("portforward", ports=["80", "81,82"]), V4)
    socket.raw.close()
    await scene.quiet()
    assert [target for _, target in scene.agent.asked] == [
        "/portForward/default/p",
        "/portForward/default/p?port=80%2C81%2C82",
    ]


@pytest.mark.parametrize(
    ("offered", "op", "line"),
    [
        ((), Op.BINARY, b"first line\n"),
        (("binary.k8s.io",), Op.BINARY, b"first line\n"),
        (("x", "base64.binary.k8s.io"), Op.TEXT, b"Zmlyc3QgbGluZQo="),
    ],
)
async def test_logs_over_websocket(scene, offered, op, line):
    socket = await connect(scene.user(), path("log"), *offered)
    assert socket.headers.get("sec-websocket-protocol", "") == (offered[-1] if offered else "")
    first, second, last = [await socket.next() for _ in range(3)]
    assert (first.op, first.data) == (op, b"")
    assert (second.op, second.data) == (op, line)
    assert (last.op, last.code) == (Op.CLOSE, 1000)
    following = await connect(scene.user(), path("log", follow="true"), *offered)
    await following.next()
    assert (await following.next()).data == line
    following.raw.close()
    await scene.quiet()


async def test_who_reads_a_log_has_little_to_say(scene):
    socket = await connect(scene.user(), path("log", follow="true"))
    assert [(await socket.next()).data for _ in range(2)] == [b"", b"first line\n"]
    socket.send(b"x" * 60_000)
    socket.send(b"anyone?", Op.PING)
    assert (await socket.next()).op is Op.PONG
    socket.send(b"x" * 70_000)
    assert (await socket.next()).code == websocket.TOO_BIG
    await scene.quiet()


async def test_logs_in_a_form_that_nobody_knows(scene):
    with pytest.raises(Refused) as caught:
        await connect(scene.user(), path("log"), "v9.binary.k8s.io")
    assert caught.value.status == 403
    await scene.quiet()


async def test_the_node_ends_and_so_does_the_client(scene):
    raw = await spdy(scene, path("exec", command="die", stdout=1))
    session = Session(client=True)
    for kind in ("error", "stdout"):
        session.open([("streamtype", kind)])
    raw.write(session.outgoing())
    while await asyncio.wait_for(raw.read(), 120):
        pass
    await scene.quiet()


@pytest.mark.parametrize(
    ("where", "code", "message"),
    [
        (f"{BASE}/exec?stdout=1&command=cat", 400, "Upgrade request required"),
        (f"{BASE}/exec?stdout=1&container=x", 400, "container x is not valid for pod p"),
        (
            kinds.POD.path("default", "two", "exec") + "?stdout=1",
            400,
            "a container name must be specified for pod two, choose one of: [app side]",
        ),
        (kinds.POD.path("default", "none", "attach"), 404, 'pods "none" not found'),
        (kinds.POD.path("default", "homeless", "portforward"), 400, "pod homeless does not have a host assigned"),
        (f"{BASE}/portforward?ports=x", 400, 'cannot read query parameter ports: "x" is not a number'),
        (f"{BASE}/exec?stdout=1&dryRun=All", 400, "dryRun is not supported"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_refusals_before_anything_is_connected(scene, method, where, code, message):
    reply = await scene.user().request(method, where)
    assert (reply.status, json.loads(reply.body)["message"]) == (code, message)
    assert scene.agent.asked == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods(scene, method):
    assert (await scene.user().request(method, f"{BASE}/exec")).status == 405


async def test_refusals_of_the_node_reach_spdy_as_they_are(scene):
    with pytest.raises(Refused) as caught:
        await spdy(scene, path("exec", command="refused"))
    assert (caught.value.status, caught.value.body) == (400, "you must specify at least 1 of stdin, stdout, stderr")
    with pytest.raises(Refused) as caught:
        await spdy(scene, path("exec", command="odd", stdout=1))
    assert caught.value.status == 500
    assert json.loads(caught.value.body)["message"] == "invalid upgrade response: status code 200"


async def test_a_node_that_is_away(scene):
    client = scene.cluster.server.client("admin", "system:masters")
    await client.delete(kinds.NODE, "n1")
    with pytest.raises(Refused) as caught:
        await spdy(scene, path("exec", command="cat", stdout=1))
    assert json.loads(caught.value.body)["message"] == 'nodes "n1" not found'
    await client.create(kinds.NODE, node(1))
    with pytest.raises(Refused) as caught:
        await spdy(scene, path("exec", command="cat", stdout=1))
    assert "error dialing backend: cannot connect to 127.0.0.1:1" in json.loads(caught.value.body)["message"]
    socket = await connect(scene.user(), path("exec", command="cat", stdout=1), V5)
    assert "connection refused" in json.loads((await socket.channels())[3])["message"]
    with pytest.raises(Refused) as caught:
        await connect(scene.user(), path("portforward"), "SPDY/3.1+portforward.k8s.io")
    assert caught.value.status == 500


@pytest.mark.parametrize("header", ["Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 7"])
async def test_handshakes_that_are_none(scene, header):
    name, _, value = header.partition(": ")
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": V5, name: value}
    reply, raw = await scene.user().upgrade("GET", path("exec", stdout=1), headers=list(headers.items()))
    assert (reply.status, raw) == (400, None)


async def test_who_may_only_read_may_not_run_commands(scene):
    """A WebSocket begins with GET, which would be reading."""
    reader = scene.user("somebody", "readers")
    for method in ("GET", "POST"):
        reply = await reader.request(method, path("exec", stdout=1, command="cat"))
        assert reply.status == 403
    assert scene.agent.asked == []


async def test_many_at_a_time_leave_nothing_behind(scene):
    user = scene.user()

    async def one(number: int) -> None:
        socket = await connect(user, path("exec", command=["exit", str(number)], stdout=1), V5)
        status = json.loads((await socket.channels())[3])
        assert status["details"]["causes"][0]["message"] == str(number)
        socket.raw.close()

    before = sockets()
    await asyncio.gather(*(one(number) for number in range(1, 31)))
    await scene.quiet()
    await until(lambda: sockets() <= before, "all sockets are closed")


def sockets() -> int:
    """Open sockets of this process."""
    import os

    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return found


def measured(scene: Scene, name: str, resource: str = "pods") -> dict[str, float]:
    """The values of a metric for a resource, by labels without those that are always alike."""
    found = {}
    for line in scene.cluster.server._metrics.render().decode().splitlines():
        if line.startswith(f"{name}{{") and f'resource="{resource}"' in line and 'verb="CONNECT"' in line:
            labels = dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(","))
            shown = [labels[label].strip('"') for label in ("subresource", "scope", "code") if label in labels]
            found[" ".join(shown)] = float(line.rpartition(" ")[2])
    return found


async def test_what_lasts_is_measured_while_it_does(scene):
    lasting, total = "apiserver_longrunning_requests", "apiserver_request_total"
    socket = await connect(scene.user(), path("exec", command="cat", stdin=1, stdout=1), V5)
    await socket.next()
    follower = scene.user()
    async with follower.stream("GET", path("log", follow="true")) as incoming:
        assert await anext(aiter(incoming)) == b"first line\n"
        assert measured(scene, lasting) == {"exec resource": 1.0, "log resource": 1.0}
        assert measured(scene, total) == {}
    socket.send(b"\xff\0")
    await socket.channels()
    await follower.close()
    await until(lambda: len(measured(scene, total)) == 2, "both are counted")
    assert measured(scene, total) == {"exec resource 0": 1.0, "log resource 200": 1.0}  # 0: it was HTTP no longer
    assert measured(scene, "apiserver_request_duration_seconds_count") == {"exec resource": 1.0, "log resource": 1.0}
    assert set(measured(scene, lasting).values()) == {0.0}
    await scene.quiet()


async def test_refused_connections_are_measured(scene):
    user = scene.user()
    for asked in (
        kinds.POD.path("default", "nope", "log"),
        path("attach"),  # no upgrade
        kinds.POD.path("default", "nope", "portforward"),
        kinds.SERVICE.path("default", "nope", "proxy"),
    ):
        await user.request("GET", asked)
    with pytest.raises(Refused):
        await connect(scene.user(), path("exec", command="refused", stdout=1), V4)
    found = {"log resource 404": 1.0, "attach resource 400": 1.0, "portforward resource 404": 1.0}
    assert measured(scene, "apiserver_request_total") == {**found, "exec resource 400": 1.0}
    assert measured(scene, "apiserver_request_total", "services") == {"proxy resource 404": 1.0}
    assert set(measured(scene, "apiserver_longrunning_requests").values()) == {0.0}
