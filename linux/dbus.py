"""The system's message bus, as far as we need it: calls and signals of plain values, over its socket.

Messages are written little-endian. One task reads; answers go to who called, signals to who listens.
"""

import array
import asyncio
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

SYSTEM_BUS = "/run/dbus/system_bus_socket"
CALL, ANSWER, FAILURE, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, ANSWER_TO, DESTINATION, SENDER, SIGNATURE, DESCRIPTORS = range(1, 10)
MOST = 1 << 20
_FIXED = {"b": ("I", 4), "u": ("I", 4), "i": ("i", 4), "t": ("Q", 8), "x": ("q", 8), "y": ("B", 1), "h": ("I", 4)}
_ALIGNED = {"(": 8, "g": 1, "v": 1}
_HEADER = {PATH: "o", INTERFACE: "s", MEMBER: "s", ERROR_NAME: "s", DESTINATION: "s", SIGNATURE: "g"}


class DbusError(Exception):
    """The bus is not there, or refused; reads "cannot X: reason"."""


@dataclass(slots=True)
class Message:
    """One message; `fields` is its header."""

    kind: int
    fields: dict[int, Any]
    body: list[Any] = field(default_factory=list)
    serial: int = 0
    descriptors: list[int] = field(default_factory=list)


class Writer:
    """Values as bytes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int) -> None:
        self.data += b"\0" * (-len(self.data) % size)

    def put(self, kind: str, value: Any) -> None:
        """One value of one type: plain, a list, a structure, or a variant as a pair of its type and its value."""
        if kind in _FIXED:
            letter, size = _FIXED[kind]
            self.align(size)
            self.data += struct.pack(f"<{letter}", value)
        elif kind[0] == "a":
            self._put_list(kind[1:], value)
        elif kind[0] == "(":
            self.align(8)
            for one, part in zip(split(kind[1:-1]), value, strict=True):
                self.put(one, part)
        elif kind == "v":
            self.put("g", value[0])
            self.put(*value)
        else:
            self._put_text(kind, value)

    def _put_list(self, kind: str, values: Sequence[Any]) -> None:
        """Its length in bytes stands before it, without what aligns the first one."""
        self.put("u", 0)
        length_at = len(self.data) - 4
        self.align(_FIXED[kind][1] if kind in _FIXED else _ALIGNED.get(kind[0], 4))
        begin = len(self.data)
        for value in values:
            self.put(kind, value)
        struct.pack_into("<I", self.data, length_at, len(self.data) - begin)

    def _put_text(self, kind: str, value: Any) -> None:
        raw = str(value).encode()
        if kind == "g":
            self.data += bytes((len(raw),)) + raw + b"\0"
        else:
            self.align(4)
            self.data += struct.pack("<I", len(raw)) + raw + b"\0"


class Reader:
    """Bytes as values."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data, self.position = data, position

    def align(self, size: int) -> None:
        self.position += -self.position % size

    def get(self, kind: str) -> Any:
        """One value of a plain type, or what a variant holds."""
        if kind in _FIXED:
            letter, size = _FIXED[kind]
            self.align(size)
            (value,) = struct.unpack_from(f"<{letter}", self.data, self.position)
            self.position += size
            return bool(value) if kind == "b" else value
        if kind == "v":
            return self.get(self.get("g"))
        if kind not in "sog":
            raise DbusError(f"cannot read a message of the bus: type {kind} is not known here")
        length = self.get("y") if kind == "g" else self.get("u")
        raw = self.data[self.position : self.position + length]
        self.position += length + 1
        return raw.decode(errors="replace")


def split(signature: str) -> list[str]:
    """The types that a signature names, one after the other."""
    found, depth, begin = [], 0, 0
    for end, letter in enumerate(signature, 1):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter != "a":
            found.append(signature[begin:end])
            begin = end
    return found


def encode(message: Message, signature: str = "") -> bytes:
    """A message as it is sent."""
    body = Writer()
    for kind, value in zip(split(signature), message.body, strict=True):
        body.put(kind, value)
    fields = {**message.fields, **({SIGNATURE: signature} if signature else {})}
    header = Writer()
    header.data += struct.pack("<BBBBIII", ord("l"), message.kind, 0, 1, len(body.data), message.serial, 0)
    for code, value in fields.items():
        header.align(8)
        header.put("y", code)
        kind = "u" if code in (ANSWER_TO, DESCRIPTORS) else _HEADER[code]
        header.put("g", kind)
        header.put(kind, value)
    struct.pack_into("<I", header.data, 12, len(header.data) - 16)
    header.align(8)
    return bytes(header.data + body.data)


