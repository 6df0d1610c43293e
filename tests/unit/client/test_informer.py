"""The informer under trouble, on the fake and a fake clock: what it tells, when it lists again, how it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import ConfigMap
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from client import Client, Informer, errors
from client.fake import FakeTransport
from client.transport import Listing, Query
from kit.backoff import Backoff
from kit.clock import FakeClock, settle

NS = "default"


def a_map(name: str, value: str = "1") -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=NS), data={"v": value})


def value_of(data: bytes) -> str:
    return codec.decode(kinds.CONFIG_MAP, data).data["v"]


class Stage:
    """A server, its clock, and an informer that follows it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = FakeTransport(self.clock)
        self.told: list[tuple[str, str | None, str | None]] = []
        self.informer = Informer(
            Client(self.server), kinds.CONFIG_MAP, value_of, clock=self.clock, backoff=Backoff(base=1, cap=8)
        )
        self.informer.subscribe(lambda *change: self.told.append(change))

    def put(self, name: str, value: str = "1") -> None:
        self.server.put(kinds.CONFIG_MAP, a_map(name, value))

    def remove(self, name: str) -> None:
        self.server.remove(kinds.CONFIG_MAP, name, NS)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.informer.run())
        await settle()
        yield
        assert not task.done(), task
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def take(self) -> list[tuple[str, str | None, str | None]]:
        told, self.told[:] = list(self.told), []
        return told


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_list_then_follow(stage: Stage) -> None:
    stage.put("a")
    assert not stage.informer.synced.is_set()
    async with stage.following():
        assert stage.informer.synced.is_set() and stage.take() == [("default/a", None, "1")]
        stage.put("b")
        stage.put("a", "2")
        stage.remove("b")
        await settle()
        assert stage.take() == [("default/b", None, "1"), ("default/a", "1", "2"), ("default/b", "1", None)]
        assert stage.informer.store == {"default/a": "2"} and stage.informer.revision == str(stage.server.revision)


async def test_late_subscribers_are_told_what_is_there(stage: Stage) -> None:
    stage.put("a")
    async with stage.following():
        late: list[Any] = []
        stage.informer.subscribe(lambda *change: late.append(change))
        assert late == [("default/a", None, "1")]


async def test_a_broken_watch_goes_on_without_a_list(stage: Stage) -> None:
    stage.put("a")
    async with stage.following():
        stage.server.faults.fail(verb="list", times=1000)  # another list would fail
        stage.server.faults.drop_watches()
        stage.put("a", "2")
        await stage.clock.advance(1)
        assert stage.take() == [("default/a", None, "1"), ("default/a", "1", "2")]


async def test_a_watch_that_ends_after_a_while_is_opened_again_at_once(stage: Stage) -> None:
    async with stage.following():
        await stage.clock.advance(100)
        stage.server.faults.end_watches()
        stage.put("a")
        await settle()
        assert stage.take() == [("default/a", None, "1")]


async def test_watches_that_end_at_once_are_not_opened_in_a_hot_loop(stage: Stage) -> None:
    async with stage.following():
        for pause in (1, 2, 4, 8, 8):
            stage.server.faults.end_watches()
            await settle()
            assert stage.server.watching == 0
            await stage.clock.advance(pause - 0.1)
            assert stage.server.watching == 0
            await stage.clock.advance(0.1)
            assert stage.server.watching == 1


async def test_expired_lists_again_and_tells_what_went(stage: Stage) -> None:
    for name in "abc":
        stage.put(name)
    async with stage.following():
        stage.take()
        stage.server.faults.go_away()
        stage.remove("a")
        stage.put("b", "2")
        stage.put("d")
        stage.server.compact()
        stage.server.faults.come_back()
        await stage.clock.advance(20)
        assert sorted(stage.take()) == [("default/a", "1", None), ("default/b", "1", "2"), ("default/d", None, "1")]
        assert stage.informer.store == {"default/b": "2", "default/c": "1", "default/d": "1"}


async def test_deleted_and_made_again_while_away_is_told_as_both(stage: Stage) -> None:
    stage.put("a")
    async with stage.following():
        stage.take()
        stage.server.faults.go_away()
        stage.remove("a")
        stage.put("a", "2")
        stage.server.compact()
        stage.server.faults.come_back()
        await stage.clock.advance(20)
        assert stage.take() == [("default/a", "1", None), ("default/a", None, "2")]


async def test_bookmarks_keep_the_revision_fresh(stage: Stage) -> None:
    async with stage.following():
        for name in "abc":
            stage.server.put(
                kinds.SECRET, codec.decode(kinds.SECRET, b'{"metadata":{"name":"%b","namespace":"x"}}' % name.encode())
            )
        assert stage.informer.revision != str(stage.server.revision)
        stage.server.bookmark()
        await settle()
        assert stage.informer.revision == str(stage.server.revision)
        stage.server.compact()
        stage.server.faults.fail(verb="list", times=1000)  # a list is not needed
        stage.server.faults.drop_watches()
        stage.put("a")
        await stage.clock.advance(1)
        assert stage.take() == [("default/a", None, "1")]


