"""The API server over HTTP/1.1 and HTTP/2: large answers, gzip, limits of requests in flight, watches, kubectl."""

from __future__ import annotations

import asyncio
import json
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from api import kinds
from controlplane.apiserver.identity.settings import IdentitySettings
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit import pki
from kit.clock import SystemClock
from kit.http import h2
from kit.http.server import Server
from kit.http.tls import ServerTls, client_context
from kit.supervisor import Supervisor
from tests.kubectls import DEBIAN, found
from tests.unit.kit.talk import PATIENCE, Connection1, Connection2, Reply, speaking1, speaking2

Speaking = Callable[..., AbstractAsyncContextManager[Connection1 | Connection2]]
MAPS = kinds.CONFIG_MAP.path("default")
MANAGER = "system:kube-controller-manager"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


class Site:
    """A listening API server, and certificates of its users."""

    def __init__(self, api: ApiServer, directory: Path) -> None:
        self.api = api
        self._directory = directory
        self._ca = pki.make_ca("test")
        self.server: Server
        self.user: tuple[str, ...] = ("admin", "system:masters")

    async def listen(self, supervisor: Supervisor) -> None:
        serving = pki.issue(self._ca, "apiserver", dns=["localhost"], ips=["127.0.0.1"], server=True)
        serving.save(self._directory / "s.crt", self._directory / "s.key")
        (self._directory / "ca.crt").write_bytes(self._ca.cert)
        tls = ServerTls(self._directory / "s.crt", self._directory / "s.key", self._directory / "ca.crt")
        (self.server,) = await self.api.listen([("127.0.0.1", 0)], tls, supervisor)

    def kubeconfig(self) -> Path:
        """For the user."""
        pair = pki.issue(self._ca, self.user[0], self.user[1:], client=True)
        files = {name: self._directory / f"user-{name}" for name in ("cert", "key")}
        files["cert"].write_bytes(pair.cert)
        files["key"].write_bytes(pair.key)
        cluster = {
            "server": f"https://127.0.0.1:{self.server.port}",
            "certificate-authority": str(self._directory / "ca.crt"),
        }
        user = {"client-certificate": str(files["cert"]), "client-key": str(files["key"])}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        path = self._directory / "kubeconfig"
        path.write_text(json.dumps(document))
        return path

    def context(self, *protocols: str, certificate: bool = True) -> ssl.SSLContext:
        pair = pki.issue(self._ca, self.user[0], self.user[1:], client=True)
        made = client_context(self._ca.cert, pair.cert, pair.key)
        made.set_alpn_protocols(list(protocols))
        return made


