"""pods, services and nodes behind the API server: what arrives there, and what comes back."""

import asyncio
import gzip
import hashlib
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import codec, kinds
from controlplane.apiserver.connect.agents import Agents
from controlplane.apiserver.connect.links import Rewriter, join
from controlplane.apiserver.connect.proxying import rewrite
from kit import pki
from kit.http.client import HttpClient, Reply
from kit.http.model import Request, Response
from kit.http.server import Server
from kit.http.tls import ServerTls, client_context
from tests.scenario.apiserver.conftest import Cluster
from tests.scenario.apiserver.connections import ADDRESS, Refused, beside, connect, node, until

POD = "/api/v1/namespaces/default/pods/web"
SERVICE = "/api/v1/namespaces/default/services"
PAGE = b'<html><head><link href="/style.css"></head>\n<body><a href="/a/?b=1&amp;c=2#d">x</a><a href="rel">y</a></body></html>'


class Site:
    """What runs in the pod: tells what it was asked, and does odd things on some paths."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.asked = asyncio.Event()
        self.stream: Any = None
        self.upgraded = self.read = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def __call__(self, request: Request) -> Any:
        match request.path:
            case "/redirect":
                return Response(302, b"", "", [("Location", "/login?next=%2F")])
            case "/redirect-away":
                return Response(307, b"", "", [("Location", "https://example.com/x")])
            case "/page":
                return Response(200, PAGE, "text/html; charset=utf-8", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
            case "/packed":
                return Response(200, gzip.compress(PAGE), "text/html", [("Content-Encoding", "gzip")])
            case "/switch":
                request.hijack(101, [("Connection", "Upgrade"), ("Upgrade", "evil")]).write(b"HTTP/1.1 200 OK\r\n\r\n")
                return None
            case "/large":
                return Response(200, b"x" * 10_000_000, "application/octet-stream")
            case "/nothing":
                return Response(
                    204, b"", "", [("X-Hop", "1"), ("Keep-Alive", "5"), ("Access-Control-Allow-Origin", "*")]
                )
            case "/error":
                return Response(500, b"my own fault", "text/plain")
            case "/drip":
                self.stream = request.start_stream(200, [("Content-Type", "text/event-stream")])
                self.stream.write(b"one")
                self.stream.on_close(self.gone.set)
                return None
            case "/never":
                self.asked.set()
                return self._never(request)
            case "/socket":
                return self._socket(request)
            case "/upload":
                return self._upload(request)
            case "/upload-refused":
                return Response(403, b"not here", "text/plain")
            case "/upload-echo":
                return self._echo(request)
        told = {
            "method": request.method,
            "target": request.target,
            "body": request.body.decode(),
            "headers": request.headers,
        }
        return Response(200, json.dumps(told).encode())

    async def _upload(self, request: Request) -> Response:
        assert request.incoming is not None
        size, digest = 0, hashlib.sha256()
        async for piece in request.incoming:
            size += len(piece)
            digest.update(piece)
            self.read = size
            await self.gate.wait()
        told = {"size": size, "sha256": digest.hexdigest(), "headers": request.headers}
        return Response(200, json.dumps(told).encode())

    async def _echo(self, request: Request) -> None:
        assert request.incoming is not None
        stream = request.start_stream(200, [("Content-Type", "application/octet-stream")])
        async for piece in request.incoming:
            stream.write(piece)
            await stream.drain()
        stream.close()

    async def _never(self, request: Request) -> Response:
        while not request.disconnected:
            await asyncio.sleep(0.05)
        self.gone.set()
        return Response(200)

    async def _socket(self, request: Request) -> None:
        from kit.http import websocket

        _, headers = websocket.answer(request.headers, ["chat"])
        offered = request.header("sec-websocket-protocol")
        raw = request.hijack(101, [*headers, ("X-Target", request.target), ("X-Protocols", offered)])
        self.upgraded += 1
        async for data in raw:
            raw.write(b"<" + data + b">")
        raw.close()
        self.upgraded -= 1


class Scene:
    """An API server with a pod, a service and a node, and clients of it."""

    def __init__(self, cluster: Cluster, site: Site, port: int) -> None:
        self.cluster, self.site, self.port = cluster, site, port
        self.clients: list[HttpClient] = []
        self.admin = self.user()

    def user(self, name: str = "admin", *groups: str) -> HttpClient:
        pair = pki.issue(self.cluster.ca, name, groups or ["system:masters"], client=True)
        tls = client_context(self.cluster.ca.cert, pair.cert, pair.key)
        self.clients.append(HttpClient("127.0.0.1", self.cluster.port, tls))
        return self.clients[-1]

    async def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Reply:
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return await self.admin.request(method, path, body=body, headers=given)

    async def told(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> dict[str, Any]:
        reply = await self.ask(path, method, body, **headers)
        assert reply.status == 200, reply
        return json.loads(reply.body)

    async def refusal(self, path: str) -> tuple[int, str]:
        reply = await self.ask(path)
        return reply.status, json.loads(reply.body)["message"]


@pytest.fixture
async def scene(secure: Cluster) -> AsyncIterator[Scene]:
    site = Site()
    secure.server.core.agents = Agents(client_context(verify=False), beside)
    async with Server(site, "127.0.0.1", 0, streamed=lambda target: b"/upload" in target) as listening:
        made = Scene(secure, site, listening.port)
        client = secure.server.client("admin", "system:masters")
        port = {"name": "http", "containerPort": listening.port}
        containers = [{"name": "side", "image": "i:1"}, {"name": "app", "image": "i:1", "ports": [port]}]
        pod = {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"nodeName": "n1", "containers": containers},
        }
        await client.create(kinds.POD, codec.from_dict(kinds.POD, pod))
        address = {"status": {"podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}}
        await client.patch(kinds.POD, "web", address, "default", subresource="status")
        ports = [{"name": "http", "port": 80, "targetPort": listening.port}, {"name": "none", "port": 81}]
        service = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": ports}}
        await client.create(kinds.SERVICE, codec.from_dict(kinds.SERVICE, service))
        reference = {"kind": "Pod", "namespace": "default", "name": "web"}
        addresses = [
            {"ip": ADDRESS, "targetRef": reference},
            {"ip": "192.0.2.1", "targetRef": reference},
            {"ip": ADDRESS},
        ]
        subset = {"addresses": addresses, "ports": [{"name": "http", "port": listening.port}]}
        endpoints = {"metadata": {"name": "web", "namespace": "default"}, "subsets": [subset]}
        await client.create(kinds.ENDPOINTS, codec.from_dict(kinds.ENDPOINTS, endpoints))
        yield made
        for one in made.clients:
            await one.close()


async def test_what_arrives(scene):
    told = await scene.told(
        f"{POD}/proxy/a%20b/c?x=1&y=%2F&x=2",
        "POST",
        b'{"some": "body"}',
        Content_Type="application/json",
        Authorization="Bearer secret",
        X_Forwarded_For="1.2.3.4",
        X_Own="mine",
        Connection="close, X-Hop",
        X_Hop="not for the next",
        Te="trailers",
    )
    assert (told["method"], told["target"]) == ("POST", "/a%20b/c?x=1&y=%2F&x=2")
    assert told["body"] == '{"some": "body"}'
    headers = told["headers"]
    assert headers["content-type"] == "application/json"
    assert headers["x-own"] == "mine"
    assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert headers["x-forwarded-uri"] == f"{POD}/proxy/a%20b/c"
    assert headers["host"] == f"127.0.0.1:{scene.cluster.port}"
    assert not {"authorization", "x-hop", "te", "connection"} & set(headers)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method(scene, method):
    told = await scene.told(f"{POD}/proxy/x", method, b"hi" if method in ("POST", "PUT", "PATCH") else b"")
    assert told["method"] == method


async def test_head_has_the_length_and_no_body(scene):
    reply = await scene.ask(f"{POD}/proxy/page", "HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("pods/web", "/x"),
        ("pods/web:{port}", "/x"),
        ("pods/http:web:{port}", "/x"),
        ("services/web:http", "/x"),
        ("services/web:80", "/x"),
        ("services/http:web:http", "/x"),
        ("services/:web:80", "/x"),
    ],
)
async def test_names(scene, name, target):
    told = await scene.told(f"/api/v1/namespaces/default/{name.format(port=scene.port)}/proxy/x")
    assert told["target"] == target


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/proxy/", "/"),
        ("/proxy/a/", "/a/"),
        ("/proxy/a//b", "/a/b"),
        ("/proxy/a/../b", "/b"),
        ("/proxy/../../x", "/x"),
        ("/proxy/%E4%BD%A0", "/%E4%BD%A0"),
        ("/proxy/a%2Fb", "/a/b"),
        ("/proxy/proxy/log", "/proxy/log"),
    ],
)
async def test_paths(scene, path, target):
    assert (await scene.told(POD + path))["target"] == target


async def test_a_missing_slash(scene):
    reply = await scene.ask(f"{POD}/proxy?a=b")
    assert (reply.status, reply.headers["location"]) == (301, f"{POD}/proxy/?a=b")
    assert (await scene.told(f"{POD}/proxy", "POST"))["target"] == "/"


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("pods/none/proxy/", 404, 'pods "none" not found'),
        ("services/none/proxy/", 404, 'endpoints "none" not found'),
        ("services/none:80/proxy/", 404, 'services "none" not found'),
        ("services/web/proxy/", 503, 'no endpoints available for service "web"'),
        ("services/web:81/proxy/", 503, 'no endpoints available for service "web:81"'),
        ("services/web:82/proxy/", 503, 'no service port 82 found for service "web"'),
        ("services/ftp:web:http/proxy/", 400, 'invalid service request "ftp:web:http"'),
        ("pods/http:web:1:2/proxy/", 400, 'invalid pod request "http:web:1:2"'),
        ("pods/:/proxy/", 400, 'invalid pod request ":"'),
        ("pods/web:1/proxy/", 503, "error trying to reach service: cannot connect to 127.0.0.1:1: connection refused"),
        ("pods/web:nope/proxy/", 503, "error trying to reach service: dial tcp: lookup tcp/nope: unknown port"),
        ("pods/web:99999/proxy/", 503, "error trying to reach service: dial tcp: lookup tcp/99999: unknown port"),
        ("pods/web/proxy/?dryRun=All", 400, "dryRun is not supported"),
    ],
)
async def test_refusals(scene, path, code, message):
    assert await scene.refusal(f"/api/v1/namespaces/default/{path}") == (code, message)


async def test_pods_cannot_point_the_server_at_itself(scene):
    client = scene.cluster.server.client("admin", "system:masters")
    scene.cluster.server.core.agents = Agents(None)
    for address in ("127.0.0.1", "169.254.169.254", "::1"):
        status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
        await client.patch(kinds.POD, "web", status, "default", subresource="status", type="merge")
        assert await scene.refusal(f"{POD}/proxy/") == (400, "address not allowed")


@pytest.mark.parametrize("path", ["", "exec", "log", "stats"])
async def test_a_node_cannot_point_the_server_at_its_own_door(scene, path):
    client = scene.cluster.server.client("admin", "system:masters")
    await client.create(kinds.NODE, node(scene.cluster.port))
    own = {
        "": "/api/v1/nodes/n1/proxy/api/v1/secrets",
        "exec": f"{POD}/exec?container=app&command=id&stdout=1",
        "log": f"{POD}/log?container=app",
        "stats": f"/api/v1/nodes/n1:{scene.cluster.port}/proxy/",
    }
    assert await scene.refusal(own[path]) == (400, "address not allowed")


async def test_no_proxy_leads_to_a_door_of_the_api(scene):
    client = scene.cluster.server.client("admin", "system:masters")
    await client.create(kinds.NODE, node(scene.port))
    refused = (400, "address not allowed")
    port = scene.cluster.port
    assert await scene.refusal(f"/api/v1/nodes/https:n1:{port}/proxy/version") == refused
    assert await scene.refusal(f"/api/v1/namespaces/default/pods/https:web:{port}/proxy/version") == refused
    address = codec.decode(kinds.SERVICE, await client.get_raw(kinds.SERVICE, "kubernetes", "default")).spec.cluster_ip
    for host, port in ((address, 443), ("192.0.2.10", 6443)):  # the Service's, and where control planes say they are
        scene.cluster.server.core.agents = Agents(None)
        where = {"status": {"podIP": host, "podIPs": [{"ip": host}]}}
        await client.patch(kinds.POD, "web", where, "default", subresource="status", type="merge")
        assert await scene.refusal(f"/api/v1/namespaces/default/pods/https:web:{port}/proxy/version") == refused


async def test_links_and_redirects_lead_back_through_the_proxy(scene):
    base = f"{SERVICE}/web:80/proxy"
    assert (await scene.ask(f"{base}/redirect")).headers["location"] == f"{base}/login?next=%2F"
    assert (await scene.ask(f"{base}/redirect-away")).headers["location"] == "https://example.com/x"
    page = (await scene.ask(f"{base}/page")).body.decode()
    assert page == (
        f'<html><head><link href="{base}/style.css"></head>\n'
        f'<body><a href="{base}/a/?b=1&amp;c=2#d">x</a><a href="rel">y</a></body></html>'
    )
    packed = await scene.ask(f"{base}/packed")
    assert gzip.decompress(packed.body).decode() == page


async def test_a_backend_that_changes_the_protocol_unasked(scene):
    assert (await scene.ask(f"{POD}/proxy/switch")).status == 502


async def test_headers_back(scene):
    reply = await scene.ask(f"{POD}/proxy/nothing")
    assert reply.status == 204
    assert reply.headers["x-hop"] == "1"
    assert not {"keep-alive", "access-control-allow-origin"} & set(reply.headers)
    async with scene.admin.stream("GET", f"{POD}/proxy/page") as incoming:
        cookies = [value for name, value in incoming.raw_headers if name.lower() == b"set-cookie"]
        assert cookies == [b"a=1", b"b=2"]
        assert len([name for name, _ in incoming.raw_headers if name.lower() == b"date"]) == 1
        await incoming.body()


async def test_the_backends_own_errors_are_the_answer(scene):
    reply = await scene.ask(f"{POD}/proxy/error")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (500, b"my own fault", "text/plain")


async def test_large_answers_keep_their_length(scene):
    reply = await scene.ask(f"{POD}/proxy/large")
    assert reply.headers["content-length"] == "10000000"
    assert reply.body == b"x" * 10_000_000


async def test_answers_come_as_they_are_written(scene):
    async with scene.admin.stream("GET", f"{POD}/proxy/drip") as incoming:
        assert await incoming.read() == b"one"
        scene.site.stream.write(b"two")
        assert await incoming.read() == b"two"
        scene.site.stream.close()
        assert await incoming.read() == b""


async def test_a_client_that_goes_takes_the_backends_connection_along(scene):
    user = scene.user()
    async with user.stream("GET", f"{POD}/proxy/drip") as incoming:
        await incoming.read()
    await user.close()
    await until(scene.site.gone.is_set, "the backend sees it")
    scene.site.gone.clear()
    impatient = scene.user()
    asking = asyncio.ensure_future(impatient.request("GET", f"{POD}/proxy/never", timeout=None))
    await until(scene.site.asked.is_set, "the backend is asked")
    asking.cancel()
    await asyncio.wait([asking])
    await impatient.close()
    await until(scene.site.gone.is_set, "the backend sees that nobody waits")


async def test_a_break_is_seen(scene):
    async with scene.admin.stream("GET", f"{POD}/proxy/drip") as incoming:
        await incoming.read()
        scene.site.stream.abort()
        with pytest.raises(Exception, match="ended early"):
            await incoming.body()


class Source:
    """Megabytes for curl's standard input, counted as they go."""

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self.sent = 0

    async def pour(self, pipe: asyncio.StreamWriter) -> None:
        for _ in range(self._megabytes * 10):
            pipe.write(b"x" * 100_000)
            await pipe.drain()
            self.sent += 100_000
        pipe.close()


