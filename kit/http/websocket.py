"""WebSocket (RFC 6455) without I/O: the handshake's answer, frames out of bytes, bytes out of frames. Extensions are not offered.

`Reader` puts one direction of a connection together again: it is fed bytes as they come and gives whole messages, pings and the close. It
enforces what the other side must keep to: masks (from clients), control frames in one piece, continuations that continue something, UTF-8
in text, and a limit for a message with all its fragments. What breaks a rule raises `Broken` with the close code to answer with.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTROL = 0x8
_LONGEST_CONTROL = 125
LARGEST = 32 * 1024 * 1024  # bytes of a message
UNHEARD = 64 * 1024  # of one that nobody listens to

NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_CODE, BAD_DATA, TOO_BIG, INTERNAL_ERROR = (
    1000,
    1001,
    1002,
    1005,
    1007,
    1009,
    1011,
)
_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class Op(IntEnum):
    """What a frame is."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_OPS = frozenset(Op)


class Broken(Exception):
    """The other side breaks the protocol; `code` says how, for the closing frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NoHandshake(Exception):
    """The request is no WebSocket handshake that can be answered; `status` is the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message, ping, pong or close. A close has its code in `code` (1005: it had none) and its reason in `data`."""

    op: Op
    data: bytes
    code: int = NO_CODE


def offered(header: str) -> list[str]:
    """The subprotocols in a Sec-WebSocket-Protocol header."""
    return [name for part in header.split(",") if (name := part.strip())]


def answer(headers: dict[str, str], protocols: Sequence[str] = ()) -> tuple[str, list[tuple[str, str]]]:
    """The chosen subprotocol and the headers of the 101 answer. The first that is offered and among `protocols` is chosen; "" among them
    stands for none offered. Raises NoHandshake."""
    key = headers.get("sec-websocket-key", "").strip()
    if headers.get("sec-websocket-version", "").strip() != "13":
        raise NoHandshake(400, "the version of WebSocket must be 13")
    try:
        fits = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        fits = False
    if not fits:
        raise NoHandshake(400, "Sec-WebSocket-Key is missing or is not 16 bytes in base64")
    asked = offered(headers.get("sec-websocket-protocol", ""))
    chosen = next((name for name in asked or [""] if name in protocols), None)
    if chosen is None:
        known = " ".join(name for name in protocols if name)
        raise NoHandshake(403, f"requested protocol(s) are not supported: [{' '.join(asked)}]; supports [{known}]")
    lines = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
    if chosen:
        lines.append(("Sec-WebSocket-Protocol", chosen))
    return chosen, lines


def accept_key(key: str) -> str:
    """The proof that the key was read."""
    digest = hashlib.sha1(key.encode("latin-1") + _MAGIC, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def frame(op: Op, data: bytes | bytearray | memoryview = b"", *, fin: bool = True, mask: bytes = b"") -> bytes:
    """One frame. Only clients mask."""
    size = len(data)
    first = (0x80 if fin else 0) | op
    masked = 0x80 if mask else 0
    if size <= _LONGEST_CONTROL:
        head = bytes((first, masked | size))
    elif size < 1 << 16:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    return b"".join((head, mask, apply_mask(bytes(data), mask) if mask else data))


def close_frame(code: int = NORMAL, reason: str = "", *, mask: bytes = b"") -> bytes:
    """The frame that ends a direction; a reason that is too long is cut between characters."""
    text = reason.encode()[: _LONGEST_CONTROL - 2].decode(errors="ignore").encode()
    return frame(Op.CLOSE, code.to_bytes(2, "big") + text, mask=mask)


def apply_mask(data: bytes, mask: bytes) -> bytes:
    """Mask or unmask: four bytes, over and over. As whole numbers, since a loop over bytes would be a hundred times slower."""
    size = len(data)
    repeated = mask * (size // 4) + mask[: size % 4]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")


class Reader:
    """One direction: bytes in, messages out."""

    def __init__(self, *, masked: bool = True, largest: int = LARGEST) -> None:
        self._masked = masked
        self._largest = largest
        self._buffer = bytearray()
        self._op: Op | None = None  # of the message whose fragments are being collected
        self._pieces: list[bytes] = []
        self._size = 0
        self._closed = False

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that these bytes complete. After a close nothing more is read. Raises Broken."""
        self._buffer += data
        while not self._closed and (found := self._next()) is not None:
            fin, op, payload = found
            if op >= _CONTROL:
                yield self._control(op, payload)
            elif (message := self._collect(fin, op, payload)) is not None:
                yield message

    def _next(self) -> tuple[bool, Op, bytes] | None:
        """A whole frame, unmasked, or None until more has come."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        if first & 0x70:
            raise Broken(PROTOCOL_ERROR, "reserved bits are set, but no extension was agreed on")
        if first & 0x0F not in _OPS:
            raise Broken(PROTOCOL_ERROR, f"unknown kind of frame {first & 0x0F}")
        if bool(second & 0x80) is not self._masked:
            raise Broken(PROTOCOL_ERROR, "frames of clients must be masked" if self._masked else "a masked frame")
        fin, op, size, start = bool(first & 0x80), Op(first & 0x0F), second & 0x7F, 2
        if op >= _CONTROL and (size > _LONGEST_CONTROL or not fin):
            raise Broken(PROTOCOL_ERROR, "a control frame that is too long or fragmented")
        if size > _LONGEST_CONTROL:
            start += 2 if size == 126 else 8
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
        if op < _CONTROL and size + self._size > self._largest:
            raise Broken(TOO_BIG, f"a message may have at most {self._largest} bytes")
        end = start + size + (4 if self._masked else 0)
        if len(buffer) < end:
            return None
        payload = bytes(memoryview(buffer)[end - size : end])
        if self._masked:
            payload = apply_mask(payload, bytes(buffer[start : start + 4]))
        del buffer[:end]
        return fin, op, payload

    def _collect(self, fin: bool, op: Op, payload: bytes) -> Message | None:
        if (op is Op.CONTINUATION) is (self._op is None):
            raise Broken(PROTOCOL_ERROR, "a fragment out of order")
        if self._op is None:
            self._op = op
        self._pieces.append(payload)
        self._size += len(payload)
        if len(self._pieces) > 64 and self._size < len(self._pieces):
            self._pieces = [b"".join(self._pieces)]  # empty fragments cost memory too
        if not fin:
            return None
        data = payload if len(self._pieces) == 1 else b"".join(self._pieces)
        op, self._op, self._pieces, self._size = self._op, None, [], 0
        if op is Op.TEXT:
            _check_text(data)
        return Message(op, data)

    def _control(self, op: Op, payload: bytes) -> Message:
        if op is not Op.CLOSE:
            return Message(op, payload)
        self._closed = True
        if not payload:
            return Message(op, b"")
        code = int.from_bytes(payload[:2], "big")
        if len(payload) == 1 or not (code in _CODES or 3000 <= code < 5000):
            raise Broken(PROTOCOL_ERROR, "a close without a valid code")
        _check_text(payload[2:])
        return Message(op, payload[2:], code)


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        raise Broken(BAD_DATA, "text that is not UTF-8") from None
