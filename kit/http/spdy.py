"""SPDY/3.1 without I/O: what multiplexes the streams of exec, attach and port-forward on an upgraded connection.

Only what these need: streams with headers, data both ways, half-closing, resets, pings, and the end. Header blocks are compressed with
the protocol's dictionary, one context for each direction and connection, so frames must be made and read in the order of the wire.
Window updates are read and ignored and none are sent: the library at the other end of these connections keeps no windows, and data beyond
a window would only be held up. What slows a sender down is the connection itself. Pings are answered.

What the other side can make us keep is bounded: it may have `MOST_STREAMS` open (towards a client none, nobody needs that here), and who
has `MOST_ANSWERS` to pings and refused streams waiting, because he asks and does not read, breaks the protocol.

`Session` serves both sides: `outgoing()` hands over what is to be sent, `receive` takes what has come and gives events. Data comes piece by
piece as it arrives, not frame by frame.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

VERSION = 3
_FIN = 0x01
_LARGEST_CONTROL = 64 * 1024  # bytes of a control frame, and of its headers unpacked
PIECE = 64 * 1024  # bytes of a data frame that we send
MOST_STREAMS = 1000  # that a client may have open
MOST_ANSWERS = 1000
_MASK = 0x7FFFFFFF

Headers = tuple[tuple[str, str], ...]


class Kind(IntEnum):
    """Kinds of control frames."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class Reset(IntEnum):
    """Why a stream is reset."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5
    INTERNAL_ERROR = 6


class Broken(Exception):
    """The other side breaks the protocol."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The other side opens a stream."""

    stream: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Replied:
    """The other side accepts a stream of ours."""

    stream: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes on a stream; with `fin` the other side sends no more on it."""

    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class WasReset:
    """A stream has ended in both directions."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ponged:
    """A ping of ours was answered."""

    id: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The other side takes no more streams."""

    last: int
    status: int


Event = Opened | Replied | Data | WasReset | Ponged | GoneAway


def _word(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()


_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow"
    " authorization cache-control connection content-base content-encoding content-language content-length content-location"
    " content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match"
    " if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range"
    " referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get"
    " status"
)
_MORE_WORDS = "version HTTP/1.1 url public set-cookie keep-alive origin"
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
# The dictionary of SPDY/3: what requests were expected to say, each word with its length before it, then pieces of text.
DICTIONARY = b"".join(map(_word, [*_WORDS.split(), "200 OK", *_MORE_WORDS.split()])) + _TEXT.encode()


class Session:
    """One side of a connection. Streams of the client have odd numbers."""

    def __init__(self, *, client: bool) -> None:
        self._client = client
        self._next_id = 1 if client else 2
        self._last_opened = 0  # by the other side
        self._pack = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        self._unpack = zlib.decompressobj(15, DICTIONARY)
        self._buffer = bytearray()
        self._data: tuple[int, bool, int] | None = None  # stream, fin and bytes left of the data frame being read
        self._outgoing: list[bytes] = []
        self._answers = 0  # among these, that nobody but the other side has asked for
        self._open: set[int] = set()  # streams on which we may still send
        self._most = 0 if client else MOST_STREAMS

    # sending

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        data, self._outgoing, self._answers = b"".join(self._outgoing), [], 0
        return data

    @property
    def waiting(self) -> bool:
        """Whether something is to be sent."""
        return bool(self._outgoing)

    def open(self, headers: Iterable[tuple[str, str]], *, fin: bool = False) -> int:
        """Open a stream; its number."""
        stream, self._next_id = self._next_id, self._next_id + 2
        self._control(
            Kind.SYN_STREAM, struct.pack(">IIBB", stream, 0, 0, 0) + self._packed(headers), _FIN if fin else 0
        )
        if not fin:
            self._open.add(stream)
        return stream

    def reply(self, stream: int, headers: Iterable[tuple[str, str]] = (), *, fin: bool = False) -> None:
        """Accept a stream."""
        self._control(Kind.SYN_REPLY, struct.pack(">I", stream) + self._packed(headers), _FIN if fin else 0)
        if fin:
            self._open.discard(stream)

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send on a stream, and with `fin` end our direction of it; nothing happens on one that has ended."""
        if stream not in self._open:
            return
        view = memoryview(data)
        for start in range(0, len(data) or 1, PIECE):
            piece = view[start : start + PIECE]
            last = fin and start + PIECE >= len(data)
            if piece or last:
                self._outgoing.append(struct.pack(">II", stream, (_FIN if last else 0) << 24 | len(piece)))
                self._outgoing.append(bytes(piece))
        if fin:
            self._open.discard(stream)

    def reset(self, stream: int, status: Reset = Reset.CANCEL) -> None:
        """End a stream in both directions."""
        self._open.discard(stream)
        self._control(Kind.RST_STREAM, struct.pack(">II", stream, status))

    def ping(self, number: int) -> None:
        """Ask for a sign of life; numbers have the parity of our streams."""
        self._control(Kind.PING, struct.pack(">I", number))

    def go_away(self) -> None:
        """Take no more streams."""
        self._control(Kind.GOAWAY, struct.pack(">II", self._last_opened, 0))

    # receiving

    def receive(self, data: bytes) -> Iterator[Event]:
        """What these bytes say. Raises Broken."""
        self._buffer += data
        while True:
            if self._data is not None:
                if (piece := self._take_data()) is not None:
                    yield piece
                if self._data is not None:
                    return
            if len(self._buffer) < 8:
                return
            head, rest = struct.unpack_from(">II", self._buffer)
            flags, size = rest >> 24, rest & 0xFFFFFF
            if not head >> 31:
                del self._buffer[:8]
                self._data = (head & _MASK, bool(flags & _FIN), size)
                continue
            if head >> 16 & 0x7FFF != VERSION:
                raise Broken(f"version {head >> 16 & 0x7FFF} of SPDY")
            if size > _LARGEST_CONTROL:
                raise Broken(f"a control frame of {size} bytes")
            if len(self._buffer) < 8 + size:
                return
            body = bytes(self._buffer[8 : 8 + size])
            del self._buffer[: 8 + size]
            try:
                event = self._read(head & 0xFFFF, bool(flags & _FIN), body)
            except struct.error:
                raise Broken(f"a control frame of kind {head & 0xFFFF} that is too short") from None
            if event is not None:
                yield event

    def _take_data(self) -> Data | None:
        """As much of the data frame being read as is there."""
        assert self._data is not None
        stream, fin, left = self._data
        piece = bytes(self._buffer[:left])
        del self._buffer[:left]
        left -= len(piece)
        self._data = (stream, fin, left) if left else None
        ends = fin and not left
        return Data(stream, piece, ends) if piece or ends else None

    def _read(self, kind: int, fin: bool, body: bytes) -> Event | None:
        match kind:
            case Kind.SYN_STREAM:
                return self._opened(body, fin)
            case Kind.SYN_REPLY:
                (stream,) = struct.unpack_from(">I", body)
                return Replied(stream & _MASK, self._unpacked(body[4:]), fin)
            case Kind.RST_STREAM:
                stream, status = struct.unpack_from(">II", body)
                self._open.discard(stream & _MASK)
                return WasReset(stream & _MASK, status)
            case Kind.PING:
                (number,) = struct.unpack_from(">I", body)
                if number % 2 == self._client:
                    return Ponged(number)
                self._answer()
                self.ping(number)
            case Kind.GOAWAY:
                last, status = struct.unpack_from(">II", body)
                return GoneAway(last & _MASK, status)
            case Kind.HEADERS:
                (stream,) = struct.unpack_from(">I", body)
                self._unpacked(body[4:])  # unread, but the compression goes on from it
                if fin:
                    return Data(stream & _MASK, b"", True)
            case _:
                pass  # settings, window updates, and what nobody knows
        return None

    def _answer(self) -> None:
        self._answers += 1
        if self._answers > MOST_ANSWERS:
            raise Broken(f"more than {MOST_ANSWERS} answers wait to be read")

    def _opened(self, body: bytes, fin: bool) -> Opened | None:
        stream, _, _, _ = struct.unpack_from(">IIBB", body)
        stream &= _MASK
        if stream % 2 == self._client or stream <= self._last_opened:
            raise Broken(f"stream {stream} may not be opened")
        self._last_opened = stream
        headers = self._unpacked(body[10:])
        if len(self._open) >= self._most:
            self._answer()
            self.reset(stream, Reset.REFUSED_STREAM)
            return None
        self._open.add(stream)
        return Opened(stream, headers, fin)

    # header blocks

    def _packed(self, headers: Iterable[tuple[str, str]]) -> bytes:
        merged: dict[bytes, bytes] = {}
        for name, value in headers:
            key, coded = name.lower().encode(), value.encode()
            merged[key] = merged[key] + b"\0" + coded if key in merged else coded
        block = [struct.pack(">I", len(merged))]
        for key, coded in merged.items():
            block += (struct.pack(">I", len(key)), key, struct.pack(">I", len(coded)), coded)
        return self._pack.compress(b"".join(block)) + self._pack.flush(zlib.Z_SYNC_FLUSH)

    def _unpacked(self, packed: bytes) -> Headers:
        try:
            block = self._unpack.decompress(packed, _LARGEST_CONTROL)
        except zlib.error as error:
            raise Broken(f"headers that cannot be unpacked: {error}") from None
        if self._unpack.unconsumed_tail:
            raise Broken(f"headers of more than {_LARGEST_CONTROL} bytes")
        found: list[tuple[str, str]] = []
        (count,) = struct.unpack_from(">I", block)
        position = 4
        for _ in range(count):
            name, position = _string(block, position)
            value, position = _string(block, position)
            found += [(name, single) for single in value.split("\0")]
        return tuple(found)

    def _control(self, kind: Kind, body: bytes, flags: int = 0) -> None:
        self._outgoing.append(struct.pack(">HHI", 0x8000 | VERSION, kind, flags << 24 | len(body)) + body)


def _string(block: bytes, position: int) -> tuple[str, int]:
    (size,) = struct.unpack_from(">I", block, position)
    end = position + 4 + size
    if end > len(block):
        raise Broken("a header block that ends early")
    return block[position + 4 : end].decode(errors="replace"), end
