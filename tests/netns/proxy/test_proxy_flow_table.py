"""The packet-flow table: for each feature of Services and each origin, which pods answer and whom they see.

Rows are sent through every backend and both families. `a` is a pod on this node, `b` one on another. Answers are written
as "POD<SOURCE": `a<a` pod a, which saw pod a's own address; `b<client` pod b, which saw the outside client's; `a<node` pod
a, which saw the node. `refused` is told at once, `lost` never. The table must have a row for each feature and origin, or
say why there is none. As an origin `b` is another node: it is asked where that node would not have chosen already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from proxy.model.addresses import pack
from proxy.model.facts import parse_node_ports
from tests.netns.proxy.bed import (
    ANSWER,
    BACKENDS,
    CLIENT,
    FACTS,
    GATEWAY,
    INGRESS,
    LOST,
    NODE_IP,
    REFUSED,
    SILENCE,
    Bed,
    make_backend,
    pod,
    service,
    slices,
    vip,
)

ORIGINS = ("a", "node", "client")  # a pod, which may meet itself; the node; outside
BOTH = (("a", 0), ("b", 0))
EXTERNAL = {4: "198.51.100.9", 6: "2001:db8:1::9"}
PORT = 30080
MASQUERADED = {"a": "a<node b<node", "b": "a<node b<node", "node": "a<node b<node", "client": "a<node b<node"}


@dataclass(frozen=True)
class Row:
    """A Service, and what each origin gets at one of its frontends."""

    feature: str
    answers: dict[str, str]
    to: str = "vip"  # vip, port (a node port), other port (on the node's other address), ingress, external, closed
    spec: dict[str, Any] = field(default_factory=dict)
    endpoints: tuple[tuple[str, int], ...] = BOTH
    more: dict[str, Any] = field(default_factory=dict)  # of endpoints
    facts: dict[str, Any] = field(default_factory=dict)
    udp: bool = False
    local: str = "a"


def balanced(**spec: Any) -> dict[str, Any]:
    return {"type": "LoadBalancer", "ingress": list(INGRESS.values()), **spec}


def port(**spec: Any) -> dict[str, Any]:
    return {"nodePort": PORT, **spec}


ANYWHERE = {"a": "a<node b<a", "node": "a<node b<node", "client": "a<node b<node"}
HERE_ONLY = {"a": "a<node", "b": "a<b", "node": "a<node", "client": "a<node"}
THERE_ONLY = {"a": "b<a", "node": "b<node", "client": "b<node"}
POLICY_LOCAL = {"a": "a<node b<a", "node": "a<node b<node", "client": "a<client"}
NOTHING = dict.fromkeys((*ORIGINS, "b"), REFUSED)
TERMINATING = {"conditions": {"ready": False, "serving": True, "terminating": True}}
NOT_READY = {"conditions": {"ready": False}}


def meant(zone: str = "", node: str = "") -> dict[str, Any]:
    return {"hints": {"forZones": [{"name": zone}] if zone else [], "forNodes": [{"name": node}] if node else []}}


LOCAL = {"externalTrafficPolicy": "Local"}
GUARDED = {"loadBalancerSourceRanges": ["192.0.2.0/24", "2001:db8:2::/64"]}
OUTSIDE = {"externalIPs": list(EXTERNAL.values())}
OUTER = ["10.99.1.0/24", "fd00:99:1::/64"]  # the node's addresses towards the client
PRIMARY = tuple(pack(NODE_IP[family]) for family in (4, 6))
ROWS = [
    Row("ClusterIP", ANYWHERE),
    Row("UDP", ANYWHERE, udp=True),
    Row("hairpin", HERE_ONLY, endpoints=(("a", 0),)),
    Row("closed port", NOTHING, to="closed"),
    Row("no endpoints", NOTHING, endpoints=()),
    Row("no endpoints, UDP", NOTHING, endpoints=(), udp=True),
    Row("no endpoints, node port", NOTHING, to="port", spec=port(), endpoints=()),
    Row("NodePort", MASQUERADED, to="port", spec=port()),
    Row("NodePort, UDP", MASQUERADED, to="port", spec=port(), udp=True),
    Row("NodePort on every address", MASQUERADED, to="other port", spec=port()),
    Row("nodeport-addresses", MASQUERADED, to="port", spec=port(), facts={"nodes": OUTER}),
    Row("nodeport-addresses, others", NOTHING, to="other port", spec=port(), facts={"nodes": OUTER}),
    Row("nodeport-addresses primary", MASQUERADED, to="port", spec=port(), facts={"primary": PRIMARY}),
    Row("nodeport-addresses primary, others", NOTHING, to="other port", spec=port(), facts={"primary": PRIMARY}),
    Row("nodeport-addresses primary, none is known", NOTHING, to="port", spec=port(), facts={"primary": ()}),
    Row("externalTrafficPolicy Local, node port", POLICY_LOCAL, to="port", spec=port(**LOCAL)),
    Row("externalTrafficPolicy Local, cluster IP", ANYWHERE, spec=port(**LOCAL)),
    Row(
        "externalTrafficPolicy Local, nothing here", THERE_ONLY | {"client": LOST}, to="port", spec=port(**LOCAL),
        endpoints=(("b", 0),),
    ),
    Row("externalTrafficPolicy Local, ingress", POLICY_LOCAL, to="ingress", spec=balanced(**LOCAL)),
    Row("internalTrafficPolicy Local", HERE_ONLY, spec={"internalTrafficPolicy": "Local"}),
    Row(
        "internalTrafficPolicy Local, nothing here", dict.fromkeys(ORIGINS, LOST),
        spec={"internalTrafficPolicy": "Local"}, endpoints=(("b", 0),),
    ),
    Row("LoadBalancer, ingress VIP", MASQUERADED, to="ingress", spec=balanced()),
    Row("LoadBalancer, ingress Proxy", {"client": LOST}, to="ingress", spec=balanced(ipMode="Proxy")),
    Row("LoadBalancer without node ports", ANYWHERE, spec=balanced(allocateLoadBalancerNodePorts=False)),
    Row(
        "sourceRanges, allowed", {"client": "a<node b<node"}, to="ingress",
        spec=balanced(loadBalancerSourceRanges=["10.99.1.0/30", "fd00:99:1::2/128"]),
    ),
    Row("sourceRanges, others", dict.fromkeys(ORIGINS, LOST), to="ingress", spec=balanced(**GUARDED)),
    Row("sourceRanges, cluster IP", ANYWHERE, spec=balanced(**GUARDED)),
    Row("sourceRanges, node port", MASQUERADED, to="port", spec=balanced(nodePort=PORT, **GUARDED)),
    Row("ExternalIPs", MASQUERADED, to="external", spec=OUTSIDE, facts={"external_ips": True}),
    Row("ExternalIPs not allowed", {"client": LOST}, to="external", spec=OUTSIDE),
    Row("sessionAffinity", {"client": "a<node or b<node", "a": "a<node or b<a"}, spec={"sessionAffinity": "ClientIP"}),
    Row("hints, zone", HERE_ONLY, more={"a0": meant("z1"), "b0": meant("z2")}, facts={"zone": "z1"}),
    Row("hints, zone without endpoints", ANYWHERE, more={"a0": meant("z1"), "b0": meant("z2")}, facts={"zone": "z3"}),
    Row(
        "hints, node", HERE_ONLY, more={"a0": meant("z2", "this-node"), "b0": meant("z1", "another")},
        facts={"zone": "z1"},
    ),
    Row("terminating, another is ready", THERE_ONLY, more={"a0": TERMINATING}),
    Row("terminating, none is ready", HERE_ONLY, more={"a0": TERMINATING, "b0": NOT_READY}),
    Row(
        "terminating, none is ready here", POLICY_LOCAL | THERE_ONLY | {"client": "a<client"}, to="port", spec=port(**LOCAL),
        more={"a0": TERMINATING},
    ),
    Row("not ready", NOTHING, more={"a0": NOT_READY, "b0": NOT_READY}),
    Row(
        "host network", {"a": "node<a", "b": "node<b", "client": "node<client", "node": "node<node"},
        endpoints=(("node", 0),),
    ),
]  # fmt: skip

# Features whose rows need not have every origin, and why.
SOME_ORIGINS = {
    "LoadBalancer, ingress Proxy": "without a rule it is routed like any address",
    "sourceRanges, allowed": "the range is the client's address",
    "ExternalIPs not allowed": "without a rule it is routed like any address",
    "sessionAffinity": "each origin would only do the same",
}
# Every feature of Services that has to do with packets, and the rows that show it: the first words of their names.
FEATURES = (
    "ClusterIP", "UDP", "NodePort", "nodeport-addresses", "LoadBalancer, ingress VIP", "LoadBalancer, ingress Proxy",
    "LoadBalancer without node ports", "sourceRanges", "ExternalIPs", "sessionAffinity", "internalTrafficPolicy Local",
    "externalTrafficPolicy Local", "hints, zone", "hints, node", "terminating", "not ready", "no endpoints", "closed port",
    "hairpin", "host network",
)  # fmt: skip


def test_the_table_is_complete() -> None:
    names = [row.feature for row in ROWS]
    assert len(set(names)) == len(names)
    assert not [feature for feature in FEATURES if not any(name.startswith(feature) for name in names)]
    assert not [name for name in names if not name.startswith(FEATURES)]
    partial = {row.feature for row in ROWS if not set(row.answers) >= set(ORIGINS)}
    assert partial == set(SOME_ORIGINS)


@pytest.fixture(scope="module", params=BACKENDS)
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    with Bed("flow-" + request.param.replace("tables", ""), request.param) as bed:
        with bed.inside("node"):
            backend = make_backend(request.param)
        bed.use(backend)
        yield bed
        with bed.inside("node"):
            backend.cleanup()
        backend.close()


def target(row: Row, family: int) -> tuple[str, int]:
    return {
        "vip": (vip(1, family), 80),
        "closed": (vip(1, family), 81),
        "port": (NODE_IP[family], PORT),
        "other port": (GATEWAY["a"][family], PORT),
        "ingress": (INGRESS[family], 80),
        "external": (EXTERNAL[family], 80),
    }[row.to]


def seen(bed: Bed, row: Row, origin: str, family: int) -> set[str]:
    """All different answers. Draws go on until all that are expected were met, or it can no longer be chance."""
    address, number = target(row, family)
    names = {pod("a", family): "a", pod("b", family): "b", CLIENT[family]: "client"}
    expected = row.answers[origin]
    several = " " in expected and " or " not in expected
    found: set[str] = set()
    for _ in range(64 if several else 1 if expected == LOST else 2):
        answer = bed.ask(origin, address, number, udp=row.udp, wait=SILENCE if expected == LOST else ANSWER)
        who, _, source = answer.partition(" ")
        if answer.startswith(LOST) or answer == REFUSED:
            found.add(answer.partition(":")[0])
        else:
            found.add(f"{who}<{names.get(source, 'node')}")
        if several and found == set(expected.split()):
            break  # the rest could only repeat it
    return found


@pytest.mark.root
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.feature)
def test_which_pods_answer_and_whom_they_see(bed: Bed, row: Row) -> None:
    assert bed.backend is not None
    facts = dict(row.facts)
    nodes = parse_node_ports(facts.pop("nodes", []))
    bed.use(bed.backend, msgspec.structs.replace(FACTS, node_ports=nodes, **facts))
    protocol = "UDP" if row.udp else "TCP"
    bed.put(
        service("web", 1, protocol=protocol, **row.spec),
        slices("web", list(row.endpoints), protocol=protocol, **row.more),
    )
    wrong = {}
    for family in (4, 6):
        for origin, expected in row.answers.items():
            got = seen(bed, row, origin, family)
            choices = expected.split(" or ")
            if not any(got == set(choice.split()) for choice in choices):
                wrong[f"{origin}, IPv{family}"] = f"{sorted(got)}, not {expected}"
    assert not wrong
