"""One call on the system's message bus, waited for: for what takes systemd no longer than the kernel a write to a file."""

import os
import socket
from collections.abc import Sequence
from typing import Any

from linux.dbus import (
    ANSWER_TO,
    CALL,
    DESTINATION,
    ERROR_NAME,
    FAILURE,
    INTERFACE,
    MEMBER,
    PATH,
    SYSTEM_BUS,
    DbusError,
    Message,
    decode,
    encode,
)

PATIENCE = 10.0
_BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class DbusRefused(DbusError):
    """Who was called answered with an error; `name` is the bus's name for it."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def call(
    target: tuple[str, str, str], method: str, signature: str, values: Sequence[Any], *, path: str = SYSTEM_BUS
) -> Message:
    """Call a method of (service, object, interface) over a connection of its own. Raises `DbusError`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(PATIENCE)
        try:
            door.connect(path)
            door.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\nBEGIN\r\n")
            door.sendall(_asked(_BUS, "Hello", 1, "", ()) + _asked(target, method, 2, signature, values))
            answer = _answer(door, 2)
        except OSError as error:
            raise DbusError(f"cannot call {method} over the bus at {path}: {error.strerror or error}") from error
    if answer.kind == FAILURE:
        name = answer.fields.get(ERROR_NAME, "")
        raise DbusRefused(f"cannot call {method}: {answer.body[0] if answer.body else name}", name)
    return answer


def _asked(target: tuple[str, str, str], method: str, serial: int, signature: str, values: Sequence[Any]) -> bytes:
    service, place, interface = target
    fields = {PATH: place, INTERFACE: interface, MEMBER: method, DESTINATION: service}
    return encode(Message(CALL, fields, list(values), serial), signature)


def _answer(door: socket.socket, serial: int) -> Message:
    """What is said to a call; a line of greeting comes before all messages, others' signals may."""
    data, greeted = b"", False
    while True:
        if not greeted and b"\r\n" in data:
            line, _, data = data.partition(b"\r\n")
            if not line.startswith(b"OK"):
                raise DbusError(f"cannot talk to the bus: it says {line.decode(errors='replace')}")
            greeted = True
        while greeted and (found := decode(data)) is not None:
            message, length = found
            data = data[length:]
            if message.fields.get(ANSWER_TO) == serial:
                return message
        more = door.recv(65536)
        if not more:
            raise DbusError("cannot talk to the bus: it hung up")
        data += more
