"""The door to connection tracking: read flows, all or some, and delete single ones.

The kernel filters while it dumps (Linux 5.8; before that everything comes and is filtered here): what it leaves out costs a
thirtieth of what is read here, and none of it holds up other threads. Answers are read piece by piece, so a table with a
million entries costs time but not memory. Addresses of IPv6 are compared here alone: kernels (6.18 among them) leave out those
that are asked for, and give all others.

A flow is deleted by the very attributes that it was read with, and only if it is still the same one (its id).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 1 << 8
_GET, _DELETE = 1, 2
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_NESTED = 0x8000
_ORIGIN, _REPLY, _ID, _ZONE, _FILTER = 1, 2, 12, 18, 25
_FILTER_SOURCE, _FILTER_DESTINATION, _FILTER_PROTOCOL, _FILTER_TO_PORT = 1, 2, 8, 32
_RCVBUFFORCE = 33
_HEADER = struct.Struct("=IHHIIBBH")


class ConntrackError(Exception):
    """Flows could not be read or deleted."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A tracked flow: where its first packet went, and where answers come from."""

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int
    reply_source: bytes
    reply_source_port: int
    handle: bytes = field(default=b"", compare=False, repr=False)  # what the kernel needs to find it again


class Ends(NamedTuple):
    """Which flows are meant, by their ends; what is empty does not matter."""

    source: bytes = b""
    destination: bytes = b""
    destination_port: int = 0
    """Only with a protocol."""
    reply_source: bytes = b""

    def fit(self, flow: Flow) -> bool:
        """Whether a flow is meant."""
        return all(not wanted or getattr(flow, name) == wanted for name, wanted in zip(self._fields, self, strict=True))


ANY = Ends()


class Conntrack(Protocol):
    """What programs may do with tracked connections."""

    def flows(self, family: int, protocol: int | None = None, ends: Ends = ANY) -> Iterator[Flow]:
        """All flows, or those of a protocol and with these ends; only `delete` may be called before the iterator has ended."""
        ...

    def delete(self, family: int, flows: Iterable[Flow]) -> int:
        """Delete these flows; how many of them were still there."""
        ...

    def close(self) -> None:
        """Give the socket back."""
        ...


class Kernel:
    """Connection tracking of the network namespace of the thread that makes this object."""

    def __init__(self) -> None:
        self._reading, self._deleting = _open(), _open()
        self._dumping = False

    def flows(self, family: int, protocol: int | None = None, ends: Ends = ANY) -> Iterator[Flow]:
        """All flows, or those of a protocol and with these ends; only `delete` may be called before the iterator has ended."""
        self._finish()
        _send(self._reading, _GET, _DUMP, family, _filter(protocol, ends))
        self._dumping = True
        while self._dumping:
            for kind, payload in self._answers():
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise ConntrackError(f"cannot read flows: {_errno_text(payload)}")
                flow = _flow(payload[4:])
                if flow is not None and protocol in (None, flow.protocol) and ends.fit(flow):
                    yield flow

    def _finish(self) -> None:
        """Take in what is left of flows that somebody stopped reading: the kernel begins with no others before."""
        while self._dumping:
            self._answers()

    def _answers(self) -> list[tuple[int, bytes]]:
        answers = list(_split(_receive(self._reading)))
        self._dumping = not any(kind in (_DONE, _ERROR) for kind, _ in answers)
        return answers

    def delete(self, family: int, flows: Iterable[Flow]) -> int:
        """Delete these flows; how many of them were still there. What the kernel will not let go of holds up no others."""
        deleted, held = 0, ""
        for flow in flows:
            _send(self._deleting, _DELETE, _ACK, family, flow.handle)
            for kind, payload in _split(_receive(self._deleting)):
                if kind != _ERROR:
                    continue
                code = -struct.unpack_from("=i", payload)[0]
                if code == 0:
                    deleted += 1
                elif code == errno.EBUSY:  # before Linux 6.4: it is in a flowtable
                    held = held or f"cannot delete flow {flow}: {os.strerror(code)}"
                elif code != errno.ENOENT:
                    raise ConntrackError(f"cannot delete flow {flow}: {os.strerror(code)}")
        if held:
            raise ConntrackError(held)
        return deleted

    def close(self) -> None:
        """Give the sockets back."""
        self._reading.close()
        self._deleting.close()


def _open() -> socket.socket:
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    except OSError as error:
        raise ConntrackError(f"cannot open a netlink socket: {error.strerror}") from error
    made.bind((0, 0))
    made.settimeout(30)
    try:
        made.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 4 << 20)
    except PermissionError:
        pass  # the default is enough; deletion will say that we may not
    return made


