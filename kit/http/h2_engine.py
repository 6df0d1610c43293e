"""The frames of HTTP/2, by libnghttp2: header compression, flow control, the states of streams, what is a violation.

The only file that knows the binding, which is young: to replace it, write this file again. An engine does no I/O; bytes go in by `receive`
and come out by `take`, both may bring events. A body's bytes wait inside until flow control lets them out; nothing here limits how many:
whoever writes looks at `queued` (of one stream, or of all).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import ngh2
from ngh2 import (
    DataReceived,
    PingReceived,
    RequestReceived,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
)
from ngh2.events import ConnectionClosed, Event

from kit.http.model import HttpError

__all__ = [
    "CALM",
    "CANCEL",
    "INTERNAL",
    "NO_ERROR",
    "REFUSED",
    "ConnectionClosed",
    "DataReceived",
    "Engine",
    "Event",
    "Gone",
    "PingReceived",
    "RequestReceived",
    "SettingsReceived",
    "StreamClosed",
    "StreamReset",
    "TrailersReceived",
    "Violation",
    "goaway",
]

NO_ERROR: Final = 0x0
PROTOCOL: Final = 0x1
INTERNAL: Final = 0x2
REFUSED: Final = 0x7
CANCEL: Final = 0x8
CALM: Final = 0xB

_MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW_SIZE, _MAX_HEADER_LIST_SIZE = 0x3, 0x4, 0x6
_STREAM_WINDOW = 256 * 1024  # what a peer may send of a body before it hears of us, as upstream has it

# The peer has ended the stream, or the engine the connection; the event that says so is on its way.
Gone = (ngh2.StreamProtocolError, ngh2.ConnectionStateError, ngh2.ConnectionClosingError)

HeaderList = Sequence[tuple[bytes, bytes]]


class Violation(HttpError):
    """The peer has broken the rules, and the connection with them."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Engine:
    """The server's side of one connection."""

    __slots__ = ("_connection", "end", "events", "queued", "send")

    def __init__(self, streams: int, head: int) -> None:
        """At most `streams` requests at a time, with heads of `head` bytes; those up to twice that can still be answered."""
        self._connection = connection = ngh2.Connection(ngh2.Role.SERVER, _configuration(head))
        connection.initiate_connection(
            {_MAX_CONCURRENT_STREAMS: streams, _INITIAL_WINDOW_SIZE: _STREAM_WINDOW, _MAX_HEADER_LIST_SIZE: head}
        )
        connection.set_local_window_size(_STREAM_WINDOW * 16)
        self.events: Callable[[], list[Event]] = connection.events
        self.queued: Callable[..., int] = connection.queued_body_size
        self.send: Callable[[int, bytes], None] = connection.send_data
        self.end: Callable[[int], None] = connection.end_stream

    def receive(self, data: bytes) -> list[Event]:
        """What the peer's bytes mean. Raises Violation."""
        try:
            self._connection.receive_data(data)
        except ngh2.DenialOfServiceError as error:
            raise Violation(CALM, str(error)) from None
        except ngh2.NGH2Error as error:
            raise Violation(PROTOCOL, str(error)) from None
        return self._connection.events()

    def take(self, amount: int) -> bytes:
        """Up to `amount` bytes for the peer; none if there is nothing to say, or nothing that it has room for. Raises Violation."""
        try:
            return self._connection.data_to_send(amount)
        except ngh2.NGH2Error as error:
            raise Violation(INTERNAL, str(error)) from None

    def respond(self, stream: int, headers: HeaderList, *, end: bool) -> None:
        """Begin the answer; a body follows by `send` and `end`, unless this is the end. All three raise Gone."""
        self._connection.send_response(stream, headers, end_stream=end)

    def acknowledge(self, stream: int, amount: int) -> None:
        """So many bytes of bodies were taken: the peer may send as many more. Also for streams that have ended. Raises Gone."""
        self._connection.acknowledge_received_data(amount, stream)

    def inform(self, stream: int, status: bytes) -> None:
        """An answer before the answer, such as 100. Raises Gone."""
        self._connection.send_informational_response(stream, [(b":status", status)])

    def reset(self, stream: int, code: int) -> None:
        """End a stream in both directions, and forget what is queued for it. Raises Gone."""
        self._connection.reset_stream(stream, code)

    def goaway(self) -> None:
        """No new requests; those that have come are answered. Raises Gone."""
        self._connection.send_goaway(NO_ERROR)

    def ping(self) -> None:
        """Ask whether the peer is there. Raises Gone."""
        self._connection.ping()


def goaway(last_stream: int, code: int, reason: str) -> bytes:
    """The frame that ends a connection whose engine has given up."""
    text = reason.encode()[:256]
    size, stream = (8 + len(text)).to_bytes(3, "big"), last_stream.to_bytes(4, "big")
    return size + b"\x07\x00\x00\x00\x00\x00" + stream + code.to_bytes(4, "big") + text


def _configuration(head: int) -> ngh2.Configuration:
    """The engine's own bounds lie behind those that the connection keeps, except for the frames of one head; windows are ours to open."""
    return ngh2.Configuration(
        auto_window_update=False,
        max_inbound_header_list_size=2 * head,
        max_inbound_header_count=head // 16,
        stream_reset_rate_limit=(10_000, 1_000),
        max_continuations=8,
    )
