"""Trouble on demand comes when and where it was asked for."""

import pytest

from api import kinds
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from client import Client, errors
from client.fake import FakeTransport


def a_map(name: str = "x") -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"))


async def test_the_nth_matching_call_fails() -> None:
    server = FakeTransport()
    client = Client(server)
    server.faults.fail(verb="create", plural="configmaps", nth=2, times=2)
    await client.create(kinds.CONFIG_MAP, a_map("a"))
    await client.list(kinds.CONFIG_MAP)
    for _ in range(2):
        with pytest.raises(errors.Unavailable):
            await client.create(kinds.CONFIG_MAP, a_map("b"))
    await client.create(kinds.CONFIG_MAP, a_map("b"))


async def test_a_lost_answer_was_done() -> None:
    server = FakeTransport()
    client = Client(server)
    server.faults.lose_answer(verb="create")
    with pytest.raises(errors.Unavailable):
        await client.create(kinds.CONFIG_MAP, a_map())
    with pytest.raises(errors.AlreadyExists):
        await client.create(kinds.CONFIG_MAP, a_map())


async def test_a_chosen_error() -> None:
    server = FakeTransport()
    server.faults.fail(errors.make(409, "changed"), verb="get")
    with pytest.raises(errors.Conflict, match="changed"):
        await Client(server).get(kinds.CONFIG_MAP, "x", "default")


async def test_away_and_back() -> None:
    server = FakeTransport()
    client = Client(server)
    server.faults.go_away()
    with pytest.raises(errors.Unavailable):
        await client.list(kinds.CONFIG_MAP)
    with pytest.raises(errors.Unavailable):
        async for _ in client.watch_raw(kinds.CONFIG_MAP):
            pass
    server.faults.come_back()
    assert await client.list(kinds.CONFIG_MAP) == []


async def test_put_and_remove_have_no_rules() -> None:
    server = FakeTransport()
    first = server.put(kinds.CONFIG_MAP, a_map())
    second = server.put(kinds.CONFIG_MAP, a_map())
    assert first.metadata.uid == second.metadata.uid != ""
    assert (
        int(second.metadata.resource_version or "") == int(first.metadata.resource_version or "") + 1 == server.revision
    )
    server.remove(kinds.CONFIG_MAP, "x", "default")
    assert server.objects(kinds.CONFIG_MAP) == []
