"""Decisions of the proxy, by table: what is extracted, which endpoints are used, what each frontend does, who wins."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proxy.model import addresses
from proxy.model.addresses import IPV4, IPV6, TCP, UDP, BadAddress, pack, show_endpoint, split
from proxy.model.cluster import Cluster
from proxy.model.endpointslice import (
    FOR_HERE,
    FOR_NODES,
    LOCAL,
    NOWHERE,
    READY,
    SERVING,
    TERMINATING,
    Slice,
    extract_slice,
)
from proxy.model.facts import Facts, parse_networks, parse_node_ports
from proxy.model.node import Node, extract_node
from proxy.model.service import Service, extract_service
from proxy.plan.desired import NODE, Desired, Frontend, Route, desired_of
from proxy.plan.diff import Change, diff
from proxy.plan.expected import expected_reading
from proxy.plan.flows import allowed_after, stale_flows
from proxy.plan.ledger import Ledger
from proxy.plan.topology import ready_here, usable_endpoints

HERE = "here"
FACTS = Facts(HERE, parse_networks("10.244.0.0/16"))


def service_json(name: str = "web", **spec: Any) -> bytes:
    status = spec.pop("status", {})
    metadata = {"name": name, "namespace": "ns", "labels": spec.pop("labels", {}), "annotations": None}
    spec = {"clusterIP": "10.96.0.1", "ports": [{"port": 80, "protocol": "TCP", "targetPort": "web"}], **spec}
    return msgspec.json.encode({"metadata": metadata, "spec": spec, "status": status})


def service(name: str = "web", **spec: Any) -> Service:
    found = extract_service(service_json(name, **spec))
    assert found is not None
    return found


def slice_of(
    *endpoints: tuple[str, int], family: int = IPV4, port: int = 8080, name: str = "", of: str = "ns/web"
) -> Slice:
    return Slice(
        of,
        family,
        (msgspec.convert({"name": name, "protocol": TCP, "port": port}, _port),),
        b"".join(pack(text) for text, _ in endpoints),
        bytes(seen for _, seen in endpoints),
    )


_port = next(field.type for field in msgspec.structs.fields(Slice) if field.name == "ports").__args__[0]


def texts(packed: bytes, family: int = IPV4) -> list[str]:
    return [show_endpoint(one) for one in split(packed, family)]


# Extracts


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "None"},
        {"clusterIP": ""},
        {"type": "ExternalName", "externalName": "example.org", "clusterIP": ""},
        {"labels": {"service.kubernetes.io/headless": ""}},
        {"labels": {"service.kubernetes.io/service-proxy-name": "other"}},
    ],
)
def test_services_without_anything_to_program(spec: dict[str, Any]) -> None:
    assert extract_service(service_json(**spec)) is None


def test_a_service_is_reduced_to_what_counts() -> None:
    found = service(
        type="LoadBalancer",
        clusterIPs=["10.96.0.1", "fd00:96::1"],
        externalIPs=["198.51.100.1", "127.0.0.1", "nonsense"],
        sessionAffinity="ClientIP",
        sessionAffinityConfig={"clientIP": {"timeoutSeconds": 300}},
        externalTrafficPolicy="Local",
        internalTrafficPolicy="Cluster",
        ports=[
            {"name": "a", "port": 80, "nodePort": 30080},
            {"name": "b", "port": 53, "protocol": "UDP"},
            {"name": "c", "port": 70, "protocol": "GOPHER"},
        ],
        status={"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"ip": "203.0.113.2", "ipMode": "Proxy"}, {}]}},
    )
    assert found.cluster_ips == (pack("10.96.0.1"), pack("fd00:96::1"))
    assert found.external_ips == (pack("198.51.100.1"),)
    assert found.ingress_ips == (pack("203.0.113.1"),)
    assert [(p.name, p.protocol, p.port, p.node_port) for p in found.ports] == [
        ("a", TCP, 80, 30080),
        ("b", UDP, 53, 0),
    ]
    assert (found.affinity, found.external_local, found.internal_local) == (300, True, False)
    assert len(found.complaints) == 3


def test_a_slice_is_reduced_to_addresses_and_conditions() -> None:
    raw = {
        "metadata": {
            "name": "web-1",
            "namespace": "ns",
            "labels": {"kubernetes.io/service-name": "web"},
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-03-01T00:00:00Z"},
        },
        "addressType": "IPv4",
        "ports": [{"name": None, "port": 80}, {"name": "all", "port": None}],
        "endpoints": [
            {"addresses": ["10.0.0.1", "10.0.0.99"], "conditions": {"ready": True}, "nodeName": HERE},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": None, "serving": None}, "nodeName": "there"},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False, "serving": True, "terminating": True}},
            {"addresses": ["127.0.0.1"]},
            {"addresses": ["169.254.1.1"]},
            {"addresses": ["fd00::1"]},
            {"addresses": []},
        ],
    }
    found = extract_slice(msgspec.json.encode(raw), HERE)
    assert found is not None
    assert found.service == "ns/web"
    assert [(p.name, p.port) for p in found.ports] == [("", 80)]
    assert found.addresses == pack("10.0.0.1") + pack("10.0.0.2") + pack("10.0.0.3")
    assert list(found.conditions) == [READY | SERVING | LOCAL, READY | SERVING, SERVING | TERMINATING | NOWHERE]
    assert found.triggered == 1772323200.0
    assert len(found.complaints) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"addressType": "FQDN"},
        {"metadata": {"name": "x", "namespace": "ns"}},
        {
            "metadata": {
                "name": "x",
                "labels": {"kubernetes.io/service-name": "w", "service.kubernetes.io/headless": ""},
            }
        },
    ],
)
def test_slices_that_are_none_of_our_business(change: dict[str, Any]) -> None:
    raw = {"metadata": {"name": "x", "labels": {"kubernetes.io/service-name": "w"}}, "addressType": "IPv4", **change}
    assert extract_slice(msgspec.json.encode(raw), HERE) is None


@pytest.mark.parametrize(
    ("raw", "eligible"),
    [
        ({"metadata": {}}, True),
        ({"metadata": {"deletionTimestamp": "2026-03-01T00:00:00Z"}}, False),
        ({"metadata": {}, "spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler"}]}}, False),
        ({"metadata": {}, "spec": {"taints": [{"key": "other"}]}}, True),
    ],
)
def test_a_node_that_is_about_to_go(raw: dict[str, Any], eligible: bool) -> None:
    assert extract_node(msgspec.json.encode(raw)).eligible is eligible


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.256", "::g", "a", "10.0.0.1/8"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadAddress, match="cannot use address"):
        pack(text)


def test_networks_of_both_families_but_not_two_of_one() -> None:
    both = parse_networks("10.244.0.0/16, fd00::/48")
    assert [str(one) for one in both] == ["10.244.0.0/16", "fd00::/48"]
    with pytest.raises(BadAddress, match="at most one"):
        parse_networks("10.0.0.0/8,10.244.0.0/16")


# Which endpoints

DRAINS = SERVING | TERMINATING


@pytest.mark.parametrize(
    ("conditions", "every", "local", "draining", "here"),
    [
        ([READY | SERVING, READY | SERVING], [1, 2], [], [], []),
        ([READY | SERVING | LOCAL, READY | SERVING], [1, 2], [1], [], [1]),
        ([READY | SERVING, SERVING], [1], [], [], []),  # neither ready nor terminating
        ([DRAINS, TERMINATING], [1], [], [], []),  # none ready: those that still serve
        ([DRAINS | LOCAL, READY | SERVING], [2], [1], [1], [1]),  # local falls back by itself
        ([DRAINS | LOCAL, READY | SERVING | LOCAL], [2], [2], [1], [1, 2]),
        ([0, TERMINATING], [], [], [], []),
        ([READY | SERVING | NOWHERE], [1], [], [], [1]),  # may be here: hairpin, but not local
        ([READY | SERVING | TERMINATING], [1], [], [], []),  # publishNotReadyAddresses: ready wins
    ],
)
def test_usable_endpoints(
    conditions: list[int], every: list[int], local: list[int], draining: list[int], here: list[int]
) -> None:
    one = slice_of(*((f"10.0.0.{number}", seen) for number, seen in enumerate(conditions, 1)))
    found = usable_endpoints([one], IPV4, "", TCP)
    assert texts(found.every) == [f"10.0.0.{n}:8080" for n in every]
    assert texts(found.local) == [f"10.0.0.{n}:8080" for n in local]
    assert texts(found.draining) == [f"10.0.0.{n}:8080" for n in draining]
    assert found.here == b"".join(pack(f"10.0.0.{n}") for n in here)


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ([READY | SERVING | LOCAL, READY | SERVING, READY | SERVING | LOCAL], 2),
        ([DRAINS | LOCAL, SERVING | LOCAL], 0),  # who terminates gets what comes, but should not be sent more
        ([READY | SERVING | NOWHERE], 0),
    ],
)
def test_how_many_pods_here_are_ready(conditions: list[int], count: int) -> None:
    numbered = list(enumerate(conditions, 1))
    four = slice_of(*((f"10.0.0.{number}", seen) for number, seen in numbered))
    six = slice_of(*((f"fd00::{number}", seen) for number, seen in numbered), family=IPV6)
    assert ready_here([four, four, six]) == ready_here([four]) == count
    assert ready_here([]) == 0


@pytest.mark.parametrize(
    ("spec", "port"),
    [
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32000}, 32000),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "healthCheckNodePort": 32000}, 0),
        ({"type": "NodePort", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32000}, 0),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, 0),
    ],
)
def test_which_services_have_a_health_check_port(spec: dict[str, Any], port: int) -> None:
    assert service(**spec).health_port == port


NODES, HERE_TOO = FOR_NODES, FOR_NODES | FOR_HERE
GOOD = READY | SERVING


@pytest.mark.parametrize(
    ("endpoints", "every", "keeps"),
    [
        ([(GOOD, "a"), (GOOD, "b")], [1], [2]),  # this node is in zone a
        ([(GOOD, "a b"), (GOOD, "b a"), (GOOD, "c")], [1, 2], [3]),
        ([(GOOD, "b"), (GOOD, "c")], [1, 2], []),  # none for us: all
        ([(GOOD, "a"), (GOOD, "")], [1, 2], []),  # one is for nobody in particular: all
        ([(GOOD, "a"), (SERVING, "")], [1], []),  # who is not ready has no say
        ([(DRAINS, "a"), (GOOD, "b")], [2], [1]),
        ([(DRAINS, "a"), (DRAINS, "b")], [1, 2], []),
        ([(GOOD | HERE_TOO, "b"), (GOOD | NODES, "a")], [1], [2]),  # nodes before zones
        ([(GOOD | NODES, "a"), (GOOD | NODES, "b")], [1], [2]),  # none for this node: zones
        ([(GOOD | HERE_TOO, ""), (GOOD, "")], [1, 2], []),
        ([(GOOD | LOCAL, "b"), (GOOD, "a")], [2], [1]),  # hints, not places
    ],
)
def test_endpoints_that_are_meant_for_some(
    endpoints: list[tuple[int, str]], every: list[int], keeps: list[int]
) -> None:
    plain = slice_of(*((f"10.0.0.{number}", seen) for number, (seen, _) in enumerate(endpoints, 1)))
    zones = tuple(tuple(zones.split()) for _, zones in endpoints)
    one = msgspec.structs.replace(plain, zones=zones if any(zones) else ())
    found = usable_endpoints([one], IPV4, "", TCP, "a")
    assert texts(found.every) == [f"10.0.0.{n}:8080" for n in every]
    assert texts(found.draining) == [f"10.0.0.{n}:8080" for n in keeps]
    assert texts(found.local) == ["10.0.0.1:8080"] * (endpoints[0][0] & LOCAL > 0)


def test_hints_are_read() -> None:
    raw = {
        "metadata": {"name": "x", "namespace": "ns", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "a"}, {"name": "b"}]}},
            {"addresses": ["10.0.0.2"], "hints": {"forNodes": [{"name": "other"}], "forZones": None}},
            {"addresses": ["10.0.0.3"], "hints": {"forNodes": [{"name": HERE}]}},
            {"addresses": ["10.0.0.4"], "hints": None},
        ],
    }
    found = extract_slice(msgspec.json.encode(raw), HERE)
    assert found is not None
    assert found.zones == (("a", "b"), (), (), ())
    assert [seen & (FOR_NODES | FOR_HERE) for seen in found.conditions] == [0, FOR_NODES, FOR_NODES | FOR_HERE, 0]


@pytest.mark.parametrize(
    ("ranges", "four", "six"),
    [
        ([], "", ""),
        (["10.0.0.0/8", " 10.1.0.0/16", "192.0.2.1/32"], "10.0.0.0/8 192.0.2.1/32", ""),
        (["10.0.0.0/9", "10.128.0.0/9", "fd00::/8"], "10.0.0.0/8", "fd00::/8"),
        (["10.0.0.0/8", "0.0.0.0/0"], "", ""),  # everybody
        (["nonsense"], "0.0.0.0/32", "::/128"),  # nobody, and a complaint
    ],
)
def test_source_ranges_guard_the_load_balancers_addresses_only(ranges: list[str], four: str, six: str) -> None:
    one = service(
        type="LoadBalancer",
        clusterIPs=["10.96.0.1", "fd00:96::1"],
        externalIPs=["198.51.100.1"],
        ports=[{"port": 80, "nodePort": 30080}],
        loadBalancerSourceRanges=ranges,
        status={"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"ip": "2001:db8::1"}]}},
    )
    for desired, wanted, own in zip(
        desired_of(one, [], msgspec.structs.replace(FACTS, external_ips=True)), (four, six), ("203.0.113.1", "2001:db8::1"),
        strict=True,
    ):  # fmt: skip
        assert " ".join(map(str, desired.sources)) == wanted
        assert {f.address for f in desired.frontends if f.guarded} == ({pack(own)} if wanted else set())
    assert bool(one.complaints) == (ranges == ["nonsense"])
    plain = service(type="NodePort", loadBalancerSourceRanges=["10.0.0.0/8"])
    assert plain.sources == ()


def test_node_ports_may_be_on_some_addresses_only() -> None:
    facts = Facts(node_ports=parse_node_ports(["192.0.2.0/24", "198.51.100.7/32", "::/0"]))
    assert [str(one) for one in facts.node_networks(IPV4)] == ["192.0.2.0/24", "198.51.100.7/32"]
    assert facts.node_networks(IPV6) == ()
    with pytest.raises(BadAddress, match=r"127\.0\.0\.0/8: loopback"):
        parse_node_ports(["127.0.0.0/8"])


def test_node_ports_may_be_on_the_addresses_of_the_node_object_only() -> None:
    def node(*known: tuple[str, str]) -> Node:
        status = {"addresses": [{"type": kind, "address": text} for kind, text in known]}
        return extract_node(msgspec.json.encode({"metadata": {"name": "n"}, "status": status}))

    def places(facts: Facts) -> list[list[str]]:
        return [[str(one) for one in facts.node_networks(family)] for family in (IPV4, IPV6)]

    nowhere = ["0.0.0.0/32"], ["::/128"]
    unknown = Facts(primary=())
    assert places(unknown) == [*nowhere]
    found = unknown.at(
        node(
            ("Hostname", "n"), ("ExternalIP", "203.0.113.1"), ("InternalIP", "127.0.0.1"), ("InternalIP", "192.0.2.1"),
            ("InternalIP", "192.0.2.2"), ("InternalIP", "nonsense"),
        )
    )  # fmt: skip
    assert places(found) == [["192.0.2.1/32"], nowhere[1]]
    assert found.at(node()) == found  # what was known goes on
    both = found.at(node(("ExternalIP", "203.0.113.1"), ("InternalIP", "2001:db8::1")))
    assert places(both) == [["203.0.113.1/32"], ["2001:db8::1/128"]]
    given = msgspec.structs.replace(both, node_ports=parse_node_ports(["primary", "10.0.0.0/8"]))
    assert places(given) == [["10.0.0.0/8"], ["2001:db8::1/128"]]
    assert places(Facts().at(node(("InternalIP", "192.0.2.1")))) == [[], []]  # not asked for


def test_endpoints_of_several_slices_are_joined_once_and_in_order() -> None:
    good = READY | SERVING
    slices = [
        slice_of(("10.0.0.9", good), ("10.0.0.2", good)),
        slice_of(("10.0.0.2", good), ("10.0.0.1", good), port=81),
    ]
    found = usable_endpoints([*slices, slice_of(("fd00::1", good), family=IPV6)], IPV4, "", TCP)
    assert texts(found.every) == ["10.0.0.1:81", "10.0.0.2:81", "10.0.0.2:8080", "10.0.0.9:8080"]
    assert usable_endpoints(slices, IPV4, "other", TCP).every == b""
    assert usable_endpoints(slices, IPV4, "", UDP).every == b""


# What is wanted


def test_frontends_and_their_routes() -> None:
    spec: dict[str, Any] = {
        "type": "LoadBalancer",
        "clusterIPs": ["10.96.0.1", "fd00:96::1"],
        "externalIPs": ["198.51.100.1"],
        "ports": [{"name": "p", "port": 80, "nodePort": 30080}],
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}},
    }

    def frontends(facts: Facts, family: int, **more: Any) -> dict[str, Route]:
        desired = desired_of(service(**spec, **more), [], facts)
        one = next(d for d in desired if d.family == family)
        return {
            (addresses.show(f.address) if f.address else "node") + f":{f.port}": Route(f.route) for f in one.frontends
        }

    assert frontends(FACTS, IPV4) == {
        "10.96.0.1:80": Route.INTERNAL,
        "203.0.113.1:80": Route.EXTERNAL,
        "node:30080": Route.EXTERNAL,
    }
    assert frontends(FACTS, IPV6) == {"fd00:96::1:80": Route.INTERNAL, "node:30080": Route.EXTERNAL}
    allowed = msgspec.structs.replace(FACTS, external_ips=True)
    assert frontends(allowed, IPV4)["198.51.100.1:80"] is Route.EXTERNAL
    assert frontends(FACTS, IPV4, externalTrafficPolicy="Local")["node:30080"] is Route.EXTERNAL_LOCAL


@pytest.mark.parametrize(
    ("every", "local", "route", "internal_local", "empty"),
    [
        (b"", b"", Route.INTERNAL, False, "reject"),
        (b"", b"", Route.INTERNAL, True, "reject"),
        (b"", b"", Route.EXTERNAL_LOCAL, False, "reject"),
        (b"x" * 8, b"", Route.INTERNAL, True, "drop"),
        (b"x" * 8, b"", Route.EXTERNAL_LOCAL, False, "drop"),
        (b"x" * 8, b"", Route.EXTERNAL, True, ""),
        (b"x" * 8, b"x" * 8, Route.EXTERNAL_LOCAL, False, ""),
    ],
)
def test_refused_or_dropped(every: bytes, local: bytes, route: Route, internal_local: bool, empty: str) -> None:
    frontends = (Frontend(NODE, 30080, route),)
    one = Desired("ns/web", IPV4, TCP, frontends, 0, internal_local, every, local, b"")
    assert expected_reading([one]).frontends[IPV4, TCP, NODE, 30080].outside.empty == empty


def test_a_diff_says_what_goes_first() -> None:
    a = Desired("a", IPV4, TCP, (), 0, False, b"", b"", b"")
    b, c = msgspec.structs.replace(a, name="b"), msgspec.structs.replace(a, name="c")
    b2 = msgspec.structs.replace(b, affinity=5)
    assert diff([a, b], [b2, c]) == [Change(a, None), Change(b, b2), Change(None, c)]
    assert diff([a, b], [a, b]) == []


# The ledger


def cluster_of(*services: Service) -> Cluster:
    cluster = Cluster()
    for one in services:
        cluster.set_service(one.key, one)
    return cluster


def owners(ledger: Ledger) -> dict[bytes, str]:
    return {f.address: one.name for one in ledger.all() for f in one.frontends}


def test_the_oldest_service_owns_an_address_and_the_next_inherits_it() -> None:
    young, old = service("young"), msgspec.structs.replace(service("old"), created="2020-01-01T00:00:00Z")
    young = msgspec.structs.replace(young, created="2021-01-01T00:00:00Z")
    cluster, ledger = cluster_of(young, old), Ledger(FACTS)
    update = ledger.update(cluster, {"ns/young", "ns/old"})
    assert owners(ledger) == {pack("10.96.0.1"): "ns/old"}
    assert [(c.service, c.owner) for c in update.conflicts] == [("ns/young", "ns/old")]
    assert "10.96.0.1:80/TCP" in update.conflicts[0].frontend

    cluster.set_service("ns/old", None)
    update = ledger.update(cluster, {"ns/old"})
    assert owners(ledger) == {pack("10.96.0.1"): "ns/young"}
    assert [(c.old.name if c.old else None, c.new.name if c.new else None) for c in update.changes] == [
        ("ns/old", None),
        ("ns/young", "ns/young"),
    ]
    assert not update.conflicts


def test_an_address_that_moves_within_one_update_is_no_conflict() -> None:
    cluster, ledger = cluster_of(service("z")), Ledger(FACTS)
    ledger.update(cluster, {"ns/z"})
    cluster.set_service("ns/z", service("z", clusterIP="10.96.0.2"))
    cluster.set_service("ns/a", service("a"))
    update = ledger.update(cluster, {"ns/a", "ns/z"})
    assert owners(ledger) == {pack("10.96.0.1"): "ns/a", pack("10.96.0.2"): "ns/z"}
    assert not update.conflicts


def test_node_ports_given_twice_within_one_service_count_once() -> None:
    ports = [{"name": "a", "port": 80, "nodePort": 30080}, {"name": "b", "port": 81, "nodePort": 30080}]
    cluster, ledger = cluster_of(service("web", type="NodePort", ports=ports)), Ledger(FACTS)
    update = ledger.update(cluster, {"ns/web"})
    assert [len(one.frontends) for one in ledger.all()] == [2, 1]
    assert len(update.conflicts) == 1


def test_slices_may_come_before_their_service_and_move_between_services() -> None:
    cluster, ledger = Cluster(), Ledger(FACTS)
    one = slice_of(("10.0.0.1", READY | SERVING))
    assert cluster.set_slice("ns/s", None, one) == {"ns/web"}
    assert ledger.update(cluster, {"ns/web"}).changes == []
    cluster.set_service("ns/web", service())
    (change,) = ledger.update(cluster, {"ns/web"}).changes
    assert change.new is not None and texts(change.new.every) == ["10.0.0.1:8080"]
    moved = msgspec.structs.replace(one, service="ns/other")
    assert cluster.set_slice("ns/s", one, moved) == {"ns/web", "ns/other"}
    (change,) = ledger.update(cluster, {"ns/web", "ns/other"}).changes
    assert change.new is not None and change.new.every == b""
    assert ledger.update(cluster, {"ns/web"}).changes == []


# Flows


class Flow(msgspec.Struct, frozen=True):
    destination: bytes
    destination_port: int
    reply_source: bytes
    reply_source_port: int
    protocol: int = UDP


def test_only_flows_that_lead_nowhere_are_stale() -> None:
    vip, one, two, three = (pack(text) for text in ("10.96.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"))
    packed = [addresses.endpoint(address, 53) for address in (one, two, three)]
    frontends = (Frontend(vip, 53, Route.INTERNAL), Frontend(NODE, 30053, Route.EXTERNAL))
    old = Desired("ns/dns", IPV4, UDP, frontends, 0, False, packed[0] + packed[1] + packed[2], b"", b"")
    new = msgspec.structs.replace(old, every=packed[0], draining=packed[1])
    flows = {
        "healthy": Flow(vip, 53, one, 53),
        "draining": Flow(vip, 53, two, 53),
        "gone": Flow(vip, 53, three, 53),
        "never translated": Flow(vip, 53, vip, 53),
        "other port": Flow(vip, 54, three, 53),
        "node port, gone": Flow(pack("192.0.2.1"), 30053, three, 53),
        "node port, not ours": Flow(pack("192.0.2.1"), 30053, pack("192.0.2.1"), 30053),
        "other protocol": Flow(vip, 53, three, 53, TCP),
    }
    stale = list(stale_flows(flows.values(), IPV4, allowed_after([Change(old, new)])))
    assert {name for name, flow in flows.items() if flow in stale} == {"gone", "never translated", "node port, gone"}
    assert allowed_after([Change(new, old)]) == {}  # an endpoint more harms nobody
    assert allowed_after([Change(old, None)])[IPV4, UDP, vip, 53] == frozenset()
    tcp, fewer = (msgspec.structs.replace(one, protocol=TCP) for one in (old, new))
    assert allowed_after([Change(tcp, fewer)]) == {}
    asked = allowed_after([Change(tcp, fewer)], (UDP, TCP))
    assert list(stale_flows(flows.values(), IPV4, asked)) == [flows["other protocol"]]
