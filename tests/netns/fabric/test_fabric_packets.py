"""Real packets between three nodes: every pod to every pod, every node to every pod, over each kind of way."""

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.cni_lab import Space
from cni import ranges
from cni.fabric.kernel import FabricKernel
from cni.fabric.nodes import FABRIC, MODE, POD_CIDRS, WIREGUARD, mac_of
from cni.fabric.openings import Open
from linux import iptables, nft
from linux.netlink import NotFound
from linux.wireguard import Wireguard
from tests.netns.fabric.bed import FAR, NEAR, NUMBERS, Bed, node_ips, pod_cidrs, pod_ips

pytestmark = pytest.mark.root
FAMILIES = {"IPv4": (4,), "IPv6": (6,), "dual": (4, 6)}


@pytest.fixture(scope="module")
def made() -> Iterator[Bed]:
    bed = Bed()
    try:
        for name in NUMBERS:
            bed.start(name)
        yield bed
    finally:
        bed.close()


def show_all(bed: Bed, versions: tuple[int, ...] = (4, 6), mode: str = "") -> None:
    notes = {MODE: mode} if mode else {}
    bed.show(*(bed.object_of(name, versions, notes) for name in NUMBERS))


def check_pairs(bed: Bed, versions: tuple[int, ...], names: str = "abc") -> None:
    for version in versions:
        for here in names:
            for there in names:
                target, own = pod_ips(there).of(version), pod_ips(here).of(version)
                if here != there:
                    assert bed.ask(f"pod-{here}", target) == own  # and nobody has changed the address
                    bed.ask(f"pod-{here}", node_ips(there, bed.nets[there]).of(version))
                bed.ask(here, target)


def kinds(bed: Bed, name: str) -> dict[str, str]:
    """The link that each route to pods of others leads to."""
    lines = [line for flag in ("-4", "-6") for line in bed.spaces[name].run("ip", flag, "route").splitlines()]
    routes = [line.split() for line in lines if "proto 88" in line]
    return {words[0]: words[words.index("dev") + 1] for words in routes}


@pytest.mark.parametrize("families", FAMILIES)
@pytest.mark.parametrize("place", [NEAR, FAR])
@pytest.mark.parametrize("mode", ["", "vxlan"])
def test_every_pod_and_node_reaches_every_pod(made: Bed, families: str, place: str, mode: str) -> None:
    versions = FAMILIES[families]
    if made.nets["c"] != place:
        made.place("c", place)
    show_all(made, versions, mode)
    check_pairs(made, versions)
    for version in versions:
        found = kinds(made, "a")
        tunnel = f"wherry-vx{versions[0]}"
        assert found[pod_cidrs("b").of(version)] == (tunnel if mode else "eth0")
        assert found[pod_cidrs("c").of(version)] == (tunnel if mode or place == FAR else "eth0")
    cost = 50 if versions[0] == 4 else 70
    assert made.agents["a"].mtu == (1500 - cost if mode or place == FAR else 1500)
    # What pods are told fits, to the last byte and in one piece.
    made.ask("pod-a", pod_ips("c").of(versions[0]), made.agents["a"].mtu - (28 if versions[0] == 4 else 48))


def test_nodes_on_one_network_see_pods_own_addresses(made: Bed) -> None:
    made.place("c", FAR)
    show_all(made)
    for version in (4, 6):
        assert made.ask("pod-a", node_ips("b").of(version)) == pod_ips("a").of(version)
        # The router between would not carry it.
        assert made.ask("pod-a", node_ips("c", FAR).of(version)) == node_ips("a").of(version)
    # To the world outside the node speaks for its pods.
    router = made.spaces["router"]
    assert "counter packets 0" in router.run("nft", "list", "table", "ip", "spy")
    assert router.run("nft", "list", "table", "ip", "spy").count("counter packets 0") == 2


