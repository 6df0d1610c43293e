"""Servers that are killed, and the clients that must not lose anything by it: writers that know what was acknowledged, and watchers.

What a writer was not told may have happened or not. It looks, or tries again, or leaves the object alone; what the object may be at the end
is kept as a set of states, `None` being its absence.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from api import kinds
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from client import errors
from client.client import Client
from client.http import HttpTransport
from client.kubeconfig import Access
from kit import pki

NAMESPACE = "default"
SHARED = "shared"
PAUSE = 0.02  # between tries of a client whose server is gone
ABANDONED = 0.2  # of the writes that were not acknowledged


class Place:
    """Servers by number: their ports, processes and certificates."""

    def __init__(self, folder: Path, store: str) -> None:
        self._folder, self._store = folder, store
        self.ca = pki.make_ca("test")
        self.admin = pki.issue(self.ca, "admin", ["system:masters"], client=True)
        pki.issue(self.ca, "apiserver", ips=["127.0.0.1"], server=True).save(
            folder / "server.crt", folder / "server.key"
        )
        (folder / "ca.crt").write_bytes(self.ca.cert)
        self.ports: dict[int, int] = {}
        self._processes: dict[int, asyncio.subprocess.Process] = {}

    async def start(self, number: int = 0) -> None:
        """Start a server; returns when it answers."""
        words = ("-m", "tests.scenario.apiserver.served", str(self._folder), self._store)
        with open(self._folder / f"served-{number}.log", "ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, *words, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        self._processes[number] = child
        assert child.stdout is not None
        line = await child.stdout.readline()
        assert line, (self._folder / f"served-{number}.log").read_text()[-4000:]
        self.ports[number] = int(line)

    async def kill(self, number: int = 0) -> None:
        """As a power loss has it."""
        self.ports.pop(number, None)
        child = self._processes.pop(number)
        assert child.returncode is None, "the server has ended by itself"
        child.send_signal(signal.SIGKILL)
        await child.wait()

    async def close(self) -> None:
        """Kill what runs."""
        for number in [number for number, child in self._processes.items() if child.returncode is None]:
            await self.kill(number)

    def access(self, port: int) -> Access:
        """An administrator's way to a server."""
        return Access(f"https://127.0.0.1:{port}", self.ca.cert, self.admin.cert, self.admin.key)


