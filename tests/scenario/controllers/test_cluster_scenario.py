"""Nodes, namespaces, Services and garbage, with the real controllers on the fake API server."""

from __future__ import annotations

from typing import Any

import pytest

from api import codec, kinds
from client import errors
from controlplane.controllers.settings import Settings
from tests.scenario.controllers.cluster import NS, Cluster


def node(c: Cluster, name: str) -> Any:
    return next(n for n in c.nodes() if n.metadata.name == name)


def ready(c: Cluster, name: str) -> str:
    return next(x.status for x in node(c, name).status.conditions if x.type == "Ready")


def taints(c: Cluster, name: str) -> set[tuple[str, str]]:
    return {(t.key, t.effect) for t in node(c, name).spec.taints}


UNREACHABLE = "node.kubernetes.io/unreachable"


async def test_a_silent_node_loses_its_pods() -> None:
    async with Cluster() as c:
        c.node("n1")
        c.node("n2")
        await c.start()
        toleration = {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}
        await c.deploy(replicas=4)
        template = {"spec": {"template": {"spec": {"tolerations": [toleration]}}}}
        await c.client.patch(kinds.DEPLOYMENT, "web", template, NS, type="merge")
        await c.until(c.rolled_out)
        assert {p.spec.node_name for p in c.pods()} == {"n1", "n2"}
        c.silent = {"n1"}
        c.startable = lambda pod: pod.spec.node_name == "n2"
        await c.run(25)
        assert ready(c, "n1") == "True"
        await c.run(25)
        assert ready(c, "n1") == "Unknown"
        assert taints(c, "n1") == {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}
        lost = [p for p in c.pods() if p.spec.node_name == "n1"]
        assert lost
        assert all(x.status == "False" for p in lost for x in p.status.conditions if x.type == "Ready")
        assert ready(c, "n2") == "True"
        await c.run(50)
        assert {p.spec.node_name for p in c.pods()} == {"n2"}
        assert c.rolled_out()
        assert any("Marking for deletion Pod default/web-" in m for m in c.messages("TaintManagerEviction"))


async def test_a_node_that_comes_back_is_used_again() -> None:
    async with Cluster() as c:
        c.node("n1")
        c.node("n2")
        c.silent = {"n1"}
        await c.start()
        await c.run(60)
        assert ready(c, "n1") == "Unknown"
        c.silent = set()
        c.node("n1")
        await c.run(10)
        assert ready(c, "n1") == "True"
        assert taints(c, "n1") == set()


async def test_when_all_nodes_are_silent_nobody_is_driven_away() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=2)
        await c.until(c.rolled_out)
        c.silent = {"n1"}
        await c.run(600)
        assert taints(c, "n1") == {(UNREACHABLE, "NoSchedule")}
        assert len(c.pods()) == 2


async def test_pods_of_a_deleted_node_are_removed() -> None:
    async with Cluster(kubelet=False) as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=2)
        await c.run(2)
        for pod in c.pods():
            c.ready(pod)
        before = {p.metadata.name for p in c.pods()}
        c.server.remove(kinds.NODE, "n1")
        await c.run(30)
        assert {p.metadata.name for p in c.pods()} == before
        await c.run(60)
        assert before.isdisjoint(p.metadata.name for p in c.pods())


