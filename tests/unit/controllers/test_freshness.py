"""Caches that are behind, events that are too many, indices that follow."""

from __future__ import annotations

import msgspec
import pytest

from api import codec, kinds
from api.core_v1 import Pod
from client import Client
from client.fake import FakeTransport
from controlplane.controllers.freshness import Freshness
from controlplane.controllers.index import NOBODY
from controlplane.controllers.informers import Informers
from controlplane.controllers.seen import SeenPod
from controlplane.recorder import Recorder, Subject
from kit.clock import FakeClock

NS = "ns"


class Setup:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = FakeTransport(self.clock)
        self.client = Client(self.server)
        self.informers = Informers(self.client, self.clock)
        self.pods = self.informers.pods
        self.fresh: Freshness[SeenPod] = Freshness(self.pods)

    async def make(self, name: str, owner: str = "") -> bytes:
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
        meta = {"name": name, "namespace": NS, "ownerReferences": [reference] if owner else []}
        body = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": meta,
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        return await self.client.create_raw(kinds.POD, msgspec.json.encode(body), NS)

    async def catch_up(self) -> None:
        """One list, as a restarted watch begins with."""
        self.pods.revision = ""
        await self.pods._list()


@pytest.fixture
def s() -> Setup:
    return Setup()


async def test_a_write_is_awaited(s: Setup) -> None:
    assert not s.fresh.behind("rs")
    s.fresh.wrote("rs", await s.make("a"))
    assert s.fresh.behind("rs")
    assert not s.fresh.behind("another")
    await s.catch_up()
    assert not s.fresh.behind("rs")


async def test_a_deletion_is_awaited(s: Setup) -> None:
    await s.make("a")
    await s.catch_up()
    item = s.pods.store["ns/a"]
    await s.client.delete(kinds.POD, "a", NS)
    s.fresh.deleted("rs", item)
    assert s.fresh.is_deleted("rs", item)
    assert s.fresh.behind("rs")
    await s.make("a")  # another pod of that name
    await s.catch_up()
    assert not s.fresh.behind("rs")


async def test_a_lost_answer_is_looked_up(s: Setup) -> None:
    await s.make("a")
    for name in ("a", "never-made"):
        s.fresh.unsure("rs", NS, name)
    assert s.fresh.behind("rs")
    await s.fresh.resolve(s.client, "rs")
    assert s.fresh.behind("rs")
    await s.catch_up()
    assert not s.fresh.behind("rs")


async def test_a_perhaps_deleted_pod_is_looked_up(s: Setup) -> None:
    await s.make("a")
    await s.catch_up()
    item = s.pods.store["ns/a"]
    s.server.remove(kinds.POD, "a", NS)
    s.fresh.unsure("rs", NS, "a", item.uid)
    await s.fresh.resolve(s.client, "rs")
    assert s.fresh.behind("rs")
    await s.catch_up()
    assert not s.fresh.behind("rs")


async def test_indices_follow(s: Setup) -> None:
    by_owner, by_node = s.informers.pods_by_owner, s.informers.pods_by_node
    await s.make("a", "rs")
    await s.make("b")
    await s.catch_up()
    assert [p.name for p in by_owner.owned(NS, "rs")] == ["a"]
    assert [p.name for p in by_owner.owned(NS, NOBODY)] == ["b"]
    body = codec.encode(next(p for p in s.server.objects(kinds.POD) if p.metadata.name == "b"))
    moved: Pod = codec.decode(kinds.POD, body)
    moved.spec.node_name = "n1"
    s.server.put(kinds.POD, moved)
    await s.client.patch(kinds.POD, "a", {"metadata": {"ownerReferences": None}}, NS, type="merge")
    await s.catch_up()
    assert by_owner.owned(NS, "rs") == []
    assert sorted(p.name for p in by_owner.inside(NS)) == ["a", "b"]
    assert [p.name for p in by_node.on("n1")] == ["b"]
    for name in ("a", "b"):
        s.server.remove(kinds.POD, name, NS)
    await s.catch_up()
    assert list(by_owner.inside(NS)) == []
    assert by_node.on("n1") == []


async def test_an_object_is_good_for_so_many_events(s: Setup) -> None:
    recorder = Recorder(s.client, s.clock, "test")
    chatty, quiet = (Subject("v1", "Pod", NS, name, name) for name in ("chatty", "quiet"))
    for n in range(60):
        recorder.record(chatty, "Normal", "Spoke", f"message {n}")
    recorder.record(quiet, "Normal", "Spoke", "hello")
    assert recorder.waiting == 26
    s.clock.jump(300)
    recorder.record(chatty, "Normal", "Spoke", "again")
    recorder.record(chatty, "Normal", "Spoke", "and again")
    assert recorder.waiting == 27
