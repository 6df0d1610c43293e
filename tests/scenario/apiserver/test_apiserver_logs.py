"""pods/log: relayed from an agent, which only believes the API server's certificate."""

import asyncio

import pytest

from api import codec, kinds
from api.core_v1 import Container, Node, Pod, PodSpec
from api.meta_v1 import ObjectMeta
from client.errors import ApiError, BadRequest
from controlplane.apiserver import status
from controlplane.apiserver.connect.agents import Agents, resolve
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit import pki
from kit.clock import SystemClock
from kit.http.model import Request, Response
from kit.http.server import Server
from kit.http.tls import ServerTls, client_context
from kit.supervisor import Supervisor

ADDRESS = "192.0.2.77"
PATH = kinds.POD.path("default", "p", "log")


class Agent:
    """Answers with what it was asked; follows until it is told to end."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.streams: list = []
        self.gone = asyncio.Event()

    def __call__(self, request: Request):
        assert request.peer is not None
        assert request.peer.common_name == "kubelet-client"
        self.asked.append(request.target)
        if "tailLines=7" in request.target:
            return Response(400, b"x" * 1_000_000, "text/plain")
        if "/waiting" in request.target:
            return Response(400, b'container "waiting" in pod "p" is waiting to start: ContainerCreating', "text/plain")
        if "follow=true" in request.target:
            stream = request.start_stream(200, [("Content-Type", "text/plain")])
            stream.write(b"first\n")
            stream.on_close(self.gone.set)
            self.streams.append(stream)
            return None
        return Response(200, b"hello\n", "text/plain")


async def beside(host: str) -> str:
    """No node is on this machine's loopback, except for this test."""
    assert host == ADDRESS
    return "127.0.0.1"


@pytest.fixture
async def relay(tmp_path):
    """An API server, an agent on a node of it, and a pod there; answers (client, agent, server, agent's port)."""
    ca = pki.make_ca("test")
    pki.issue(ca, "n1", ips=["127.0.0.1"], server=True).save(tmp_path / "agent.crt", tmp_path / "agent.key")
    (tmp_path / "ca.crt").write_bytes(ca.cert)
    own = pki.issue(ca, "kubelet-client", ["system:masters"], client=True)
    agent = Agent()
    tls = ServerTls(tmp_path / "agent.crt", tmp_path / "agent.key", tmp_path / "ca.crt", require_client=True)
    async with Server(agent, "127.0.0.1", 0, tls) as listening, Supervisor(signals=False) as supervisor:
        store = await SqliteStore.open(tmp_path / "store.db", SystemClock())
        supervisor.defer("store", store.close)
        settings = Settings("192.0.2.10", agent_tls=client_context(cert=own.cert, key=own.key, verify=False))
        server = ApiServer(store, settings, SystemClock())
        server.core.agents = Agents(settings.agent_tls, beside)
        await server.start(supervisor)
        client = server.client("admin", "system:masters")
        await client.create(kinds.NODE, node(listening.port))
        containers = [Container(name=name, image="app:1") for name in ("app", "waiting")]
        spec = PodSpec(containers=containers, node_name="n1")
        await client.create(kinds.POD, Pod(metadata=ObjectMeta(name="p", namespace="default"), spec=spec))
        yield client, agent, server, listening
        supervisor.stop()


def node(port: int) -> Node:
    status = {
        "addresses": [{"type": "Hostname", "address": "unknown"}, {"type": "InternalIP", "address": ADDRESS}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    return codec.from_dict(kinds.NODE, {"metadata": {"name": "n1"}, "status": status})


async def test_options_are_passed_on(relay):
    client, agent, *_ = relay
    query = {"container": "app", "tailLines": "5", "timestamps": "true", "previous": "false", "nonsense": "1"}
    assert await client.transport.request("GET", PATH, query) == b"hello\n"
    assert agent.asked == ["/containerLogs/default/p/app?tailLines=5&timestamps=true"]


async def test_the_agents_refusal_is_the_servers(relay):
    client, *_ = relay
    with pytest.raises(BadRequest, match="is waiting to start: ContainerCreating"):
        await client.transport.request("GET", PATH, {"container": "waiting"})


async def test_an_agent_that_is_away(relay):
    client, _, _, listening = relay
    await listening.close()
    with pytest.raises(ApiError, match="cannot get logs from node n1") as caught:
        await client.transport.request("GET", PATH, {"container": "app"})
    assert caught.value.code == 500


async def test_following(relay, tmp_path):
    _, agent, server, _ = relay
    async with Supervisor(signals=False) as supervisor:
        (front,) = await server.listen([("127.0.0.1", 0)], None, supervisor)
        # Plain HTTP has no user: give this connection one, as a certificate would.
        front.handler = as_admin(server.handler)
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        writer.write(f"GET {PATH}?container=app&follow=true HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        assert b"first\n" in await reader.readuntil(b"first\n")
        agent.streams[0].write(b"second\n")
        assert b"second\n" in await reader.readuntil(b"second\n")
        writer.close()
        await asyncio.wait_for(agent.gone.wait(), 120)
        supervisor.stop()


def as_admin(handler):
    class Carrier:
        def __init__(self, inner) -> None:
            self._inner = inner

        def __getattr__(self, name):
            return getattr(self._inner, name)

        @property
        def peer(self):
            from kit.http.model import Peer

            return Peer("admin", ("system:masters",))

    def handle(request: Request):
        request._carrier = Carrier(request._carrier)
        return handler(request)

    return handle


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "::ffff:169.254.169.254",
        "fe80::1%lo",
        "localhost",
    ],
)
async def test_nodes_cannot_point_the_server_at_itself(address):
    with pytest.raises(status.StatusError, match="address not allowed"):
        await resolve(address)


async def test_where_nodes_may_be():
    assert await resolve("192.0.2.1") == "192.0.2.1"
    assert await resolve("2001:db8::1") == "2001:db8::1"


@pytest.mark.parametrize("host", ["", "a" * 300, "\0", "no such host"])
async def test_names_that_lead_nowhere(host):
    with pytest.raises(status.StatusError):
        await resolve(host)


async def test_an_agent_that_talks_too_much_is_cut_short(relay):
    client, *_ = relay
    with pytest.raises(BadRequest) as caught:
        await client.transport.request("GET", PATH, {"container": "waiting", "tailLines": "7"})
    assert len(str(caught.value)) < 70_000
