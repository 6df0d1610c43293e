"""The IPVS backend without packets: virtual services, the steps between two states, rules, draining, what is not ours."""

from __future__ import annotations

import msgspec
import pytest

from linux.iptables import FakeIptables
from linux.ipvs import PERSISTENT, Destination, Service, Settings
from linux.ipvs_fake import FakeIpvs
from linux.links import Address, LinkChange
from linux.links_fake import FakeLinks, FakeNetworks
from linux.sysctl import FakeSysctl
from proxy.backends.interface import Suspicion
from proxy.backends.ipvs import Doors, IpvsBackend
from proxy.backends.ipvs.backend import LINK_NAME
from proxy.backends.ipvs.kernel import settings
from proxy.backends.ipvs.rules import IpvsRules
from proxy.backends.ipvs.virtuals import (
    OURS,
    Alter,
    Make,
    Marks,
    Place,
    Remove,
    Step,
    Take,
    Virtual,
    Weigh,
    steps,
    swept,
    virtuals,
)
from proxy.model.addresses import TCP, UDP, endpoint, join, pack
from proxy.model.facts import Facts, parse_networks
from proxy.model.networks import Network
from proxy.plan.desired import NODE, Desired, Frontend, Route
from proxy.plan.diff import Change
from proxy.plan.expected import expected_reading

FACTS = Facts("here", parse_networks("10.244.0.0/16"))
VIP, OWN = pack("10.96.0.1"), [pack("192.0.2.1"), pack("192.0.2.2"), pack("2001:db8::1")]
A, B, C = (Destination(pack(f"10.244.0.{number}"), 8080) for number in (1, 2, 3))
RR = Settings("rr", OURS)
CONNTRACK = "net.ipv4.vs.conntrack"


def desired(
    *frontends: Frontend, every: str = "12", local: str = "1", protocol: int = TCP, affinity: int = 0
) -> Desired:
    def packed(numbers: str) -> bytes:
        return join([endpoint(pack(f"10.244.0.{number}"), 8080) for number in numbers])

    shown = frontends or (Frontend(VIP, 80, Route.INTERNAL),)
    return Desired("ns/web:p", 4, protocol, shown, affinity, False, packed(every), packed(local), b"")


def service(protocol: int = TCP) -> Service:
    return Service(4, protocol, VIP, 80)


def virtual(*destinations: Destination, draining: tuple[Destination, ...] = ()) -> Virtual:
    return Virtual(RR, dict.fromkeys(destinations, 1) | dict.fromkeys(draining, 0))


def test_a_cluster_ip_is_one_virtual_service() -> None:
    assert virtuals(desired(), OWN, "rr", Marks()) == {service(): virtual(A, B)}
    kept = virtuals(desired(affinity=600), OWN, "wlc", Marks())[service()]
    assert kept.settings == Settings("wlc", OURS | PERSISTENT, 600)


def test_a_node_port_is_one_on_each_address_of_the_family() -> None:
    found = virtuals(desired(Frontend(NODE, 30080, Route.EXTERNAL)), OWN, "rr", Marks())
    assert found == {Service(4, TCP, one, 30080): virtual(A, B) for one in OWN[:2]}


def test_traffic_from_inside_has_a_virtual_service_of_its_own_where_that_from_outside_stays_here() -> None:
    marks = Marks()
    local = desired(Frontend(NODE, 30080, Route.EXTERNAL_LOCAL), affinity=600)
    found = virtuals(local, OWN[:1], "rr", marks)
    inside = Service(4, mark=marks.of("ns/web:p"))
    assert found[inside] == Virtual(Settings("sh", OURS, 600), {A: 1, B: 1})
    assert found[Service(4, TCP, OWN[0], 30080)].weights == {A: 1}
    rules = IpvsRules(marks).render(local, FACTS)
    lines = next(lines for place, lines in rules.items() if place[1].startswith("WHERRYVS-X-"))
    assert lines == (
        f"-s 10.244.0.0/16 -j MARK --set-xmark {inside.mark:#x}/0xffffffff",
        f"-m addrtype --src-type LOCAL -j MARK --set-xmark {inside.mark:#x}/0xffffffff",
        "-j ACCEPT",
    )


def test_marks_are_all_different_and_the_same_in_the_next_process() -> None:
    names = [f"ns/s{number}:p" for number in range(3000)]
    marks, again = Marks(), Marks()
    given = [marks.of(name) for name in names]
    assert len(set(given)) == 3000 and all(mark & 0xFFFF == 0x2000 and mark >> 16 for mark in given)
    assert [again.of(name) for name in names] == given == [marks.of(name) for name in names]