class Door:
    """One client's connection, made anew to whichever server is there when the last one has gone."""

    def __init__(self, place: Place, rng: random.Random) -> None:
        self._place, self._rng = place, rng
        self._port = 0
        self._client: Client | None = None

    async def client(self) -> Client:
        """A client of a server that was there a moment ago."""
        while self._client is None or self._port not in self._place.ports.values():
            await self.leave()
            if not self._place.ports:
                await asyncio.sleep(PAUSE)
                continue
            self._port = self._rng.choice(list(self._place.ports.values()))
            self._client = Client(HttpTransport(self._place.access(self._port)))
        return self._client

    async def leave(self) -> None:
        """Forget the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class Unknown(Exception):
    """No answer: it may have happened."""


class Seen(NamedTuple):
    """One change, as a watcher or the store tells it."""

    revision: int
    type: str
    name: str
    n: str


@dataclass
class History:
    """What was acknowledged: each revision once, and what each object may be."""

    revisions: dict[int, tuple[str, str]] = field(default_factory=dict)  # to name and data.n
    states: dict[str, set[str | None]] = field(default_factory=dict)
    increments: int = 0
    maybe_increments: int = 0
    unknown: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def acknowledge(self, obj: ConfigMap) -> None:
        """A write was answered with this."""
        name, n, revision = obj.metadata.name or "", obj.data["n"], int(obj.metadata.resource_version or 0)
        assert self.revisions.setdefault(revision, (name, n)) == (name, n), f"revision {revision} is used twice"
        self.news.set()

    def must_be(self, name: str, *states: str | None) -> None:
        """All that the object can be now."""
        self.states[name] = set(states)


class Writer:
    """Creates, updates, patches and deletes objects of its own, and counts in one that all share."""

    def __init__(self, place: Place, history: History, name: str, seed: int) -> None:
        self._rng = random.Random(f"{name}-{seed}")
        self._door = Door(place, self._rng)
        self._history, self._name = history, name
        self._count = 0
        self._present: dict[str, ConfigMap] = {}
        self.stopping = False

    async def run(self) -> None:
        """Write until `stopping`."""
        try:
            while not self.stopping:
                try:
                    await self._one()
                except Unknown:
                    continue  # the object is left as it may be
        finally:
            await self._door.leave()

    async def _one(self) -> None:
        choice = self._rng.random()
        if choice < 0.15:
            await self._increment()
        elif choice < 0.4 or not self._present:
            await self._create()
        else:
            obj = self._present.pop(self._rng.choice(sorted(self._present)))
            await self._rng.choice((self._update, self._patch, self._delete))(obj)

    async def _create(self) -> None:
        self._count += 1
        name, n = f"{self._name}-{self._count}", self._number()
        wanted = config_map(name, n, self._name)
        self._history.must_be(name, None, n)
        first = True
        while True:
            try:
                made = await self._ask(lambda client: client.create(kinds.CONFIG_MAP, wanted))
                break
            except Unknown:
                first = False
                self._maybe_abandon()
            except errors.AlreadyExists:
                assert not first, f"{name} was never created"
                made = await self._look(name)
                assert made.data == {"n": n}
                break
        self._settle(made)

    async def _update(self, obj: ConfigMap) -> None:
        name, old, n = obj.metadata.name or "", obj.data["n"], self._number()
        self._history.must_be(name, old, n)
        wanted = msgspec.structs.replace(obj, data={"n": n})
        first = True
        while True:
            try:
                made = await self._ask(lambda client: client.update(kinds.CONFIG_MAP, wanted))
                break
            except Unknown:
                self._maybe_abandon()
                made = await self._look(name)
                if made.data == {"n": n}:
                    break
                assert made == obj, "a write is lost, or nobody's"
                first = False
            except errors.Conflict:  # a store that goes on has made, after that look, what a killed server asked for
                assert not first, f"somebody else has written {name}"
                made = await self._look(name)
                assert made.data == {"n": n}
                break
        self._settle(made)

    async def _patch(self, obj: ConfigMap) -> None:
        name, old, n = obj.metadata.name or "", obj.data["n"], self._number()
        self._history.must_be(name, old, n)
        while True:
            try:
                made = await self._ask(
                    lambda client: client.patch(kinds.CONFIG_MAP, name, {"data": {"n": n}}, NAMESPACE)
                )
                break
            except Unknown:
                self._maybe_abandon()
        self._settle(made)

    async def _delete(self, obj: ConfigMap) -> None:
        name = obj.metadata.name or ""
        self._history.must_be(name, None, obj.data["n"])
        first = True
        while True:
            try:
                await self._ask(lambda client: client.delete(kinds.CONFIG_MAP, name, NAMESPACE))
                break
            except Unknown:
                first = False
                self._maybe_abandon()
            except errors.NotFound:
                assert not first, f"{name} is lost"
                break
        self._history.must_be(name, None)
        self._history.news.set()

    async def _increment(self) -> None:
        """Read, add one, compare and swap."""
        while True:
            obj = await self._look(SHARED)
            obj.data["n"] = str(int(obj.data["n"]) + 1)
            try:
                made = await self._ask(partial(_put, obj))
            except errors.Conflict:
                continue
            except Unknown:
                self._history.maybe_increments += 1
                return
            self._history.increments += 1
            self._history.acknowledge(made)
            return

    async def _look(self, name: str) -> ConfigMap:
        while True:
            try:
                return await self._ask(lambda client: client.get(kinds.CONFIG_MAP, name, NAMESPACE))
            except Unknown:
                continue

    async def _ask(self, ask: Callable[[Client], Awaitable[Any]]) -> Any:
        """One request. Raises Unknown if there was no answer."""
        client = await self._door.client()
        try:
            return await ask(client)
        except errors.Retryable:
            self._history.unknown += 1
            await self._door.leave()
            await asyncio.sleep(PAUSE)
            raise Unknown from None

    def _maybe_abandon(self) -> None:
        if self._rng.random() < ABANDONED:
            raise Unknown

    def _settle(self, obj: ConfigMap) -> None:
        self._history.acknowledge(obj)
        self._history.must_be(obj.metadata.name or "", obj.data["n"])
        self._present[obj.metadata.name or ""] = obj

    def _number(self) -> str:
        return f"{self._rng.getrandbits(40):x}"


class Watcher:
    """Goes on from the last revision it has seen, at whichever server is there; lists again when told to."""

    def __init__(self, place: Place, seed: int, after: str, labels: str, wants: Callable[[str], bool]) -> None:
        self._door = Door(place, random.Random(seed))
        self._after, self._labels = after, labels
        self.wants = wants  # whether `labels` selects the objects of a writer
        self.seen: list[Seen] = []
        self.lists = 0
        self.news = asyncio.Event()

    async def run(self) -> None:
        """Watch for ever."""
        try:
            while True:
                client = await self._door.client()
                try:
                    await self._follow(client)
                except errors.Expired:
                    await self._list(client)
                except errors.Retryable:
                    await self._door.leave()
                    await asyncio.sleep(PAUSE)
        finally:
            await self._door.leave()

    async def _follow(self, client: Client) -> None:
        watch = client.watch_raw(kinds.CONFIG_MAP, NAMESPACE, labels=self._labels, revision=self._after)
        async for type_, data in watch:
            obj = msgspec.json.decode(data, type=ConfigMap)
            self._take(type_, obj)

    async def _list(self, client: Client) -> None:
        self.lists += 1
        try:
            listing = await client.list_raw(kinds.CONFIG_MAP, NAMESPACE, labels=self._labels)
        except errors.Retryable:
            return
        self._after = listing.revision

    def _take(self, type_: str, obj: ConfigMap) -> None:
        name, revision = obj.metadata.name or "", obj.metadata.resource_version or ""
        assert int(revision) > int(self._after), f"{type_} of {name} at {revision} after {self._after}"
        self._after = revision
        self.seen.append(Seen(int(revision), type_, name, obj.data["n"]))
        self.news.set()

    async def until(self, revision: int) -> None:
        """Wait until the change at `revision` has been seen."""
        async with asyncio.timeout(120):
            while not self.seen or self.seen[-1].revision < revision:
                self.news.clear()
                await self.news.wait()


async def _put(obj: ConfigMap, client: Client) -> ConfigMap:
    return await client.update(kinds.CONFIG_MAP, obj)


def config_map(name: str, n: str, writer: str) -> ConfigMap:
    """An object of a writer."""
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=NAMESPACE, labels={"writer": writer}), data={"n": n})
