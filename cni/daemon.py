"""The warm side of the plugin: serves requests of the shim on a unix socket, hosted by the node agent.

A request is two lengths, the CNI_* variables and standard input; the answer an exit code, a length and standard output. The
kernel's part of a request blocks (removing a link takes it 20 ms), so each runs in one of a few threads, with doors of its
own; requests for one attachment follow one another. What a request may do to others is nothing: its size and its patience
are limited, and its errors are its own answer.

On the way it mends what others took away from under all pods (`nft flush ruleset`, an address of the bridge; see
cni.healing), and at the start it forgets attachments that a reboot ended. It looks again and again instead of listening: a
listener to nf_tables makes every large transaction of the service proxy several times slower, and a look where nobody has
written rules is a few short netlink requests.
"""

import asyncio
import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from cni import plugin
from cni.conflist import ConflistError
from cni.conflist import write as write_conflist
from cni.errors import CniError
from cni.healing import Healing
from cni.host import Host, KernelHost
from cni.install import install
from cni.ipam import Store
from cni.pods import PodInterface, interface_of
from kit import log
from kit.clock import Clock, SystemClock, deadline
from linux.links import NetlinkError

THREADS = 8
MOST_BYTES = 1 << 20
PATIENCE = 10.0
MEND_EVERY = 1.5
_log = log.get("cni")
_T = TypeVar("_T")


class Gate(Protocol):
    """Who must know of pods' addresses: policies hold before an ADD is answered."""

    async def attach(self, interface: PodInterface, ips: Iterable[str]) -> None:
        """An interface of a pod has got addresses."""
        ...

    async def detach(self, interface: PodInterface, ips: Iterable[str]) -> None:
        """An interface loses its addresses; nobody has them yet."""
        ...


async def serve(
    socket_path: Path | str,
    data_dir: Path | str,
    *,
    clock: Clock | None = None,
    make_host: Callable[[], Host] = partial(KernelHost, lives_on=True),
    gate: "Gate | None" = None,
    repairs: Counter[str] | None = None,
) -> None:
    """Serve until cancelled; `repairs` counts what was put back."""
    daemon = Daemon(Store(str(data_dir)), make_host, clock or SystemClock(), gate, Healing(repairs))
    try:
        await daemon.run(Path(socket_path))
    finally:
        daemon.close()


class Daemon:
    """The store, the threads, and who waits for whom."""

    def __init__(
        self,
        store: Store,
        make_host: Callable[[], Host],
        clock: Clock,
        gate: Gate | None = None,
        healing: Healing | None = None,
    ) -> None:
        self._store = store
        self._healing = healing or Healing()
        self._make_host = make_host
        self._gate = gate
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="cni")
        self._turns: dict[tuple[str, ...], asyncio.Lock] = {}

    async def run(self, path: Path) -> None:
        """Listen, and mend what is broken, until cancelled."""
        await self._start_up()
        listener = _listen(path)
        ours = path.stat().st_ino
        server = await asyncio.start_unix_server(self._serve, sock=listener, limit=1 << 16)
        _log.info("listening", socket=str(path))
        try:
            while True:
                await self._clock.sleep(MEND_EVERY)
                await self._mend()
        finally:
            server.close()
            if path.exists() and path.stat().st_ino == ours:  # and not that of a daemon that took over
                path.unlink()

    def close(self) -> None:
        """Let requests that run finish, then close the store."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._store.close()

    async def _start_up(self) -> None:
        try:
            for owner in await self._in_thread(lambda host: plugin.sweep(host, self._store)):
                _log.info("forgot an attachment that is gone", container=owner.container, network=owner.network)
            await self._mend()
        except (CniError, NetlinkError) as error:
            _log.warning("cannot clean up at the start", error=error)

    async def _mend(self) -> None:
        try:
            for mended in await self._in_thread(lambda host: self._healing.heal(host, self._store)):
                _log.warning("put back what somebody took away", what=mended)
        except (CniError, NetlinkError) as error:
            _log.warning("cannot mend the pod network", error=error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with deadline(self._clock, PATIENCE):
                environment, body = await _receive(reader)
            code, output = await self._answer(environment, body)
            writer.write(b"%d %d\n" % (code, len(output)) + output)
            async with deadline(self._clock, PATIENCE):
                await writer.drain()
        except _Nothing:
            pass
        except (ValueError, OSError, EOFError, TimeoutError) as error:
            _log.warning("dropped a request", error=error)
        except Exception as error:  # the edge of one request
            _log.exception("cannot serve a request", error=error)
        finally:
            writer.close()

    async def _answer(self, environment: dict[str, str], body: bytes) -> tuple[int, bytes]:
        started = self._clock.monotonic()
        names = ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME")
        command, container, ifname = (environment.get(name, "") for name in names)
        key = (container, ifname)
        turn = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with turn:
                interface = interface_of(environment)
                if interface and self._gate is not None and command == "DEL":
                    held = await self._in_thread(lambda _host: plugin.addresses(environment, body, self._store))
                    await self._gate.detach(interface, held)  # before somebody else may get them
                work = self._in_thread(lambda host: plugin.answer(environment, body, host, self._store))
                code, output = await work
                if interface and self._gate is not None and command == "ADD" and code == 0:
                    await self._gate.attach(interface, [ip["address"] for ip in json.loads(output)["ips"]])
        finally:
            if not turn.locked() and not getattr(turn, "_waiters", None):
                self._turns.pop(key, None)
        took = round((self._clock.monotonic() - started) * 1000, 1)
        if code:
            error = output.decode(errors="replace").strip()
            _log.warning("refused", command=command, container=container, ifname=ifname, error=error)
        else:
            _log.info("done", command=command, container=container, ifname=ifname, ms=took)
        return code, output

    async def _in_thread(self, work: Callable[[Host], _T]) -> _T:
        def call() -> _T:
            host = self._make_host()
            try:
                return work(host)
            finally:
                host.close()

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _listen(path: Path) -> socket.socket:
    """A socket that only root may use from the moment it is there, in place of one that a killed daemon left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before bind: the file is made with this mode
        listener.bind(str(fresh))
        listener.listen(512)
        fresh.rename(path)
    except OSError:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    return listener


class _Nothing(Exception):
    """Somebody only looked whether we are there."""


async def _receive(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    try:
        head = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            raise _Nothing from error
        raise
    sizes = head.split()
    if len(sizes) != 2 or not all(size.isdigit() and int(size) <= MOST_BYTES for size in sizes):
        raise ValueError(f"cannot read a request: {head[:40]!r} is not two lengths of at most {MOST_BYTES}")
    variables = (await reader.readexactly(int(sizes[0]))).decode(errors="replace")
    body = await reader.readexactly(int(sizes[1]))
    return dict(part.split("=", 1) for part in variables.split("\0") if "=" in part), body


__all__ = ["ConflistError", "Daemon", "install", "serve", "write_conflist"]