async def test_back_off_while_the_server_is_away(stage: Stage) -> None:
    stage.server.faults.go_away()
    async with stage.following():
        stage.put("a")
        await stage.clock.advance(1 + 2 + 4 + 8 + 8)
        stage.server.faults.come_back()
        await stage.clock.advance(7.9)
        assert not stage.informer.synced.is_set()
        await stage.clock.advance(0.1)
        assert stage.take() == [("default/a", None, "1")]


async def test_the_server_s_wish_to_wait_is_heard(stage: Stage) -> None:
    from api.meta_v1 import StatusDetails

    busy = errors.make(429, "too busy", details=StatusDetails(retry_after_seconds=50))
    stage.server.faults.fail(busy, verb="list")
    async with stage.following():
        await stage.clock.advance(49)
        assert not stage.informer.synced.is_set()
        await stage.clock.advance(1)
        assert stage.informer.synced.is_set()


async def test_a_store_that_went_back_in_time_is_believed(stage: Stage) -> None:
    for name in "abcdef":
        stage.put(name)
    async with stage.following():
        stage.take()
        restored = FakeTransport(stage.clock)
        restored.put(kinds.CONFIG_MAP, a_map("a", "old"))
        stage.informer._client = Client(restored)
        stage.server.faults.drop_watches()
        await stage.clock.advance(20)
        assert stage.informer.store == {"default/a": "old"}
        restored.put(kinds.CONFIG_MAP, a_map("a", "new"))
        await settle()
        assert stage.informer.store == {"default/a": "new"}


async def test_an_odd_object_is_named_and_stops_nothing(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.put("good")
    stage.server.put(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="odd", namespace=NS)))
    async with stage.following():
        assert stage.informer.store == {"default/good": "1"}
        log = capsys.readouterr().err
        assert "cannot read object" in log and "object=default/odd" in log and "KeyError" in log
        stage.put("odd", "2")
        await settle()
        assert stage.informer.store["default/odd"] == "2"
        stage.server.put(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="odd", namespace=NS)))
        await settle()
        assert stage.informer.store["default/odd"] == "2"  # its last good state stays
        stage.remove("odd")
        await settle()
        assert stage.take()[-1] == ("default/odd", "2", None) and "default/odd" not in stage.informer.store


async def test_a_failing_subscriber_does_not_stop_the_others(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(key: str, old: str | None, new: str | None) -> None:
        raise ValueError("boom")

    stage.informer._subscribers.insert(0, fail)
    async with stage.following():
        stage.put("a")
        await settle()
        assert stage.take() == [("default/a", None, "1")]
    assert "subscriber failed" in capsys.readouterr().err


class Scripted:
    """A transport that says what it is told: for what no good server says."""

    def __init__(self, lists: list[Listing], watches: list[list[tuple[str, bytes]]]) -> None:
        self.lists, self.watches = lists, watches

    async def request(self, method: str, path: str, query: Query, body: bytes = b"", content_type: str = "") -> bytes:
        raise NotImplementedError

    async def list(self, kind: Kind[Any], namespace: str, query: Query) -> Listing:
        return self.lists.pop(0)

    async def watch(self, kind: Kind[Any], namespace: str, query: Query) -> AsyncGenerator[tuple[str, bytes], None]:
        if self.watches:
            for event in self.watches.pop(0):
                yield event
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


def raw(name: str, revision: int, value: str) -> bytes:
    return b'{"metadata":{"name":"%b","namespace":"default","uid":"u","resourceVersion":"%d"},"data":{"v":"%b"}}' % (
        name.encode(),
        revision,
        value.encode(),
    )


@pytest.mark.parametrize(
    "bad",
    [
        ("MODIFIED", raw("a", 3, "stale")),
        ("DELETED", raw("a", 3, "stale")),
        ("MODIFIED", b"nonsense"),
        ("ADDED", b"[1]"),
    ],
)
async def test_what_cannot_be_makes_it_list_again(bad: tuple[str, bytes]) -> None:
    clock = FakeClock()
    transport = Scripted(
        [Listing([raw("a", 4, "listed")], "5"), Listing([raw("a", 8, "listed again")], "8")],
        [[("MODIFIED", raw("a", 6, "newer")), bad, ("MODIFIED", raw("a", 7, "never told"))]],
    )
    told: list[str | None] = []
    informer = Informer(Client(transport), kinds.CONFIG_MAP, value_of, clock=clock, backoff=Backoff(base=1, cap=8))
    informer.subscribe(lambda key, old, new: told.append(new))
    task = asyncio.create_task(informer.run())
    await clock.advance(2)
    assert told == ["listed", "newer", "listed again"]
    task.cancel()
