"""A cluster without containers: the fake API server, the real controllers and scheduler, and a kubelet that only reports.

Time is fake: `until` moves it on until something holds, so a scenario of minutes runs in milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from api import codec, kinds, times
from api.apps_v1 import Deployment, ReplicaSet
from api.coordination_v1 import Lease, LeaseSpec
from api.core_v1 import Event, Node, Pod
from api.meta_v1 import ObjectMeta
from client import Client
from client.fake import FakeTransport
from controlplane.controllers import app as controllers
from controlplane.controllers.controller import Factory
from controlplane.controllers.settings import Settings
from controlplane.scheduler import app as scheduler
from kit.clock import FakeClock, settle
from kit.supervisor import Supervisor

NS = "default"


class Cluster:
    """Everything of one scenario."""

    def __init__(self, seed: int = 0, *, kubelet: bool = True, settings: Settings | None = None) -> None:
        self.clock = FakeClock()
        self.server = FakeTransport(self.clock, seed)
        self.client = Client(self.server)
        self.rng = random.Random(seed)
        self.settings = settings or Settings()
        self.kubelet = kubelet
        self.silent: set[str] = set()
        self._beaten = -1.0
        self.startable: Callable[[Pod], bool] = lambda pod: True
        self._supervisor: Supervisor | None = None
        self._addresses = 0

    async def start(self, *factories: Factory, schedule: bool = True) -> None:
        """Start the controllers, all if none are named."""
        self._supervisor = Supervisor(self.clock, signals=False, grace=0)
        await self._supervisor.__aenter__()
        chosen = factories or controllers.CONTROLLERS
        await controllers.run(self.client, self.clock, self._supervisor, self.settings, factories=chosen, rng=self.rng)
        if schedule:
            await scheduler.run(self.client, self.clock, self._supervisor, self.rng)
        await settle()

    async def stop(self) -> None:
        """Stop what `start` started, as a crash would."""
        if self._supervisor is not None:
            self._supervisor.stop()
            await self._supervisor.__aexit__(None, None, None)
            self._supervisor = None

    async def __aenter__(self) -> Cluster:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # time

    async def run(self, seconds: float) -> None:
        """Let time pass, with the kubelet at work."""
        for _ in range(max(1, int(seconds / 0.25))):
            if self.kubelet:
                self.report()
            await self.clock.advance(0.25)

    async def until(self, holds: Callable[[], Any], seconds: float = 120) -> None:
        """Let time pass until something holds."""
        end = self.clock.monotonic() + seconds
        while not holds():
            assert self.clock.monotonic() < end, f"not within {seconds} s: {self.story()}"
            await self.run(0.25)

    def report(self) -> None:
        """What kubelets would say: that they are there, pods on a node run, pods told to go are gone."""
        if self.clock.monotonic() >= self._beaten + 10:
            self._beaten = self.clock.monotonic()
            self._beat()
        for pod in self.server.objects(kinds.POD):
            if pod.metadata.deletion_timestamp:
                self.server.remove(kinds.POD, pod.metadata.name, pod.metadata.namespace)
            elif pod.spec.node_name and pod.status.phase == "Pending" and self.startable(pod):
                self.ready(pod)

    def _beat(self) -> None:
        spec = LeaseSpec(renew_time=times.format_micro_time(self.clock.now()))
        for name in [n.metadata.name for n in self.nodes() if n.metadata.name not in self.silent]:
            self.server.put(kinds.LEASE, Lease(metadata=ObjectMeta(name=name, namespace="kube-node-lease"), spec=spec))

    def ready(self, pod: Pod, ready: bool = True) -> None:
        """Have a pod report that it runs and is ready, or not."""
        self._addresses += 1
        data = codec.to_dict(pod)
        status = data.setdefault("status", {})
        status["phase"] = "Running"
        address = status.get("podIP") or f"10.244.{self._addresses // 250}.{self._addresses % 250 + 1}"
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
        others = [c for c in status.get("conditions", []) if c["type"] != "Ready"]
        stamp = times.format_time(self.clock.now())
        condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": stamp}
        status["conditions"] = [*others, condition]
        self.server.put(kinds.POD, codec.from_dict(kinds.POD, data))

    # arranging

    def node(self, name: str, cpu: str = "4", **more: Any) -> None:
        """A node that is ready."""
        body = {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name} | more.get("labels", {})},
            "spec": more.get("spec", {}),
            "status": {
                "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": more.get("ready", "True")}],
            },
        }
        self.server.put(kinds.NODE, codec.from_dict(kinds.NODE, body))

    async def deploy(self, name: str = "web", replicas: int = 3, image: str = "web:1", **spec: Any) -> None:
        """Create a Deployment."""
        body = {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": name, "namespace": NS},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": template(name, image),
                **spec,
            },
        }
        await self.client.create(kinds.DEPLOYMENT, codec.from_dict(kinds.DEPLOYMENT, body))

    async def change(self, name: str = "web", **spec: Any) -> None:
        """Change a Deployment's spec as users do."""
        await self.client.patch(kinds.DEPLOYMENT, name, {"spec": spec}, NS, type="merge")

    async def set_image(self, image: str, name: str = "web") -> None:
        """Change the template."""
        await self.change(name, template=template(name, image))

    # looking

    def deployment(self, name: str = "web") -> Deployment:
        return next(d for d in self.server.objects(kinds.DEPLOYMENT) if d.metadata.name == name)

    def sets(self) -> list[ReplicaSet]:
        return sorted(self.server.objects(kinds.REPLICA_SET), key=lambda rs: int(revision(rs) or 0))

    def pods(self, *, alive: bool = True) -> list[Pod]:
        """Pods that count, or all."""
        found = self.server.objects(kinds.POD)
        return [p for p in found if not alive or not (p.metadata.deletion_timestamp or finished(p))]

    def nodes(self) -> list[Node]:
        return self.server.objects(kinds.NODE)

    def events(self, reason: str = "") -> list[Event]:
        return [e for e in self.server.objects(kinds.EVENT) if not reason or e.reason == reason]

    def messages(self, reason: str) -> list[str]:
        return [e.message or "" for e in self.events(reason)]

    def rolled_out(self, name: str = "web") -> bool:
        """What `kubectl rollout status` waits for."""
        d = self.deployment(name)
        status, wanted = d.status, d.spec.replicas or 0
        return (
            (status.observed_generation or 0) >= (d.metadata.generation or 0)
            and (status.updated_replicas or 0) == wanted
            and (status.replicas or 0) == wanted
            and (status.available_replicas or 0) == wanted
        )

    def condition(self, kind: str, name: str = "web") -> tuple[str, str]:
        """Status and reason of a Deployment's condition."""
        found = next((c for c in self.deployment(name).status.conditions if c.type == kind), None)
        return (found.status, found.reason or "") if found else ("", "")

    def story(self) -> str:
        """The state of affairs, for a test that failed."""
        lines = [f"{d.metadata.name}: {d.status}" for d in self.server.objects(kinds.DEPLOYMENT)]
        lines += [f"{rs.metadata.name}: wants {rs.spec.replicas} {rs.status}" for rs in self.sets()]
        lines += [f"{p.metadata.name} on {p.spec.node_name}: {p.status.phase}" for p in self.pods(alive=False)]
        return "\n".join(lines)


def template(name: str, image: str) -> dict[str, Any]:
    """A pod template of one container."""
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def revision(rs: ReplicaSet) -> str:
    return rs.metadata.annotations.get("deployment.kubernetes.io/revision", "")


def finished(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")
