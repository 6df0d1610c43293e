"""The server side of `bench api`: the API server over a SQLite store, or a bare server that answers with constant bytes.

    python -m bench.api_server DIRECTORY [--bare BYTES]

Writes certificates into DIRECTORY, listens on a free port of 127.0.0.1 and prints it when ready.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit import pki, program
from kit.http.model import Request, Response, Stream
from kit.http.server import Server
from kit.http.tls import ServerTls
from kit.supervisor import Supervisor

ADVERTISED = "192.0.2.10"  # never contacted


def certificates(directory: Path) -> None:
    """A CA, a serving certificate and an administrator's."""
    ca = pki.make_ca("bench")
    server = pki.issue(ca, "apiserver", dns=["localhost"], ips=["127.0.0.1"], server=True)
    admin = pki.issue(ca, "admin", ["system:masters"], client=True)
    for name, pair in (("ca", ca), ("server", server), ("admin", admin)):
        pair.save(directory / f"{name}.crt", directory / f"{name}.key")


def tls(directory: Path) -> ServerTls:
    """The serving side of what `certificates` made."""
    return ServerTls(directory / "server.crt", directory / "server.key", directory / "ca.crt")


async def _serve(directory: Path, supervisor: Supervisor) -> Server:
    store = await SqliteStore.open(directory / "store.db", supervisor.clock)
    supervisor.defer("store", store.close)
    api = ApiServer(store, Settings(ADVERTISED), supervisor.clock)
    await api.start(supervisor)
    return (await api.listen([("127.0.0.1", 0)], tls(directory), supervisor))[0]


async def _serve_bare(directory: Path, body: bytes, supervisor: Supervisor) -> Server:
    streams: list[Stream] = []

    def handler(request: Request) -> Response | None:
        if request.path == "/watch":
            streams.append(request.start_stream())
            streams[-1].write(b"\n")
            return None
        if request.method == "POST":  # what comes goes to all who watch
            for stream in streams:
                stream.write(request.body + b"\n")
        return Response(200, body)

    server = Server(handler, "127.0.0.1", 0, tls(directory), clock=supervisor.clock)
    await server.start()
    supervisor.spawn("bare", server.run)
    return server


async def _run(options: argparse.Namespace, supervisor: Supervisor) -> None:
    if options.bare:
        server = await _serve_bare(options.directory, options.bare.read_bytes(), supervisor)
    else:
        server = await _serve(options.directory, supervisor)
    print(server.port, flush=True)


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--bare", type=Path)
    options = parser.parse_args()
    if not (options.directory / "ca.crt").exists():
        certificates(options.directory)
    return program.main(_run, options, name="bench", level="warning")


if __name__ == "__main__":
    sys.exit(main())
