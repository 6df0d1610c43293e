"""What the node tells the cluster: patches, statuses, itself."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import Pod, PodCondition, PodStatus
from api.patch import strategic_merge
from client.client import Client
from client.errors import ApiError
from client.events import EventRecorder
from client.fake.transport import FakeTransport
from kit.clock import FakeClock
from kit.supervisor import Supervisor
from nodeagent.cri.fake import FakeRuntime
from nodeagent.cri.port import SeenImage
from nodeagent.plan.status import NodeFacts, compute_status
from nodeagent.report.events import NodeEventRecorder, PodEventRecorder
from nodeagent.report.facts import MachineFacts, runtime_version
from nodeagent.report.lease import keep_alive
from nodeagent.report.node import NodeReporter
from nodeagent.report.node_status import NodeHealth, NodeIdentity, compute_node_status
from nodeagent.report.patch import POD_KEYS, diff_status
from nodeagent.report.pods import PodReporter, is_minor
from tests.unit.nodeagent.pods import NOW, container, memory, pod, sandbox, seen

CASES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({}, {}, {}),
    ({"phase": "Pending"}, {"phase": "Running"}, {"phase": "Running"}),
    ({"phase": "Failed", "reason": "x"}, {"phase": "Failed"}, {"reason": None}),
    ({}, {"podIPs": [{"ip": "1"}]}, {"podIPs": [{"ip": "1"}]}),
    ({"podIPs": [{"ip": "1"}]}, {"podIPs": [{"ip": "2"}]}, {"podIPs": [{"ip": "2"}, {"$patch": "delete", "ip": "1"}]}),
    (
        {"conditions": [{"type": "A", "status": "False", "reason": "r"}, {"type": "B", "status": "True"}]},
        {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "True"}]},
        {"conditions": [{"type": "A", "status": "True", "reason": None}]},
    ),
    ({"containerStatuses": [{"name": "a"}]}, {"containerStatuses": []}, {"containerStatuses": []}),
]


@pytest.mark.parametrize(("old", "new", "patch"), CASES)
def test_patches_carry_what_differs(old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]) -> None:
    assert diff_status(old, new, POD_KEYS) == patch
    merged = strategic_merge(Pod, {"status": old}, {"status": patch})
    assert merged["status"] == new or merged["status"] == {k: v for k, v in new.items() if v != []}


FACTS = NodeFacts(("192.0.2.1",))


def status_of(wanted: Pod, *things: Any) -> PodStatus:
    return compute_status(wanted, seen(*things), memory(), FACTS, NOW)


def test_a_status_without_news_waits_for_a_better_one() -> None:
    assert is_minor(status_of(pod("a"))) and is_minor(status_of(pod("a"), sandbox()))
    assert not is_minor(status_of(pod("a"), sandbox(), container("a")))
    crashed = compute_status(pod("a"), seen(sandbox(), container("a", "exited", code=1)), memory(), FACTS, NOW)
    assert not is_minor(crashed)


class World:
    """A reporter and an API server."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.api = FakeTransport(self.clock)
        self.sent: list[dict[str, Any]] = []
        self.busy = False
        self.reporter = PodReporter(
            Client(self.api), self.clock, lambda _, patch: self.sent.append(patch), busy=lambda: self.busy
        )

    def create(self) -> Pod:
        wanted = pod("a")
        wanted.spec.node_name, wanted.status.qos_class = "n1", "BestEffort"
        return self.api.put(kinds.POD, wanted)

    def stored(self) -> PodStatus:
        [found] = self.api.objects(kinds.POD)
        return found.status


async def test_statuses_reach_the_api_server_once() -> None:
    world = World()
    wanted = world.create()
    async with Supervisor(world.clock, signals=False) as supervisor:
        world.reporter.start(supervisor)
        world.reporter.publish(wanted, status_of(wanted))
        world.reporter.publish(wanted, status_of(wanted, sandbox()))
        await world.clock.advance(0)
        assert world.sent == [], "it is only on its way"
        running = status_of(wanted, sandbox(), container("a"))
        world.reporter.publish(wanted, running)
        await world.clock.advance(0)
        assert len(world.sent) == 1 and codec.encode(world.stored()) == codec.encode(running)
        world.reporter.publish(wanted, running)
        await world.clock.advance(5)
        assert len(world.sent) == 1, "nothing new"
        world.reporter.finish(wanted, status_of(wanted, sandbox(0, False), container("a", "exited")))
        await world.clock.advance(1)
        assert world.api.objects(kinds.POD) == []
        supervisor.stop()