def test_a_second_family_comes_to_a_living_cluster(made: Bed) -> None:
    made.place("c", FAR)
    show_all(made, (4,))
    check_pairs(made, (4,))
    # The API takes no second podCIDR for a node that has one; the nodes' addresses are of both families already.
    nodes = [made.object_of(name, (4, 6), {POD_CIDRS: pod_cidrs(name).v6}) for name in NUMBERS]
    for node in nodes:
        node["spec"]["podCIDRs"].pop()
    made.show(*nodes)
    check_pairs(made, (4, 6))


def test_a_pod_cannot_send_as_another_in_a_tunnel_of_its_own(made: Bed) -> None:
    made.place("c", FAR)
    show_all(made)
    check_pairs(made, (4,))
    victim = made.spaces["pod-b"].visit(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    forger = made.spaces["pod-a"].visit(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with victim, forger:
        victim.bind((pod_ips("b").v4, 7001))
        victim.settimeout(0.5)
        wrapped = vxlan(mac_of("b"), pod_ips("c").v4, pod_ips("b").v4, 7001)
        for target in (node_ips("b").v4, "10.244.2.1", node_ips("a").v4):
            forger.sendto(wrapped, (target, 8472))
            with pytest.raises(TimeoutError):
                victim.recv(100)
        heard = b""
        for _ in range(120):  # what is not wrapped is heard
            forger.sendto(b"x", (pod_ips("b").v4, 7001))
            with suppress(TimeoutError):
                heard = victim.recv(100)
                break
        assert heard == b"x"
    refused = {name: made.spaces[name].run("nft", "list", "chain", "ip", "wherry-fabric", "forged") for name in "ab"}
    assert refused["a"].count("packets 2 ") == 1
    assert refused["b"].count("packets 1 ") == 1


def vxlan(mac: str, source: str, destination: str, port: int) -> bytes:
    """A datagram from one pod to another as it would come out of a tunnel."""
    udp = struct.pack(">HHHH", 7001, port, 9, 0) + b"!"
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, *map(ranges.parse, (source, destination))
    )
    total = sum(struct.unpack(">10H", head))
    head = head[:10] + struct.pack(">H", 0xFFFF - total % 0xFFFF) + head[12:]
    ethernet = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex(mac_of("c").replace(":", "")) + b"\x08\x00"
    return struct.pack(">BxxxI", 8, 87 << 8) + ethernet + head + udp


class Stream(threading.Thread):
    """One datagram after the other between two pods, each answered before the next is sent."""

    def __init__(self, bed: Bed, source: str, ip: str) -> None:
        super().__init__()
        self._asking = bed._socket(source, ip)
        self._asking.settimeout(60)
        self.ending = threading.Event()
        self.sent = 0
        self.lost = 0

    def run(self) -> None:
        while not self.ending.is_set():
            self.sent += 1
            try:
                self._asking.send(b"x")
                self._asking.recv(100)
            except OSError:
                self.lost += 1

    def end(self) -> None:
        self.ending.set()
        self.join()
        self._asking.close()


def test_nodes_come_go_and_change_their_ways_under_traffic(made: Bed) -> None:
    made.place("c", NEAR)
    show_all(made)
    check_pairs(made, (4,), "ab")
    streams = [Stream(made, "pod-a", pod_ips("b").v4), Stream(made, "pod-b", pod_ips("a").v6)]
    for stream in streams:
        stream.start()
    try:
        made.show(*(made.object_of(name, (4, 6)) for name in "ab"))
        assert not any(cidr in kinds(made, "a") for cidr in pod_cidrs("c"))
        made.place("c", FAR)
        show_all(made)
        check_pairs(made, (4, 6))
        show_all(made, mode="vxlan")
        check_pairs(made, (4, 6))
        show_all(made)
        check_pairs(made, (4, 6))
        made.stop("b")  # an agent that ends and comes back disturbs nobody
        made.start("b")
        show_all(made)
    finally:
        for stream in streams:
            stream.end()
    assert all(stream.sent > 10 for stream in streams)
    assert [stream.lost for stream in streams] == [0, 0]


def test_what_somebody_takes_away_comes_back(made: Bed) -> None:
    made.place("c", FAR)
    show_all(made, mode="vxlan")
    check_pairs(made, (4, 6))
    node, agent = made.spaces["a"], made.agents["a"]
    mac = next(line for line in node.run("bridge", "fdb", "show", "dev", "wherry-vx4").splitlines() if "dst" in line)
    damages = {
        "route": ["ip", "route", "del", pod_cidrs("c").v4],
        "neighbour": ["ip", "neigh", "del", "10.244.3.0", "dev", "wherry-vx4"],
        "forwarding entry": ["bridge", "fdb", "del", mac.split()[0], "dev", "wherry-vx4"],
        "address": ["ip", "addr", "del", "10.244.1.0/32", "dev", "wherry-vx4"],
        "link": ["ip", "link", "del", "wherry-vx4"],
        "rules": ["nft", "flush", "ruleset"],
    }
    for what, damage in damages.items():
        before = agent.repairs.get(what, 0)
        node.run(*damage)
        agent.wait_repair(what, before + 1)
        check_pairs(made, (4, 6))
    node.run("ip", "link", "set", "eth0", "down")  # takes all routes along, and does not say so of each
    node.run("ip", "link", "set", "eth0", "up")
    made.place("a", NEAR)
    check_pairs(made, (4, 6))


def test_a_node_that_comes_up_without_an_api_server_goes_on_with_the_nodes_of_last_time(made: Bed) -> None:
    made.place("c", FAR)
    show_all(made)
    node = made.spaces["a"]
    made.stop("a")
    for route in [
        line for flag in ("-4", "-6") for line in node.run("ip", flag, "route").splitlines() if "proto 88" in line
    ]:
        node.run("ip", "-6" if ":" in route.split()[0] else "-4", "route", "del", route.split()[0])
    for link in ("wherry-vx4", "wherry-vx6"):
        if link in node.run("ip", "-o", "link"):
            node.run("ip", "link", "del", link)
    node.run("nft", "flush", "ruleset")
    agent = made.start("a")
    agent.settle()  # nobody has told it of any node
    check_pairs(made, (4, 6))
    for version in (4, 6):  # and it masquerades, where it must
        assert made.ask("pod-a", node_ips("b").of(version)) == pod_ips("a").of(version)
        assert made.ask("pod-a", node_ips("c", FAR).of(version)) == node_ips("a").of(version)
    made.show(*(made.object_of(name, (4, 6)) for name in "ab"))
    assert not any(cidr in kinds(made, "a") for cidr in pod_cidrs("c"))
    show_all(made)
    check_pairs(made, (4, 6))


def test_who_wants_encryption_gets_it_or_nothing(made: Bed) -> None:
    made.place("c", FAR)
    show_all(made)
    check_pairs(made, (4, 6))
    show_all(made, mode=WIREGUARD)
    told = {name: {MODE: WIREGUARD, FABRIC: made.agents[name].told} for name in NUMBERS}
    made.show(*(made.object_of(name, (4, 6), notes) for name, notes in told.items()))
    try:
        made.spaces["a"].visit(Wireguard).close()
    except NotFound:
        assert kinds(made, "a") == {}
        assert "this kernel has no such module" in Path(made.agents["a"].log.name).read_text()
        router = made.spaces["router"]
        hook = "{ type filter hook prerouting priority -300; }"
        pods = "ip daddr 10.244.0.0/16 counter; add rule inet tap p ip6 daddr fd00:244::/48 counter"
        router.run("nft", f"add table inet tap; add chain inet tap p {hook}; add rule inet tap p {pods}")
        for ip in pod_ips("b"):
            assert made.silent("pod-a", ip)
            assert made.silent("a", ip)
        assert router.run("nft", "list", "table", "inet", "tap").count("packets 0 ") == 2  # nor in plain to some router
        router.run("nft", "delete", "table", "inet", "tap")
    else:
        assert set(kinds(made, "a").values()) == {"wherry-wg"}
        check_pairs(made, (4, 6))
    show_all(made)
    check_pairs(made, (4, 6))


FIREWALLS = {
    "ufw or Docker": "iptables-nft -P FORWARD DROP; iptables-nft -P INPUT DROP; ip6tables-nft -P FORWARD DROP",
    "ufw or Docker, in the old tables": (
        "iptables-legacy -P FORWARD DROP; iptables-legacy -P INPUT DROP; ip6tables-legacy -P FORWARD DROP"
    ),
    "firewalld": (
        "nft 'add table inet firewalld; "
        "add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; }; "
        "add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited'"
    ),
    "a table of somebody": (
        "nft 'add table inet mine; add chain inet mine f { type filter hook forward priority 0; policy drop; }; "
        "add chain inet mine i { type filter hook input priority 0; policy drop; }; "
        "add rule inet mine i icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'"
    ),
}


@pytest.mark.parametrize("firewall", FIREWALLS)
def test_pods_pass_other_firewalls(made: Bed, firewall: str) -> None:
    made.place("c", FAR)
    show_all(made)
    node = made.spaces["a"]
    for again in (False, True):  # as it comes up, and as it is reloaded
        if again:
            node.run("nft", "flush", "ruleset")
        node.run("sh", "-ec", FIREWALLS[firewall])
        for version in (4, 6):
            for other in "bc":
                assert made.ask("pod-a", pod_ips(other).of(version)) == pod_ips("a").of(version)
                assert made.ask(f"pod-{other}", pod_ips("a").of(version)) == pod_ips(other).of(version)
    node.run("nft", "flush", "ruleset")
    for program in ("iptables-legacy", "ip6tables-legacy"):
        for chain in ("FORWARD", "INPUT"):
            node.run(program, "-P", chain, "ACCEPT")


def test_a_firewall_in_the_old_tables_is_noticed_whatever_it_changes() -> None:
    space = Space(f"fb-{os.getpid()}-old")
    kernel = space.visit(FabricKernel)

    def generation() -> object:
        return space.visit(kernel.generation)

    try:
        for program in ("iptables-legacy", "ip6tables-legacy"):
            before = generation()
            for change in ("-L", "-P FORWARD DROP", "-P INPUT DROP", "-A FORWARD -j ACCEPT", "-F", "-P FORWARD ACCEPT"):
                space.run(program, *change.split())
                assert generation() != before
                before = generation()
                assert generation() == before
    finally:
        kernel.close()
        space.close()


def test_looking_for_other_firewalls_leaves_nothing(made: Bed) -> None:
    def look() -> list[object]:
        kernel = FabricKernel()
        try:
            assert kernel.generation() == kernel.generation()
            assert kernel.open(Open(("10.244.0.0/16", "fd00:244::/48"), frozenset({("192.0.2.1", 8472)}))) == []
            return [*map(iptables.legacy_tables, (4, 6)), *map(kernel.nft.tables, nft.FAMILIES.values())]
        finally:
            kernel.close()

    assert not any(made.spaces["pod-a"].visit(look))


def test_a_reset_leaves_nothing(made: Bed) -> None:
    made.place("c", FAR)
    show_all(made)
    node = made.spaces["a"]
    node.run("iptables-nft", "-P", "FORWARD", "DROP")
    made.ask("pod-a", pod_ips("b").v4)
    made.stop("a")
    node.run("iptables-nft", "-P", "FORWARD", "ACCEPT")
    node.run(sys.executable, "-c", "from cni.fabric.removal import remove_fabric; remove_fabric(); remove_fabric()")
    left = (
        node.run("ip", "route")
        + node.run("ip", "-6", "route")
        + node.run("ip", "link")
        + node.run("nft", "list", "ruleset")
    )
    assert not any(mark in left for mark in ("proto 88", "wherry-", "WHERRY"))
    made.start("a")
    show_all(made)
    check_pairs(made, (4, 6))
