"""HTTP/2 load: many watches over few connections, as a client that fills each connection opens them."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterator

import ngh2

STREAMS = 250  # of one connection, as the server allows
_PLENTY = (1 << 31) - 1


class Connection:
    """One connection with some requests under way."""

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = tls.wrap_socket(plain, server_hostname="localhost")
        if self.sock.selected_alpn_protocol() != "h2":
            raise RuntimeError("the server does not speak HTTP/2")
        self._engine = ngh2.Connection(ngh2.Role.CLIENT, ngh2.Configuration(peer_max_concurrent_streams=STREAMS))
        self._engine.initiate_connection({0x4: 1 << 20})
        self._engine.set_local_window_size(_PLENTY)
        self.flush()

    def get(self, path: str) -> None:
        """Ask for a path."""
        head = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", path.encode())]
        self._engine.send_request([*head, (b"accept", b"application/json")], end_stream=True)

    def flush(self) -> None:
        """Send what is to be sent."""
        while data := self._engine.data_to_send():
            self.sock.sendall(data)

    def receive(self) -> list[tuple[int, bytes]]:
        """What has come, by stream."""
        pieces: list[tuple[int, bytes]] = []
        while True:
            try:
                data = self.sock.recv(1 << 18)
            except ssl.SSLWantReadError:
                break
            if not data:
                raise ConnectionError("the server closed the connection")
            self._engine.receive_data(data)
            pieces += [(e.stream_id, e.data) for e in self._engine.events() if isinstance(e, ngh2.DataReceived)]
        if self._engine.want_write:
            self.sock.setblocking(True)
            self.flush()
            self.sock.setblocking(False)
        return pieces


class Watchers:
    """Open watches whose events are awaited together."""

    def __init__(self, port: int, tls: ssl.SSLContext, path: str, count: int) -> None:
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._count = count
        while count > 0:
            connection = Connection(port, tls)
            for _ in range(min(count, STREAMS)):
                connection.get(path)
            connection.flush()
            connection.sock.setblocking(False)
            self._connections[connection.sock.fileno()] = connection
            self._poll.register(connection.sock.fileno(), select.EPOLLIN)
            count -= STREAMS

    def settle(self) -> None:
        """Read until nothing has come for a moment."""
        for _ in self._arrivals(0.5):
            pass

    def await_all(self, marker: bytes) -> float:
        """The time at which the last watch has seen `marker`. Raises TimeoutError."""
        tails: dict[tuple[int, int], bytes] = {}
        seen: set[tuple[int, int]] = set()
        for fd, stream, data in self._arrivals(10.0):
            key = (fd, stream)
            if key in seen:
                continue
            if marker in (tail := tails.pop(key, b"") + data):
                seen.add(key)
                if len(seen) == self._count:
                    return time.perf_counter()
            else:
                tails[key] = tail
        raise TimeoutError(f"{self._count - len(seen)} watches saw nothing")

    def close(self) -> None:
        """End all watches."""
        for connection in self._connections.values():
            connection.sock.close()

    def _arrivals(self, patience: float) -> Iterator[tuple[int, int, bytes]]:
        while ready := self._poll.poll(patience):
            for fd, _ in ready:
                for stream, data in self._connections[fd].receive():
                    yield fd, stream, data
