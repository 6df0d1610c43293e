"""metrics.k8s.io: what agents tell of their nodes and pods, and kubectl top on it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
import pytest

from api import codec, kinds
from client.errors import ApiError, BadRequest, NotFound
from controlplane.apiserver import usage
from controlplane.apiserver.connect.agents import Agents
from kit import pki
from kit.clock import FakeClock
from kit.http.model import Request, Response
from kit.http.server import Server
from kit.http.tls import ServerTls, client_context
from tests import kubectls
from tests.scenario.apiserver.test_apiserver_kubectl import Kubectl

ADDRESS = "192.0.2.77"
NODES, PODS = kinds.NODE_METRICS, kinds.POD_METRICS


class Agent:
    """Tells what its pods use."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = False
        self.pods: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Response:
        assert request.peer is not None
        assert (request.peer.common_name, request.target) == ("kubelet-client", usage.PATH)
        self.asked += 1
        if self.broken:
            return Response(500, b"no runtime", "text/plain")
        machine = {"nodeName": "n1", "cpu": {"usageNanoCores": 1_500_000_000}, "memory": {"workingSetBytes": 2 << 30}}
        return Response(200, msgspec.json.encode({"node": machine, "pods": self.pods}))

    def runs(self, pod: Any, **containers: tuple[int, int]) -> None:
        """Say that a pod's containers use so much: thousandths of a processor, mebibytes."""
        meta = pod.metadata
        measured = [
            {"name": name, "cpu": {"usageNanoCores": cpu * 1_000_000}, "memory": {"workingSetBytes": memory << 20}}
            for name, (cpu, memory) in containers.items()
        ]
        ref = {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid}
        self.pods.append({"podRef": ref, "containers": measured})


@pytest.fixture
async def agent(secure, tmp_path):
    """An agent for n1, which the server reaches; nobody answers for n2."""
    pki.issue(secure.ca, "n1", ips=["127.0.0.1"], server=True).save(tmp_path / "agent.crt", tmp_path / "agent.key")
    own = pki.issue(secure.ca, "kubelet-client", ["system:masters"], client=True)
    tls = ServerTls(tmp_path / "agent.crt", tmp_path / "agent.key", tmp_path / "ca.crt", require_client=True)
    found = Agent()

    async def beside(host: str) -> str:
        assert host == ADDRESS
        return "127.0.0.1"

    async with Server(found, "127.0.0.1", 0, tls) as listening:
        secure.server.core.agents = Agents(client_context(cert=own.cert, key=own.key, verify=False), beside)
        admin = secure.server.client("admin", "system:masters")
        await admin.create(kinds.NODE, node("n1", listening.port, zone="a"))
        await admin.create(kinds.NODE, node("n2", 1, zone="b"))
        for name, place in (("web", "n1"), ("db", "n1"), ("far", "n2"), ("waiting", None)):
            made = await admin.create(kinds.POD, pod(name, place))
            if name == "web":
                found.runs(made, app=(250, 64), side=(5, 8))
            if name == "db":
                found.runs(made, app=(10, 512))
        yield found


