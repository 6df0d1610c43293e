"""One suite for the kernel's network and the fake: links, addresses, routes and neighbours in two namespaces of our own."""

import errno
import os
import select
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from linux import netns
from linux.links import (
    KERNEL,
    Address,
    Bridge,
    Ifb,
    LinkChange,
    Links,
    Neighbour,
    NetlinkError,
    NewLink,
    NotFound,
    Rate,
    Route,
    SeenLink,
    Veth,
    VlanChange,
    broadcast,
    network,
)
from linux.links_fake import FakeNetworks
from linux.netlink import AlreadyExists
from linux.rtnl import RtnlEvents, RtnlLinks, remove_unseen


class Two(NamedTuple):
    here: Links
    there: Links
    there_number: int


@pytest.fixture(params=[pytest.param("real", marks=pytest.mark.root), "fake"])
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    if request.param == "fake":
        machine = FakeNetworks()
        here, there = machine.namespace(), machine.namespace()
        yield Two(here, there, there.number)
        return
    paths = [f"/run/netns/cn-links-{os.getpid()}-{side}" for side in "ab"]
    opened: list[tuple[int, RtnlLinks]] = []
    for path in paths:
        netns.create(path)
        fd = netns.open_path(path)
        with netns.inside(fd):
            opened.append((fd, RtnlLinks()))
    yield Two(opened[0][1], opened[1][1], opened[1][0])
    for fd, links in opened:
        links.close()
        os.close(fd)
    for path in paths:
        netns.remove(path)


def made(links: Links, link: NewLink) -> SeenLink:
    links.add(link)
    return seen(links, link.name)


def seen(links: Links, name: str) -> SeenLink:
    found = links.find(name)
    assert found is not None, f"no link {name}"
    return found


def test_a_new_namespace_has_only_the_loopback_link_and_it_is_down(two: Two) -> None:
    assert [(link.name, link.up) for link in two.here.links()] == [("lo", False)]


def test_a_link_is_made_with_its_properties_and_found(two: Two) -> None:
    link = made(two.here, NewLink("br0", Bridge(), mac="0a:58:0a:01:02:03", mtu=1400, up=True))
    assert (link.kind, link.mac, link.mtu, link.up) == ("bridge", "0a:58:0a:01:02:03", 1400, True)
    assert link in two.here.links()
    assert two.here.at(link.ifindex) == link
    assert two.here.at(4711) is None
    assert two.there.find("br0") is None


def test_a_taken_name_is_refused_and_changes_nothing(two: Two) -> None:
    made(two.here, NewLink("d0", Bridge(), mtu=1300))
    with pytest.raises(AlreadyExists, match="cannot make link d0"):
        two.here.add(NewLink("d0", Veth("d1"), mtu=1400))
    assert seen(two.here, "d0").mtu == 1300


def test_a_veth_joins_two_namespaces_and_goes_as_a_pair(two: Two) -> None:
    bridge = made(two.here, NewLink("br0", Bridge(), up=True))
    kind = Veth("eth0", two.there_number, "0a:58:0a:01:02:04")
    host = made(two.here, NewLink("v0", kind, mtu=1400, master=bridge.ifindex, up=True))
    pod = seen(two.there, "eth0")
    assert (host.kind, host.master, host.mtu, host.up) == ("veth", bridge.ifindex, 1400, True)
    assert (pod.kind, pod.mac, pod.mtu, pod.up) == ("veth", "0a:58:0a:01:02:04", 1400, False)
    assert (host.peer, pod.peer) == (pod.ifindex, host.ifindex)
    assert host.peer_elsewhere and pod.peer_elsewhere
    assert two.here.remove("v0") is True
    assert two.there.find("eth0") is None
    assert two.here.remove("v0") is False


def test_a_veth_whose_peer_name_is_taken_is_not_made(two: Two) -> None:
    made(two.there, NewLink("eth0", Bridge()))
    with pytest.raises(AlreadyExists):
        two.here.add(NewLink("v0", Veth("eth0", two.there_number)))
    assert two.here.find("v0") is None


def test_a_veth_within_one_namespace(two: Two) -> None:
    made(two.here, NewLink("v0", Veth("v1")))
    assert not seen(two.here, "v1").peer_elsewhere


