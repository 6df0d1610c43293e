"""Raw HTTPS load: many connections, one thread, no client library, so that the server is what is measured."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

BUFFER = 1 << 20
UNKNOWN = -(1 << 62)
CHUNKED = 1 << 62
LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(slots=True)
class Connection:
    """One keep-alive connection that has at most one request on its way. Bodies are counted, not kept, unless `keep`."""

    sock: ssl.SSLSocket
    keep: bool = False
    sent_at: float = 0.0
    got: bytearray = field(default_factory=bytearray)  # the head, and the body if it is kept
    tail: bytes = b""
    missing: int = UNKNOWN  # bytes of the body that are still to come

    def send(self, request: bytes) -> None:
        """Send one request."""
        self.got.clear()
        self.tail, self.missing = b"", UNKNOWN
        self.sent_at = time.perf_counter()
        self.sock.sendall(request)

    def receive(self, buffer: memoryview) -> bool:
        """Read what is there; whether the answer is complete. Raises on a status that is not 2xx."""
        while True:
            try:
                size = self.sock.recv_into(buffer)
            except ssl.SSLWantReadError:
                return False
            if not size:
                raise ConnectionError("the server closed the connection")
            if self._take(buffer[:size]):
                return True

    def _take(self, data: memoryview) -> bool:
        if self.keep or self.missing == UNKNOWN:
            self.got += data
        if self.missing == UNKNOWN:
            end = self.got.find(b"\r\n\r\n") + 4
            if end == 3:
                return False
            self.missing = self._body_size(bytes(self.got[:end]).lower()) - (len(self.got) - end)
        elif self.missing != CHUNKED:
            self.missing -= len(data)
        if self.missing > CHUNKED // 2:
            self.missing = CHUNKED
            self.tail = (self.tail + bytes(data[-len(LAST_CHUNK) :]))[-len(LAST_CHUNK) :]
            return self.tail == LAST_CHUNK
        return self.missing <= 0

    def _body_size(self, head: bytes) -> int:
        if not head.startswith(b"http/1.1 2"):
            raise RuntimeError(f"the server answered {bytes(self.got[:600])!r}")
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return int(length) if length else CHUNKED


def context(directory: Path, protocol: str = "http/1.1") -> ssl.SSLContext:
    """The administrator's side of the certificates in `directory`."""
    made = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    made.set_alpn_protocols([protocol])
    made.load_cert_chain(directory / "admin.crt", directory / "admin.key")
    return made


def connect(port: int, tls: ssl.SSLContext) -> Connection:
    """A new connection, blocking."""
    plain = socket.create_connection(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(tls.wrap_socket(plain, server_hostname="localhost"))


def closed_loop(
    connections: list[Connection], next_request: Callable[[], bytes], seconds: float
) -> tuple[float, list[float]]:
    """Every connection asks again as soon as it has its answer; answers per second, and each answer's seconds."""
    poll = select.epoll()
    by_fd = {}
    for connection in connections:
        connection.sock.setblocking(False)
        poll.register(connection.sock.fileno(), select.EPOLLIN)
        by_fd[connection.sock.fileno()] = connection
    buffer = memoryview(bytearray(BUFFER))
    took: list[float] = []
    started = time.perf_counter()
    end = started + seconds
    for connection in connections:
        connection.send(next_request())
    busy = len(connections)
    while busy:
        for fd, _ in poll.poll():
            connection = by_fd[fd]
            if not connection.receive(buffer):
                continue
            now = time.perf_counter()
            took.append(now - connection.sent_at)
            if now < end:
                connection.send(next_request())
            else:
                busy -= 1
    poll.close()
    return len(took) / (time.perf_counter() - started), took


def request(method: str, path: str, body: bytes = b"", media: str = "application/json") -> bytes:
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
    if body:
        head += f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Watchers:
    """Open watches whose events are awaited together."""

    def __init__(self, connections: list[Connection], path: str) -> None:
        self._poll = select.epoll()
        self._connections = {c.sock.fileno(): c for c in connections}
        for connection in connections:
            connection.sock.sendall(request("GET", path))
            connection.sock.setblocking(False)
            self._poll.register(connection.sock.fileno(), select.EPOLLIN)

    def settle(self) -> None:
        """Read until nothing has come for a moment."""
        for _ in self._arrivals(0.5):
            pass

    def await_all(self, marker: bytes) -> float:
        """The time at which the last watcher has read `marker`. Raises TimeoutError."""
        waiting = set(self._connections)
        tails = dict.fromkeys(waiting, b"")
        for fd, data in self._arrivals(10.0):
            tails[fd] = tails[fd][-len(marker) :] + data
            if marker in tails[fd]:
                waiting.discard(fd)
                if not waiting:
                    return time.perf_counter()
        raise TimeoutError(f"{len(waiting)} watchers saw nothing")

    def close(self) -> None:
        """End all watches."""
        for connection in self._connections.values():
            connection.sock.close()

    def _arrivals(self, patience: float) -> Iterator[tuple[int, bytes]]:
        while ready := self._poll.poll(patience):
            for fd, _ in ready:
                try:
                    yield fd, self._connections[fd].sock.recv(1 << 16)
                except ssl.SSLWantReadError:
                    continue