async def test_a_slow_start_is_told_after_a_while() -> None:
    world = World()
    wanted = world.create()
    async with Supervisor(world.clock, signals=False) as supervisor:
        world.reporter.start(supervisor)
        world.reporter.publish(wanted, status_of(wanted))
        await world.clock.advance(1)
        assert world.stored().container_statuses[0].state.waiting.reason == "ContainerCreating"  # type: ignore[union-attr]
        supervisor.stop()


async def test_where_many_start_a_slow_start_is_told_a_little_later() -> None:
    world = World()
    wanted = world.create()
    async with Supervisor(world.clock, signals=False) as supervisor:
        world.reporter.start(supervisor)
        world.busy = True
        world.reporter.publish(wanted, status_of(wanted))
        await world.clock.advance(2)
        assert world.sent == []
        await world.clock.advance(1.5)
        assert len(world.sent) == 1
        world.reporter.publish(wanted, status_of(wanted, sandbox(), container("a")))
        await world.clock.advance(0)
        assert len(world.sent) == 2 and world.stored().phase == "Running"
        supervisor.stop()


async def test_another_pod_of_the_same_name_is_left_alone() -> None:
    world = World()
    wanted = world.create()
    wanted.metadata.uid = "older"
    async with Supervisor(world.clock, signals=False) as supervisor:
        world.reporter.start(supervisor)
        world.reporter.finish(wanted, status_of(wanted, sandbox(), container("a")))
        await world.clock.advance(5)
        assert world.sent == [] and len(world.api.objects(kinds.POD)) == 1
        supervisor.stop()


MACHINE = MachineFacts(2, 8 << 30, 100 << 30, {"2Mi": 4 << 20}, "m", "s", "b", "6.1", "Debian", "amd64", "host")
IDENTITY = NodeIdentity("n1", ("192.0.2.1", "fd00::1"), 10250, 110, MACHINE)


def test_a_nodes_status() -> None:
    image = SeenImage("x", ("i:1",), ("i@sha256:1",), 7)
    status = codec.to_dict(compute_node_status(IDENTITY, NodeHealth(), "containerd://1.6.20", [image], [], NOW))
    assert status["capacity"] == {
        "cpu": "2",
        "memory": "8388608Ki",
        "ephemeral-storage": "104857600Ki",
        "pods": "110",
        "hugepages-2Mi": "4Mi",
    }
    assert status["allocatable"]["memory"] == f"{(8 << 20) - 104 * 1024}Ki"
    assert status["addresses"] == [
        {"type": "InternalIP", "address": "192.0.2.1"},
        {"type": "InternalIP", "address": "fd00::1"},
        {"type": "Hostname", "address": "n1"},
    ]
    assert status["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 10250}}
    assert status["images"] == [{"names": ["i@sha256:1", "i:1"], "sizeBytes": 7}]
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
    down = compute_node_status(IDENTITY, NodeHealth("no network"), "", [], [], NOW)
    assert [(c.reason, c.message) for c in down.conditions if c.type == "Ready"] == [("KubeletNotReady", "no network")]


def test_what_runs_low_shows_in_the_conditions() -> None:
    health = NodeHealth(pressures=("MemoryPressure",))
    before = compute_node_status(IDENTITY, NodeHealth(), "", [], [], NOW).conditions
    conditions = {c.type: c for c in compute_node_status(IDENTITY, health, "", [], before, NOW + 60).conditions}
    memory, disk = conditions["MemoryPressure"], conditions["DiskPressure"]
    assert (memory.status, memory.reason) == ("True", "KubeletHasInsufficientMemory")
    assert memory.message == "kubelet has insufficient memory available"
    assert (disk.status, disk.reason) == ("False", "KubeletHasNoDiskPressure")
    assert memory.last_transition_time != disk.last_transition_time == before[0].last_transition_time


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.6.20~ds1", "containerd://1.6.20"),
        ("v2.1.0", "containerd://2.1.0"),
        ("1.7.0-rc.1", "containerd://1.7.0-rc.1"),
        ("x", "containerd://x"),
    ],
)
def test_versions_others_can_read(version: str, expected: str) -> None:
    assert runtime_version("containerd", version) == expected