def test_change_touches_only_what_it_names(two: Two) -> None:
    bridge = made(two.here, NewLink("br0", Bridge()))
    port = made(two.here, NewLink("v0", Veth("v1"), master=bridge.ifindex))
    two.here.change(port.ifindex, LinkChange(hairpin=True, alias="pod/eth0", up=True))
    changed = seen(two.here, "v0")
    assert (changed.hairpin, changed.alias, changed.up, changed.promiscuous) == (True, "pod/eth0", True, False)
    two.here.change(port.ifindex, LinkChange(mtu=1280, promiscuous=True))
    changed = seen(two.here, "v0")
    assert (changed.hairpin, changed.mtu, changed.up, changed.promiscuous) == (True, 1280, True, True)
    two.here.change(port.ifindex, LinkChange(master=0, up=False))
    changed = seen(two.here, "v0")
    assert (changed.master, changed.up) == (0, False)


def test_changes_that_cannot_be_are_refused(two: Two) -> None:
    alone = made(two.here, NewLink("d0", Bridge()))
    with pytest.raises(NotFound):
        two.here.change(4711, LinkChange(up=True))
    with pytest.raises(NetlinkError, match="cannot change link"):
        two.here.change(alone.ifindex, LinkChange(hairpin=True))
    with pytest.raises(NetlinkError, match="cannot remove link lo"):
        two.here.remove("lo")


@pytest.mark.parametrize(("ip", "prefix"), [("10.1.2.3", 24), ("fd00:1::3", 64), ("10.1.2.9", 32)])
def test_addresses_are_given_once(two: Two, ip: str, prefix: int) -> None:
    link = made(two.here, NewLink("d0", Bridge(), up=True))
    address = Address(link.ifindex, ip, prefix)
    assert two.here.add_address(address) is True
    assert two.here.add_address(address) is False
    assert address in two.here.addresses(link.ifindex)
    assert address in two.here.addresses()
    assert address not in two.here.addresses(1)
    assert two.here.remove_address(address) is True
    assert two.here.remove_address(address) is False


def test_an_address_needs_a_link_and_a_form(two: Two) -> None:
    with pytest.raises(NotFound, match=r"cannot add address 10\.1\.2\.3/24"):
        two.here.add_address(Address(4711, "10.1.2.3", 24))
    with pytest.raises(NetlinkError, match="not an IP address"):
        two.here.add_address(Address(1, "10.1.2", 24))


@pytest.mark.parametrize(
    ("ip", "prefix", "gateway", "default"),
    [("10.1.2.3", 24, "10.1.2.1", "0.0.0.0/0"), ("fd00:1::3", 64, "fd00:1::1", "::/0")],
)
def test_routes_need_a_way_and_are_made_once(two: Two, ip: str, prefix: int, gateway: str, default: str) -> None:
    link = made(two.here, NewLink("d0", Bridge()))
    route = Route(default, link.ifindex, gateway)
    with pytest.raises(NetlinkError, match="cannot add route"):
        two.here.add_route(route)
    two.here.add_address(Address(link.ifindex, ip, prefix))
    two.here.change(link.ifindex, LinkChange(up=True))
    attached = [r for r in two.here.routes() if r.destination == network(ip, prefix)]
    assert [(r.ifindex, r.gateway, r.protocol) for r in attached] == [(link.ifindex, "", KERNEL)]
    assert two.here.add_route(route) is True
    assert two.here.add_route(route) is False
    found = [r for r in two.here.routes() if r.destination == default]
    assert [r[:3] for r in found] == [route[:3]]
    assert two.here.remove_route(route) is True
    assert two.here.remove_route(route) is False


def test_a_route_takes_the_place_of_another(two: Two) -> None:
    link = made(two.here, NewLink("d0", Bridge(), up=True))
    for ip, prefix, first, second, to in (
        ("10.1.2.3", 24, "10.1.2.1", "10.1.2.2", "10.9.0.0/16"),
        ("fd00:1::3", 64, "fd00:1::1", "fd00:1::2", "fd00:9::/64"),
    ):
        two.here.add_address(Address(link.ifindex, ip, prefix))
        for gateway in (first, second, second):
            two.here.set_route(Route(to, link.ifindex, gateway))
            assert [r.gateway for r in two.here.routes() if r.destination == to] == [gateway]


def test_the_longest_prefix_wins_and_no_route_is_none(two: Two) -> None:
    assert two.here.route_to("192.0.2.1") is None
    link = made(two.here, NewLink("d0", Bridge(), up=True))
    two.here.add_address(Address(link.ifindex, "10.1.2.3", 24))
    two.here.add_route(Route("0.0.0.0/0", link.ifindex, "10.1.2.1"))
    two.here.add_route(Route("192.0.2.0/24", link.ifindex, "10.1.2.254"))
    near, far = two.here.route_to("192.0.2.1"), two.here.route_to("198.51.100.1")
    assert near is not None and far is not None
    assert (near.gateway, far.gateway) == ("10.1.2.254", "10.1.2.1")


