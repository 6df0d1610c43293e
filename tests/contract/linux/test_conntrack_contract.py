"""The conntrack door: the kernel and its fake answer and delete the same."""

import os
import socket
from collections.abc import Iterator

import pytest

from linux import netns
from linux.conntrack import Conntrack, Ends, FakeConntrack, Flow, Kernel
from linux.links import LinkChange
from linux.nft import Kernel as Nft
from linux.nft import expressions as ex
from linux.nft import objects
from linux.nft.wire import INET4, INET6
from linux.rtnl import RtnlLinks
from linux.sysctl import ProcSysctl

UDP, TCP = socket.IPPROTO_UDP, socket.IPPROTO_TCP
ELSEWHERE = {4: socket.inet_pton(socket.AF_INET, "127.0.0.2"), 6: socket.inet_pton(socket.AF_INET6, "::2")}
HERE = {4: socket.inet_pton(socket.AF_INET, "127.0.0.1"), 6: socket.inet_pton(socket.AF_INET6, "::1")}
MADE = [(4, UDP, 53), (4, UDP, 54), (4, TCP, 80), (6, UDP, 53), (6, TCP, 80)]

MANY = 3000
MADE_IN_4 = [one[1:] for one in MADE if one[0] == 4]


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.root)])
def tracked(request: pytest.FixtureRequest) -> Iterator[Conntrack]:
    if request.param == "fake":
        yield FakeConntrack(
            (family, Flow(p, HERE[family], 9, HERE[family], to, HERE[family], to)) for family, p, to in MADE
        )
        return
    path = f"/run/netns/cn-{os.getpid()}-flows"
    netns.create(path)
    fd = netns.open_path(path)
    try:
        with netns.inside(fd):
            door = Kernel()
            sockets = _make_flows()
        yield door
        door.close()
        for one in sockets:
            one.close()
    finally:
        os.close(fd)
        netns.remove(path)


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.root)])
def many(request: pytest.FixtureRequest) -> Iterator[Conntrack]:
    """More flows than the kernel tells of at once."""
    if request.param == "fake":
        here = HERE[4]
        yield FakeConntrack((4, Flow(UDP, here, 9, here, 2000 + to, here, 2000 + to)) for to in range(MANY))
        return
    path = f"/run/netns/cn-{os.getpid()}-many"
    netns.create(path)
    try:
        with netns.opened(path) as fd, netns.inside(fd):
            _track_all()
            door = Kernel()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
                for to in range(MANY):
                    source.sendto(b"x", ("127.0.0.1", 2000 + to))
        yield door
        door.close()
    finally:
        netns.remove(path)


def _track_all() -> None:
    """In a new namespace: nothing that is sent is forgotten during a test."""
    links, rules = RtnlLinks(), Nft()
    links.change(1, LinkChange(up=True))
    for family in (INET4, INET6):  # flows are tracked where somebody asks for them
        chain = objects.new_base_chain(family, "t", "c", objects.POSTROUTING, 0, "filter")
        rule = objects.new_rule(family, "t", "c", ex.conntrack(ex.R0, 0), ex.verdict(ex.ACCEPT))
        rules.commit([objects.new_table(family, "t"), chain, rule])
    ProcSysctl().write("net.netfilter.nf_conntrack_udp_timeout", "3600")
    links.close()
    rules.close()


def _make_flows() -> list[socket.socket]:
    """Send something to all that `MADE` names; the sockets hold what would end."""
    _track_all()
    sockets = []
    for family, protocol, port in MADE:
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        type_ = socket.SOCK_DGRAM if protocol == UDP else socket.SOCK_STREAM
        target, source = socket.socket(kind, type_), socket.socket(kind, type_)
        target.bind((socket.inet_ntop(kind, HERE[family]), port))
        if protocol == TCP:
            target.listen()
        source.connect(target.getsockname())
        source.send(b"x")
        sockets += [target, source]
    return sockets


def seen(tracked: Conntrack, family: int, protocol: int | None = None, ends: Ends = Ends()) -> set[tuple[int, int]]:
    found = list(tracked.flows(family, protocol, ends))
    assert all(one.source == one.destination == one.reply_source == HERE[family] for one in found)
    assert all(one.reply_source_port == one.destination_port for one in found)
    return {(one.protocol, one.destination_port) for one in found}


def test_flows_of_one_protocol_or_all_of_a_family(tracked: Conntrack) -> None:
    assert seen(tracked, 4, UDP) == {(UDP, 53), (UDP, 54)}
    assert seen(tracked, 6, UDP) == {(UDP, 53)}
    assert seen(tracked, 4, socket.IPPROTO_SCTP) == set()
    assert seen(tracked, 4) == {(UDP, 53), (UDP, 54), (TCP, 80)}
    assert seen(tracked, 6) == {(UDP, 53), (TCP, 80)}


@pytest.mark.parametrize("end", ["source", "destination", "reply_source"])
@pytest.mark.parametrize("family", [4, 6])
def test_flows_with_an_address_at_one_end(tracked: Conntrack, family: int, end: str) -> None:
    here, elsewhere = Ends(**{end: HERE[family]}), Ends(**{end: ELSEWHERE[family]})  # type: ignore[arg-type]
    assert seen(tracked, family, ends=here) == seen(tracked, family) != set()
    assert seen(tracked, family, TCP, here) == {(TCP, 80)}
    assert seen(tracked, family, ends=elsewhere) == set()
    assert seen(tracked, family, UDP, here._replace(destination_port=53)) == {(UDP, 53)}
    assert seen(tracked, family, UDP, elsewhere._replace(destination_port=53)) == set()


@pytest.mark.parametrize("family", [4, 6])
def test_flows_to_a_port(tracked: Conntrack, family: int) -> None:
    assert seen(tracked, family, UDP, Ends(destination_port=53)) == {(UDP, 53)}
    assert seen(tracked, family, TCP, Ends(destination_port=80)) == {(TCP, 80)}
    assert seen(tracked, family, TCP, Ends(destination_port=53)) == set()


def test_flows_are_deleted_while_they_are_read(tracked: Conntrack) -> None:
    assert tracked.delete(4, (one for one in tracked.flows(4, UDP) if one.destination_port in (53, 54))) == 2
    assert seen(tracked, 4) & set(MADE_IN_4) == {(TCP, 80)}


def test_flows_that_nobody_read_to_the_end_disturb_no_others(many: Conntrack) -> None:
    for _ in range(3):
        for read, _flow in enumerate(many.flows(4, UDP)):
            if read == 10:
                break
        assert len(set(many.flows(4, UDP))) == MANY


def test_what_is_deleted_is_gone_once_and_all_else_stays(tracked: Conntrack) -> None:
    chosen = [one for one in tracked.flows(4) if one.destination_port in (53, 80)]
    assert tracked.delete(4, chosen) == 2
    assert tracked.delete(4, chosen) == 0
    assert seen(tracked, 4) & {(UDP, 53), (UDP, 54), (TCP, 80)} == {(UDP, 54)}
    assert seen(tracked, 6, UDP) == {(UDP, 53)}
