"""A way from a test host to the package registries: a small HTTP proxy on the switch, served by this process.

Test hosts have no route to the world. Programs that heed `http_proxy` (apt, pip, git) reach it through here, with names resolved
by the machine. One thread per connection: it serves a handful of programs in tests, nothing else.
"""

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from testbed.network import Switch

PORT = 3128
IDLE_SECONDS = 120


class Outlet:
    """The proxy; `environment` is what a test host needs to use it."""

    def __init__(self, switch: Switch) -> None:
        self._listener = switch.listen(PORT)
        url = f"http://{switch.address}:{PORT}"
        self.environment = {"http_proxy": url, "https_proxy": url}
        self.requests: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                head, rest = read_head(client)
                method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
                self.requests.append(f"{method} {target}")
                if method == "CONNECT":
                    host, _, port = target.rpartition(":")
                    with socket.create_connection((host, int(port)), 30) as server:
                        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                        server.sendall(rest)
                        relay(client, server)
                    return
                url = urlsplit(target)
                with socket.create_connection((url.hostname or "", url.port or 80), 30) as server:
                    server.sendall(rewrite(head, url.path + (f"?{url.query}" if url.query else "")) + rest)
                    relay(client, server)
            except (OSError, ValueError):  # the client sees a closed connection
                return


def read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """A request's head without its empty line, and what came after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more or len(data) > 1 << 20:
            raise ValueError("no request")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def rewrite(head: bytes, path: str) -> bytes:
    """A request to a proxy as a request to the server itself, for one answer."""
    first, *lines = head.split(b"\r\n")
    method, _, version = first.split(b" ", 2)
    kept = [line for line in lines if not line.lower().startswith((b"proxy-", b"connection:"))]
    return b"\r\n".join([b" ".join((method, path.encode() or b"/", version)), *kept, b"Connection: close", b"", b""])


def relay(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways until a side has ended."""
    while True:
        ready, _, _ = select.select([one, other], [], [], IDLE_SECONDS)
        if not ready:
            return
        for source in ready:
            data = source.recv(262144)
            if not data:
                return
            (other if source is one else one).sendall(data)
