"""What every door promises about watches, and that an informer on it follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import pytest

from api import codec, kinds
from api.core_v1 import ConfigMap
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from client import Client, Informer, errors
from client.events import NORMAL, EventRecorder, reference
from client.leases import LeaseClaim
from tests.contract.client.conftest import Door

NS = "default"


def a_map(name: str, **labels: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=NS, labels=labels), data={"a": "1"})


class Watch:
    """An open watch whose events can be taken one by one."""

    def __init__(self, stream: AsyncGenerator[tuple[str, bytes], None]) -> None:
        self._stream = stream

    async def next(self) -> tuple[str, str | None, dict[str, str]]:
        """Type, name and labels of the next event."""
        event, data = await asyncio.wait_for(anext(self._stream), 120)
        said = json.loads(data)["metadata"]
        return event, said.get("name"), said.get("labels", {})

    async def raw(self) -> tuple[str, bytes]:
        return await asyncio.wait_for(anext(self._stream), 120)


@asynccontextmanager
async def watching(client: Client, kind: Kind[Any] = kinds.CONFIG_MAP, **options: Any) -> AsyncIterator[Watch]:
    stream = cast(AsyncGenerator[tuple[str, bytes], None], client.watch_raw(kind, NS, **options))
    async with aclosing(stream):
        yield Watch(stream)


async def test_a_watch_goes_on_where_a_list_ended(client: Client) -> None:
    await client.create(kinds.CONFIG_MAP, a_map("before"))
    listing = await client.list_raw(kinds.CONFIG_MAP, NS)
    made = await client.create(kinds.CONFIG_MAP, a_map("x"))
    changed = await client.patch(kinds.CONFIG_MAP, "x", {"data": {"a": "2"}}, NS, type="merge")
    await client.delete(kinds.CONFIG_MAP, "x", NS)
    async with watching(client, revision=listing.revision) as watch:
        event, data = await watch.raw()
        assert event == "ADDED" and codec.decode(kinds.CONFIG_MAP, data) == made
        said = json.loads(data)
        assert (said["kind"], said["apiVersion"]) == ("ConfigMap", "v1")
        event, data = await watch.raw()
        assert event == "MODIFIED" and codec.decode(kinds.CONFIG_MAP, data) == changed
        event, data = await watch.raw()
        gone = codec.decode(kinds.CONFIG_MAP, data)
        assert event == "DELETED" and gone.data == {"a": "2"}
        assert int(gone.metadata.resource_version or "") > int(changed.metadata.resource_version or "")
        await client.create(kinds.CONFIG_MAP, a_map("later"))  # while the watch is open
        assert (await watch.next())[:2] == ("ADDED", "later")


async def test_a_watch_without_a_revision_begins_with_what_is_there(client: Client) -> None:
    for name in ("b", "a"):
        await client.create(kinds.CONFIG_MAP, a_map(name, here="yes"))
    async with watching(client, labels="here") as watch:
        assert {(await watch.next())[:2] for _ in range(2)} == {("ADDED", "a"), ("ADDED", "b")}
        await client.delete(kinds.CONFIG_MAP, "a", NS)
        assert (await watch.next())[:2] == ("DELETED", "a")


async def test_entering_and_leaving_a_selection_looks_like_adding_and_deleting(client: Client) -> None:
    revision = (await client.list_raw(kinds.CONFIG_MAP, NS)).revision

    async def label(value: str | None) -> None:
        await client.patch(kinds.CONFIG_MAP, "x", {"metadata": {"labels": {"app": value}}}, NS, type="merge")

    await client.create(kinds.CONFIG_MAP, a_map("x", app="db"))
    await label("web")
    await client.patch(kinds.CONFIG_MAP, "x", {"data": {"b": "2"}}, NS, type="merge")
    await label("db")
    await label("web")
    await client.delete(kinds.CONFIG_MAP, "x", NS)
    async with watching(client, labels="app=web", revision=revision) as watch:
        events = [await watch.next() for _ in range(5)]
    assert [event for event, _, _ in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]


async def test_other_namespaces_and_kinds_are_not_told(client: Client) -> None:
    revision = (await client.list_raw(kinds.CONFIG_MAP, NS)).revision
    elsewhere = a_map("elsewhere")
    elsewhere.metadata.namespace = "kube-system"
    await client.create(kinds.CONFIG_MAP, elsewhere)
    await client.create(kinds.CONFIG_MAP, a_map("here"))
    async with watching(client, revision=revision) as watch:
        assert (await watch.next())[:2] == ("ADDED", "here")


async def test_a_forgotten_revision_is_expired(door: Door) -> None:
    client = door.client
    revision = (await client.create(kinds.CONFIG_MAP, a_map("x"))).metadata.resource_version or ""
    for value in "123":
        await client.patch(kinds.CONFIG_MAP, "x", {"data": {"a": f"new {value}"}}, NS, type="merge")
    await door.compact()
    with pytest.raises(errors.Expired, match="too old resource version") as expired:
        async with watching(client, revision=revision) as watch:
            await watch.next()
    assert expired.value.code == 410
    now = (await client.list_raw(kinds.CONFIG_MAP, NS)).revision
    async with watching(client, revision=now) as watch:
        await client.create(kinds.CONFIG_MAP, a_map("y"))
        assert (await watch.next())[:2] == ("ADDED", "y")


@pytest.mark.parametrize("revision", ["nonsense", "-1"])
async def test_a_revision_that_is_none(client: Client, revision: str) -> None:
    with pytest.raises(errors.ApiError) as refused:
        async with watching(client, revision=revision) as watch:
            await watch.next()
    assert refused.value.code in (400, 422)


async def test_an_informer_follows(door: Door) -> None:
    client = door.client
    await client.create(kinds.CONFIG_MAP, a_map("a", follow="1"))
    informer: Informer[str] = Informer(
        client, kinds.CONFIG_MAP, lambda data: codec.decode(kinds.CONFIG_MAP, data).data["a"], NS, labels="follow"
    )
    told: list[tuple[str, str | None, str | None]] = []
    changed = asyncio.Event()

    def tell(key: str, old: str | None, new: str | None) -> None:
        told.append((key, old, new))
        changed.set()

    async def until(length: int) -> None:
        while len(told) < length:
            changed.clear()
            await asyncio.wait_for(changed.wait(), 120)

    informer.subscribe(tell)
    task = asyncio.create_task(informer.run())
    await asyncio.wait_for(informer.synced.wait(), 120)
    assert informer.store == {"default/a": "1"}
    await client.create(kinds.CONFIG_MAP, a_map("b", follow="1"))
    await client.create(kinds.CONFIG_MAP, a_map("ignored"))
    await client.patch(kinds.CONFIG_MAP, "b", {"data": {"a": "2"}}, NS, type="merge")
    await client.delete(kinds.CONFIG_MAP, "a", NS)
    await until(4)
    assert told == [
        ("default/a", None, "1"),
        ("default/b", None, "1"),
        ("default/b", "1", "2"),
        ("default/a", "1", None),
    ]
    assert informer.store == {"default/b": "2"}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.delete(kinds.CONFIG_MAP, "b", NS)
    await door.compact()
    task = asyncio.create_task(informer.run())  # must list again, and tells what went meanwhile
    await until(5)
    assert told[4] == ("default/b", "2", None) and informer.store == {}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_events_are_recorded_and_counted(client: Client) -> None:
    made = await client.create(kinds.CONFIG_MAP, a_map("x"))
    recorder = EventRecorder(client, "tester", "host1")
    task = asyncio.create_task(recorder.run())
    for count in (1, 2, 3):
        recorder.record(reference(kinds.CONFIG_MAP, made), NORMAL, "Tested", "It was tested.")
        events = []
        while not events or events[0].count != count:
            events = [event for event in await client.list(kinds.EVENT, NS) if event.reason == "Tested"]
            await asyncio.sleep(0.002)
    (event,) = events
    assert (event.count, event.type, event.message, event.involved_object.uid) == (
        3,
        "Normal",
        "It was tested.",
        made.metadata.uid,
    )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_lease_has_one_holder(client: Client) -> None:
    one = LeaseClaim(client, "leader", NS, "one", seconds=600)
    two = LeaseClaim(client, "leader", NS, "two", seconds=600)
    assert await one.renew() and await one.renew()
    assert not await two.renew()
    await one.release()
    assert await two.renew() and not await one.renew()
    lease = await client.get(kinds.LEASE, "leader", NS)
    assert (lease.spec.holder_identity, lease.spec.lease_transitions, lease.spec.lease_duration_seconds) == (
        "two",
        1,
        600,
    )
