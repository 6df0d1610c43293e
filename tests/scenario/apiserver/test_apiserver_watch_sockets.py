"""WATCH over WebSocket: an event a message, on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from api import kinds
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from client.client import Client
from kit import pki
from kit.http import websocket
from kit.http.client import HttpClient
from kit.http.server import Limits
from kit.http.tls import client_context
from kit.http.websocket import Op
from tests.scenario.apiserver.conftest import Cluster
from tests.scenario.apiserver.connections import Refused, Socket, connect, until

PATH = kinds.CONFIG_MAP.path("default")
PROTOBUF = "application/vnd.kubernetes.protobuf"
Open = Callable[..., Awaitable[Socket]]


@pytest.fixture
def writer(secure: Cluster) -> Client:
    return secure.server.client("admin", "system:masters")


@pytest.fixture
async def watch(secure: Cluster) -> AsyncIterator[Open]:
    """Open a watch with a query, and an Accept header."""
    pair = pki.issue(secure.ca, "admin", ["system:masters"], client=True)
    tls = client_context(secure.ca.cert, pair.cert, pair.key)
    http: list[HttpClient] = []
    sockets: list[Socket] = []

    async def opened(query: str, *protocols: str, accept: str = "", path: str = PATH) -> Socket:
        http.append(HttpClient("127.0.0.1", secure.port, tls))
        headers = [("Accept", accept)] if accept else []
        sockets.append(await connect(http[-1], f"{path}?watch=1&{query}", *protocols, headers=headers))
        return sockets[-1]

    yield opened
    for socket in sockets:
        socket.raw.abort()
        await socket.raw.wait_closed()
    for one in http:
        await one.close()


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


async def told(socket: Socket) -> tuple[str, str]:
    """Type and name of the next event."""
    message = await socket.next()
    assert message.op is Op.TEXT
    assert message.data.endswith(b"}\n")
    event = json.loads(message.data)
    return event["type"], event["object"]["metadata"].get("name", "")


async def test_each_event_is_a_message(watch, writer):
    await writer.create(kinds.CONFIG_MAP, config_map("a"))
    await writer.create(kinds.CONFIG_MAP, config_map("b"))
    sockets = [await watch("labelSelector=!x"), await watch("labelSelector=!x")]
    for socket in sockets:
        assert {await told(socket), await told(socket)} == {("ADDED", "a"), ("ADDED", "b")}
    await writer.create(kinds.CONFIG_MAP, config_map("c"))
    await writer.delete(kinds.CONFIG_MAP, "c", "default")
    for socket in sockets:
        assert [await told(socket), await told(socket)] == [("ADDED", "c"), ("DELETED", "c")]


async def test_protobuf_comes_in_binary_without_its_lengths(watch, writer):
    await writer.create(kinds.CONFIG_MAP, config_map("a"))
    message = await (await watch("", accept=f"{PROTOBUF};stream=watch")).next()
    assert message.op is Op.BINARY
    assert message.data.startswith(b"\n\x05ADDED\x12")
    assert b"k8s\x00" in message.data


async def test_tables_and_second_views(watch, writer):
    await writer.create(kinds.CONFIG_MAP, config_map("a"))
    table = json.loads((await (await watch("", accept="application/json;as=Table;g=meta.k8s.io;v=v1")).next()).data)
    assert (table["type"], table["object"]["kind"]) == ("ADDED", "Table")
    place = {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"namespace": "default"}}
    await writer.create_raw(kinds.EVENT, json.dumps(place).encode(), "default")
    socket = await watch("", path="/apis/events.k8s.io/v1/namespaces/default/events")
    while (event := json.loads((await socket.next()).data))["object"]["metadata"]["name"] != "e":
        pass
    assert event["object"]["apiVersion"] == "events.k8s.io/v1"


async def test_bookmarks_and_the_end(watch):
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
    socket = await watch(query)
    types = []
    while (message := await socket.next()).op is not Op.CLOSE:
        types.append(json.loads(message.data)["type"])
    assert types[-1] == "BOOKMARK"
    assert message.code == websocket.NORMAL
    assert await socket.raw.read() == b""


async def test_what_is_too_old_is_told_and_ends_the_watch(watch, writer, secure):
    for number in range(3):
        await writer.create(kinds.CONFIG_MAP, config_map(f"c{number}"))
    kept = secure.server.core.cache.resources[kinds.CONFIG_MAP]
    kept.forget(secure.server.core.cache.revision)
    socket = await watch("resourceVersion=1")
    event = json.loads((await socket.next()).data)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert (await socket.next()).op is Op.CLOSE


@pytest.mark.parametrize("offered", [(), ("binary.k8s.io",), ("base64.binary.k8s.io", "binary.k8s.io")])
async def test_the_first_protocol_that_is_offered_is_echoed(watch, writer, offered):
    await writer.create(kinds.CONFIG_MAP, config_map("a"))
    socket = await watch("", *offered)
    assert socket.headers.get("sec-websocket-protocol") == (offered[0] if offered else None)
    assert await told(socket) == ("ADDED", "a")  # as text, whatever the protocol


async def test_a_token_among_the_protocols_is_not_echoed(watch):
    socket = await watch("", "base64url.bearer.authorization.k8s.io.dG9rZW4", "binary.k8s.io")
    assert socket.headers["sec-websocket-protocol"] == "binary.k8s.io"


async def test_a_client_that_closes_is_let_go(watch, writer, secure):
    kept = secure.server.core.cache.resources[kinds.CONFIG_MAP]
    before = len(kept.listeners)
    first, second = await watch(""), await watch("")
    await until(lambda: len(kept.listeners) == before + 2, "both watch")
    first.send(b"\x03\xe8", Op.CLOSE)
    assert (await first.next()).op is Op.CLOSE
    second.raw.abort()
    await until(lambda: len(kept.listeners) == before, "nobody watches")


async def test_pings_are_answered_and_nonsense_is_cut(watch, secure):
    socket = await watch("")
    socket.send(b"anyone?", Op.PING)
    pong = await socket.next()
    assert (pong.op, pong.data) == (Op.PONG, b"anyone?")
    socket.raw.write(b"\x81\x01x")  # no mask
    close = await socket.next()
    assert (close.op, close.code) == (Op.CLOSE, websocket.PROTOCOL_ERROR)


async def test_a_reader_that_lags_is_cut_and_others_are_not(watch, writer, secure):
    kept = secure.server.core.cache.resources[kinds.CONFIG_MAP]
    before = len(kept.listeners)
    slow, quick = await watch(""), await watch("")
    await until(lambda: len(kept.listeners) == before + 2, "both watch")
    slow.raw.transport.pause_reading()
    large = "x" * 900_000
    seen: list[str] = []
    number = 0
    while len(kept.listeners) == before + 2:
        assert number * len(large) < 20 * Limits().stream_backlog, "the slow reader is never cut"
        await writer.create(kinds.CONFIG_MAP, config_map(f"c{number}", large=large))
        seen.append((await told(quick))[1])
        number += 1
    assert seen == [f"c{n}" for n in range(number)]
    assert len(kept.listeners) == before + 1


async def test_what_cannot_be_watched_is_refused_in_plain_http(watch):
    for query, accept, code in (
        ("labelSelector=!!", "", 400),
        ("", "application/yaml", 406),
        ("timeoutSeconds=x", "", 400),
    ):
        with pytest.raises(Refused) as refused:
            await watch(query, accept=accept)
        assert refused.value.status == code


async def test_a_handshake_that_is_none(secure):
    pair = pki.issue(secure.ca, "admin", ["system:masters"], client=True)
    http = HttpClient("127.0.0.1", secure.port, client_context(secure.ca.cert, pair.cert, pair.key))
    headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "12")]
    reply, raw = await http.upgrade("GET", f"{PATH}?watch=1", headers=headers)
    assert (raw, reply.status) == (None, 400)
    assert json.loads(reply.body)["reason"] == "BadRequest"
    await http.close()


async def test_it_is_measured_while_it_lasts(watch, secure, writer):
    def gauge() -> str:
        text = secure.server._metrics.render().decode()
        wanted = 'resource="configmaps",scope="namespace",subresource="",verb="WATCH"'
        lines = [line for line in text.splitlines() if wanted in line and "_bucket" not in line]
        return "\n".join(lines)

    socket = await watch("")
    await until(lambda: 'apiserver_longrunning_requests{component="apiserver"' in gauge(), "it is counted")
    assert gauge().splitlines()[-1].endswith(" 1.0")
    assert "apiserver_request_total" not in gauge()
    socket.raw.abort()
    await until(lambda: "apiserver_request_total" in gauge(), "it is counted as ended")
    assert 'code="0"' in gauge()  # as upstream has it for connections that became another than HTTP
    await asyncio.sleep(0)
    assert next(line for line in gauge().splitlines() if "longrunning" in line).endswith(" 0.0")


async def test_who_watches_has_little_to_say_and_must_read_answers(watch: Open):
    socket = await watch("resourceVersion=0")
    socket.send(b"x" * 70_000)
    while (message := await socket.next()).op is not Op.CLOSE:
        pass
    assert message.code == websocket.TOO_BIG
    deaf = await watch("resourceVersion=0")
    deaf.raw.transport.pause_reading()
    while not deaf.raw.transport.is_closing():  # cut when the answers are more than the backlog
        for _ in range(1000):
            deaf.send(b"x" * 125, Op.PING)
        await asyncio.sleep(0)
        if deaf.raw.transport.get_write_buffer_size() > 1 << 24:
            deaf.raw.transport.resume_reading()  # to see the end
            break
    async with asyncio.timeout(120):
        await deaf.raw.wait_closed()
