"""The kernel's nf_tables: transactions and reads over one netlink socket.

A transaction is one send() of all its messages between a begin and an end; the kernel works through it before send()
returns, applies all or nothing, and has by then queued its answers: an acknowledgement of the first message, or an error
for each that it did not like (Linux before 6.10 acknowledges no end). So `commit` never waits. What a read returns is plain
data (`Seen...`, named tuples since a CNI request served alone loads this module); a socket belongs to the network namespace
in which it was opened, whatever the thread does later.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from linux.nft import wire
from linux.nft.elements import keys
from linux.nft.wire import attrs, message, number, string, text

_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_CAP_ACK, _EXT_ACK = 10, 11
_SNDBUFFORCE, _RCVBUFFORCE = 32, 33
_F_CAPPED, _F_ACK_TLVS, _F_DUMP_INTERRUPTED = 0x100, 0x200, 0x10
_SEND_BUFFER = 256 << 20  # a limit, not memory: a million elements in one transaction
_RECEIVE_BUFFER = 4 << 20
_HEAD = struct.Struct("=IHHII")
_INTERRUPTED_TRIES = 8

_NAMES = {
    wire.NEW_TABLE: "add table",
    wire.DEL_TABLE: "delete table",
    wire.NEW_CHAIN: "add chain",
    wire.DEL_CHAIN: "delete chain",
    wire.NEW_RULE: "add rule",
    wire.DEL_RULE: "delete rule",
    wire.NEW_SET: "add set",
    wire.DEL_SET: "delete set",
    wire.NEW_ELEMENT: "add element",
    wire.DEL_ELEMENT: "delete element",
}


class NftError(Exception):
    """The kernel refused a transaction or a read; nothing of the transaction was applied."""

    def __init__(self, what: str, code: int, detail: str = "", failures: int = 1) -> None:
        more = f" ({failures} messages refused)" if failures > 1 else ""
        explained = f": {detail}" if detail else ""
        super().__init__(f"cannot {what}: {os.strerror(code)}{explained}{more}")
        self.code = code

    @property
    def not_found(self) -> bool:
        return self.code == errno.ENOENT

    @property
    def exists(self) -> bool:
        return self.code == errno.EEXIST

    @property
    def full(self) -> bool:
        """A set has no room left."""
        return self.code == errno.ENFILE

    @property
    def unknown(self) -> bool:
        """Answers were lost: nobody can say whether the transaction was applied."""
        return self.code == errno.ENOBUFS


class SeenElement(NamedTuple):
    """An element of a set or map."""

    key: bytes
    data: bytes = b""
    chain: str = ""  # of a verdict map: where it goes
    timeout_ms: int = 0
    left_ms: int = 0


class Seen(NamedTuple):
    """A table without its elements: how many rules each chain has, and the size of each set (None: unlimited)."""

    chains: dict[str, int]
    sets: dict[str, int | None]


class Door(Protocol):
    """What programs may do with nf_tables."""

    def commit(self, messages: Iterable[bytes]) -> None:
        """Apply all messages as one transaction, or none of them."""
        ...

    def tables(self, family: int) -> set[str]:
        """The names of all tables."""
        ...

    def table(self, family: int, name: str) -> Seen | None:
        """One table, or None."""
        ...

    def elements(self, family: int, table: str, set_name: str) -> list[SeenElement]:
        """All elements of a set; an error if there is no such set."""
        ...

    def keys(self, family: int, table: str, set_name: str) -> set[bytes]:
        """The keys of all elements of a set; an error if there is no such set."""
        ...

    def generation(self) -> int:
        """A number that changes with every transaction of anybody."""
        ...

    @property
    def port(self) -> int:
        """Who we are in notices about transactions."""
        ...

    def close(self) -> None:
        """Give the socket back."""
        ...


class Kernel:
    """nf_tables of the network namespace of the thread that makes this object."""

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        except OSError as error:
            raise NftError("open a netlink socket", error.errno or errno.EIO) from error
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, _SNDBUFFORCE, _SEND_BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _RECEIVE_BUFFER)
        except OSError as error:
            self._socket.close()
            raise NftError("use nf_tables", error.errno or errno.EIO, "it needs CAP_NET_ADMIN") from error
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self._port: int = self._socket.getsockname()[0]
        self._sequence = 0

    @property
    def port(self) -> int:
        """Who we are in notices about transactions."""
        return self._port

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def commit(self, messages: Iterable[bytes]) -> None:
        """Apply all messages as one transaction, or none of them."""
        parts = list(messages)
        if not parts:
            return
        self._sequence += 1
        parts[0] = _to_acknowledge(parts[0], self._sequence)
        self._drain()  # answers nobody read, from a transaction that was interrupted
        try:
            self._socket.send(b"".join((wire.batch(wire.BATCH_BEGIN), *parts, wire.batch(wire.BATCH_END))))
        except OSError as error:
            raise NftError("send a transaction", error.errno or errno.EIO) from error
        acknowledged, failures, lost = self._drain()
        if failures:
            kind, code, detail = failures[0]
            raise NftError(_NAMES.get(kind, "commit"), code, detail, len(failures))
        if lost or not acknowledged:
            raise NftError("hear the kernel's answer", errno.ENOBUFS)

    def _drain(self) -> tuple[bool, list[tuple[int, int, str]], bool]:
        """Everything queued: was our transaction acknowledged, the errors (message type, errno, text), were answers lost."""
        acknowledged, lost = False, False
        failures: list[tuple[int, int, str]] = []
        while True:
            try:
                data = self._socket.recv(1 << 18, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return acknowledged, failures, lost
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NftError("read the kernel's answer", error.errno or errno.EIO) from error
                lost = True
                continue
            for kind, flags, sequence, start, end in _messages(data):
                if kind != wire.MSG_ERROR:
                    continue
                code = -struct.unpack_from("=i", data, start + 16)[0]
                if code == 0:
                    acknowledged = acknowledged or sequence == self._sequence
                else:
                    refused = struct.unpack_from("=H", data, start + 24)[0] & 0xFF
                    failures.append((refused, code, _explanation(data, flags, start, end)))

    def tables(self, family: int) -> set[str]:
        """The names of all tables."""
        return {string(body.get(1)) for body in self.dump(wire.GET_TABLE, family)}

    def table(self, family: int, name: str) -> Seen | None:
        """One table, or None."""
        if name not in self.tables(family):
            return None
        chains = {string(body.get(3)): 0 for body in self.dump(wire.GET_CHAIN, family) if string(body.get(1)) == name}
        for body in self.dump(wire.GET_RULE, family, text(1, name)):
            if string(body.get(1)) == name:
                chain = string(body.get(2))
                chains[chain] = chains.get(chain, 0) + 1
        sets = {}
        for body in self.dump(wire.GET_SET, family, text(1, name)):
            described = attrs(body.get(9, b""))
            sets[string(body.get(2))] = number(described[1]) if 1 in described else None
        return Seen(chains, sets)

    def elements(self, family: int, table: str, set_name: str) -> list[SeenElement]:
        """All elements of a set; an error if there is no such set."""
        found: list[SeenElement] = []
        for body in self.dump(wire.GET_ELEMENT, family, text(1, table) + text(2, set_name)):
            found.extend(_element(attrs(one)) for _, one in wire.iterate(body.get(3, b"")))
        return found

    def keys(self, family: int, table: str, set_name: str) -> set[bytes]:
        """The keys of all elements of a set; an error if there is no such set."""
        bodies = self.dump(wire.GET_ELEMENT, family, text(1, table) + text(2, set_name))
        return set().union(*(keys(body.get(3, b"")) for body in bodies))

    def generation(self) -> int:
        """A number that changes with every transaction of anybody."""
        what = "read the generation"
        for kind, body in self._ask(what, message(wire.GET_GENERATION, 0, 0)):
            if kind == wire.NEW_GENERATION:
                return number(attrs(body).get(1))
        raise NftError(what, errno.EIO)

    def dump(self, kind: int, family: int, body: bytes = b"") -> Iterator[dict[int, bytes]]:
        """The attributes of each object; read again from the start when it changed underneath."""
        for _ in range(_INTERRUPTED_TRIES):
            try:
                return iter(self._dump_once(kind, family, body))
            except InterruptedError:
                continue
        raise NftError("read nf_tables", errno.EINTR, "others keep changing it")

    def _dump_once(self, kind: int, family: int, body: bytes) -> list[dict[int, bytes]]:
        question = message(kind, wire.F_DUMP, family, body)
        return [attrs(answer) for _, answer in self._ask("read nf_tables", question, dump=True)]

    def _ask(self, what: str, question: bytes, *, dump: bool = False) -> Iterator[tuple[int, bytes]]:
        """The answers to a question; InterruptedError if they do not fit together."""
        interrupted = False
        self._drain()
        data = self._heard(what, question)
        while True:
            for kind, flags, _, start, end in _messages(data):
                interrupted = interrupted or bool(flags & _F_DUMP_INTERRUPTED)
                if kind == wire.MSG_DONE:
                    if interrupted:
                        raise InterruptedError
                    return
                if kind == wire.MSG_ERROR:
                    raise NftError(what, -struct.unpack_from("=i", data, start + 16)[0])
                yield kind & 0xFF, data[start + 20 : end]
                if not dump:
                    return
            data = self._heard(what)

    def _heard(self, what: str, question: bytes = b"") -> bytes:
        try:
            if question:
                self._socket.send(question)
            return self._socket.recv(1 << 18)
        except OSError as error:
            raise NftError(what, error.errno or errno.EIO) from error


def _to_acknowledge(messages: bytes, sequence: int) -> bytes:
    """The same; the kernel says so when it has applied the first of them, and with it all."""
    size, kind, flags, _, port = _HEAD.unpack_from(messages)
    return _HEAD.pack(size, kind, flags | wire.F_ACK, sequence, port) + messages[_HEAD.size :]


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """(type, flags, sequence, start, end) of each netlink message."""
    offset = 0
    while offset + 16 <= len(data):
        size, kind, flags, sequence, _ = _HEAD.unpack_from(data, offset)
        if size < 16:
            return
        yield kind, flags, sequence, offset, offset + size
        offset += (size + 3) & ~3


def _explanation(data: bytes, flags: int, start: int, end: int) -> str:
    """The kernel's own words about an error, if it has any."""
    if not flags & _F_ACK_TLVS:
        return ""
    original = struct.unpack_from("=I", data, start + 20)[0]
    offset = start + 20 + (16 if flags & _F_CAPPED else (original + 3) & ~3)
    return string(attrs(data[offset:end]).get(1))


def _element(body: dict[int, bytes]) -> SeenElement:
    key = attrs(body.get(1, b"")).get(1, b"")
    data = attrs(body.get(2, b""))
    chain = string(attrs(data.get(2, b"")).get(2)) if 2 in data else ""
    return SeenElement(key, data.get(1, b""), chain, number(body.get(4)), number(body.get(5)))