@pytest.fixture(params=[(400, 200)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with Supervisor(signals=False) as supervisor:
        clock = SystemClock()
        store = await SqliteStore.open(tmp_path / "store.db", clock)
        supervisor.defer("store", store.close)
        settings = Settings("192.0.2.10", in_flight=request.param, identity=IdentitySettings(pki.make_key()))
        api = ApiServer(store, settings, clock)
        await api.start(supervisor)
        made = Site(api, tmp_path)
        await made.listen(supervisor)
        yield made
        supervisor.stop()


@pytest.fixture(params=[speaking1, speaking2], ids=["http1", "http2"])
def speaking(request: pytest.FixtureRequest) -> Any:
    return request.param


def config_map(name: str, size: int = 10) -> bytes:
    return json.dumps({"metadata": {"name": name}, "data": {"k": "x" * size}}).encode()


async def fill(connection: Connection1 | Connection2, count: int, size: int) -> None:
    for number in range(count):
        reply = await connection.ask(
            "POST", MAPS, [("content-type", "application/json")], config_map(f"m{number}", size)
        )
        assert reply.status == 201


@pytest.mark.parametrize("accept", ["application/json", "application/yaml", TABLE])
async def test_large_lists_are_compressed_for_who_takes_it(site: Site, speaking: Speaking, accept: str) -> None:
    async with speaking(site.server, site) as connection:
        await fill(connection, 120, 3000)
        plain = await connection.ask("GET", MAPS, [("accept", accept)])
        packed = await connection.ask("GET", MAPS, [("accept", accept), ("accept-encoding", "gzip")])
        refused = await connection.ask("GET", MAPS, [("accept", accept), ("accept-encoding", "gzip;q=0")])
        small = await connection.ask("GET", f"{MAPS}?limit=2", [("accept", accept), ("accept-encoding", "gzip")])
    assert "content-encoding" not in plain.headers and "content-encoding" not in refused.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert (
        packed.headers["content-encoding"] == "gzip" and packed.headers["content-type"] == plain.headers["content-type"]
    )
    unpacked = zlib.decompress(packed.body, 31)
    assert len(packed.body) < len(plain.body) // 4
    if accept != TABLE:  # whose ages move on
        assert unpacked == plain.body == refused.body
    assert "content-encoding" not in small.headers and "vary" not in small.headers


async def test_documents_are_compressed_and_kept(site: Site, speaking: Speaking) -> None:
    async with speaking(site.server, site) as connection:
        plain = await connection.ask("GET", "/openapi/v2")
        packed = [await connection.ask("GET", "/openapi/v2", [("accept-encoding", "gzip")]) for _ in range(2)]
        head = await connection.ask("HEAD", "/openapi/v2", [("accept-encoding", "gzip")])
    assert zlib.decompress(packed[0].body, 31) == plain.body and packed[0].body == packed[1].body
    assert packed[0].headers["etag"] == plain.headers["etag"] and "content-encoding" not in head.headers
    assert len(site.api.handler._documents._kept) == 1


async def test_watches_are_never_compressed(site: Site, speaking: Speaking) -> None:
    async with speaking(site.server, site) as connection:
        await fill(connection, 60, 3000)
        reply = await connection.ask("GET", f"{MAPS}?watch=1&timeoutSeconds=1", [("accept-encoding", "gzip")])
    assert "content-encoding" not in reply.headers and reply.body.count(b'"type":"ADDED"') == 60


async def test_others_are_served_while_a_large_table_is_made(site: Site) -> None:
    async with speaking2(site.server, site, window=1 << 24) as connection:
        await fill(connection, 400, 3000)
        large = connection.begin("GET", MAPS, [("accept", TABLE)], end=True)
        small = connection.begin("GET", f"{MAPS}/m1", end=True)
        seen: list[bool] = []
        await connection.until(
            lambda: connection.replies[small].ended and (seen.append(connection.replies[large].ended) or True)
        )
        await connection.answer(large)
    assert seen == [False]


# requests in flight


@pytest.mark.parametrize("site", [(1, 1)], indirect=True)
async def test_one_too_many_comes_back_later(site: Site) -> None:
    site.user = (MANAGER,)
    async with speaking2(site.server, site) as connection:
        first = await posted(connection, 3)
        codes = [reply.status for reply in first]
        assert codes.count(201) == 1 and codes.count(429) == 2
        refused = next(reply for reply in first if reply.status == 429)
        document = json.loads(refused.body)
        assert refused.headers["retry-after"] == "1"
        assert (document["reason"], document["message"]) == (
            "TooManyRequests",
            "Too many requests, please try again later.",
        )
        assert [reply.status for reply in await posted(connection, 1, "again")] == [201]
        watch = await connection.open(f"{MAPS}?watch=1")
        assert watch.status == 200 and (await connection.ask("GET", MAPS)).status == 200
    site.user = ("admin", "system:masters")
    async with speaking2(site.server, site) as connection:
        assert [reply.status for reply in await posted(connection, 3, "admins")] == [201] * 3


async def posted(connection: Connection2, count: int, name: str = "a") -> list[Reply]:
    """Answers to creates that arrive together."""
    ids = []
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for number in range(count):
        id_: int = connection.engine.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", MAPS)]
        connection.engine.send_headers(id_, [*head, ("content-type", "application/json")])
        connection.engine.send_data(id_, config_map(f"{name}{number}"), end_stream=True)
        connection.replies[id_] = Reply()
        ids.append(id_)
    connection.flush()
    connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
    return [await connection.answer(id_) for id_ in ids]


# watches


@pytest.mark.slow
async def test_thousands_of_watches_and_one_that_does_not_read(site: Site) -> None:
    """Everybody who reads gets every event in order; who does not read is cut, and hurts nobody, not even on his own connection."""
    events, size = 15, 150_000
    two = [speaking2(site.server, site, window=1 << 20) for _ in range(8)]
    one = [speaking1(site.server, site) for _ in range(500)]
    path = f"{MAPS}?watch=1"
    try:
        h2s = [await each.__aenter__() for each in two]
        h1s = [await each.__aenter__() for each in one]
        small = "/api/v1/namespaces/kube-public/configmaps?watch=1"
        replies = [await connection.open(small) for connection in h2s for _ in range(249)]
        replies += [await connection.open(small) for connection in h1s]
        quick = await h2s[1].open(path)
        lazy = await h2s[0].open(path)
        lazy.read = False
        async with speaking2(site.server, site) as writer:
            for number in range(events):
                await created(writer, "kube-public", f"e{number:03}", 100)
            count = 0
            while lazy.broken is None and count < 100:
                await created(writer, "default", f"big{count:05}", size)
                count += 1
        await h2s[0].until(lambda: lazy.broken is not None)
        wanted = [f"e{number:03}" for number in range(events)]
        for reply in replies:
            async with asyncio.timeout(PATIENCE):
                while reply.body.count(b"\n") < events:
                    await asyncio.sleep(0.01)
            assert names(reply) == wanted and reply.broken is None and not reply.ended
        await h2s[1].until(lambda: quick.body.count(b"\n") >= count)
        assert names(quick) == [f"big{number:05}" for number in range(count)]
    finally:
        for each in (*two, *one):
            await each.__aexit__(None, None, None)


async def created(connection: Connection2, namespace: str, name: str, size: int) -> None:
    reply = await connection.ask(
        "POST", kinds.CONFIG_MAP.path(namespace), [("content-type", "application/json")], config_map(name, size)
    )
    assert reply.status == 201


def names(reply: Reply) -> list[str]:
    """The objects of a watch's events, without those that were there before."""
    events = [json.loads(line) for line in reply.body.splitlines()]
    return [
        event["object"]["metadata"]["name"]
        for event in events
        if event["object"]["metadata"]["name"] != "kube-root-ca.crt"
    ]


# kubectl


@pytest.mark.parametrize("kubectl", [name for name in found() if name != DEBIAN])
async def test_all_that_kubectl_asks_goes_over_one_connection_of_http2(site: Site, kubectl: str) -> None:
    watching = await asyncio.create_subprocess_exec(
        *(kubectl, f"--kubeconfig={site.kubeconfig()}", "get", "configmaps", "--watch", "--output=name"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert watching.stdout is not None
        async with speaking2(site.server, site) as connection:
            async with asyncio.timeout(180):
                while not any(part.streams for part in theirs(site, connection)):
                    await asyncio.sleep(0.01)
                await created(connection, "default", "news", 10)
                while (await watching.stdout.readline()).strip() != b"configmap/news":
                    pass
            assert [part.streams for part in theirs(site, connection)] == [1]
    finally:
        watching.kill()
        await watching.wait()


def theirs(site: Site, ours: Connection2) -> list[h2.Connection]:
    """The server's connections of HTTP/2 that are not our own."""
    port = ours.writer.get_extra_info("sockname")[1]
    connections = [part for part in site.server._connections if isinstance(part, h2.Connection)]
    assert len(connections) == len(site.server._connections)
    return [part for part in connections if part._transport.get_extra_info("peername")[1] != port]
