"""Groups that systemd makes: what it is asked for over the bus, in which bytes, and what a refusal means."""

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from linux import dbus
from linux.cgroup import CgroupBusy, CgroupError, Limits, slice_path
from linux.dbus import DbusError, Message
from linux.dbus_call import DbusRefused, call
from linux.slices import EXISTS, NO_LIMIT, SliceCgroups, slice_properties

POD = "kubepods-burstable-podu.slice"


class Systemd:
    """What it is asked; refuses what it is told to."""

    def __init__(self, **refusals: str) -> None:
        self.refusals = refusals
        self.asked: list[tuple[str, Sequence[Any]]] = []

    def __call__(self, method: str, signature: str, values: Sequence[Any]) -> None:
        self.asked.append((method, values))
        assert len(dbus.split(signature)) == len(values)
        if method in self.refusals:
            raise DbusRefused(f"cannot call {method}: no", self.refusals[method])

    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]


@pytest.mark.parametrize(
    ("limits", "version", "expected"),
    [
        (Limits(), 2, []),
        (
            Limits(1024, 50_000, 64, 9),
            2,
            [("CPUWeight", 39), ("CPUQuotaPerSecUSec", 500_000), ("MemoryMax", 64), ("TasksMax", 9)],
        ),
        (Limits(1024, memory=64), 1, [("CPUShares", 1024), ("MemoryLimit", 64)]),
        (
            Limits(2, -1, 0, 0),
            2,
            [("CPUWeight", 1), ("CPUQuotaPerSecUSec", NO_LIMIT), ("MemoryMax", NO_LIMIT), ("TasksMax", NO_LIMIT)],
        ),
    ],
)
def test_limits_in_the_words_of_systemd(limits: Limits, version: int, expected: list[tuple[str, int]]) -> None:
    assert slice_properties(limits, version) == [(name, ("t", value)) for name, value in expected]


def test_a_slice_is_made_or_changed(tmp_path: Path) -> None:
    fresh, known = Systemd(), Systemd(StartTransientUnit=EXISTS)
    for systemd in (fresh, known):
        SliceCgroups(2, tmp_path, systemd).ensure(POD, Limits(memory=64))
    assert fresh.methods() == ["StartTransientUnit"] and known.methods() == ["StartTransientUnit", "SetUnitProperties"]
    for _, (name, _, properties, *_) in (fresh.asked[0], known.asked[1]):
        assert name == POD and ("MemoryMax", ("t", 64)) in properties and ("CPUAccounting", ("b", True)) in properties


@pytest.mark.parametrize(
    "refusals", [{"StartTransientUnit": "x"}, {"StartTransientUnit": EXISTS, "SetUnitProperties": "x"}]
)
def test_a_refusal(refusals: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CgroupError, match=f"slice {POD}: cannot call"):
        SliceCgroups(2, tmp_path, Systemd(**refusals)).ensure(POD, Limits())


@pytest.mark.parametrize("version", [1, 2])
def test_a_slice_goes_when_nothing_lives_in_it(version: int, tmp_path: Path) -> None:
    systemd, stopped = Systemd(), list[str]()
    slices = SliceCgroups(version, tmp_path, systemd, stopped.extend)
    slices.remove(POD)
    assert stopped == [], "it is not there"
    group = (tmp_path if version == 2 else tmp_path / "systemd") / slice_path(POD)[1:]
    scope = group / "cri-1.scope"
    scope.mkdir(parents=True)
    (group / "memory.events").write_text("oom_kill 2\noom_group_kill 1\n")
    assert slices.kills(POD) == ((2, 1) if version == 2 else (0, 0))
    assert slices.children("kubepods-burstable.slice") == [POD] and slices.children(POD) == []
    (scope / "cgroup.procs").write_text("7\n8\n")
    with pytest.raises(CgroupBusy, match="processes live in it"):
        slices.remove(POD)
    assert slices.kill(POD) == 2 and systemd.asked == [("KillUnit", [POD, "all", 9])]
    (scope / "cgroup.procs").write_text("")
    assert slices.kill(POD) == 0
    slices.remove(POD)
    assert stopped == [POD] and slices.children("none.slice") == []


def test_lists_and_structures_as_the_bus_has_them() -> None:
    writer = dbus.Writer()
    writer.put("y", 1)
    writer.put("a(sv)", [("A", ("t", 2)), ("B", ("b", True))])
    first = b"\1\0\0\0A\0" + b"\1t\0" + b"\0" * 7 + b"\2" + b"\0" * 7
    second = b"\1\0\0\0B\0" + b"\1b\0" + b"\0" * 3 + b"\1\0\0\0"
    assert bytes(writer.data) == b"\1\0\0\0" + (len(first) + len(second)).to_bytes(4, "little") + first + second
    assert dbus.split("ssa(sv)a(sa(sv))aas") == ["s", "s", "a(sv)", "a(sa(sv))", "aas"]
    empty = dbus.Writer()
    empty.put("a(sv)", [])
    assert bytes(empty.data) == b"\0" * 8, "what aligns the first element is there without one"


Answers = Callable[[Message], bytes]


@contextmanager
def bus(path: Path, greeting: bytes, answer: Answers) -> Any:
    """A bus for one caller, in a thread."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen(1)

        def serve() -> None:
            peer, _ = door.accept()
            with suppress(ConnectionError), peer, peer.makefile("rb") as heard:  # the caller may hang up first
                for _ in range(2):
                    heard.readline()
                peer.sendall(greeting)
                data = b""
                while more := heard.read1():
                    data += more
                    while (found := dbus.decode(data)) is not None:
                        data = data[found[1] :]
                        if not (said := answer(found[0])):
                            return
                        peer.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def _plain(message: Message) -> bytes:
    signal = {dbus.PATH: "/x", dbus.INTERFACE: "a.b", dbus.MEMBER: "NameAcquired"}
    answer = dbus.encode(Message(dbus.ANSWER, {dbus.ANSWER_TO: message.serial}, [message.fields[dbus.MEMBER]]), "s")
    return dbus.encode(Message(dbus.SIGNAL, signal)) + answer


def _refusing(message: Message) -> bytes:
    fields = {dbus.ANSWER_TO: message.serial, dbus.ERROR_NAME: "a.Error"}
    return dbus.encode(Message(dbus.FAILURE, fields, ["never"]), "s") if message.serial == 2 else _plain(message)


def test_one_call(tmp_path: Path) -> None:
    with bus(tmp_path / "a", b"OK 1\r\n", _plain):
        assert call(("a.b", "/a", "a.b"), "Do", "s", ["x"], path=str(tmp_path / "a")).body == ["Do"]


@pytest.mark.parametrize(
    ("greeting", "answer", "said"),
    [
        (b"OK 1\r\n", _refusing, "cannot call Do: never"),
        (b"REJECTED\r\n", _plain, "it says REJECTED"),
        (b"OK 1\r\n", lambda message: b"", "it hung up"),
    ],
)
def test_calls_that_fail(greeting: bytes, answer: Answers, said: str, tmp_path: Path) -> None:
    with bus(tmp_path / "a", greeting, answer), pytest.raises(DbusError, match=said) as caught:
        call(("a.b", "/a", "a.b"), "Do", "", [], path=str(tmp_path / "a"))
    assert getattr(caught.value, "name", "a.Error") == "a.Error"


def test_no_bus(tmp_path: Path) -> None:
    with pytest.raises(DbusError, match="cannot call Do over the bus at"):
        call(("a.b", "/a", "a.b"), "Do", "", [], path=str(tmp_path / "none"))