def node(name: str, port: int, **labels: str) -> Any:
    status = {
        "addresses": [{"type": "InternalIP", "address": ADDRESS}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "capacity": {"cpu": "2", "memory": "8Gi"},
        "allocatable": {"cpu": "2", "memory": "8Gi"},
    }
    return codec.from_dict(kinds.NODE, {"metadata": {"name": name, "labels": labels}, "status": status})


def pod(name: str, place: str | None) -> Any:
    containers = [{"name": one, "image": "app:1"} for one in (("app", "side") if name == "web" else ("app",))]
    document = {"metadata": {"name": name, "namespace": "default", "labels": {"app": name}}}
    return codec.from_dict(kinds.POD, {**document, "spec": {"nodeName": place, "containers": containers}})


@pytest.fixture
def ask(secure):
    admin = secure.server.client("admin", "system:masters")

    async def get(path: str, **query: str) -> Any:
        return msgspec.json.decode(await admin.transport.request("GET", path, query))

    return get


async def test_nodes(agent, ask):
    found = await ask(NODES.path())
    assert (found["kind"], found["apiVersion"]) == ("NodeMetricsList", "metrics.k8s.io/v1beta1")
    (one,) = found["items"]  # the other does not answer
    assert (one["metadata"]["name"], one["metadata"]["labels"]) == ("n1", {"zone": "a"})
    assert one["usage"] == {"cpu": "1500000000n", "memory": "2097152Ki"}
    assert one["window"] and one["timestamp"]
    assert (await ask(NODES.path(name="n1")))["usage"] == one["usage"]
    assert (await ask(NODES.path(), labelSelector="zone=b"))["items"] == []
    for name in ("n2", "nope"):
        with pytest.raises(NotFound, match=f'nodemetrics.metrics.k8s.io "{name}" not found'):
            await ask(NODES.path(name=name))


async def test_pods(agent, ask):
    found = await ask(PODS.path())
    assert found["kind"] == "PodMetricsList"
    assert [item["metadata"]["name"] for item in found["items"]] == ["db", "web"]
    web = await ask(PODS.path("default", "web"))
    assert web["containers"] == [
        {"name": "app", "usage": {"cpu": "250000000n", "memory": "65536Ki"}},
        {"name": "side", "usage": {"cpu": "5000000n", "memory": "8192Ki"}},
    ]
    chosen = await ask(PODS.path("default"), labelSelector="app=db")
    assert [item["metadata"]["name"] for item in chosen["items"]] == ["db"]
    chosen = await ask(PODS.path("default"), fieldSelector="metadata.name=web")
    assert [item["metadata"]["name"] for item in chosen["items"]] == ["web"]
    for name in ("waiting", "far", "nope"):
        with pytest.raises(NotFound, match=f'podmetrics.metrics.k8s.io "default/{name}" not found'):
            await ask(PODS.path("default", name))
    with pytest.raises(BadRequest):
        await ask(PODS.path("default"), labelSelector="((")
    with pytest.raises(ApiError, match="does not allow|not supported"):
        await ask(PODS.path("default"), watch="true")


async def test_a_pod_of_that_name_that_is_another(agent, ask):
    agent.pods[0]["podRef"]["uid"] = "before"
    assert [item["metadata"]["name"] for item in (await ask(PODS.path()))["items"]] == ["db"]


async def test_agents_are_asked_once_in_a_while(agent, ask, secure):
    core = secure.server.core
    core.clock = FakeClock()
    summaries = await asyncio.gather(*(core.usage.of(["n1"], core) for _ in range(5)))
    assert agent.asked == 1
    assert all(found["n1"].node.amounts["memory"] == "2097152Ki" for found in summaries)
    await core.clock.advance(usage.FRESH_SECONDS + 1)
    agent.broken = True
    assert await core.usage.of(["n1"], core) == {}
    agent.broken = False
    assert await core.usage.of(["n1"], core) == {}  # not again so soon
    await core.clock.advance(usage.FRESH_SECONDS + 1)
    assert list(await core.usage.of(["n1", "n2"], core)) == ["n1"]
    assert agent.asked == 3


TOP = [
    ("top nodes", r"NAME +CPU\(cores\) +CPU[%(].*\nn1 +1500m +75% +2048Mi +25%"),
    ("top pods", r"NAME +CPU\(cores\) +MEMORY\(bytes\) *\ndb +10m +512Mi *\nweb +255m +72Mi"),
    ("top pods --containers", r"POD +NAME +CPU\S+ +MEMORY\S+ *\ndb +app +10m +512Mi *\nweb +app +250m +64Mi *\nweb +side +5m +8Mi"),
    ("top pods --sort-by=cpu", r"\nweb +255m .*\ndb +10m"),
    ("top pods --sort-by=memory", r"\ndb +10m .*\nweb +255m"),
    ("top pods -l app=web -A", r"NAMESPACE +NAME.*\ndefault +web +255m +72Mi"),
    ("top pod web", r"\nweb +255m +72Mi"),
    ("get nodes.metrics.k8s.io", r"NAME +CPU +MEMORY +WINDOW\nn1 +1500000000n +2097152Ki +10s"),
    ("get --raw /apis/metrics.k8s.io/v1beta1/namespaces/default/pods/db", r'"name":"db"'),
]  # fmt: skip


@pytest.mark.parametrize("program", kubectls.found(), ids=lambda place: place.rpartition("/")[2])
async def test_kubectl_top(agent, secure, program, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    kubectl = Kubectl(kubectls.program(program, home), secure.kubeconfig(), home)
    for command, expected in TOP:
        code, output = await kubectl(*command.split(" "))
        assert re.search(expected, output, re.MULTILINE), f"kubectl {command}\n{output}"
        assert code == 0, f"kubectl {command}\n{output}"