async def test_every_node_gets_a_range_of_its_own() -> None:
    async with Cluster(settings=Settings(pod_cidr="10.244.0.0/22", node_cidr_size=24)) as c:
        c.node("old", spec={"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]})
        for name in ("a", "b"):
            c.node(name)
        c.server.faults.lose_answer(verb="patch", plural="nodes", nth=1)
        await c.start()
        await c.until(lambda: all(n.spec.pod_cidr for n in c.nodes()))
        await c.stop()
        await c.start()
        c.node("d")
        await c.until(lambda: node(c, "d").spec.pod_cidr)
        c.node("e")
        await c.until(lambda: c.messages("CIDRNotAvailable"))
        ranges = [n.spec.pod_cidr for n in c.nodes() if n.spec.pod_cidr]
        assert sorted(ranges) == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"]
        c.server.remove(kinds.NODE, "a")
        await c.until(lambda: node(c, "e").spec.pod_cidr, 60)


async def test_a_living_cluster_gets_a_second_family() -> None:
    added = "network.wherry.local/pod-cidrs"
    async with Cluster(settings=Settings(pod_cidr="10.244.0.0/22,fd00:1::/56", node_cidr_size=24)) as c:
        for number, name in enumerate("ab"):
            cidr = f"10.244.{number}.0/24"
            c.node(name, spec={"podCIDR": cidr, "podCIDRs": [cidr]})
        c.node("new")
        c.server.faults.lose_answer(verb="patch", plural="nodes", nth=1)
        await c.start()
        await c.until(lambda: len(node(c, "new").spec.pod_cidrs) == 2)
        await c.until(lambda: all(added in node(c, name).metadata.annotations for name in "ab"))
        given = [node(c, name).metadata.annotations[added] for name in "ab"] + [node(c, "new").spec.pod_cidrs[1]]
        assert len(set(given)) == 3
        assert all(cidr.startswith("fd00:1:0:") for cidr in given if cidr != "fd00:1::/64")
        assert [node(c, name).spec.pod_cidrs for name in "ab"] == [["10.244.0.0/24"], ["10.244.1.0/24"]]
        assert added not in node(c, "new").metadata.annotations


async def namespace(c: Cluster, name: str) -> None:
    body = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
    await c.client.create(kinds.NAMESPACE, codec.from_dict(kinds.NAMESPACE, body))


async def test_what_every_namespace_has() -> None:
    async with Cluster(settings=Settings(ca_pem="PEM")) as c:
        await c.start()
        await namespace(c, "team")

        def bundle() -> str:
            return next((m.data.get("ca.crt", "") for m in c.server.objects(kinds.CONFIG_MAP, "team")), "")

        await c.until(lambda: bundle() == "PEM" and c.server.objects(kinds.SERVICE_ACCOUNT, "team"))
        change = {"data": {"ca.crt": "evil", "more": "x"}}
        await c.client.patch(kinds.CONFIG_MAP, "kube-root-ca.crt", change, "team", type="merge")
        await c.until(lambda: bundle() == "PEM")
        await c.client.delete(kinds.CONFIG_MAP, "kube-root-ca.crt", "team")
        await c.client.delete(kinds.SERVICE_ACCOUNT, "default", "team")
        await c.until(lambda: bundle() == "PEM" and c.server.objects(kinds.SERVICE_ACCOUNT, "team"))


async def expose(c: Cluster, name: str = "web", **spec: Any) -> None:
    body = {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": NS, "labels": {"team": "a"}},
        "spec": {"selector": {"app": name}, "clusterIP": "10.96.0.9", "ports": [{"port": 80}], **spec},
    }
    await c.client.create(kinds.SERVICE, codec.from_dict(kinds.SERVICE, body))


def listed(c: Cluster) -> list[str]:
    slices = c.server.objects(kinds.ENDPOINT_SLICE)
    return sorted(e.addresses[0] for s in slices for e in s.endpoints if e.conditions and e.conditions.ready)


async def test_a_service_follows_its_pods() -> None:
    async with Cluster() as c:
        c.node("n1", labels={"topology.kubernetes.io/zone": "z1"})
        await c.start()
        await expose(c)
        await c.until(lambda: len(c.server.objects(kinds.ENDPOINT_SLICE)) == 1)
        await c.deploy(replicas=3)
        await c.until(lambda: len(listed(c)) == 3)
        assert listed(c) == sorted(p.status.pod_ip or "" for p in c.pods())
        (one,) = c.server.objects(kinds.ENDPOINT_SLICE)
        assert one.metadata.labels["kubernetes.io/service-name"] == "web"
        assert one.metadata.owner_references[0].kind == "Service"
        assert {(e.node_name, e.zone) for e in one.endpoints} == {("n1", "z1")}
        await c.run(1)
        (classic,) = c.server.objects(kinds.ENDPOINTS)
        assert sorted(a.ip for s in classic.subsets for a in s.addresses) == listed(c)
        await c.client.delete(kinds.ENDPOINT_SLICE, one.metadata.name, NS)
        await c.until(lambda: len(listed(c)) == 3)
        await c.client.delete(kinds.SERVICE, "web", NS)
        await c.until(lambda: not c.server.objects(kinds.ENDPOINT_SLICE) and not c.server.objects(kinds.ENDPOINTS))


@pytest.mark.parametrize("again", range(3))
async def test_slices_are_never_doubled(again: int) -> None:
    async with Cluster(again) as c:
        c.node("n1")
        c.server.faults.lose_answer(verb="create", plural="endpointslices", nth=1)
        await c.start()
        await expose(c)
        await c.deploy(replicas=3)
        await c.until(lambda: len(listed(c)) == 3)
        await c.run(5)
        assert len(c.server.objects(kinds.ENDPOINT_SLICE)) == 1


async def test_children_of_what_is_gone_are_collected() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=2)
        await c.until(c.rolled_out)
        await c.client.delete(kinds.DEPLOYMENT, "web", NS)
        await c.until(lambda: not c.sets() and not c.pods(alive=False))


async def test_an_owner_that_is_only_missing_in_a_cache_is_asked_for() -> None:
    """Nothing is deleted because of an owner that the server still has."""
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=2)
        await c.until(c.rolled_out)
        before = {p.metadata.uid for p in c.pods()}
        c.server.faults.drop_watches()
        await c.run(30)
        c.server.compact()
        c.server.faults.drop_watches()
        await c.run(30)
        assert {p.metadata.uid for p in c.pods()} == before


