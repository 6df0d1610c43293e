"""A whole agent with a fake runtime, a fake API server and a clock that moves when told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import kinds
from api.core_v1 import (
    ConfigMap,
    ConfigMapKeySelector,
    Container,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    EnvVar,
    EnvVarSource,
    Pod,
    PodSpec,
    ResourceRequirements,
    Service,
    ServicePort,
    ServiceSpec,
)
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.fake.transport import FakeTransport
from cni.conflist import FILE
from cni.network import Network, NetworkSettings, Settings
from kit.clock import FakeClock, settle
from kit.supervisor import Supervisor
from linux.cgroup import CgroupError, FakeCgroups, Limits
from linux.mounts import FakeMounts
from nodeagent.app import Agent, Kernel
from nodeagent.config import Cni, Config, Pki, load
from nodeagent.cri.errors import Refused, RuntimeAway
from nodeagent.cri.fake import FakeRuntime, Program
from nodeagent.cri.port import POD_NAME, POD_NAMESPACE, POD_UID, SeenImage
from nodeagent.plan.eviction import PodUse
from nodeagent.plan.pressure import Free
from nodeagent.report.facts import MachineFacts
from nodeagent.sync.pods import RELIST
from proto import cri_v1_pb2 as pb

MACHINE = MachineFacts(2, 8 << 30, 100 << 30, {}, "m", "s", "b", "6.1", "Debian", "amd64", "host")


class FakeSenses:
    """What a test says is left on the node, and what pods use, by name."""

    def __init__(self) -> None:
        self.left: dict[str, Free] = {}
        self.taken: dict[str, PodUse] = {}
        self.endless = False  # pods have more files than can be looked at

    async def free(self) -> dict[str, Free]:
        return dict(self.left)

    async def uses(self, pods: list[Pod], disks: bool) -> dict[str, PodUse]:
        if disks and self.endless:
            await asyncio.Event().wait()
        named = {pod.metadata.uid or "": pod.metadata.name for pod in pods}
        return {uid: self.taken[name] for uid, name in named.items() if name in self.taken}


class Scene:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.api = FakeTransport(self.clock)
        self.client = Client(self.api)
        self.runtime = FakeRuntime(self.clock)
        self.runtime.present = {"i:1": SeenImage("sha256:i", ("i:1",))}
        self.cgroups = FakeCgroups()
        self.senses = FakeSenses()
        self.supervisor: Supervisor | None = None
        self.strangers = set(threading.enumerate())
        self.away = False
        self.runtime.faults = self._fault
        self.config = Config(
            node_name="n1",
            node_address="192.0.2.1",
            kubeconfig="",
            runtime_endpoint="unix:///none",
            pki=Pki(cert="", key="", client_ca=""),
            root_dir=str(folder / "agent"),
            pod_logs=str(folder / "logs"),
            cni=Cni(conf_dir=str(folder / "net.d")),
            resolv_conf=str(folder / "none"),
        )

    def _fault(self, call: str, subject: str, done: bool) -> None:
        if self.away:
            raise RuntimeAway(call, subject, "away")

    async def start(self) -> None:
        self.supervisor = Supervisor(self.clock, signals=False)
        kernel = Kernel(FakeMounts(), self.cgroups, self.senses)
        self.agent = Agent(self.config, self.clock, self.client, self.runtime, MACHINE, kernel)
        self.agent.begin(self.supervisor)
        await self.clock.advance(1)

    async def stop(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
            ending = asyncio.create_task(self.supervisor.__aexit__(None, None, None))
            while not ending.done():
                await self.clock.advance(1)
            self.supervisor = None

    async def create(self, name: str, **spec: Any) -> Pod:
        spec.setdefault("containers", [Container(name="a", image="i:1")])
        made = Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=PodSpec(node_name="n1", **spec))
        return await self.client.create(kinds.POD, made)

    def pod(self, name: str) -> Pod | None:
        return next((p for p in self.api.objects(kinds.POD) if p.metadata.name == name), None)

    def phase(self, name: str) -> str | None:
        found = self.pod(name)
        return found.status.phase if found else None

    def running(self) -> list[str]:
        return sorted(c.pod.name for c in self.runtime.live_containers.values() if c.seen.running)

    async def until(self, holds: Callable[[], Any], seconds: float = 60) -> None:
        for _ in range(int(seconds * 4)):
            await settle()
            while any(one.name == "volume" for one in threading.enumerate() if one not in self.strangers):
                await asyncio.sleep(0.001)  # it works on files, and meanwhile no time passes
            if holds():
                return
            await self.clock.advance(0.25)
        raise AssertionError(
            f"it does not happen: {[(p.metadata.name, p.status) for p in self.api.objects(kinds.POD)]}"
        )


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    yield made
    await made.stop()


async def test_a_pod_from_creation_to_removal(scene: Scene) -> None:
    await scene.start()
    await scene.create("web")
    await scene.until(lambda: scene.phase("web") == "Running")
    assert scene.running() == ["web"]
    await scene.client.delete(kinds.POD, "web", "default", grace=1)
    await scene.until(lambda: scene.pod("web") is None)
    await scene.until(lambda: not scene.agent.pods.workers)
    assert not scene.runtime.live_sandboxes and not [g for g in scene.cgroups.groups if "/pod" in g]
    told = {"Pulled", "Created", "Started", "Killing"}
    await scene.until(lambda: {e.reason for e in scene.api.objects(kinds.EVENT)} >= told)


async def test_exits_are_heard_at_once(scene: Scene) -> None:
    scene.runtime.programs["a"] = Program(runs=5, code=3)
    await scene.start()
    await scene.create("job", restart_policy="Never")
    await scene.until(lambda: scene.phase("job") == "Failed", 10)


async def test_without_events_the_list_tells(scene: Scene) -> None:
    scene.runtime.programs["a"] = Program(runs=5, code=3)
    scene.runtime.tell = lambda event: None  # type: ignore[method-assign]
    await scene.start()
    await scene.create("job", restart_policy="Never")
    await scene.until(lambda: scene.phase("job") == "Failed", 90)


async def test_the_runtime_is_waited_for(scene: Scene) -> None:
    scene.away = True
    await scene.start()
    await scene.create("web")
    await scene.clock.advance(10)
    [node] = scene.api.objects(kinds.NODE)
    ready = next(c for c in node.status.conditions if c.type == "Ready")
    assert ready.status == "False" and "container runtime is down" in (ready.message or "")
    scene.away = False
    await scene.until(lambda: scene.phase("web") == "Running")


async def test_an_agent_that_has_not_seen_its_pods_for_long_is_not_well(scene: Scene) -> None:
    await scene.start()
    for _ in range(10):
        await scene.clock.advance(60)
        assert scene.agent.problem() == ""
    scene.away = True
    await scene.clock.advance(200)
    assert scene.agent.problem() == "", "that is the node's problem"
    await scene.clock.advance(170)
    assert scene.agent.problem() == "sync Loop took longer than expected"
    scene.away = False
    await scene.until(lambda: scene.agent.problem() == "")


async def test_pods_wait_for_the_network_but_not_those_of_the_host(scene: Scene) -> None:
    scene.runtime.network_ready = False
    await scene.start()
    await scene.create("web")
    await scene.create("host", host_network=True)
    await scene.until(lambda: scene.phase("host") == "Running")
    assert scene.running() == ["host"]
    told = "network is not ready: container runtime network not ready: cni plugin not initialized"
    await scene.until(lambda: told in [e.message for e in scene.api.objects(kinds.EVENT)])
    scene.runtime.network_ready = True
    await scene.until(lambda: scene.phase("web") == "Running", 15)


async def test_a_pod_without_an_address_is_told_why_and_tried_again(scene: Scene) -> None:
    reason = (
        'failed to setup network for sandbox "s": plugin type="wherry-cni" failed (add): no addresses left in 10.1.2.1'
    )
    left = False

    def fault(call: str, subject: str, done: bool) -> None:
        if call == "run_sandbox" and not left:
            raise Refused(call, subject, reason, "Unknown")

    scene.runtime.faults = fault
    await scene.start()
    await scene.create("web")
    told = (
        "Warning",
        "FailedCreatePodSandBox",
        f"Failed to create pod sandbox: rpc error: code = Unknown desc = {reason}",
    )
    await scene.until(lambda: told in [(e.type, e.reason, e.message) for e in scene.api.objects(kinds.EVENT)])
    assert scene.phase("web") == "Pending"
    left = True
    await scene.until(lambda: scene.phase("web") == "Running")


async def test_what_the_node_cannot_take_fails_and_makes_no_room(scene: Scene) -> None:
    await scene.start()
    big = [Container(name="a", image="i:1", resources=ResourceRequirements(requests={"cpu": "3"}))]
    fits = [Container(name="a", image="i:1", resources=ResourceRequirements(requests={"cpu": "2"}))]
    await scene.create("big", containers=big)
    await scene.until(lambda: scene.phase("big") == "Failed")
    shown = scene.pod("big")
    assert shown is not None and shown.status.reason == "OutOfcpu" and shown.status.container_statuses == []
    await scene.create("fits", containers=fits)
    await scene.until(lambda: scene.phase("fits") == "Running")
    await scene.create("late", containers=fits)
    await scene.until(lambda: scene.phase("late") == "Failed")
    for name in ("big", "late"):
        await scene.client.delete(kinds.POD, name, "default")
    await scene.until(lambda: scene.pod("big") is None and scene.pod("late") is None)
    assert scene.running() == ["fits"]


async def test_room_is_made_for_a_critical_pod(scene: Scene) -> None:
    await scene.start()

    def asking(cpu: str) -> list[Container]:
        return [Container(name="a", image="i:1", resources=ResourceRequirements(requests={"cpu": cpu}))]

    scene.runtime.programs = {"a": Program(deaf=True)}
    await scene.create("small", containers=asking("500m"), termination_grace_period_seconds=20)
    await scene.create("big", containers=asking("1500m"), termination_grace_period_seconds=20)
    await scene.until(lambda: scene.running() == ["big", "small"])
    await scene.create("vital", containers=asking("1"), priority=2_000_000_000)
    await scene.until(lambda: scene.running() == ["small", "vital"])
    shown = scene.pod("big")
    assert shown is not None and (shown.status.phase, shown.status.reason) == ("Failed", "Preempting")
    assert scene.agent.tally.preemptions.values == {("cpu",): 1}
    await scene.until(lambda: any(e.reason == "Preempting" for e in scene.api.objects(kinds.EVENT)))
    await scene.create("vaster", containers=asking("1500m"), priority=2_000_000_000)
    await scene.until(lambda: scene.phase("vaster") == "Failed")
    assert scene.running() == ["small", "vital"]
    await scene.create("last", containers=asking("900m"), priority=2_000_000_000)
    await scene.until(lambda: scene.agent.tally.preemptions.values == {("cpu",): 2})
    await scene.client.delete(kinds.POD, "last", "default", grace=0)  # it waits for the other, who takes his time
    await scene.until(lambda: scene.running() == ["vital"])
    assert scene.agent.pods.named("default", "last") is None


async def test_labels_that_the_agent_has_not_heard_of_are_asked_for(scene: Scene) -> None:
    await scene.start()
    await scene.client.patch(kinds.NODE, "n1", {"metadata": {"labels": {"zone": "x"}}})
    scene.agent.allocations.view = replace(scene.agent.allocations.view, labels={})
    await scene.create("chosen", node_selector={"zone": "x"})
    await scene.create("elsewhere", node_selector={"zone": "y"})
    await scene.until(lambda: scene.phase("chosen") == "Running" and scene.phase("elsewhere") == "Failed")
    shown = scene.pod("elsewhere")
    assert shown is not None and shown.status.reason == "NodeAffinity"


async def test_a_pod_that_changes_while_the_node_is_asked_for_is_not_refused_for_it(scene: Scene) -> None:
    await scene.start()
    pods, waiting = scene.agent.pods, asyncio.Event()
    label = {"metadata": {"labels": {"zone": "x"}}}
    ask = scene.agent._ask_node

    async def slow() -> None:
        await waiting.wait()
        await scene.client.patch(kinds.NODE, "n1", label)
        await ask()

    pods._ask_node = slow
    await scene.create("chosen", node_selector={"zone": "x"})
    await scene.create("gone", node_selector={"zone": "x"})
    await scene.clock.advance(1)
    await scene.client.patch(kinds.POD, "chosen", label, "default")
    await scene.client.delete(kinds.POD, "gone", "default", grace=0)
    await scene.clock.advance(1)
    assert scene.phase("chosen") == "Pending"
    waiting.set()
    await scene.until(lambda: scene.phase("chosen") == "Running")
    worker = pods.named("default", "chosen")
    assert worker is not None and worker.state.pod.metadata.labels == {"zone": "x"}
    assert scene.running() == ["chosen"] and pods.named("default", "gone") is None


async def test_a_pod_is_judged_also_when_the_node_cannot_be_asked_for(scene: Scene) -> None:
    await scene.start()

    async def broken() -> None:
        raise OSError("no space left for what is written of the node")

    scene.agent.pods._ask_node = broken
    await scene.create("elsewhere", node_selector={"zone": "y"})
    await scene.until(lambda: scene.phase("elsewhere") == "Failed")
    assert not scene.agent.pods._asking


async def test_pods_go_on_while_burstable_ones_cannot_be_weighed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.start()
    ensure = scene.cgroups.ensure
    refused: list[str] = []

    def refuse(path: str, limits: Limits) -> None:
        if path.endswith("burstable") and not refused:
            refused.append(path)
            raise CgroupError("cannot make slice: the bus is away")
        ensure(path, limits)

    monkeypatch.setattr(scene.cgroups, "ensure", refuse)
    few = ResourceRequirements(requests={"cpu": "500m"})
    await scene.create("a", containers=[Container(name="a", image="i:1", resources=few)])
    await scene.until(lambda: bool(refused) and scene.phase("a") == "Running")
    await scene.create("b", containers=[Container(name="b", image="i:1", resources=few)])
    await scene.until(lambda: scene.cgroups.groups["/kubepods/burstable"].shares == 1024)


async def test_all_containers_begin_anew_when_a_rule_says_so(scene: Scene) -> None:
    rule = ContainerRestartRule(
        action="RestartAllContainers", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=[42])
    )
    watched = Container(name="a", image="i:1", restart_policy="Never", restart_policy_rules=[rule])
    await scene.start()
    scene.runtime.programs = {"init": Program(0.5), "a": Program(3, 42)}
    init = Container(name="init", image="i:1")
    await scene.create(
        "web", containers=[watched, Container(name="b", image="i:1")], init_containers=[init], restart_policy="Never"
    )
    await scene.until(lambda: scene.phase("web") == "Running")
    [sandbox] = scene.runtime.live_sandboxes
    scene.clock.call_later(5, lambda: scene.runtime.programs.pop("a"))

    def again() -> bool:
        shown = scene.pod("web")
        assert shown is not None and shown.status.phase in ("Pending", "Running")
        statuses = {s.name: s for s in (*shown.status.container_statuses, *shown.status.init_container_statuses)}
        running = [n for n in ("a", "b") if statuses[n].state.running is not None]
        return running == ["a", "b"] and {s.restart_count for s in statuses.values()} == {1}

    await scene.until(again, 40)
    shown = scene.pod("web")
    assert shown is not None and [*scene.runtime.live_sandboxes] == [sandbox], "the sandbox stays"
    conditions = {c.type: c.status for c in shown.status.conditions}
    assert conditions["AllContainersRestarting"] == "False" and conditions["Ready"] == "True"
    ends = {s.name: s.last_state.terminated.reason for s in shown.status.container_statuses}  # type: ignore[union-attr]
    assert ends == {"a": "RestartingAllContainers", "b": "RestartingAllContainers"}


async def test_a_resize_waits_until_another_pod_has_gone(scene: Scene) -> None:
    def needs(cpu: str) -> list[Container]:
        return [Container(name="a", image="i:1", resources=ResourceRequirements(requests={"cpu": cpu}))]

    await scene.start()
    await scene.create("small", containers=needs("500m"))
    await scene.create("other", containers=needs("1"))
    await scene.until(lambda: len(scene.running()) == 2)
    wanted = scene.pod("small")
    assert wanted is not None
    wanted.spec.containers = needs("1500m")
    await scene.client.update(kinds.POD, wanted, subresource="resize")

    def pending() -> list[str | None]:
        shown = scene.pod("small")
        return [c.reason for c in shown.status.conditions if c.type == "PodResizePending"] if shown else []

    await scene.until(lambda: pending() == ["Deferred"])
    await scene.client.delete(kinds.POD, "other", "default")
    await scene.until(lambda: pending() == [] and scene.pod("other") is None)
    await scene.until(lambda: scene.pod("small").status.container_statuses[0].resources.requests == {"cpu": "1500m"})  # type: ignore[union-attr]
    [container] = [c for c in scene.runtime.live_containers.values() if c.pod.name == "small"]
    assert container.seen.limits is not None and container.seen.limits.shares == 1536 and container.seen.attempt == 0


async def test_the_pod_network_is_written_once_its_range_is_known(scene: Scene) -> None:
    await scene.start()
    file = scene.folder / "net.d" / FILE
    assert not file.exists()
    await scene.client.patch(kinds.NODE, "n1", {"spec": {"podCIDR": "10.244.3.0/24"}})
    await scene.until(file.exists)
    assert "10.244.3.0/24" in file.read_text()
    assert '"ipMasq": true' in file.read_text()


@pytest.mark.parametrize("reads_all_nodes", [True, False])
async def test_either_the_fabric_masquerades_or_the_plugin(scene: Scene, reads_all_nodes: bool) -> None:
    await scene.start()
    settings = NetworkSettings(Settings("n1"), scene.config.pod_cidr, str(scene.folder), scene.config.cni.bridge)
    reader = scene.client if reads_all_nodes else None
    scene.agent.network = Network(settings, scene.client, reader, scene.clock, scene.agent.network_file.mtu)
    await scene.client.patch(kinds.NODE, "n1", {"spec": {"podCIDR": "10.244.3.0/24"}})
    file = scene.folder / "net.d" / FILE
    await scene.until(file.exists)
    assert f'"ipMasq": {"false" if reads_all_nodes else "true"}' in file.read_text()


async def test_a_node_that_cannot_tell_its_runtime_of_the_pod_network_tries_again(scene: Scene) -> None:
    place = scene.folder / "net.d"
    place.write_text("in the way")
    await scene.start()
    await scene.client.patch(kinds.NODE, "n1", {"spec": {"podCIDR": "10.244.3.0/24"}})

    def ready() -> tuple[str, str]:
        (node,) = scene.api.objects(kinds.NODE)
        (found,) = (c for c in node.status.conditions if c.type == "Ready")
        return found.status, found.message or ""

    await scene.until(lambda: ready()[0] == "False")
    assert "network not ready" in ready()[1] and f"cni config uninitialized: cannot write {place}" in ready()[1]
    await scene.create("web")
    await scene.clock.advance(30)
    assert scene.phase("web") == "Pending", "it would have no network"
    place.unlink()
    await scene.until(lambda: ready()[0] == "True" and scene.phase("web") == "Running")
    assert "10.244.3.0/24" in (place / FILE).read_text()


async def test_an_end_of_which_no_event_told_is_found_when_the_stream_begins_anew(scene: Scene) -> None:
    await scene.start()
    await scene.create("web")
    await scene.until(lambda: scene.phase("web") == "Running")
    (ident,) = scene.runtime.live_containers
    scene.runtime.break_streams()
    scene.runtime.exit(ident, 3)  # nobody reads on

    def restarts() -> int:
        found = scene.pod("web")
        return (found.status.container_statuses[0].restart_count or 0) if found else 0

    await scene.until(lambda: restarts() == 1, RELIST / 3)


async def test_pods_ask_for_names_where_their_host_does_now(scene: Scene) -> None:
    file = scene.folder / "none"
    file.write_bytes(b"# d\xe9j\xe0\nnameserver 192.0.2.1\n")
    await scene.start()

    async def servers_of(name: str) -> list[str]:
        await scene.create(name, dns_policy="Default")
        await scene.until(lambda: scene.phase(name) == "Running")
        (found,) = (s for s in scene.runtime.live_sandboxes.values() if s.pod.name == name)
        return list(found.config.dns_config.servers)

    assert await servers_of("a") == ["192.0.2.1"]
    file.write_text("nameserver 192.0.2.2\n")
    assert await servers_of("b") == ["192.0.2.2"]
    file.unlink()
    assert await servers_of("c") == []


async def test_a_restarted_agent_takes_over(scene: Scene) -> None:
    await scene.start()
    await scene.create("web")
    await scene.until(lambda: scene.phase("web") == "Running")
    before = set(scene.runtime.live_containers)
    await scene.stop()
    assert scene.running() == ["web"]
    await scene.start()
    await scene.clock.advance(100)
    assert set(scene.runtime.live_containers) == before and scene.phase("web") == "Running"


async def test_what_is_nobodys_goes_but_not_what_was_made_by_hand(scene: Scene) -> None:
    labels = {POD_NAME: "old", POD_NAMESPACE: "default", POD_UID: "dead"}
    meta = pb.PodSandboxMetadata(name="old", uid="dead", namespace="default")
    await scene.runtime.run_sandbox(pb.PodSandboxConfig(metadata=meta, labels=labels))
    by_hand = await scene.runtime.run_sandbox(pb.PodSandboxConfig(metadata=pb.PodSandboxMetadata(name="x", uid="y")))
    left = scene.folder / "logs/default_gone_uid-gone/a"
    left.mkdir(parents=True)
    await scene.start()
    await scene.until(lambda: set(scene.runtime.live_sandboxes) == {by_hand})
    await scene.until(lambda: not left.exists())


async def test_a_missing_config_map_is_waited_for(scene: Scene) -> None:
    await scene.start()
    source = EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="cm", key="k"))
    await scene.create("web", containers=[Container(name="a", image="i:1", env=[EnvVar(name="X", value_from=source)])])

    def told() -> str:
        found = scene.pod("web")
        states = [s.state for s in found.status.container_statuses] if found else []
        return (states[0].waiting.reason or "") if states and states[0] and states[0].waiting else ""

    await scene.until(lambda: told() == "CreateContainerConfigError")
    await scene.client.create(
        kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="cm", namespace="default"), data={"k": "value"})
    )
    await scene.until(lambda: scene.phase("web") == "Running")
    [made] = scene.runtime.live_containers.values()
    assert {e.key: e.value for e in made.config.envs}["X"] == b"value"


async def test_containers_know_the_services(scene: Scene) -> None:
    service = ServiceSpec(cluster_ip="10.96.0.7", ports=[ServicePort(port=80)])
    await scene.client.create(kinds.SERVICE, Service(metadata=ObjectMeta(name="db", namespace="default"), spec=service))
    await scene.start()
    await scene.create("web")
    await scene.until(lambda: scene.phase("web") == "Running")
    [made] = scene.runtime.live_containers.values()
    assert {e.key: e.value for e in made.config.envs}["DB_SERVICE_HOST"] == b"10.96.0.7"


async def test_a_start_under_way_is_finished_before_the_agent_ends(scene: Scene) -> None:
    start_container = scene.runtime.start_container

    async def slow(ident: str) -> None:
        await scene.clock.sleep(1)
        await start_container(ident)

    scene.runtime.start_container = slow  # type: ignore[method-assign]
    await scene.start()
    await scene.create("web")
    await scene.clock.advance(0.5)
    assert scene.running() == []
    closing = asyncio.create_task(scene.agent.pods.close())
    await scene.clock.advance(2)
    assert closing.done() and scene.running() == ["web"]


async def test_one_stuck_pod_holds_up_nobody(scene: Scene) -> None:
    run_sandbox = scene.runtime.run_sandbox

    async def stuck(config: pb.PodSandboxConfig, handler: str = "") -> str:
        if config.metadata.name.startswith("stuck"):
            await scene.clock.sleep(10_000)
        return await run_sandbox(config, handler)

    scene.runtime.run_sandbox = stuck  # type: ignore[method-assign]
    await scene.start()
    for i in range(10):
        await scene.create(f"stuck{i}")
    await scene.create("web")
    await scene.until(lambda: scene.phase("web") == "Running", 30)
    [node] = scene.api.objects(kinds.NODE)
    assert next(c for c in node.status.conditions if c.type == "Ready").status == "True"


def test_configuration(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        "nodeName: n1\nnodeAddress: 192.0.2.1\nkubeconfig: /k\nruntimeEndpoint: unix:///c\n"
        "pki: {cert: /c, key: /k, clientCa: /ca}\ncrashLoop: {most: 60}\nclusterDns: [10.96.0.10]\n"
    )
    config = load(file)
    assert config.listen == "0.0.0.0:10250" and config.crash_loop.most == 60 and config.cni.bridge == "wherry0"