def decode(data: bytes) -> tuple[Message, int] | None:
    """The first message and how long it is; None if it is not all there."""
    if len(data) < 16:
        return None
    if data[:1] != b"l":
        raise DbusError("cannot read a message of the bus: it is big-endian")
    kind, body_length, serial, fields_length = data[1], *struct.unpack_from("<III", data, 4)
    start = 16 + fields_length + -fields_length % 8
    if body_length + start > MOST:
        raise DbusError("cannot read a message of the bus: it is too long")
    if len(data) < start + body_length:
        return None
    fields: dict[int, Any] = {}
    reader = Reader(data, 16)
    while reader.position < 16 + fields_length:
        reader.align(8)
        code = reader.get("y")
        fields[code] = reader.get("v")
    body = Reader(data[start : start + body_length])
    try:
        values = [body.get(one) for one in fields.get(SIGNATURE, "")]
    except DbusError:
        values = []  # of a sort that nobody here asks for
    return Message(kind, fields, values, serial), start + body_length


class Bus:
    """A connection; `signals` are those that match what was asked for with `listen`."""

    def __init__(self) -> None:
        self.signals: asyncio.Queue[Message | None] = asyncio.Queue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._data = bytearray()
        self._descriptors: list[int] = []
        self._calls: dict[int, asyncio.Future[Message]] = {}
        self._serial = 0
        self._sending = asyncio.Lock()  # a message is sent whole

    async def open(self, path: str = SYSTEM_BUS) -> None:
        """Connect and say hello. Raises `DbusError`."""
        try:
            await self._greet(path)
        except BaseException:
            self.close()
            raise

    async def _greet(self, path: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(self._socket, path)
            await loop.sock_sendall(
                self._socket, b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n"
            )
            await self._expect(b"OK")
            await loop.sock_sendall(self._socket, b"NEGOTIATE_UNIX_FD\r\n")
            await self._expect(b"AGREE_UNIX_FD")
            await loop.sock_sendall(self._socket, b"BEGIN\r\n")
        except OSError as error:
            raise DbusError(f"cannot connect to the bus at {path}: {error.strerror}") from error
        loop.add_reader(self._socket, self._read)
        own = "org.freedesktop.DBus"
        await self.call((own, "/org/freedesktop/DBus", own), "Hello")

    def close(self) -> None:
        """Leave; who waits for an answer gets none."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        _close_all(self._descriptors)
        self._descriptors = []
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_exception(DbusError("cannot wait for an answer: the connection to the bus is gone"))
        self._calls.clear()
        self.signals.put_nowait(None)

    async def call(
        self, target: tuple[str, str, str], method: str, signature: str = "", values: Sequence[Any] = ()
    ) -> Message:
        """Call a method of (service, object, interface). Raises `DbusError`."""
        self._serial += 1
        service, place, interface = target
        fields = {PATH: place, INTERFACE: interface, MEMBER: method, DESTINATION: service}
        message = Message(CALL, fields, list(values), self._serial)
        answered: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._calls[self._serial] = answered
        try:
            async with self._sending:
                await asyncio.get_running_loop().sock_sendall(self._socket, encode(message, signature))
            answer = await answered
        except OSError as error:
            raise DbusError(f"cannot call {method}: {error.strerror}") from error
        finally:
            self._calls.pop(message.serial, None)
        if answer.kind == FAILURE:
            why = answer.body[0] if answer.body else answer.fields.get(ERROR_NAME, "refused")
            raise DbusError(f"cannot call {method}: {why}")
        return answer

    async def listen(self, interface: str, member: str) -> None:
        """Hear of this signal from now on."""
        own = "org.freedesktop.DBus"
        rule = f"type='signal',interface='{interface}',member='{member}'"
        await self.call((own, "/org/freedesktop/DBus", own), "AddMatch", "s", [rule])

    async def _expect(self, word: bytes) -> None:
        line = b""
        while not line.endswith(b"\r\n"):
            more = await asyncio.get_running_loop().sock_recv(self._socket, 1)
            if not more:
                raise DbusError("cannot talk to the bus: it hung up")
            line += more
        if not line.startswith(word):
            raise DbusError(f"cannot talk to the bus: it says {line.decode(errors='replace').strip()}")

    def _read(self) -> None:
        try:
            data, extra, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(16 * 4))
        except BlockingIOError:
            return
        except OSError:
            data, extra = b"", []
        for level, kind, raw in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(raw[: len(raw) - len(raw) % numbers.itemsize])
                self._descriptors += numbers
        if not data:
            self.close()
            return
        self._data += data
        try:
            for message in self._messages():
                self._tell(message)
        except DbusError:
            self.close()

    def _messages(self) -> Iterator[Message]:
        while (found := decode(bytes(self._data))) is not None:
            message, length = found
            del self._data[:length]
            count = message.fields.get(DESCRIPTORS, 0)
            message.descriptors, self._descriptors = self._descriptors[:count], self._descriptors[count:]
            yield message

    def _tell(self, message: Message) -> None:
        waiting = self._calls.get(message.fields.get(ANSWER_TO, 0)) if message.kind in (ANSWER, FAILURE) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(message)
            return
        _close_all(message.descriptors)  # nobody will take them
        message.descriptors = []
        if message.kind == SIGNAL:
            self.signals.put_nowait(message)


def _close_all(descriptors: Sequence[int]) -> None:
    for number in descriptors:
        os.close(number)