@pytest.mark.parametrize(
    ("protocol", "before", "after", "first", "last"),
    [
        (TCP, None, virtual(A), [Make(service(), RR), Place(service(), A, 1)], []),
        (TCP, None, virtual(), [], []),
        (TCP, virtual(A), virtual(A), [], []),
        (TCP, virtual(A), virtual(A, B), [Place(service(), B, 1)], []),
        (TCP, virtual(A, B), virtual(A), [], [Weigh(service(), B, 0)]),
        (TCP, virtual(A), virtual(), [], [Weigh(service(), A, 0)]),
        (TCP, virtual(A, draining=(B,)), virtual(A), [], []),
        (TCP, virtual(A, draining=(B,)), virtual(A, B), [Weigh(service(), B, 1)], []),
        (UDP, virtual(A, B), virtual(A), [], [Take(service(UDP), B)]),
        (UDP, virtual(A), virtual(), [], [Remove(service(UDP))]),
        (TCP, virtual(A), None, [], [Remove(service())]),
        (TCP, virtual(A), virtual(A)._replace(settings=Settings("lc", OURS)), [Alter(service(), Settings("lc", OURS))], []),
    ],
)  # fmt: skip
def test_steps(
    protocol: int, before: Virtual | None, after: Virtual | None, first: list[Step], last: list[Step]
) -> None:
    key = service(protocol)
    assert steps({key: before} if before else {}, {key: after} if after else {}) == (first, last)


def test_what_has_drained_goes_and_a_virtual_service_with_it() -> None:
    assert swept(service(), virtual(A, draining=(B, C)), {A: 9, B: 1, C: 0}) == [Take(service(), C)]
    assert swept(service(), virtual(draining=(B, C)), {B: 1}) == [Take(service(), C)]
    assert swept(service(), virtual(draining=(B, C)), {}) == [Remove(service())]


def test_rules_of_a_frontend() -> None:
    rules = IpvsRules(Marks())
    rules.own = OWN

    def filtered(one: Desired) -> list[str]:
        found = rules.render(one, FACTS).items()
        return [
            line for place, lines in sorted(found, key=str) for line in lines if "dport" in line and "G-" in place[1]
        ]

    match = "-d 10.96.0.1/32 -p tcp -m tcp --dport 80"
    assert filtered(desired()) == [f"{match} -j RETURN"]
    empty = f'{match} -m comment --comment "ns/web:p has no endpoints" -j WHERRYVS-REFUSE'
    assert filtered(desired(every="", local="")) == [empty]
    assert filtered(desired(Frontend(VIP, 80, Route.EXTERNAL_LOCAL), local="")) == [
        f"{match} -m mark --mark 0x2000/0x2000 -j RETURN",
        f'{match} -m comment --comment "ns/web:p has no local endpoints" -j DROP',
    ]
    guarded = msgspec.structs.replace(
        desired(Frontend(VIP, 80, Route.EXTERNAL, True)), sources=(Network(pack("198.51.100.0"), 24),)
    )
    assert filtered(guarded) == [f"{match} -j RETURN"]
    guards = next(lines for place, lines in rules.render(guarded, FACTS).items() if place[1].startswith("WHERRYVS-R-"))
    assert guards == ("-s 198.51.100.0/24 -j WHERRYVS-EXTERNAL", "-j MARK --set-xmark 0x8000/0x8000")
    outside = rules.render(desired(), FACTS)["nat", "WHERRYVS-INTERNAL", ()]
    mark = "-j MARK --set-xmark 0x4000/0x4000"
    assert outside == (f"! -s 10.244.0.0/16 {mark}", f"-m addrtype --src-type LOCAL {mark}", "-j ACCEPT")
    # An address of the node keeps its other ports.
    for address, refused in ((VIP, True), (OWN[0], False)):
        lines = [
            line
            for _, found in rules.render(desired(Frontend(address, 80, Route.EXTERNAL)), FACTS).items()
            for line in found
        ]
        assert any(line.endswith("/32 -j WHERRYVS-REFUSE") for line in lines) is refused