@pytest.mark.parametrize(("ip", "world"), [("10.1.2.3", "0.0.0.0/0"), ("fd00::3", "::/0")])
def test_an_own_address_is_reached_when_it_has_settled_not_by_the_way_to_the_world(
    two: Two, ip: str, world: str
) -> None:
    link = made(two.here, NewLink("d0", Veth("d1"), up=True))
    two.here.change(seen(two.here, "d1").ifindex, LinkChange(up=True))
    two.here.add_route(Route(world, link.ifindex))
    assert two.here.route_to(ip) is not None
    two.here.add_address(Address(link.ifindex, ip, 32 if world == "0.0.0.0/0" else 128))
    two.here.settle([ip])
    assert two.here.route_to(ip) is None


def test_a_host_route_reaches_a_gateway_outside_the_network(two: Two) -> None:
    link = made(two.here, NewLink("d0", Bridge(), up=True))
    two.here.add_address(Address(link.ifindex, "10.1.2.3", 32))
    with pytest.raises(NetlinkError):
        two.here.add_route(Route("0.0.0.0/0", link.ifindex, "10.9.9.9"))
    two.here.add_route(Route("10.9.9.9/32", link.ifindex))
    assert two.here.add_route(Route("0.0.0.0/0", link.ifindex, "10.9.9.9")) is True


def test_routes_go_with_their_link(two: Two) -> None:
    link = made(two.here, NewLink("d0", Bridge(), up=True))
    two.here.add_address(Address(link.ifindex, "10.1.2.3", 24))
    two.here.add_route(Route("0.0.0.0/0", link.ifindex, "10.1.2.1"))
    two.here.remove("d0")
    assert [r for r in two.here.routes() if r.ifindex == link.ifindex] == []
    assert two.here.addresses(link.ifindex) == []


def test_neighbours(two: Two) -> None:
    link = made(two.here, NewLink("d0", Bridge(), up=True))
    entry = Neighbour(link.ifindex, "10.1.2.9", "0a:58:0a:01:02:09")
    two.here.set_neighbour(entry)
    two.here.set_neighbour(entry._replace(mac="0a:58:0a:01:02:0a"))
    assert two.here.neighbours() == [entry._replace(mac="0a:58:0a:01:02:0a")]
    assert two.here.remove_neighbour(entry) is True
    assert two.here.remove_neighbour(entry) is False