async def test_the_node_registers_and_reports() -> None:
    clock = FakeClock(NOW)
    api = FakeTransport(clock)
    client = Client(api)
    runtime = FakeRuntime(clock)
    runtime.network_ready = False
    recorder = EventRecorder(client, "kubelet", "n1", clock=clock)
    heard: list[bool] = []
    reporter = NodeReporter(client, runtime, IDENTITY, clock, NodeEventRecorder(recorder, "n1"), heard.append)
    node = await reporter.register()
    assert node.metadata.labels["kubernetes.io/hostname"] == "n1"
    async with Supervisor(clock, signals=False) as supervisor:
        supervisor.spawn("node", reporter.run)
        supervisor.spawn("lease", lambda: keep_alive(client, node, clock))
        await clock.advance(0)
        [stored] = api.objects(kinds.NODE)
        ready = next(c for c in stored.status.conditions if c.type == "Ready")
        assert ready.status == "False" and "container runtime network not ready" in (ready.message or "")
        assert heard == [False]
        runtime.network_ready = True
        await clock.advance(2)
        [stored] = api.objects(kinds.NODE)
        assert next(c for c in stored.status.conditions if c.type == "Ready").status == "True" and heard[-1]
        revision = stored.metadata.resource_version
        await clock.advance(100)
        [stored] = api.objects(kinds.NODE)
        assert stored.metadata.resource_version == revision, "nothing new, nothing sent"
        await clock.advance(300)
        [stored] = api.objects(kinds.NODE)
        assert stored.metadata.resource_version != revision, "but now and then anyway"
        [lease] = api.objects(kinds.LEASE)
        assert lease.spec.holder_identity == "n1" and lease.metadata.namespace == "kube-node-lease"
        assert lease.spec.lease_duration_seconds == 40
        await client.delete(kinds.NODE, "n1")
        await clock.advance(400)
        assert api.objects(kinds.NODE), "a node that was deleted registers again"
        supervisor.stop()


class Mounted:
    """The volumes of a node."""

    def __init__(self, *names: str) -> None:
        self.used = list(names)
        self.known: list[list[str]] = []

    def names(self) -> list[str]:
        return self.used

    def told(self, names: Collection[str]) -> None:
        self.known.append(list(names))


async def test_a_node_tells_which_volumes_it_uses_and_what_others_have_given_it() -> None:
    clock = FakeClock(NOW)
    api = FakeTransport(clock)
    client = Client(api)
    recorder = EventRecorder(client, "kubelet", "n1", clock=clock)
    runtime, events = FakeRuntime(clock), NodeEventRecorder(recorder, "n1")
    reporter = NodeReporter(client, runtime, IDENTITY, clock, events, lambda _: None)
    reporter.volumes = volumes = Mounted("b", "a")

    def stored() -> Any:
        return api.objects(kinds.NODE)[0]

    await reporter.register()
    async with Supervisor(clock, signals=False) as supervisor:
        supervisor.spawn("node", reporter.run)
        await clock.advance(1)
        assert stored().status.volumes_in_use == ["b", "a"] and volumes.known[-1] == ["b", "a"]
        assert stored().status.declared_features == sorted(stored().status.declared_features) != []
        given = {"status": {"capacity": {"example.com/dongle": "4"}}}
        reporter.observed(await client.patch(kinds.NODE, "n1", given, subresource="status"))
        volumes.used = []
        reporter.look()
        await clock.advance(1)
        status = stored().status
        assert status.volumes_in_use == [] and volumes.known[-1] == []
        assert status.capacity["example.com/dongle"] == status.allocatable["example.com/dongle"] == "4"
        assert status.capacity["cpu"] == "2"
        await clock.advance(400)
        assert stored().status.allocatable["example.com/dongle"] == "4", "it stays"
        supervisor.stop()
    assert recorder.waiting == 1, "that it is ready"
    again = replace(IDENTITY, machine=replace(MACHINE, boot_id="another"))
    await NodeReporter(client, runtime, again, clock, events, lambda _: None).register()
    assert recorder.waiting == 2, "and that it was started anew"


