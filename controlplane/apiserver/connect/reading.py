"""Bodies that come in pieces, for clients that read them over WebSocket: logs in a browser."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator

from kit.clock import Clock
from kit.http import websocket
from kit.http.client import ClientError
from kit.http.model import Request, Response, StreamClosed
from kit.http.raw import RawClosed
from kit.http.relay import first_of, part
from kit.http.websocket import Op
from kit.http.websocket_server import WebSocket

_BINARY, _BASE64 = ("", "binary.k8s.io"), "base64.binary.k8s.io"


async def read_out(request: Request, chunks: AsyncGenerator[bytes, None], clock: Clock) -> Response | None:
    """Send every piece as a message, an empty one first; a Response if the handshake is none. Closes `chunks`."""
    try:
        protocol, headers = websocket.answer(request.headers, (*_BINARY, _BASE64))
        raw = request.hijack(101, headers)
    except websocket.NoHandshake as error:
        await chunks.aclose()
        return Response(error.status, str(error).encode(), "text/plain")
    except StreamClosed:
        await chunks.aclose()
        return None
    socket = WebSocket(raw, largest=websocket.UNHEARD)
    try:
        await first_of(_send(socket, chunks, protocol == _BASE64), _listen(socket))
        socket.finish()
    finally:
        await chunks.aclose()
        await part(clock, raw)
    return None


async def _send(socket: WebSocket, chunks: AsyncGenerator[bytes, None], coded: bool) -> None:
    try:
        await socket.send(b"", Op.TEXT if coded else Op.BINARY)
        async for chunk in chunks:
            if coded:
                await socket.send(base64.b64encode(chunk), Op.TEXT)
            else:
                await socket.send(chunk)
    except RawClosed:
        return
    except ClientError:
        socket.finish(websocket.INTERNAL_ERROR, "the source broke")


async def _listen(socket: WebSocket) -> None:
    """The client has nothing to say, except that it goes."""
    async for _ in socket:
        pass