@pytest.mark.parametrize(
    ("release", "strict", "more"),
    [
        ("4.0.9", False, {}),
        ("4.19.0-26-amd64", False, {"net.ipv4.vs.conn_reuse_mode": "0"}),
        ("5.8-rc1", False, {"net.ipv4.vs.conn_reuse_mode": "0"}),
        ("5.9.0", False, {}),
        ("6.1.0+", True, {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"}),
    ],
)
def test_kernel_settings(release: str, strict: bool, more: dict[str, str]) -> None:
    always = {CONNTRACK: "1", "net.ipv4.vs.expire_nodest_conn": "1", "net.ipv4.vs.expire_quiescent_template": "1"}
    assert settings(release, strict) == always | more


class Node:
    """A backend in a kernel in memory."""

    def __init__(self, scheduler: str = "rr") -> None:
        self.ipvs = FakeIpvs()
        self.links: FakeLinks = FakeNetworks().namespace()
        self.links.change(1, LinkChange(up=True))
        self.links.add_address(Address(1, "192.0.2.1", 24))
        names = settings("5.0", False)
        self.settings = FakeSysctl(dict.fromkeys(names, "7") | {"net.ipv6.conf.default.disable_ipv6": "1"})
        self.doors = Doors(self.ipvs, self.links, FakeIptables(), self.settings)
        self.backend = IpvsBackend(self.doors, scheduler)

    def held(self) -> list[str]:
        link = self.links.find(LINK_NAME)
        return sorted(one.ip for one in self.links.addresses(link.ifindex)) if link is not None else []


def test_a_probe_names_what_is_missing() -> None:
    node = Node("nosuch")
    assert node.backend.probe() == "this kernel has no IPVS scheduler nosuch (module ip_vs_nosuch)"
    del node.settings.values["net/ipv4/vs/conntrack"]
    assert node.backend.probe() == "cannot read kernel setting net.ipv4.vs.conntrack: No such file or directory"
    assert Node().backend.probe() == ""
    assert Node().backend.families() == (4,)  # the other one is disabled


def test_connections_drain_and_then_the_destination_goes() -> None:
    node = Node()
    both, one, none = desired(), desired(every="1"), desired(every="", local="")
    node.backend.replace([both], FACTS)
    assert node.settings.read(CONNTRACK) == "1" and node.held() == ["10.96.0.1"]
    node.ipvs.connect(service(), B, 2)
    node.backend.apply([Change(both, one)])
    assert {place: seen.weight for place, seen in node.ipvs.destinations(service()).items()} == {A: 1, B: 0}
    assert node.backend.check() == [] and B in node.ipvs.destinations(service())
    node.ipvs.connect(service(), B, 0)
    assert node.backend.check() == [] and set(node.ipvs.destinations(service())) == {A}
    node.ipvs.connect(service(), A, 1)
    node.backend.apply([Change(one, none)])
    assert set(node.ipvs.services()) == {service()}  # as long as it has a connection
    after = IpvsBackend(node.doors)
    after.replace([none], FACTS)
    assert set(node.ipvs.services()) == {service()} and after.check() == []
    node.ipvs.connect(service(), A, 0)
    assert after.check() == [] and node.ipvs.services() == {}
    after.apply([Change(none, None)])
    assert node.held() == []


def test_virtual_services_of_others_are_left_alone() -> None:
    node = Node()
    theirs = Service(4, TCP, pack("192.0.2.1"), 443)
    node.ipvs.add(theirs, Settings("wlc"))
    node.ipvs.add(service(), Settings("wlc"))  # in our place: taken over
    node.backend.replace([desired()], FACTS)
    assert node.ipvs.services() == {theirs: Settings("wlc"), service(): RR}
    assert node.backend.check() == []
    node.backend.cleanup()
    assert node.ipvs.services() == {theirs: Settings("wlc")}


def test_a_new_address_of_the_node_gets_the_node_ports() -> None:
    node = Node()
    one = desired(Frontend(NODE, 30080, Route.EXTERNAL))
    node.backend.replace([one], FACTS)
    node.links.add_address(Address(1, "192.0.2.2", 24))
    assert node.backend.moved() and node.backend.check() == ["the node's own addresses are others now"]
    node.backend.replace([one], FACTS)
    assert {seen.address for seen in node.ipvs.services()} == set(OWN[:2])
    assert node.backend.check() == [] and not node.backend.moved()


def test_node_ports_are_only_where_they_are_wanted() -> None:
    node = Node()
    node.links.add_address(Address(1, "192.0.2.2", 24))
    one = desired(Frontend(NODE, 30080, Route.EXTERNAL))
    facts = Facts("here", FACTS.cluster, node_ports=(Network(pack("192.0.2.2"), 31),))
    node.backend.replace([one], facts)
    assert set(node.ipvs.services()) == {Service(4, TCP, OWN[1], 30080)}
    assert expected_reading([one]).differences(node.backend.read()) == []


def test_damage_is_named() -> None:
    node = Node()
    node.backend.replace([desired()], FACTS)
    watch = node.backend.watch()
    assert watch is not None and watch.suspicion() is Suspicion.NONE
    node.ipvs.remove_destination(service(), A)
    node.ipvs.add(service(UDP), RR)
    node.links.remove_address(Address(2, "10.96.0.1", 32))
    assert node.backend.check() == [
        "virtual service 10.96.0.1:80/6 differs or is gone",
        "virtual service 10.96.0.1:80/17 is not ours",
        f"the addresses of link {LINK_NAME} differ",
    ]
    node.ipvs.flush()
    assert watch.suspicion() is Suspicion.DAMAGED
    node.backend.replace([desired()], FACTS)
    assert node.backend.check() == [] and watch.suspicion() is Suspicion.NONE