async def test_good_news_waits_while_pods_start() -> None:
    clock = FakeClock(NOW)
    recorder = EventRecorder(Client(FakeTransport(clock)), "kubelet", clock=clock)
    busy = True
    events = PodEventRecorder(recorder, clock, lambda: busy)
    wanted = pod("a")
    wanted.metadata.resource_version = "1"
    events.tell(wanted, "Normal", "Started", "Container started", "a")
    await clock.advance(2)
    assert recorder.waiting == 0
    events.tell(wanted, "Warning", "BackOff", "x", "a")
    assert recorder.waiting == 2
    events.tell(wanted, "Normal", "Started", "again", "a")
    busy = False
    await clock.advance(1)
    assert recorder.waiting == 3
    busy = True
    events.tell(wanted, "Normal", "Started", "at last", "a")
    await clock.advance(6)
    assert recorder.waiting == 4
    events.tell(pod("orphan"), "Warning", "x", "y")
    assert recorder.waiting == 4, "nobody knows it"


async def test_conditions_of_others_are_theirs() -> None:
    world = World()
    wanted = world.create()
    gate = PodCondition(type="example.org/gate", status="True")
    wanted.status.conditions.append(gate)
    async with Supervisor(world.clock, signals=False) as supervisor:
        world.reporter.start(supervisor)
        world.reporter.publish(wanted, status_of(wanted, sandbox(), container("a")))
        await world.clock.advance(0)
        assert "example.org/gate" not in {c.type for c in world.stored().conditions}, "that somebody has taken away"
        await Client(world.api).patch(
            kinds.POD,
            "p",
            {
                "status": {
                    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]
                }
            },
            "ns",
            subresource="status",
        )
        world.reporter.publish(wanted, status_of(wanted, sandbox(), container("a", "exited")))
        await world.clock.advance(1)
        assert world.stored().container_statuses[0].state.terminated is not None
        assert "DisruptionTarget" in {c.type for c in world.stored().conditions}, "which we have not heard of yet"
        supervisor.stop()


async def test_what_others_change_is_put_right() -> None:
    world = World()
    wanted = world.create()
    async with Supervisor(world.clock, signals=False) as supervisor:
        world.reporter.start(supervisor)
        world.reporter.publish(wanted, status_of(wanted, sandbox(), container("a")))
        await world.clock.advance(0)
        [shown] = world.api.objects(kinds.POD)
        world.reporter.observed(shown)
        await world.clock.advance(1)
        assert len(world.sent) == 1, "as it should be"
        for condition in shown.status.conditions:
            if condition.type == "Ready":  # as the node lifecycle controller does when it does not hear of us
                condition.status = "False"
        [changed] = [world.api.put(kinds.POD, shown)]
        world.reporter.observed(changed)
        await world.clock.advance(1)
        assert {c.type: c.status for c in world.stored().conditions}["Ready"] == "True" and len(world.sent) == 2
        world.reporter.observed(wanted)
        await world.clock.advance(1)
        assert len(world.sent) == 2, "that was before"
        supervisor.stop()


async def test_a_node_that_was_given_up_comes_back() -> None:
    clock = FakeClock(NOW)
    api = FakeTransport(clock)
    client = Client(api)
    events = NodeEventRecorder(EventRecorder(client, "kubelet", "n1", clock=clock), "n1")
    reporter = NodeReporter(client, FakeRuntime(clock), IDENTITY, clock, events, lambda ready: None)
    await reporter.register()
    async with Supervisor(clock, signals=False) as supervisor:
        supervisor.spawn("node", reporter.run)
        await clock.advance(1)
        [node] = api.objects(kinds.NODE)
        for condition in node.status.conditions:
            condition.status = "Unknown"
        reporter.observed(api.put(kinds.NODE, node))
        await clock.advance(0)
        [node] = api.objects(kinds.NODE)
        assert {c.type: c.status for c in node.status.conditions}["Ready"] == "True"
        supervisor.stop()


async def test_a_refused_status_is_not_sent_for_ever() -> None:
    world = World()
    wanted = world.create()
    tries = 0

    async def refuse(*args: Any, **kwargs: Any) -> bytes:
        nonlocal tries
        tries += 1
        raise ApiError(codec.decode(kinds.POD.type, b"{}").status)  # type: ignore[arg-type]

    async with Supervisor(world.clock, signals=False) as supervisor:
        world.reporter._client.patch_raw = refuse  # type: ignore[method-assign]
        world.reporter.start(supervisor)
        world.reporter.publish(wanted, status_of(wanted, sandbox(), container("a")))
        await world.clock.advance(60)
        assert tries == 1
        supervisor.stop()