async def test_foreground_waits_and_orphan_lets_go() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy("one", replicas=2)
        await c.deploy("two", replicas=2)
        await c.until(lambda: c.rolled_out("one") and c.rolled_out("two"))
        for name, finalizer in (("one", "foregroundDeletion"), ("two", "orphan")):
            patch = {"metadata": {"finalizers": [finalizer]}}
            await c.client.patch(kinds.DEPLOYMENT, name, patch, NS, type="merge")
            await c.client.delete(kinds.DEPLOYMENT, name, NS)
        await c.until(lambda: not c.server.objects(kinds.DEPLOYMENT))
        await c.until(lambda: {p.metadata.labels["app"] for p in c.pods(alive=False)} == {"two"})
        await c.run(5)
        assert len(c.pods()) == 2
        assert [rs.metadata.owner_references for rs in c.sets()] == [[]]


async def test_an_object_with_one_owner_left_stays() -> None:
    async with Cluster() as c:
        await c.start()
        owners = []
        for name in ("a", "b"):
            body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": NS}}
            made = await c.client.create(kinds.CONFIG_MAP, codec.from_dict(kinds.CONFIG_MAP, body))
            owners.append({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": made.metadata.uid})
        unknown = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w"}
        for name, of in (("child", owners), ("strange", [unknown]), ("lost", [owners[0] | {"uid": "long-gone"}])):
            body = {
                "kind": "Secret",
                "apiVersion": "v1",
                "metadata": {"name": name, "namespace": NS, "ownerReferences": of},
            }
            await c.client.create(kinds.SECRET, codec.from_dict(kinds.SECRET, body))
        await c.until(lambda: len(c.server.objects(kinds.SECRET)) == 2)
        await c.client.delete(kinds.CONFIG_MAP, "a", NS)

        def references() -> dict[str, list[str]]:
            return {
                s.metadata.name or "": [o.name for o in s.metadata.owner_references]
                for s in c.server.objects(kinds.SECRET)
            }

        await c.until(lambda: references() == {"child": ["b"], "strange": ["w"]})
        await c.client.delete(kinds.CONFIG_MAP, "b", NS)
        await c.until(lambda: references() == {"strange": ["w"]})


async def test_a_server_that_is_away_for_a_while() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=3)
        c.server.faults.go_away()
        c.kubelet = False
        await c.run(120)
        c.server.faults.come_back()
        c.kubelet = True
        await c.until(c.rolled_out, 200)
        assert len(c.pods()) == 3
        with pytest.raises(errors.NotFound):
            await c.client.get(kinds.POD, "nobody", NS)
