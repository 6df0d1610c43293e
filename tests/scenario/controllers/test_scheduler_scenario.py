"""The scheduler on the fake API server: what waits, what is said, what happens when requests go wrong."""

from __future__ import annotations

from typing import Any

from api import codec, kinds
from api.core_v1 import Pod
from client import errors
from tests.scenario.controllers.cluster import NS, Cluster


async def make(c: Cluster, name: str, cpu: str = "1", **spec: Any) -> None:
    container = {"name": "c", "image": "web", "resources": {"requests": {"cpu": cpu}}}
    body = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"containers": [container], **spec},
    }
    await c.client.create(kinds.POD, codec.from_dict(kinds.POD, body))


def pod(c: Cluster, name: str) -> Pod:
    return next(p for p in c.pods(alive=False) if p.metadata.name == name)


async def scheduler_only() -> Cluster:
    from controlplane.controllers.serviceaccount.controller import ServiceAccounts

    c = Cluster(kubelet=False)
    await c.start(ServiceAccounts)
    return c


async def test_a_pod_waits_for_room_and_says_why() -> None:
    async with await scheduler_only() as c:
        c.node("n1", cpu="1")
        await make(c, "first")
        await c.until(lambda: pod(c, "first").spec.node_name)
        await make(c, "second")
        message = "0/1 nodes are available: 1 Insufficient cpu."
        await c.until(lambda: message in c.messages("FailedScheduling"))
        await c.run(1)
        (condition,) = [x for x in pod(c, "second").status.conditions if x.type == "PodScheduled"]
        assert (condition.status, condition.reason, condition.message) == ("False", "Unschedulable", message)
        await c.client.delete(kinds.POD, "first", NS, grace=0)
        await c.until(lambda: pod(c, "second").spec.node_name == "n1", 15)
        assert "Successfully assigned default/second to n1" in c.messages("Scheduled")


async def test_a_new_node_is_used() -> None:
    async with await scheduler_only() as c:
        await make(c, "p")
        await c.until(lambda: c.messages("FailedScheduling") == ["no nodes available to schedule pods"])
        c.node("n1")
        await c.until(lambda: pod(c, "p").spec.node_name == "n1", 15)


async def test_important_pods_go_first() -> None:
    async with await scheduler_only() as c:
        await make(c, "low")
        await make(c, "high", priority=100)
        await c.run(5)
        c.node("n1", cpu="1")
        await c.until(lambda: any(p.spec.node_name for p in c.pods()), 15)
        assert pod(c, "high").spec.node_name == "n1"


async def test_room_is_taken_at_once() -> None:
    """Ten pods, room for four: never more than four are bound, however late the cache hears of it."""
    async with await scheduler_only() as c:
        c.node("n1", cpu="4")
        for i in range(10):
            await make(c, f"p{i}")
        await c.run(30)
        assert sum(bool(p.spec.node_name) for p in c.pods()) == 4


async def test_gates_deleted_pods_and_other_schedulers() -> None:
    async with await scheduler_only() as c:
        c.node("n1")
        await make(c, "gated", schedulingGates=[{"name": "example.com/wait"}])
        await make(c, "foreign", schedulerName="other")
        await make(c, "plain")
        await c.until(lambda: pod(c, "plain").spec.node_name)
        await c.run(5)
        assert not pod(c, "gated").spec.node_name
        assert not pod(c, "foreign").spec.node_name
        await c.client.patch(kinds.POD, "gated", {"spec": {"schedulingGates": None}}, NS, type="merge")
        await c.until(lambda: pod(c, "gated").spec.node_name, 15)


async def test_a_binding_that_fails_is_tried_again() -> None:
    async with await scheduler_only() as c:
        c.node("n1", cpu="1")
        await make(c, "p")
        c.server.faults.fail(errors.make(500, "boom"), verb="create", plural="pods")
        await c.until(lambda: pod(c, "p").spec.node_name, 15)


async def test_a_binding_without_an_answer_is_looked_up() -> None:
    async with await scheduler_only() as c:
        c.node("n1", cpu="1")
        await make(c, "p")
        c.server.faults.lose_answer(verb="create", plural="pods")
        await c.run(1)
        await make(c, "q")
        await c.run(20)
        assert sum(bool(p.spec.node_name) for p in c.pods()) == 1


async def test_a_restart_goes_on() -> None:
    async with await scheduler_only() as c:
        c.node("n1", cpu="2")
        await make(c, "a")
        await c.until(lambda: pod(c, "a").spec.node_name)
        await c.stop()
        await make(c, "b")
        await make(c, "d")
        await c.start()
        await c.run(5)
        assert sum(bool(p.spec.node_name) for p in c.pods()) == 2
