"""A machine that goes down waits for its pods: in which order they end, and what logind is told over the bus."""

import array
import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from api.core_v1 import Pod
from kit.clock import FakeClock, settle
from linux import dbus
from linux.dbus import DbusError, Message
from linux.logind import Logind
from nodeagent.model.memory import PodMemory, Verdict
from nodeagent.plan.shutdown import CRITICAL, Share, Turn, plan_turns, shares_of
from nodeagent.upkeep.shutdown import Shutdown
from tests.unit.nodeagent.pods import NOW, pod


def ranked(uid: str, priority: int | None, grace: int | None = None) -> Pod:
    made = pod("a", priority=priority, termination_grace_period_seconds=grace)
    made.metadata.uid = uid
    return made


def test_the_less_important_go_first() -> None:
    pods = [ranked("system", CRITICAL + 5, 60), ranked("user", None), ranked("low", -10, 5), ranked("patient", 0, 600)]
    assert plan_turns(pods, shares_of(100, 20)) == [
        Turn(80, (("low", 5), ("patient", 80), ("user", 30))),
        Turn(20, (("system", 20),)),
    ]
    assert shares_of(0, 0) == () and plan_turns([], shares_of(9, 1)) == []
    shares = [Share(1000, 10), Share(0, 40), Share(100, 20)]
    assert [turn.seconds for turn in plan_turns([ranked("a", 5000), ranked("b", 500)], shares)] == [20, 10]


class Worker:
    """A pod's worker, as far as a shutdown knows it."""

    def __init__(self, wanted: Pod) -> None:
        self.state = type("State", (), {"pod": wanted, "memory": PodMemory(NOW)})()
        self.ends: list[tuple[str, int]] = []

    def end(self, why: Verdict, grace: int) -> None:
        self.ends.append((why.reason, grace))
        self.state.memory.verdict = why


