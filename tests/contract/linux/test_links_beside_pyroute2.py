"""What we pack and read by hand, seen by somebody else: pyroute2 in the same namespace of our own."""

import os
from collections.abc import Iterator

import pytest
from pyroute2 import IPRoute

from linux import netns
from linux.links import Address, Bridge, NewLink, Route, Veth
from linux.rtnl import RtnlLinks

pytestmark = pytest.mark.root


@pytest.fixture
def inside() -> Iterator[tuple[RtnlLinks, IPRoute]]:
    path = f"/run/netns/cn-peer-{os.getpid()}"
    netns.create(path)
    fd = netns.open_path(path)
    try:
        with netns.inside(fd):
            ours, theirs = RtnlLinks(), IPRoute()
        yield ours, theirs
        theirs.close()
        ours.close()
    finally:
        os.close(fd)
        netns.remove(path)


def test_both_see_the_same(inside: tuple[RtnlLinks, IPRoute]) -> None:
    ours, theirs = inside
    ours.add(NewLink("br", Bridge(), mac="0a:58:0a:f4:00:01", mtu=1400, up=True))
    bridge = ours.find("br")
    assert bridge is not None
    ours.add(NewLink("v0", Veth("v1"), mtu=1400, master=bridge.ifindex, up=True))
    ours.add_address(Address(bridge.ifindex, "10.244.0.1", 24))
    ours.add_route(Route("10.250.0.0/16", bridge.ifindex, gateway="10.244.0.9"))

    seen = {link.get("ifname"): link for link in theirs.get_links()}
    assert seen["br"].get("address") == "0a:58:0a:f4:00:01"
    assert (seen["br"].get("mtu"), seen["v0"].get("mtu"), seen["v1"].get("mtu")) == (1400, 1400, 1400)
    assert seen["v0"].get("master") == bridge.ifindex
    for name, link in seen.items():
        mine = ours.find(name)
        assert mine is not None
        assert (mine.ifindex, mine.mtu, mine.up) == (link["index"], link.get("mtu"), bool(link["flags"] & 1)), name
    addresses = {(a["index"], a.get("address"), a["prefixlen"]) for a in theirs.get_addr(family=2)}
    assert (bridge.ifindex, "10.244.0.1", 24) in addresses
    (route,) = [r for r in theirs.get_routes(family=2, table=254) if r.get("dst") == "10.250.0.0"]
    assert (route["dst_len"], route.get("gateway"), route.get("oif")) == (16, "10.244.0.9", bridge.ifindex)


def test_what_pyroute2_makes_we_read(inside: tuple[RtnlLinks, IPRoute]) -> None:
    ours, theirs = inside
    theirs.link("add", ifname="their-br", kind="bridge", mtu=1300, state="up")
    index = theirs.link_lookup(ifname="their-br")[0]
    theirs.addr("add", index=index, address="10.9.0.1", prefixlen=16)
    theirs.route("add", dst="10.10.0.0/16", gateway="10.9.0.2")
    seen = ours.find("their-br")
    assert seen is not None
    assert (seen.ifindex, seen.kind, seen.mtu, seen.up) == (index, "bridge", 1300, True)
    assert Address(index, "10.9.0.1", 16) in ours.addresses(index)
    assert any(r.destination == "10.10.0.0/16" and r.gateway == "10.9.0.2" for r in ours.routes())
