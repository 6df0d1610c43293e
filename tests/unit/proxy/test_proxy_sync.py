"""The loop: programmed as soon as seen, bursts as one, refusals and damage healed; health and metrics tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kit.clock import FakeClock, settle
from kit.config import ConfigError
from kit.http.model import Request
from kit.metrics import Metrics
from linux.conntrack import FakeConntrack, Flow
from linux.iptables import FakeIptables
from linux.nft import FakeKernel
from linux.sysctl import FakeSysctl, SysctlError
from proxy.app import prepare_kernel
from proxy.backends.interface import Suspicion
from proxy.backends.iptables import IptablesBackend
from proxy.backends.nftables import NftablesBackend
from proxy.config import Config, load
from proxy.model.addresses import pack
from proxy.model.endpointslice import Slice, extract_slice
from proxy.model.facts import Facts
from proxy.model.node import Node, extract_node
from proxy.model.service import extract_service
from proxy.plan.expected import expected_reading
from proxy.sync.flows import FlowCleaner
from proxy.sync.metrics import ProxyMetrics
from proxy.sync.syncer import Syncer


@dataclass
class Bench:
    syncer: Syncer
    kernel: Any
    clock: FakeClock
    metrics: ProxyMetrics
    conntrack: FakeConntrack
    slices: dict[str, Slice | None]

    def put(self, number: int, *endpoints: int, protocol: str = "TCP", triggered: str = "") -> None:
        name = f"s{number}"
        ports = [{"name": "p", "port": 80, "protocol": protocol}]
        service = {
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {"clusterIP": f"10.96.0.{number}", "ports": ports},
        }
        key = f"ns/{name}"
        old = self.syncer.cluster.services.get(key)
        new = extract_service(msgspec.json.encode(service))
        if old != new:
            self.syncer.on_service(key, old, new)
        slice_ = {
            "metadata": {
                "name": name, "namespace": "ns", "labels": {"kubernetes.io/service-name": name},
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": triggered} if triggered else {},
            },
            "addressType": "IPv4", "ports": [{"name": "p", "port": 8080, "protocol": protocol}],
            "endpoints": [{"addresses": [f"10.244.0.{n}"], "nodeName": "there"} for n in endpoints],
        }  # fmt: skip
        seen = extract_slice(msgspec.json.encode(slice_), "here")
        self.syncer.on_slice(key, self.slices.get(key), seen)
        self.slices[key] = seen

    def in_step(self) -> bool:
        return not expected_reading(self.syncer.ledger.all()).differences(self.syncer.backend.read())

    def value(self, name: str) -> float:
        for line in self.metrics.registry.render().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")


@asynccontextmanager
async def bench(
    kind: str = "nftables", facts: Facts = Facts("here"), protocols: Sequence[int] = (17,)
) -> AsyncIterator[Bench]:
    kernel: Any = FakeKernel() if kind == "nftables" else FakeIptables()
    backend: Any = NftablesBackend(kernel) if kind == "nftables" else IptablesBackend(kernel)
    clock, metrics, tracked = FakeClock(), ProxyMetrics(Metrics(process=False)), FakeConntrack()
    cleaner = FlowCleaner(tracked, clock, metrics, protocols)
    syncer = Syncer(backend, facts, clock, metrics, cleaner)
    tasks = [asyncio.create_task(syncer.run()), asyncio.create_task(cleaner.run())]
    try:
        yield Bench(syncer, kernel, clock, metrics, tracked, {})
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def done(syncer: Syncer) -> None:
    async with asyncio.timeout(120):
        await syncer.programmed.wait()


@pytest.mark.parametrize("kind", ["nftables", "iptables"])
async def test_what_is_seen_is_programmed(kind: str) -> None:
    async with bench(kind) as b:
        b.put(1, 1, 2, 3)
        await done(b.syncer)
        assert b.in_step()
        b.put(1, 1, 2)
        assert not b.syncer.programmed.is_set()
        await done(b.syncer)
        assert b.in_step()
        b.syncer.on_service("ns/s1", b.syncer.cluster.services["ns/s1"], None)
        await done(b.syncer)
        assert b.in_step() and not list(b.syncer.ledger.all())


async def test_nothing_is_programmed_before_the_caches_are_complete() -> None:
    kernel = FakeKernel()
    clock, metrics = FakeClock(), ProxyMetrics(Metrics(process=False))
    syncer = Syncer(NftablesBackend(kernel), Facts("here"), clock, metrics)
    services, slices = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(syncer.run((services, slices)))
    services.set()
    await settle()
    assert kernel.commits == 0
    slices.set()
    await done(syncer)
    assert "wherry-proxy" in kernel.tables(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_when_the_nodes_zone_is_known_hints_choose() -> None:
    def hinted(zone: str, number: int) -> dict[str, Any]:
        return {"addresses": [f"10.244.0.{number}"], "hints": {"forZones": [{"name": zone}]}}

    async with bench() as b:
        b.put(1, 1, 2)
        slice_ = {
            "metadata": {"name": "s1", "namespace": "ns", "labels": {"kubernetes.io/service-name": "s1"}},
            "addressType": "IPv4", "ports": [{"name": "p", "port": 8080}], "endpoints": [hinted("x", 1), hinted("y", 2)],
        }  # fmt: skip
        b.syncer.on_slice("ns/s1", b.slices["ns/s1"], extract_slice(msgspec.json.encode(slice_), "here"))
        await done(b.syncer)
        assert len(next(b.syncer.ledger.all()).every) == 16
        node = {"metadata": {"name": "here", "labels": {"topology.kubernetes.io/zone": "y"}}}
        b.syncer.on_node(extract_node(msgspec.json.encode(node)))
        await done(b.syncer)
        assert next(b.syncer.ledger.all()).every == pack("10.244.0.2") + b"\x1f\x90\0\0"
        assert b.in_step()


async def test_when_the_nodes_addresses_are_known_node_ports_are_there_and_only_there() -> None:
    def seen(*known: str) -> Node:
        status = {"addresses": [{"type": "InternalIP", "address": one} for one in known]}
        return extract_node(msgspec.json.encode({"metadata": {"name": "here"}, "status": status}))

    async with bench("iptables", Facts("here", primary=())) as b:
        b.put(1, 1)
        await done(b.syncer)

        def places() -> list[str]:
            lines = b.kernel.save(4, "nat")
            return [line.split()[3] for line in lines if line.endswith("-j WHERRY-NODEPORTS")]

        assert places() == ["0.0.0.0/32"]
        for number in (2, 3):
            b.syncer.on_node(seen(f"192.0.2.{number}"))
            await done(b.syncer)
            assert places() == [f"192.0.2.{number}/32"]
        restores = b.kernel.restores
        b.syncer.on_node(seen("192.0.2.3"))
        b.syncer.on_node(None)
        await settle()
        assert b.syncer.programmed.is_set() and b.kernel.restores == restores


async def test_a_burst_is_one_transaction() -> None:
    async with bench() as b:
        await done(b.syncer)
        before = b.kernel.commits
        for number in range(1, 50):
            b.put(number, number)
        await done(b.syncer)
        assert b.kernel.commits == before + 1
        assert b.in_step()


async def test_an_event_that_changes_nothing_reaches_the_kernel_never() -> None:
    async with bench() as b:
        b.put(1, 1)
        await done(b.syncer)
        before = b.kernel.commits
        b.put(1, 1)
        await done(b.syncer)
        assert b.kernel.commits == before
        assert b.value("kubeproxy_sync_proxy_rules_endpoint_changes_total") == 2


async def test_a_refusal_is_answered_by_replacing_everything_and_then_by_patience() -> None:
    async with bench() as b:
        b.put(1, 1)
        await done(b.syncer)
        b.kernel.refuse = [17]  # the change; replacing works
        b.put(2, 2)
        await done(b.syncer)
        assert b.in_step()
        assert b.value('wherry_proxy_repairs_total{reason="refusal"}') == 1
        b.kernel.refuse = [17, 12, 12]
        b.put(3, 3)
        async with asyncio.timeout(120):
            while not b.syncer.programmed.is_set():
                await asyncio.sleep(0.005)
                await b.clock.advance(1)
        assert not b.kernel.refuse and b.in_step()
        assert b.value('kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv4"}') == 4


async def test_changes_during_a_refusal_do_not_each_bring_attempts_of_their_own() -> None:
    async with bench() as b:
        b.put(1, 1)
        await done(b.syncer)
        b.kernel.refuse = [12] * 10_000
        for number in range(2, 32):
            left = len(b.kernel.refuse)
            b.put(number, 1)
            async with asyncio.timeout(120):
                while len(b.kernel.refuse) == left:
                    await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        left = len(b.kernel.refuse)
        for _ in range(60):
            await b.clock.advance(1)
            await asyncio.sleep(0.005)
        assert left - len(b.kernel.refuse) < 15  # in a minute: one back-off for all of them


async def test_damage_is_repaired_when_heard_and_when_looked_for() -> None:
    async with bench() as b:
        b.put(1, 1, 2)
        await done(b.syncer)
        b.kernel.flush()
        assert not b.in_step()
        await b.clock.advance(2)
        b.syncer.suspect(Suspicion.DAMAGED, "somebody changed our rules")
        counted = 'wherry_proxy_repairs_total{reason="damage"} '
        await until(lambda: f"{counted}1" in b.metrics.registry.render().decode())
        assert b.in_step()
        b.kernel.flush()
        async with asyncio.timeout(120):
            while not b.in_step():
                await b.clock.advance(b.syncer.backend.check_seconds)
                await asyncio.sleep(0.002)
        await until(lambda: f"{counted}2" in b.metrics.registry.render().decode())


async def until(condition: Any) -> None:
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0.002)


async def test_stale_udp_flows_go_with_their_endpoint() -> None:
    def flow(endpoint: int) -> tuple[int, Flow]:
        return 4, Flow(17, pack("10.244.9.9"), 999, pack("10.96.0.1"), 80, pack(f"10.244.0.{endpoint}"), 8080)

    async with bench() as b:
        b.put(1, 1, 2, protocol="UDP")
        await done(b.syncer)
        b.conntrack.held = [flow(1), flow(2)]
        b.put(1, 2, protocol="UDP")
        await until(lambda: b.conntrack.held == [flow(2)])
        deleted = 'kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"}'
        await until(lambda: b.value(deleted) == 1)


async def test_connections_to_an_endpoint_that_went_are_forgotten_only_if_asked_for() -> None:
    def flow(endpoint: int, protocol: int) -> tuple[int, Flow]:
        return 4, Flow(protocol, pack("10.244.9.9"), 999, pack("10.96.0.1"), 80, pack(f"10.244.0.{endpoint}"), 8080)

    for protocols, left in (((17,), [flow(1, 6), flow(1, 17)]), ((17, 6), [flow(1, 17)])):
        async with bench(protocols=protocols) as b:
            b.put(1, 1, 2)
            b.put(2, 3, protocol="UDP")
            await done(b.syncer)
            b.conntrack.held = [flow(1, 6), flow(1, 17), (4, Flow(17, b"", 1, pack("10.96.0.2"), 80, b"", 1))]
            b.put(1, 2)
            b.put(2, protocol="UDP")  # the last thing that is cleaned up
            await until(lambda left=left: b.conntrack.held == left)


async def test_programming_latency_counts_from_the_pods_change() -> None:
    async with bench() as b:
        b.put(1, 1, triggered="2020-01-01T00:00:00Z")  # before our start: says nothing about us
        await done(b.syncer)
        await b.clock.advance(30)
        b.put(1, 2, triggered="2023-11-14T22:13:40Z")  # 10 s ago on the fake clock
        await done(b.syncer)
        name = "kubeproxy_network_programming_duration_seconds"
        assert b.value(name + '_count{ip_family="IPv4"}') == 1
        assert b.value(name + '_sum{ip_family="IPv4"}') == 10


async def test_health_is_lost_while_a_change_waits_and_node_eligibility_counts_for_healthz_only() -> None:
    def ask(b: Bench, path: str) -> tuple[int, dict[str, Any]]:
        response = b.syncer.health(Request("GET", path, [], b"", None))  # type: ignore[arg-type]
        assert isinstance(response.body, bytes)
        return response.status, msgspec.json.decode(response.body)

    async with bench() as b:
        assert ask(b, "/healthz")[0] == 200
        await done(b.syncer)
        status, body = ask(b, "/healthz")
        assert status == 200
        assert body["nodeEligible"] is True and body["healthy"] is True
        assert set(body["status"]) == {"IPv4", "IPv6"}
        b.syncer.health.eligible = False
        assert ask(b, "/healthz")[0] == 503
        assert ask(b, "/livez")[0] == 200 and "nodeEligible" not in ask(b, "/livez")[1]
        b.syncer.health.eligible = True
        b.kernel.refuse = [12] * 1000
        b.put(1, 1)
        for _ in range(30):
            await asyncio.sleep(0.002)
            await b.clock.advance(3)
        assert ask(b, "/healthz")[0] == 503 and ask(b, "/livez")[0] == 503


async def test_local_policies_without_a_local_endpoint_are_counted() -> None:
    async with bench() as b:
        await done(b.syncer)
        service = {
            "metadata": {"name": "x", "namespace": "ns"},
            "spec": {
                "type": "NodePort", "clusterIP": "10.96.0.9", "externalTrafficPolicy": "Local",
                "ports": [{"name": "p", "port": 80, "nodePort": 30080}],
            },
        }  # fmt: skip
        b.syncer.on_service("ns/x", None, extract_service(msgspec.json.encode(service)))
        await done(b.syncer)
        slice_ = {
            "metadata": {"name": "x", "namespace": "ns", "labels": {"kubernetes.io/service-name": "x"}},
            "addressType": "IPv4", "ports": [{"name": "p", "port": 1}], "endpoints": [{"addresses": ["10.0.0.1"]}],
        }  # fmt: skip
        b.syncer.on_slice("ns/x", None, extract_slice(msgspec.json.encode(slice_), "here"))
        await done(b.syncer)
        name = "kubeproxy_sync_proxy_rules_no_local_endpoints_total"
        assert b.value(f'{name}{{ip_family="IPv4",traffic_policy="external"}}') == 1
        assert b.value(f'{name}{{ip_family="IPv6",traffic_policy="internal"}}') == 0  # told from the first


async def test_rules_are_counted_all_and_those_written_last() -> None:
    async with bench("iptables") as b:
        b.put(1, 1, 2)
        await done(b.syncer)

        def counted(what: str) -> float:
            return b.value(f'kubeproxy_sync_proxy_rules_iptables_{what}{{ip_family="IPv4",table="nat"}}')

        hooks = 3
        rules = len([line for line in b.kernel.save(4, "nat") if line.startswith("-A")]) - hooks
        assert counted("last") == counted("total") == rules
        b.put(1, 1)
        await done(b.syncer)
        assert (counted("last"), counted("total")) == (1, rules - 1)


def test_upstreams_metric_names_are_there() -> None:
    metrics = ProxyMetrics(Metrics(process=False))
    text = metrics.registry.render().decode()
    for name in (
        "sync_proxy_rules_duration_seconds",
        "sync_full_proxy_rules_duration_seconds",
        "sync_partial_proxy_rules_duration_seconds",
        "sync_proxy_rules_last_timestamp_seconds",
        "sync_proxy_rules_last_queued_timestamp_seconds",
        "network_programming_duration_seconds",
        "sync_proxy_rules_endpoint_changes_total",
        "sync_proxy_rules_endpoint_changes_pending",
        "sync_proxy_rules_service_changes_total",
        "sync_proxy_rules_service_changes_pending",
        "sync_proxy_rules_nftables_sync_failures_total",
        "sync_proxy_rules_iptables_restore_failures_total",
        "sync_proxy_rules_iptables_total",
        "sync_proxy_rules_iptables_last",
        "sync_proxy_rules_no_local_endpoints_total",
        "proxy_healthz_total",
        "proxy_livez_total",
        "conntrack_reconciler_deleted_entries_total",
        "conntrack_reconciler_sync_duration_seconds",
    ):
        assert f"# TYPE kubeproxy_{name} " in text, name


def test_the_kernel_is_made_to_forward_and_never_to_route_loopback() -> None:
    settings = FakeSysctl(
        {"net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "0", "net.ipv4.conf.all.route_localnet": "0"}
    )
    prepare_kernel(settings)
    assert settings.read("net.ipv4.ip_forward") == settings.read("net.ipv6.conf.all.forwarding") == "1"
    assert settings.read("net.ipv4.conf.all.route_localnet") == "0"
    with pytest.raises(SysctlError, match=r"net\.ipv4\.ip_forward"):
        prepare_kernel(FakeSysctl({}))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_configuration(tmp_path: Path) -> None:
    good = "nodeName: node-1\nkubeconfig: /k\nmode: iptables\nclusterCidr: 10.244.0.0/16\n"
    config = load(write(tmp_path / "good.yaml", good))
    assert config == Config(node_name="node-1", kubeconfig="/k", mode="iptables", cluster_cidr="10.244.0.0/16")
    for wrong, message in (
        ("kubeconfig: /k\n", "nodeName"),
        ('nodeName: ""\nkubeconfig: /k\n', "nodeName"),
        (good + "clusterCIDR: x\n", "clusterCIDR"),
        (good.replace("10.244.0.0/16", "10.244.0.0/99"), "clusterCidr"),
        (good.replace("iptables", "userspace"), "mode"),
    ):
        with pytest.raises(ConfigError, match=message):
            load(write(tmp_path / "wrong.yaml", wrong))


KUBE = """
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
hostnameOverride: Node-1
clientConnection: {acceptContentTypes: "", burst: 0, contentType: "", kubeconfig: /var/lib/kube-proxy/kubeconfig.conf, qps: 0}
clusterCIDR: 10.244.0.0/16
"""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", {}),
        ("mode: iptables", {"mode": "iptables"}),
        ('mode: ""\nnodePortAddresses: null\ndetectLocalMode: ""\noomScoreAdj: null', {}),
        ("healthzBindAddress: 10.0.0.1", {"healthz": "10.0.0.1:10256"}),
        ('healthzBindAddress: "::"\nmetricsBindAddress: 0.0.0.0:9', {"healthz": "[::]:10256", "metrics": "0.0.0.0:9"}),
        ("bindAddress: 10.0.0.2", {}),
        ('bindAddress: "fd00::2"', {"healthz": "[::]:10256", "metrics": "[::1]:10249"}),
        ("nodePortAddresses: [10.0.0.0/24]", {"node_port_addresses": ["10.0.0.0/24"]}),
        ("nodePortAddresses: [primary]", {"node_port_addresses": ["primary"]}),
        ("mode: nftables", {"mode": "nftables", "node_port_addresses": ["primary"]}),
        (
            "mode: nftables\nbindAddress: 10.0.0.2",
            {"mode": "nftables", "node_port_addresses": ["primary", "10.0.0.2"]},
        ),
        ("iptables: {localhostNodePorts: false, masqueradeAll: false, masqueradeBit: 14, syncPeriod: 0s}", {}),
        ("conntrack: {maxPerCore: null}\nlogging: {verbosity: 0}\nwinkernel: {enableDSR: false}", {}),
    ],
)
def test_a_file_of_upstreams_proxy(tmp_path: Path, more: str, expected: dict[str, Any]) -> None:
    plain = Config(
        node_name="node-1",
        kubeconfig="/var/lib/kube-proxy/kubeconfig.conf",
        cluster_cidr="10.244.0.0/16",
        external_ips=True,
    )
    assert load(write(tmp_path / "config.conf", KUBE + more)) == msgspec.structs.replace(plain, **expected)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("modes: x", r"config\.conf: unknown field modes \(did you mean mode\?\)"),
        ("mode: kernelspace", "field mode: there is no kernelspace; use one of auto, "),
        ("detectLocalMode: NodeCIDR", "field detectLocalMode: .* give the pods' networks"),
        ("iptables: {masqueradeAll: true}", "field iptables.masqueradeAll: .* set it to false"),
        ("iptables: {localhostNodePorts: true}", "field iptables.localhostNodePorts: .* set it to false"),
        ("nftables: {masqueradeBit: 3}", "field nftables.masqueradeBit: the bit is 14; leave it out"),
        ("nodePortAddresses: [primary, 10.0.0.0/8]", "field nodePortAddresses: give primary alone, or networks"),
        ("nodePortAddresses: [primarily]", "field nodePortAddresses: cannot use network 'primarily'"),
        ("ipvs: {tcpFinTimeout: 5s}", "field ipvs.tcpFinTimeout: .* set it to 0s"),
    ],
)
def test_what_of_upstreams_file_cannot_be_had(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path / "config.conf", KUBE + more))


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    for text, message in (
        (KUBE.replace("v1alpha1", "v1"), "field kind: .* give a KubeProxyConfiguration"),
        (KUBE.replace("10.244.0.0/16", "10.244.0.0/99"), "field clusterCIDR: cannot use network"),
    ):
        with pytest.raises(ConfigError, match=message):
            load(write(tmp_path / "config.conf", text))