class Lock:
    """logind, in memory."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[bool | None] = asyncio.Queue()
        self.did: list[str] = []

    async def hold(self) -> None:
        self.did.append("hold")

    def release(self) -> None:
        self.did.append("release")

    async def allow(self, seconds: float) -> None:
        self.did.append(f"allow {seconds:g}")

    async def shutdowns(self) -> AsyncIterator[bool]:
        while (going := await self.news.get()) is not None:
            yield going

    def close(self) -> None:
        self.did.append("close")


async def test_a_shutdown_from_announcement_to_lock() -> None:
    clock, lock, told, events = FakeClock(NOW), Lock(), [], []
    workers = {uid: Worker(ranked(uid, rank)) for uid, rank in (("a", 0), ("slow", 0), ("core", CRITICAL))}
    recorder = type("Recorder", (), {"tell": lambda self, kind, reason, message: events.append((reason, message))})()
    shutdown = Shutdown(workers, clock, shares_of(30, 10), recorder, told.append)  # type: ignore[arg-type]
    running = asyncio.create_task(shutdown.run(lock))
    await settle()
    assert lock.did == ["allow 30", "hold"]
    lock.news.put_nowait(True)
    await settle()
    assert told == [True] and events == [("Shutdown", "Shutdown manager detected shutdown event")]
    assert workers["a"].ends == [("Terminated", 20)] and workers["core"].ends == []
    workers["a"].state.memory.cleaned = True
    await clock.advance(19)
    assert workers["core"].ends == [], "it waits for the slow one"
    await clock.advance(2)
    assert workers["core"].ends == [("Terminated", 10)] and "release" not in lock.did
    workers["core"].state.memory.cleaned = True
    await clock.advance(1)
    assert lock.did[-1] == "release"
    lock.news.put_nowait(False)
    await settle()
    assert told == [True, False] and lock.did[-1] == "hold"
    assert events[-1] == ("Shutdown", "Shutdown manager detected shutdown cancellation")
    lock.news.put_nowait(None)
    with pytest.raises(DbusError):
        await running
    assert lock.did[-1] == "close"


async def test_a_shutdown_that_is_called_off_is_heard_while_pods_end() -> None:
    clock, lock, told = FakeClock(NOW), Lock(), list[bool]()
    workers = {uid: Worker(ranked(uid, rank)) for uid, rank in (("slow", 0), ("core", CRITICAL))}
    recorder = type("Recorder", (), {"tell": lambda self, kind, reason, message: None})()
    shutdown = Shutdown(workers, clock, shares_of(30, 10), recorder, told.append)  # type: ignore[arg-type]
    running = asyncio.create_task(shutdown.run(lock))
    await settle()
    lock.news.put_nowait(True)
    await settle()
    assert workers["slow"].ends == [("Terminated", 20)]
    lock.news.put_nowait(False)
    await settle()
    assert told == [True, False] and lock.did[-1] == "hold"
    await clock.advance(60)
    assert workers["core"].ends == [], "its turn never comes"
    lock.news.put_nowait(None)
    with pytest.raises(DbusError):
        await running


async def test_what_goes_wrong_while_pods_end_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    clock, lock, told = FakeClock(NOW), Lock(), list[bool]()
    broken = Worker(ranked("a", 0))
    broken.end = None  # type: ignore[assignment]
    recorder = type("Recorder", (), {"tell": lambda self, kind, reason, message: None})()
    shutdown = Shutdown({"a": broken}, clock, shares_of(30, 10), recorder, told.append)  # type: ignore[arg-type]
    running = asyncio.create_task(shutdown.run(lock))
    lock.news.put_nowait(True)
    await settle()
    assert lock.did[-1] == "release", "the machine goes down all the same"
    assert "cannot end all pods before the machine goes down" in capsys.readouterr().err
    lock.news.put_nowait(False)
    await settle()
    assert told == [True, False] and lock.did[-1] == "hold"
    lock.news.put_nowait(None)
    with pytest.raises(DbusError):
        await running


class FakeBus:
    """The bus with logind on it, on a socket: what it was asked, and signals when told."""

    def __init__(self, path: str) -> None:
        self.asked: list[tuple[str, list[Any]]] = []
        self.longest = 5_000_000
        self.held: list[int] = []
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.door.bind(path)
        self.door.listen(1)
        self.door.setblocking(False)
        self.peer: socket.socket | None = None
        self.task = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self.peer, _ = await loop.sock_accept(self.door)
        self.peer.setblocking(False)
        for word in (b"OK 1234\r\n", b"AGREE_UNIX_FD\r\n"):
            await loop.sock_recv(self.peer, 1000)
            await loop.sock_sendall(self.peer, word)
        data = b""
        while more := await loop.sock_recv(self.peer, 65536):
            data += more.removeprefix(b"BEGIN\r\n")
            while (found := dbus.decode(data)) is not None:
                data = data[found[1] :]
                self._answer(found[0])

    def _answer(self, message: Message) -> None:
        assert self.peer is not None
        method = message.fields[dbus.MEMBER]
        self.asked.append((method, message.body))
        fields = {dbus.ANSWER_TO: message.serial}
        if method == "Inhibit":
            mine, theirs = os.pipe()
            self.held.append(mine)
            answer = dbus.encode(Message(dbus.ANSWER, {**fields, dbus.DESCRIPTORS: 1}, [0]), "h")
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs]))]
            self.peer.sendmsg([answer], rights)
            os.close(theirs)
        elif method == "Get":
            variant = dbus.Writer()
            variant.put("g", "t")
            variant.put("t", self.longest)
            raw = dbus.encode(Message(dbus.ANSWER, {**fields, dbus.SIGNATURE: "v"}))
            body = bytes(variant.data)
            self.peer.send(raw[:4] + len(body).to_bytes(4, "little") + raw[8:] + body)
        elif method == "KillUnit":
            self.peer.send(dbus.encode(Message(dbus.FAILURE, fields, ["no such unit"]), "s"))
        else:
            self.peer.send(dbus.encode(Message(dbus.ANSWER, fields, [":1.1"]), "s"))

    def announce(self, going: bool) -> None:
        assert self.peer is not None
        fields = {dbus.PATH: "/x", dbus.INTERFACE: "org.freedesktop.login1.Manager", dbus.MEMBER: "PrepareForShutdown"}
        self.peer.send(dbus.encode(Message(dbus.SIGNAL, fields, [going]), "b"))

    def released(self) -> bool:
        """Whether nobody holds the newest lock any more: its other end is closed."""
        os.set_blocking(self.held[-1], False)
        try:
            return os.read(self.held[-1], 1) == b""
        except BlockingIOError:
            return False

    async def close(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        for one in (self.peer, self.door):
            if one is not None:
                one.close()
        for number in self.held:
            os.close(number)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "bus")


async def test_logind_over_the_bus(path: str, tmp_path: Path) -> None:
    bus = FakeBus(path)
    logind = await Logind.open(path)
    assert [method for method, _ in bus.asked] == ["Hello", "AddMatch"]
    await logind.hold()
    assert bus.asked[-1] == ("Inhibit", ["shutdown", "wherry", "pods need time to end", "delay"])
    assert not bus.released()
    assert await logind.longest() == 5.0
    await logind.allow(5.0)
    with pytest.raises(DbusError, match="cannot call KillUnit: no such unit"):
        await logind.allow(60.0, tmp_path / "conf.d/x.conf")
    assert (tmp_path / "conf.d/x.conf").read_text() == "[Login]\nInhibitDelayMaxSec=60\n"
    bus.announce(True)
    bus.announce(False)
    heard = logind.shutdowns()
    assert [await anext(heard), await anext(heard)] == [True, False]
    logind.release()
    assert bus.released()
    await bus.close()
    assert [going async for going in heard] == [], "it ends with the bus"
    logind.close()


async def test_calls_side_by_side_and_locks_that_nobody_takes(path: str) -> None:
    bus = FakeBus(path)
    logind = await Logind.open(path)
    assert await asyncio.gather(*(logind.longest() for _ in range(20))) == [5.0] * 20
    asked = asyncio.create_task(logind.hold())
    await asyncio.sleep(0)  # it has asked
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await logind.longest()  # so the answer to what was asked before has come
    assert bus.held and bus.released(), "a lock that nobody waits for is given back"
    await bus.close()
    logind.close()


async def test_no_bus(path: str) -> None:
    with pytest.raises(DbusError, match="cannot connect to the bus at"):
        await Logind.open(path)


async def test_a_bus_that_refuses_is_left(path: str) -> None:
    left = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"REJECTED\r\n")
        await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_unix_server(refuse, path):
        bus = dbus.Bus()
        with pytest.raises(DbusError, match="it says REJECTED"):
            await bus.open(path)
        async with asyncio.timeout(120):
            await left.wait()
