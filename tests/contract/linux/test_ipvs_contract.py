"""One suite for IPVS in memory and in the kernel. The tests' own kernel may have none: a machine of its own runs this file too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from linux import netns
from linux.ipvs import PERSISTENT, Destination, Ipvs, Kernel, SeenDestination, Service, Settings
from linux.ipvs_fake import FakeIpvs
from linux.links import LinkChange
from linux.netlink import AlreadyExists, NetlinkError, NotFound
from linux.rtnl import RtnlLinks

IN_MACHINE = "IPVS_MACHINE" in os.environ
FOUR, SIX = bytes((10, 96, 0, 1)), bytes.fromhex("fd00009600000000000000000000000a")
SERVICES = [
    *(Service(4, protocol, FOUR, 80) for protocol in (6, 17, 132)),
    *(Service(6, protocol, SIX, 65535) for protocol in (6, 17, 132)),
    Service(4, mark=0x12342000),
    Service(6, mark=0xFFFFFFFF),
]


@pytest.fixture
def door() -> Iterator[Ipvs]:
    """In the machine the real one, in a namespace of its own; else the one in memory."""
    if not IN_MACHINE:
        yield FakeIpvs()
        return
    path = f"/run/netns/px-{os.getpid()}-ipvs"
    netns.create(path)
    fd = netns.open_path(path)
    try:
        with netns.inside(fd):
            links = RtnlLinks()
            links.change(1, LinkChange(up=True))  # destinations must be addresses that could be reached
            links.close()
            kernel = Kernel()
        yield kernel
        kernel.close()
    finally:
        os.close(fd)
        netns.remove(path)


def to(service: Service, number: int, port: int = 8080) -> Destination:
    return Destination((bytes((10, 244, 0)) if service.family == 4 else bytes(15)) + bytes((number,)), port)


@pytest.mark.parametrize("service", SERVICES, ids=str)
def test_services_come_change_and_go(door: Ipvs, service: Service) -> None:
    assert door.services() == {} and door.find(service) is None
    made = Settings("rr")
    door.add(service, made)
    assert door.services() == {service: made} and door.find(service) == made
    with pytest.raises(AlreadyExists):
        door.add(service, made)
    changed = Settings("wlc", PERSISTENT | 0x57480000, 10_800)
    door.change(service, changed)
    assert door.services() == {service: changed}
    assert door.remove(service) and not door.remove(service)
    assert door.services() == {}
    with pytest.raises(NotFound):
        door.change(service, made)


@pytest.mark.parametrize("service", SERVICES, ids=str)
def test_destinations_come_change_and_go(door: Ipvs, service: Service) -> None:
    door.add(service, Settings("wrr"))
    one, two = to(service, 1), to(service, 1, 9090)
    door.add_destination(service, one, 1)
    door.add_destination(service, two, 7)
    assert door.destinations(service) == {one: SeenDestination(1), two: SeenDestination(7)}
    with pytest.raises(AlreadyExists):
        door.add_destination(service, one, 1)
    door.change_destination(service, two, 0)
    assert door.destinations(service) == {one: SeenDestination(1), two: SeenDestination(0)}
    assert door.remove_destination(service, one) and not door.remove_destination(service, one)
    with pytest.raises(NotFound):
        door.change_destination(service, one, 1)
    assert door.destinations(service) == {two: SeenDestination(0)}
    door.add_destination(service, one, 2)
    door.remove(service)
    assert door.destinations(service) == {} and not door.remove_destination(service, two)
    with pytest.raises(NotFound):
        door.add_destination(service, one, 1)


def test_many_of_both(door: Ipvs) -> None:
    """More than one message of an answer."""
    services = [Service(4, 6, FOUR, port) for port in range(1, 301)]
    for service in services:
        door.add(service, Settings("rr"))
    assert set(door.services()) == set(services)
    places = [to(services[0], number % 250, 1000 + number) for number in range(600)]
    for place in places:
        door.add_destination(services[0], place, 1)
    assert door.destinations(services[0]) == dict.fromkeys(places, SeenDestination(1))


def test_what_is_wrong_is_refused_and_named(door: Ipvs) -> None:
    with pytest.raises(NotFound, match=r"cannot add IPVS service 10\.96\.0\.1:80/6: No such file"):
        door.add(SERVICES[0], Settings("nosuch"))
    with pytest.raises(NotFound, match=r"cannot change IPVS service \[fd00:96::a\]:65535/6: No such process"):
        door.change(SERVICES[3], Settings("rr"))
    with pytest.raises(NotFound, match=r"cannot add a destination of IPVS service mark 0x12342000 \(IPv4\)"):
        door.add_destination(SERVICES[6], to(SERVICES[6], 1), 1)
    assert door.services() == {}


def test_the_one_in_memory_refuses_if_told() -> None:
    door = FakeIpvs()
    door.refuse = [1]
    with pytest.raises(NetlinkError, match="Operation not permitted"):
        door.add(SERVICES[0], Settings("rr"))
    door.add(SERVICES[0], Settings("rr"))
    door.add_destination(SERVICES[0], to(SERVICES[0], 1), 1)
    door.connect(SERVICES[0], to(SERVICES[0], 1), 3)
    assert door.destinations(SERVICES[0]) == {to(SERVICES[0], 1): SeenDestination(1, 3)}