async def curl(scene: Scene, version: str, path: str, *arguments: str, source: Source | None = None) -> bytes:
    """What curl gets from a path, over that version of HTTP, as the administrator."""
    folder = scene.cluster.directory
    pair = pki.issue(scene.cluster.ca, "admin", ["system:masters"], client=True)
    pair.save(folder / "user.crt", folder / "user.key")
    command = ["curl", "-sS", f"--http{version}", "-m", "600", "--cacert", f"{folder}/ca.crt"]
    command += ["--cert", f"{folder}/user.crt", "--key", f"{folder}/user.key", *arguments]
    done = await asyncio.create_subprocess_exec(
        *command,
        f"https://127.0.0.1:{scene.cluster.port}{path}",
        stdin=asyncio.subprocess.PIPE if source else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    pouring = asyncio.ensure_future(source.pour(done.stdin)) if source and done.stdin else None
    assert done.stdout is not None
    assert done.stderr is not None
    out, err = await done.stdout.read(), await done.stderr.read()
    await done.wait()
    if pouring is not None:
        await pouring
    assert done.returncode == 0, err
    return out


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_uploads_pass_however_long_they_are(scene, version, tmp_path):
    data = bytes(range(256)) * 80_000  # 20 MB, more than the server ever holds of a body
    (tmp_path / "file").write_bytes(data)
    told = json.loads(await curl(scene, version, f"{POD}/proxy/upload", "-T", f"{tmp_path}/file"))
    assert (told["size"], told["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert told["headers"]["content-length"] == str(len(data))
    chunked = ("-T", f"{tmp_path}/file", "-H", "Transfer-Encoding: chunked" if version == "1.1" else "Content-Length:")
    told = json.loads(await curl(scene, version, f"{POD}/proxy/upload", *chunked))
    assert told["size"] == len(data)
    echoed = await curl(scene, version, f"{POD}/proxy/upload-echo", "-T", f"{tmp_path}/file")
    assert echoed == data
    for _ in range(3):
        refused = await curl(
            scene, version, f"{POD}/proxy/upload-refused", "-T", f"{tmp_path}/file", "-w", "%{http_code}"
        )
        assert refused == b"not here403"


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_an_upload_is_read_no_faster_than_it_is_taken(scene, version):
    scene.site.gate.clear()
    work = asyncio.ensure_future(curl(scene, version, f"{POD}/proxy/upload", "-T", "-", source=(whole := Source(60))))
    await until(lambda: scene.site.read, "some of it arrives")
    before = -1
    while before != whole.sent:
        before = whole.sent
        await asyncio.sleep(0.5)
    assert whole.sent < 30_000_000, "what nobody takes is kept in memory"
    scene.site.gate.set()
    assert json.loads(await work)["size"] == 60_000_000


async def test_an_upload_that_breaks_off(scene):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        scene.site.gone.set()
        await asyncio.sleep(60)

    user = scene.user()
    headers = [("Content-Length", "10000000")]
    work = asyncio.ensure_future(user.request("POST", f"{POD}/proxy/upload", body=pieces(), headers=headers))
    await until(lambda: scene.site.read >= 100_000, "some of it arrives")
    work.cancel()
    await asyncio.wait([work])
    await user.close()
    assert (await scene.ask(f"{POD}/proxy/x")).status == 200


async def test_an_upload_of_a_stranger_is_not_read(scene):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 100_000

    user = scene.user("somebody", "readers")
    reply = await user.request("POST", f"{POD}/proxy/upload", body=pieces())
    assert reply.status == 403
    reply = await scene.admin.request("POST", "/api/v1/namespaces/default/configmaps/proxy", body=pieces())
    assert reply.status in (405, 413)


async def test_websockets_pass(scene):
    socket = await connect(scene.user(), f"{POD}/proxy/socket?room=1", "chat")
    assert socket.headers["sec-websocket-protocol"] == "chat"
    assert socket.headers["x-target"] == "/socket?room=1"
    socket.raw.write(b"hello")
    assert await socket.raw.read() == b"<hello>"
    socket.raw.close()
    await until(lambda: scene.site.upgraded == 0, "the backend's connection ends")
    with pytest.raises(Refused) as caught:
        await connect(scene.user(), f"{POD}/proxy/error")
    assert (caught.value.status, caught.value.body) == (500, "my own fault")


async def test_who_asks_is_not_told_to_the_backend(scene):
    """Nor with which token, wherever that stands."""
    bearer = "base64url.bearer.authorization.k8s.io.c2VjcmV0"
    given = {"Authorization": "Bearer secret", "X-Remote-User": "admin", "X-Remote-Extra-A": "b"}
    acting = {"Impersonate-User": "jane", "Impersonate-Group": "system:masters", "Impersonate-Extra-a": "b"}
    reply = await scene.told(f"{POD}/proxy/x", **given, **acting, Sec_WebSocket_Protocol=f"chat, {bearer}")
    headers = reply["headers"]
    assert headers["sec-websocket-protocol"] == "chat"
    assert not [name for name in headers if name.startswith(("x-remote-", "impersonate-", "authorization"))]
    socket = await connect(scene.user(), f"{POD}/proxy/socket", f"chat, {bearer}")
    assert "secret" not in socket.headers["x-protocols"] and "c2VjcmV0" not in socket.headers["x-protocols"]
    socket.raw.close()


async def test_who_may_do_what(scene):
    reply = await scene.user("somebody", "readers").request("GET", f"{POD}/proxy/")
    assert reply.status == 403
    assert 'cannot get resource "pods/proxy"' in json.loads(reply.body)["message"]
    reply = await scene.user("somebody", "readers").request("POST", f"{POD}/proxy/")
    assert 'cannot create resource "pods/proxy"' in json.loads(reply.body)["message"]


async def test_nodes_are_asked_with_our_certificate_only_on_their_agents_port(scene):
    own = pki.issue(scene.cluster.ca, "kubelet-client", ["system:masters"], client=True)
    scene.cluster.server.core.agents = Agents(client_context(cert=own.cert, key=own.key, verify=False), beside)
    folder = scene.cluster.directory
    pki.issue(scene.cluster.ca, "n1", ips=["127.0.0.1"], server=True).save(folder / "agent.crt", folder / "agent.key")
    tls = ServerTls(folder / "agent.crt", folder / "agent.key", folder / "ca.crt")

    def agent(request: Request) -> Response:
        return Response(200, f"{request.peer and request.peer.common_name} {request.target}".encode(), "text/plain")

    client = scene.cluster.server.client("admin", "system:masters")
    async with Server(agent, "127.0.0.1", 0, tls) as first, Server(agent, "127.0.0.1", 0, tls) as second:
        await client.create(kinds.NODE, node(first.port))
        nodes = "/api/v1/nodes"
        assert (await scene.ask(f"{nodes}/n1/proxy/pods?a=1")).body == b"kubelet-client /pods?a=1"
        assert (await scene.ask(f"{nodes}/n1:{first.port}/proxy/pods")).body == b"kubelet-client /pods"
        assert (await scene.ask(f"{nodes}/https:n1:{second.port}/proxy/pods")).body == b"None /pods"
        assert (await scene.refusal(f"{nodes}/n1:{second.port}/proxy/pods"))[0] == 503
        assert await scene.refusal(f"{nodes}/none/proxy/") == (404, 'nodes "none" not found')


# links, as tables

REWRITER = Rewriter("/p/proxy", frozenset({"10.0.0.1:80", "api:6443"}))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/", "/p/proxy/"),
        ("/a/b/?c=d#e", "/p/proxy/a/b/?c=d#e"),
        ("/a//b", "/p/proxy/a/b"),
        ("a/b", "a/b"),
        ("?q", "?q"),
        ("#f", "#f"),
        ("", ""),
        ("http://10.0.0.1:80/x", "/p/proxy/x"),
        ("https://api:6443/x", "/p/proxy/x"),
        ("http://elsewhere/x", "http://elsewhere/x"),
        ("//elsewhere/x", "//elsewhere/x"),
        ("mailto:a@b", "mailto:a@b"),
        ("/p/proxy/x", "/p/proxy/x"),
        ("http://[", "http://["),
        ("/a%2Fb%20c", "/p/proxy/a%2Fb%20c"),
    ],
)
def test_links(link, expected):
    assert REWRITER.link(link) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"no tags", b"no tags"),
        (b'<A HREF="/x">\n<b title="/x">', b'<a href="/p/proxy/x">\n<b title="/x">'),
        (b"<img src=/x alt='a&amp;b' hidden/>", b'<img src="/p/proxy/x" alt="a&amp;b" hidden/>'),
        (b"<script>if (a<b) '<a href=\"/x\">'</script>", b"<script>if (a<b) '<a href=\"/x\">'</script>"),
        (b'<!-- <a href="/x"> --><a href="y">', b'<!-- <a href="/x"> --><a href="y">'),
        (b'\xff<form action="/x">\xfe', b'\xff<form action="/p/proxy/x">\xfe'),
        (b'<a href="/x"', b'<a href="/x"'),
        (b'<a href="/x>', b'<a href="/x>'),
        (b'<title><a href="/x"></TITLE ><a href="/x">', b'<title><a href="/x"></TITLE ><a href="/p/proxy/x">'),
        (b'<a href = "/x"/><a =href=/y b=c>', b'<a href="/p/proxy/x"/><a =href=/y b=c>'),
        (b'<a href="/&#%s;">' % (b"9" * 9000), b'<a href="/&#%s;">' % (b"9" * 9000)),
    ],
)
def test_pages(page, expected):
    assert rewrite(REWRITER, page, "") == expected
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = packer.compress(page) + packer.flush()
    assert zlib.decompress(rewrite(REWRITER, raw, "deflate"), -15) == expected
    assert gzip.decompress(rewrite(REWRITER, gzip.compress(page), "gzip")) == expected


@pytest.mark.parametrize(
    "unit", ["<a", "<a ", "<!--", '<a x="', "<a href='", "<![<!", "<?", "<a x=", "<script></script"]
)
def test_pages_of_strangers_cost_no_more_than_their_length(unit):
    """A scanner that looks at anything twice would need hours for these."""
    page = (unit * (2_000_000 // len(unit))).encode()
    assert rewrite(REWRITER, page, "") == page


def test_what_cannot_be_unpacked_stays():
    assert rewrite(REWRITER, b"garbage", "gzip") == b"garbage"
    bomb = gzip.compress(b"<a href=/>" * 10_000_000)
    assert rewrite(REWRITER, bomb, "gzip") == bomb


@pytest.mark.parametrize(
    ("prefix", "path", "joined"),
    [("/", "/a", "/a"), ("/a", "b/", "/a/b/"), ("/a/", "/b/../c", "/a/c"), ("", "//a", "/a"), ("/a", "/", "/a/")],
)
def test_joined_paths(prefix, path, joined):
    assert join(prefix, path) == joined