def test_a_links_rate_is_limited_and_the_limit_lifted(two: Two) -> None:
    link = made(two.here, NewLink("v0", Veth("v1"), up=True))
    assert two.here.rate(link.ifindex) is None
    two.here.limit(link.ifindex, None)
    for wanted in (Rate(1_250_000, 64_000), Rate(12_500_000_000, 10_000_000)):
        two.here.limit(link.ifindex, wanted)
        found = two.here.rate(link.ifindex)
        assert found is not None
        assert found.rate == wanted.rate
        assert abs(found.burst - wanted.burst) <= max(800, wanted.burst // 100)  # the kernel counts it in time
    assert two.here.rate(1) is None
    two.here.limit(link.ifindex, None)
    assert two.here.rate(link.ifindex) is None
    with pytest.raises(NotFound):
        two.here.limit(4711, Rate(1_000, 2_000))


def test_what_arrives_takes_a_detour_over_a_link_that_may_be_slower(two: Two) -> None:
    link, shaper = made(two.here, NewLink("v0", Veth("v1"), up=True)), made(two.here, NewLink("s0", Ifb(), up=True))
    assert (shaper.kind, shaper.up) == ("ifb", True)
    assert two.here.detour(link.ifindex) == 0
    for _ in range(2):  # again is fine
        two.here.set_detour(link.ifindex, shaper.ifindex)
        assert two.here.detour(link.ifindex) == shaper.ifindex
    two.here.limit(link.ifindex, Rate(1_250_000, 64_000))  # that is another queue
    assert two.here.detour(link.ifindex) == shaper.ifindex
    for pair in ((4711, shaper.ifindex), (link.ifindex, 4711)):
        with pytest.raises(NotFound):
            two.here.set_detour(*pair)


@pytest.mark.root
def test_a_link_that_is_removed_unseen_is_gone_on_both_sides() -> None:
    paths = [f"/run/netns/cn-unseen-{os.getpid()}-{side}" for side in "ab"]
    for path in paths:
        netns.create(path)
    here, there = (netns.open_path(path) for path in paths)
    try:
        with netns.inside(there):
            other = RtnlLinks()
        with netns.inside(here):
            links = RtnlLinks()
            assert remove_unseen("v0") is False
            with pytest.raises(NetlinkError, match="cannot remove link lo"):
                remove_unseen("lo")
            for _ in range(5):
                links.add(NewLink("v0", Veth("eth0", there), up=True))
                assert remove_unseen("v0") is True
                assert links.find("v0") is None
                assert other.find("eth0") is None
            links.close()
            other.close()
    finally:
        os.close(here)
        os.close(there)
        for path in paths:
            netns.remove(path)


@pytest.mark.root
def test_events_tell_of_links_addresses_and_routes() -> None:
    path = f"/run/netns/cn-events-{os.getpid()}"
    netns.create(path)
    fd = netns.open_path(path)
    with netns.inside(fd):
        events, links = RtnlEvents(), RtnlLinks()
    try:
        assert events.read() == []
        link = made(links, NewLink("d0", Bridge(), up=True))
        links.add_address(Address(link.ifindex, "10.1.2.3", 24))
        links.add_route(Route("192.0.2.0/24", link.ifindex, "10.1.2.1"))
        links.remove("d0")
        told = []
        while select.select([events.fileno()], [], [], 1)[0]:
            told += events.read()
            if any(event.gone and isinstance(event.subject, SeenLink) for event in told):
                break
        subjects = {(type(event.subject), event.gone) for event in told}
        assert subjects >= {(SeenLink, False), (Address, False), (Route, False), (SeenLink, True)}
    finally:
        events.close()
        links.close()
        os.close(fd)
        netns.remove(path)


def test_network_arithmetic() -> None:
    assert network("10.1.2.3", 20) == "10.1.0.0/20"
    assert broadcast("10.1.2.3", 20) == "10.1.15.255"
    assert network("fd00::1:2", 64) == "fd00::/64"
    assert network("10.1.2.3", 0) == "0.0.0.0/0"


def test_a_route_with_everything_is_in_its_table_alone(two: Two) -> None:
    link = pair(two)
    wanted = Route("192.0.2.0/24", link.ifindex, "10.9.0.9", metric=7, mtu=1300, advmss=1200, table=1000)
    assert two.here.add_route(wanted) is True
    assert two.here.add_route(wanted) is False
    assert two.here.routes(1000) == [wanted]
    assert wanted not in two.here.routes()
    assert two.here.remove_route(wanted) is True
    assert two.here.routes(1000) == []


def test_a_route_may_have_another_scope_than_the_usual(two: Two) -> None:
    link = pair(two)
    for wanted in (Route("192.0.2.0/24", link.ifindex, scope=0), Route("198.51.100.0/24", link.ifindex)):
        two.here.add_route(wanted)
        assert wanted in two.here.routes()


def test_an_address_that_is_asked_for_on_the_link_is_there_too(two: Two) -> None:
    link = pair(two)
    assert two.here.add_address(Address(link.ifindex, "fd00:9::1", 64, check_duplicates=True)) is True
    assert Address(link.ifindex, "fd00:9::1", 64) in two.here.addresses(link.ifindex)


def test_vlans_of_a_port_or_a_clear_error_where_the_kernel_has_none(two: Two) -> None:
    try:
        bridge = made(two.here, NewLink("br0", Bridge(def_pvid=1), up=True))
    except NetlinkError as error:
        assert (error.code, str(error)) == (errno.EOPNOTSUPP, "cannot make link br0: Operation not supported")
        assert two.here.find("br0") is None
        return
    port = made(two.here, NewLink("v0", Veth("v1"), master=bridge.ifindex))
    assert bridge.vlan_filtering
    assert two.here.vlans(port.ifindex) == {1: True}
    two.here.set_vlans(port.ifindex, VlanChange(native=7, tagged=(8, 9), without=(1,)))
    assert two.here.vlans(port.ifindex) == {7: True, 8: False, 9: False}


def test_a_bridge_learns_of_vlans_later(two: Two) -> None:
    plain = made(two.here, NewLink("br0", Bridge()))
    assert not plain.vlan_filtering
    try:
        two.here.change(plain.ifindex, LinkChange(vlan_filtering=True))
    except NetlinkError as error:
        assert error.code == errno.EOPNOTSUPP
        return
    assert seen(two.here, "br0").vlan_filtering


def pair(two: Two) -> SeenLink:
    """A link that is up, with an address and another end."""
    link = made(two.here, NewLink("eth0", Veth("eth0", two.there_number), up=True))
    two.here.add_address(Address(link.ifindex, "10.9.0.1", 24))
    two.there.change(seen(two.there, "eth0").ifindex, LinkChange(up=True))
    return seen(two.here, "eth0")