def _send(to: socket.socket, kind: int, flags: int, family: int, body: bytes) -> None:
    family_number = socket.AF_INET if family == 4 else socket.AF_INET6
    head = _HEADER.pack(20 + len(body), _SUBSYSTEM | kind, flags | _REQUEST, 0, 0, family_number, 0, 0)
    try:
        to.send(head + body)
    except OSError as error:
        raise ConntrackError(f"cannot ask about flows: {error.strerror}") from error


def _receive(from_: socket.socket) -> bytes:
    try:
        return from_.recv(1 << 18)
    except OSError as error:
        raise ConntrackError(f"cannot read flows: {error.strerror or error}") from error


def _attr(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + b"\0" * (-size & 3)


def _filter(protocol: int | None, ends: Ends) -> bytes:
    """What the kernel compares of either direction of each flow, and with what."""
    ways = {
        _ORIGIN: _way(ends.source, ends.destination, protocol, ends.destination_port),
        _REPLY: _way(ends.reply_source),
    }
    if not any(flags for flags, _ in ways.values()):
        return b""
    wanted = b"".join(_attr(number | _NESTED, body) for number, (flags, body) in ways.items() if flags)
    return wanted + _attr(_FILTER | _NESTED, b"".join(_flags(number, flags) for number, (flags, _) in ways.items()))


def _way(source: bytes, destination: bytes = b"", protocol: int | None = None, port: int = 0) -> tuple[int, bytes]:
    """Which parts of a direction the kernel shall compare, and with what."""
    flags, addresses, numbers = 0, b"", b""
    if len(source) == 4:
        flags, addresses = flags | _FILTER_SOURCE, addresses + _attr(1, source)
    if len(destination) == 4:
        flags, addresses = flags | _FILTER_DESTINATION, addresses + _attr(2, destination)
    if protocol is not None:
        flags, numbers = flags | _FILTER_PROTOCOL, numbers + _attr(1, bytes((protocol,)))
    if port:
        flags, numbers = flags | _FILTER_TO_PORT, numbers + _attr(3, struct.pack(">H", port))
    return flags, b"".join(_attr(part | _NESTED, body) for part, body in ((1, addresses), (2, numbers)) if body)


def _flags(kind: int, value: int) -> bytes:
    return _attr(kind, struct.pack("=I", value))


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 16 <= len(data):
        size, kind = struct.unpack_from("=IH", data, offset)
        if size < 16:
            return
        yield kind if kind in (_ERROR, _DONE) else kind & 0xFF, data[offset + 16 : offset + size]
        offset += (size + 3) & ~3


def _attrs(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, offset)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + size]
        offset += (size + 3) & ~3
    return found


def _errno_text(payload: bytes) -> str:
    return os.strerror(-struct.unpack_from("=i", payload)[0])


def _tuple(data: bytes) -> tuple[int, bytes, int, bytes, int] | None:
    """(protocol, source, port, destination, port) of one direction."""
    parts = _attrs(data)
    addresses, protocol = _attrs(parts.get(1, b"")), _attrs(parts.get(2, b""))
    source, destination = addresses.get(1) or addresses.get(3), addresses.get(2) or addresses.get(4)
    if source is None or destination is None or 1 not in protocol:
        return None
    ports = (int.from_bytes(protocol.get(number, b""), "big") for number in (2, 3))
    return protocol[1][0], source, next(ports), destination, next(ports)


def _flow(data: bytes) -> Flow | None:
    parts = _attrs(data)
    origin, reply = _tuple(parts.get(_ORIGIN, b"")), _tuple(parts.get(_REPLY, b""))
    if origin is None or reply is None:
        return None
    handle = _attr(_ORIGIN | _NESTED, parts[_ORIGIN])
    for kind in (_ID, _ZONE):
        if kind in parts:
            handle += _attr(kind, parts[kind])
    return Flow(*origin, reply[1], reply[2], handle)


class FakeConntrack:
    """Flows in memory."""

    def __init__(self, flows: Iterable[tuple[int, Flow]] = ()) -> None:
        self.held: list[tuple[int, Flow]] = list(flows)

    def flows(self, family: int, protocol: int | None = None, ends: Ends = ANY) -> Iterator[Flow]:
        """All flows, or those of a protocol and with these ends."""
        mine = [flow for number, flow in self.held if number == family and protocol in (None, flow.protocol)]
        return iter([flow for flow in mine if ends.fit(flow)])

    def delete(self, family: int, flows: Iterable[Flow]) -> int:
        """Delete these flows."""
        before = len(self.held)
        gone = list(flows)
        self.held = [(number, flow) for number, flow in self.held if number != family or flow not in gone]
        return before - len(self.held)

    def close(self) -> None:
        """Nothing to give back."""
