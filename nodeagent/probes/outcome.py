"""What a check of a container found, and how network errors read."""

import socket
from dataclasses import dataclass

from api.core_v1 import Container, EphemeralContainer

MAX_OUTPUT = 10_240


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found. `ok` None: it could not be carried out, which says nothing of the container.

    `warning`: it went well, but there is something to tell.
    """

    ok: bool | None
    output: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Which container to check, and where it is."""

    id: str
    container: Container | EphemeralContainer
    ip: str


def port_of(container: Container | EphemeralContainer, port: int | str) -> int | str:
    """The number of a port that may be given by its name; text says why there is none."""
    if isinstance(port, str):
        named = next((p.container_port for p in container.ports if p.name == port), None)
        if named is None and not port.isdecimal():
            return f'strconv.Atoi: parsing "{port}": invalid syntax'
        port = int(port) if named is None else named
    return port if 0 < port < 65536 else f"invalid port number: {port}"


def joined(host: str, port: int) -> str:
    """Host and port as one."""
    return f"{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """An address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def dial_failure(error: OSError | ValueError, host: str, port: int) -> str:
    """Why a connection could not be made, in the words that a kubelet uses. A ValueError: the name is none."""
    if isinstance(error, socket.gaierror | ValueError):
        return f"dial tcp: lookup {host}: no such host"
    text = "connection refused" if isinstance(error, ConnectionRefusedError) else (error.strerror or str(error)).lower()
    return f"dial tcp {joined(host, port)}: connect: {text}"
