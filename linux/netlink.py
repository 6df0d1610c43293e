"""Netlink: packing, unpacking and one request at a time. Knows bytes, not what they mean.

A `Connection` belongs for ever to the network namespace that its thread was in when it was opened, so work inside a
namespace needs a visit only to open the socket (linux.netns). The kernel does rtnetlink work inside `send`; each change
asks for an acknowledgement, so an error is known at once and belongs to one request. A dump that the kernel marks as
interrupted (something changed meanwhile) is asked again. Not safe for two threads at once.

This module and linux.rtnl are on the path of every CNI request, so they pack by hand and import next to nothing.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Self, TypeVar

ROUTE = 0
REQUEST, MULTI, ACK, DUMP_INTERRUPTED = 0x1, 0x2, 0x4, 0x10
DUMP, REPLACE, EXCLUSIVE, CREATE = 0x300, 0x100, 0x200, 0x400
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _CAP_ACK, _EXT_ACK, _STRICT = 270, 10, 11, 12
_NESTED, _KIND_MASK = 0x8000, 0x3FFF
_ACK_TLVS = 0x200
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER = 1 << 17
_DUMP_TRIES = 5

_T = TypeVar("_T")


class NetlinkError(Exception):
    """The kernel refused a request; `code` is its errno."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class NotFound(NetlinkError):
    """What the request names does not exist."""


class AlreadyExists(NetlinkError):
    """What the request would make exists."""


_KINDS = {
    errno.ENOENT: NotFound,
    errno.ENODEV: NotFound,
    errno.ESRCH: NotFound,
    errno.ENXIO: NotFound,
    errno.EADDRNOTAVAIL: NotFound,
    errno.EEXIST: AlreadyExists,
}


def failure(doing: str, code: int, explanation: str = "") -> NetlinkError:
    """The typed error for an errno."""
    reason = explanation or os.strerror(code)
    return _KINDS.get(code, NetlinkError)(f"cannot {doing}: {reason}", code)


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(len(payload) + 4, kind) + payload + b"\0" * (-len(payload) & 3)


def u32(kind: int, value: int) -> bytes:
    """An attribute that holds a number of 32 bits in the machine's order."""
    return struct.pack("=HHI", 8, kind, value)


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a zero-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def entries(data: bytes, start: int = 0) -> list[tuple[int, bytes]]:
    """The attributes of a message in their order."""
    found: list[tuple[int, bytes]] = []
    end = len(data)
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4:
            break
        found.append((kind & _KIND_MASK, data[start + 4 : start + length]))
        start += (length + 3) & ~3
    return found


def attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes of a message by kind; of several of one kind the last."""
    return dict(entries(data, start))


def string(payload: bytes) -> str:
    """A zero-terminated string."""
    return payload.split(b"\0", 1)[0].decode(errors="replace")


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(kind, flags, sequence, body) of each message in what was received."""
    start = 0
    while start + 16 <= len(data):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, start)
        if length < 16:
            return
        yield kind, flags, sequence, data[start + 16 : start + length]
        start += (length + 3) & ~3


class Connection:
    """A netlink socket in the calling thread's network namespace."""

    def __init__(self, family: int = ROUTE, *, groups: int = 0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        try:
            for option in (_CAP_ACK, _EXT_ACK, _STRICT):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            self._socket.bind((0, groups))
        except OSError:
            self._socket.close()
            raise
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """The socket's number, to wait on."""
        return self._socket.fileno()

    def change(self, doing: str, kind: int, flags: int, body: bytes) -> None:
        """Ask for one change and wait until it is done; `doing` completes the message "cannot ..."."""
        for _ in self._ask(doing, kind, flags | ACK, body):
            pass

    def query(self, doing: str, kind: int, body: bytes) -> bytes:
        """Ask for one object."""
        for _flags, answer in self._ask(doing, kind, ACK, body):
            found = answer
        return found

    def dump(self, doing: str, kind: int, body: bytes) -> list[bytes]:
        """Ask for all objects of a kind."""
        for _ in range(_DUMP_TRIES):
            answers = list(self._ask(doing, kind, DUMP, body))
            if not any(flags & DUMP_INTERRUPTED for flags, _ in answers):
                break
        return [body for flags, body in answers if body]

    def receive(self) -> bytes:
        """What the kernel sent by itself, without waiting; empty if there is nothing."""
        try:
            return self._socket.recv(_BUFFER, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    def news(self, read: Callable[[int, bytes], _T | None], lost: _T) -> list[_T]:
        """What was announced since, without waiting, as `read` makes of each message; `lost` where there was more than we could hold."""
        found: list[_T] = []
        while True:
            try:
                data = self.receive()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                found.append(lost)
                continue
            if not data:
                return found
            found += [one for kind, _, _, body in messages(data) if (one := read(kind, body)) is not None]

    def _ask(self, doing: str, kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        """Send one request; yield (flags, body) of each answer until the kernel says that was all."""
        self._sequence += 1
        self._socket.send(_HEADER.pack(16 + len(body), kind, REQUEST | flags, self._sequence, 0) + body)
        while True:
            for got, got_flags, sequence, answer in messages(self._socket.recv(_BUFFER)):
                if sequence != self._sequence:
                    continue  # the rest of a request that was given up
                if got in (_ERROR, _DONE):
                    _raise_if_failed(doing, got, got_flags, answer)
                    if got == _DONE:
                        yield got_flags, b""
                    return
                yield got_flags, answer


def _raise_if_failed(doing: str, kind: int, flags: int, body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body) if len(body) >= 4 else (0,)
    if code == 0:
        return
    explanation = ""
    if flags & _ACK_TLVS:
        # The request's header is repeated after the code (not after a dump's), then come the explanation's attributes.
        explanation = string(attributes(body, 20 if kind == _ERROR else 4).get(1, b""))
    raise failure(doing, -code, explanation)
