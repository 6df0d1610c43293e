"""port-forward for clients behind WebSocket: each message holds a piece of the SPDY connection that the node sees."""

from __future__ import annotations

from controlplane.apiserver.connect.onward import onward
from kit.clock import Clock
from kit.http import websocket
from kit.http.client import HttpClient
from kit.http.model import Request, Response, StreamClosed
from kit.http.raw import RawClosed, RawStream
from kit.http.relay import IDLE_SECONDS, Idleness, NotUpgraded, first_of, part
from kit.http.websocket import Op
from kit.http.websocket_server import WebSocket

_PREFIX, _SUFFIX = "SPDY/3.1+", ".k8s.io"
_OF_WEBSOCKET = ("connection", "upgrade", "x-stream-protocol-version")
_HANDSHAKE = ("sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions")


def tunnelled(protocols: list[str]) -> list[str]:
    """Those of the offered subprotocols that mean SPDY in messages, as SPDY names them."""
    return [name.removeprefix(_PREFIX) for name in protocols if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]


async def tunnel(
    request: Request, client: HttpClient, target: str, protocols: list[str], clock: Clock
) -> Response | None:
    """Join a client's WebSocket and a node's SPDY; a Response if there is no connection. Raises ClientError, NotUpgraded."""
    headers = onward(request, *_OF_WEBSOCKET, *_HANDSHAKE)
    headers += [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]
    headers += [("X-Stream-Protocol-Version", name) for name in protocols]
    reply, node = await client.upgrade("POST", target, headers=headers)
    if node is None:
        if reply.status < 400:
            raise NotUpgraded(f"invalid upgrade response: status code {reply.status}")
        return Response(reply.status, reply.body, reply.headers.get("content-type", ""))
    try:
        return await _tunnel(request, node, reply.headers.get("x-stream-protocol-version", "").strip(), clock)
    finally:
        await part(clock, node)


async def _tunnel(request: Request, node: RawStream, agreed: str, clock: Clock) -> Response | None:
    try:
        _, headers = websocket.answer(request.headers, (_PREFIX + agreed,))
        raw = request.hijack(101, headers)
    except websocket.NoHandshake as error:
        return Response(error.status, str(error).encode(), "text/plain")
    except StreamClosed:
        return None
    idle = Idleness(clock, IDLE_SECONDS, raw.abort)
    socket = WebSocket(raw, moved=idle.moved)
    try:
        await first_of(_out_of(socket, node), _into(socket, node))
        socket.finish()
    finally:
        idle.stop()
        await part(clock, raw)
    return None


async def _out_of(socket: WebSocket, node: RawStream) -> None:
    async for message in socket:
        if message.op is not Op.BINARY:
            socket.finish(websocket.PROTOCOL_ERROR, "messages of a tunnel are binary")
            return
        node.write(message.data)
        try:
            await node.drain()
        except RawClosed:
            continue  # what the node has sent before is still on its way


async def _into(socket: WebSocket, node: RawStream) -> None:
    try:
        async for data in node:
            await socket.send(data)
    except RawClosed:
        return  # the client has gone
