"""Recording events while the server is away, and leases by our own clock."""

from __future__ import annotations

import asyncio

import pytest

from api import kinds
from api.core_v1 import ObjectReference
from client import Client, errors
from client.events import MESSAGE_LIMIT, NORMAL, QUEUED, WARNING, EventRecorder
from client.fake import FakeTransport
from client.leases import LeaseClaim
from kit.backoff import Backoff
from kit.clock import FakeClock, settle

POD = ObjectReference(kind="Pod", api_version="v1", namespace="default", name="web", uid="u1")


class Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = FakeTransport(self.clock)
        self.client = Client(self.server)
        self.recorder = EventRecorder(self.client, "tester", "host", clock=self.clock, backoff=Backoff(base=1, cap=8))
        self.task = asyncio.create_task(self.recorder.run())

    def said(self) -> list[tuple[str | None, int | None]]:
        return [(event.message, event.count) for event in self.server.objects(kinds.EVENT)]

    async def end(self) -> None:
        self.task.cancel()
        await settle()


async def test_repetitions_are_counted_and_different_things_are_not() -> None:
    stage = Stage()
    for message in ("a", "b", "a"):
        stage.recorder.record(POD, NORMAL, "Did", message)
        await settle()
    stage.recorder.record(POD, WARNING, "Did", "a")
    await settle()
    assert sorted(stage.said()) == [("a", 1), ("a", 2), ("b", 1)]
    await stage.end()


async def test_while_the_server_is_away_repetitions_wait_as_one() -> None:
    stage = Stage()
    stage.server.faults.go_away()
    for _ in range(5):
        stage.recorder.record(POD, NORMAL, "Did", "a")
        await stage.clock.advance(0.5)
    stage.recorder.record(POD, NORMAL, "Did", "b")
    assert stage.recorder.waiting <= 2
    stage.server.faults.come_back()
    await stage.clock.advance(10)
    assert sorted(stage.said()) == [("a", 5), ("b", 1)]
    (event,) = [event for event in stage.server.objects(kinds.EVENT) if event.message == "a"]
    assert event.first_timestamp != event.last_timestamp
    assert event.source and (event.source.component, event.source.host) == ("tester", "host")
    await stage.end()


async def test_an_event_that_is_gone_is_made_again() -> None:
    stage = Stage()
    stage.recorder.record(POD, NORMAL, "Did", "a")
    await settle()
    (event,) = stage.server.objects(kinds.EVENT)
    stage.server.remove(kinds.EVENT, event.metadata.name or "", "default")
    stage.recorder.record(POD, NORMAL, "Did", "a")
    await settle()
    assert stage.said() == [("a", 1)]
    await stage.end()


async def test_a_refused_event_stops_nothing() -> None:
    stage = Stage()
    stage.server.faults.fail(errors.make(403, "no"), verb="create")
    stage.recorder.record(POD, NORMAL, "Did", "refused")
    stage.recorder.record(POD, NORMAL, "Did", "x" * 5000)
    await settle()
    ((message, count),) = stage.said()
    assert count == 1 and message is not None and len(message) == MESSAGE_LIMIT and message.endswith("...")
    await stage.end()


async def test_the_queue_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage()
    stage.server.faults.go_away()
    for i in range(QUEUED + 10):
        stage.recorder.record(POD, NORMAL, "Did", str(i))
    assert stage.recorder.waiting == QUEUED
    assert capsys.readouterr().err.count("dropped an event") == 10
    await stage.end()


async def test_objects_without_namespace_have_their_events_in_default() -> None:
    stage = Stage()
    stage.recorder.record(ObjectReference(kind="Node", name="n1", uid="n1"), NORMAL, "Ready", "m")
    await settle()
    assert [event.metadata.namespace for event in stage.server.objects(kinds.EVENT)] == ["default"]
    await stage.end()


# leases


async def test_a_lease_that_is_not_renewed_falls_to_another() -> None:
    clock = FakeClock()
    client = Client(FakeTransport(clock))
    one = LeaseClaim(client, "l", "default", "one", seconds=10, clock=clock)
    two = LeaseClaim(client, "l", "default", "two", seconds=10, clock=clock)
    assert await one.renew() and not await two.renew()
    for _ in range(3):
        await clock.advance(6)
        assert await one.renew() and not await two.renew()
    await clock.advance(9.9)
    assert not await two.renew()
    await clock.advance(0.1)
    assert await two.renew()
    assert not await one.renew()


async def test_wall_clocks_do_not_matter() -> None:
    here, there = FakeClock(now=1_000_000), FakeClock(now=9_000_000)  # hours apart
    client = Client(FakeTransport(here))
    one = LeaseClaim(client, "l", "default", "one", seconds=10, clock=here)
    two = LeaseClaim(client, "l", "default", "two", seconds=10, clock=there)
    assert await one.renew() and not await two.renew()
    await there.advance(9)
    assert not await two.renew()


async def test_a_heartbeat_takes_the_lease_and_survives_its_deletion() -> None:
    clock = FakeClock()
    server = FakeTransport(clock)
    client = Client(server)
    assert await LeaseClaim(client, "n1", "default", "other", clock=clock).renew()
    beat = LeaseClaim(client, "n1", "default", "n1", always=True, clock=clock)
    assert await beat.renew()
    server.remove(kinds.LEASE, "n1", "default")
    assert await beat.renew()
    (lease,) = server.objects(kinds.LEASE)
    assert lease.spec.holder_identity == "n1"


async def test_of_two_who_claim_at_once_one_gets_it() -> None:
    clock = FakeClock()
    server = FakeTransport(clock)
    claims = [LeaseClaim(Client(server), "l", "default", str(i), clock=clock) for i in range(5)]
    assert sum(await asyncio.gather(*(claim.renew() for claim in claims))) == 1


async def test_no_answer_is_an_error_not_a_no() -> None:
    server = FakeTransport(FakeClock())
    claim = LeaseClaim(Client(server), "l", "default", "one", clock=FakeClock())
    server.faults.lose_answer(verb="create")
    with pytest.raises(errors.Unavailable):
        await claim.renew()
    assert await claim.renew()  # what was written is recognised
    (lease,) = server.objects(kinds.LEASE)
    assert lease.spec.lease_transitions == 0
