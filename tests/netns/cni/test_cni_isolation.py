"""What a pod sends in another's name goes nowhere: forged frames through a real bridge, and the same ones without the table."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from bench.cni_lab import Lab, Space, lab
from cni.ranges import link_local, parse

pytestmark = pytest.mark.root
EVERYONE = b"\xff" * 6
ROUTERS = b"\xff\x02" + b"\0" * 13 + b"\1"
FENCE = b"the frame after the forged one"
BOTH = {"ipam": {"ranges": [[{"subnet": "10.244.7.0/24"}], [{"subnet": "fd00:7::/64"}]]}}


class Pod(NamedTuple):
    space: Space
    mac: bytes
    ip: bytes
    ip6: bytes

    @property
    def local(self) -> bytes:
        return link_local(self.mac.hex(":"))


def ethernet(source: bytes, kind: int, body: bytes) -> bytes:
    return EVERYONE + source + struct.pack(">H", kind) + body


def ipv4(source: bytes, protocol: int, body: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0, source, b"\xff" * 4)
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + head[12:] + body


def ipv6(source: bytes, following: int, body: bytes) -> bytes:
    return struct.pack(">IHBB16s16s", 6 << 28, len(body), following, 255, source, ROUTERS) + body


def udp(sender: int, receiver: int, body: bytes = b"forged") -> bytes:
    return struct.pack(">HHHH", sender, receiver, 8 + len(body), 0) + body


def arp(operation: int, mac: bytes, ip: bytes, target: bytes) -> bytes:
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + mac + ip + b"\0" * 6 + target


def icmpv6(kind: int, target: bytes = b"\0" * 16) -> bytes:
    return struct.pack(">BBHI", kind, 0, 0, 0) + target


def forgeries(me: Pod, other: Pod, gateway: bytes) -> dict[str, bytes]:
    """What `me` must not send."""
    own4, own6 = (
        lambda body: ethernet(me.mac, 0x800, ipv4(me.ip, 17, body)),
        lambda body: ethernet(me.mac, 0x86DD, body),
    )
    options = b"\x3a\0" + b"\1\4\0\0\0\0"  # an extension header before the message
    return {
        "another's MAC address": ethernet(other.mac, 0x800, ipv4(me.ip, 17, udp(9, 9))),
        "another's address": ethernet(me.mac, 0x800, ipv4(other.ip, 17, udp(9, 9))),
        "nobody's address": ethernet(me.mac, 0x800, ipv4(b"\0" * 4, 17, udp(9, 9))),
        "an address from elsewhere": ethernet(me.mac, 0x800, ipv4(b"\x08\x08\x08\x08", 17, udp(9, 9))),
        "ARP: I am the gateway": ethernet(me.mac, 0x806, arp(2, me.mac, gateway, other.ip)),
        "ARP: the gateway asks": ethernet(me.mac, 0x806, arp(1, me.mac, gateway, other.ip)),
        "ARP: my address is another's": ethernet(me.mac, 0x806, arp(2, other.mac, me.ip, other.ip)),
        "ARP: has anybody your address?": ethernet(me.mac, 0x806, arp(1, me.mac, b"\0" * 4, other.ip)),
        "another's IPv6 address": own6(ipv6(other.ip6, 17, udp(9, 9))),
        "another's link-local address": own6(ipv6(other.local, 17, udp(9, 9))),
        "IPv6: I am another": own6(ipv6(me.ip6, 58, icmpv6(136, other.ip6))),
        "IPv6: has anybody your address?": own6(ipv6(b"\0" * 16, 58, icmpv6(135, other.ip6))),
        "IPv6: I am a router": own6(ipv6(me.local, 58, icmpv6(134))),
        "IPv6: I am a router, with options": own6(ipv6(me.local, 0, options + icmpv6(134))),
        "IPv6: go another way": own6(ipv6(me.local, 58, icmpv6(137))),
        "a DHCP server": own4(udp(67, 68)),
        "a DHCPv6 server": own6(ipv6(me.local, 17, udp(547, 546))),
        "another protocol": ethernet(me.mac, 0x88CC, b"a neighbour's news".ljust(46, b"\0")),
    }


def honest(me: Pod, other: Pod) -> dict[str, bytes]:
    """What `me` may send."""
    return {
        "IPv4": ethernet(me.mac, 0x800, ipv4(me.ip, 17, udp(9, 9))),
        "a DHCP client": ethernet(me.mac, 0x800, ipv4(me.ip, 17, udp(68, 67))),
        "ARP": ethernet(me.mac, 0x806, arp(1, me.mac, me.ip, other.ip)),
        "ARP: has anybody my address?": ethernet(me.mac, 0x806, arp(1, me.mac, b"\0" * 4, me.ip)),
        "IPv6": ethernet(me.mac, 0x86DD, ipv6(me.ip6, 17, udp(9, 9))),
        "IPv6, on the link": ethernet(me.mac, 0x86DD, ipv6(me.local, 17, udp(9, 9))),
        "IPv6: who is there?": ethernet(me.mac, 0x86DD, ipv6(me.ip6, 58, icmpv6(135, other.ip6))),
        "IPv6: I am I": ethernet(me.mac, 0x86DD, ipv6(me.ip6, 58, icmpv6(136, me.ip6))),
        "IPv6: has anybody my address?": ethernet(me.mac, 0x86DD, ipv6(b"\0" * 16, 58, icmpv6(135, me.ip6))),
    }


@contextmanager
def one_processor() -> Iterator[None]:
    """Frames of one sender stay in order only on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wire(space: Space) -> socket.socket:
    made = space.visit(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    space.visit(lambda: made.bind(("eth0", 0)))
    made.settimeout(60)
    return made


def arrives(frame: bytes, me: Pod, other: Pod) -> bool:
    """Whether `other` sees what `me` sends, before it sees an honest frame that was sent after it."""
    fence = ethernet(me.mac, 0x800, ipv4(me.ip, 17, udp(7, 7, FENCE)))
    with one_processor(), wire(me.space) as sender, wire(other.space) as receiver:
        sender.send(frame)
        sender.send(fence)
        found = False
        while FENCE not in (seen := receiver.recv(2048)):
            found = found or seen[: len(frame)] == frame
        return found


def pods(made: Lab, *names: str, **more: Any) -> list[Pod]:
    found = []
    for name in names:
        space = made.space(name)
        answer = made.call("ADD", name, made.network(**BOTH, **more))
        assert answer.code == 0, answer.output
        mac = bytes.fromhex(answer.body["interfaces"][2]["mac"].replace(":", ""))
        ips = [parse(ip["address"].partition("/")[0]) for ip in answer.body["ips"]]
        found.append(Pod(space, mac, *ips))
    return found


def test_forged_frames_go_nowhere_and_honest_ones_arrive() -> None:
    with lab("guard") as made:
        me, other = pods(made, "me", "other")
        forged = forgeries(me, other, parse("10.244.7.1"))
        assert [name for name, frame in forged.items() if arrives(frame, me, other)] == []
        assert [name for name, frame in honest(me, other).items() if not arrives(frame, me, other)] == []
        counted = made.host.run("nft", "list", "chain", "bridge", "wherry-cni", "refuse")
        assert int(counted.partition("packets ")[2].split()[0]) >= len(forged)
        made.host.run("nft", "delete", "table", "bridge", "wherry-cni")
        assert [name for name, frame in forged.items() if not arrives(frame, me, other)] == []


def test_who_is_trusted_may_send_anything_and_a_strange_port_nothing() -> None:
    with lab("trust") as made:
        (me,) = pods(made, "me", isolation=False)
        (other,) = pods(made, "other")
        forged = forgeries(me, other, parse("10.244.7.1"))
        assert [name for name, frame in forged.items() if not arrives(frame, me, other)] == []
        made.host.run("nft", "flush", "set", "bridge", "wherry-cni", "trusted")
        with one_processor(), wire(me.space) as sender, wire(other.space) as receiver:
            sender.send(ethernet(me.mac, 0x800, ipv4(me.ip, 17, udp(9, 9))))
            receiver.setblocking(False)
            with pytest.raises(BlockingIOError):
                while receiver.recv(2048)[6:12] != me.mac:
                    pass


def test_only_the_mac_address_if_nothing_else_is_wanted() -> None:
    with lab("mac") as made:
        (me,) = pods(made, "me", isolation=False, macspoofchk=True)
        (other,) = pods(made, "other")
        forged = forgeries(me, other, parse("10.244.7.1"))
        assert [name for name, frame in forged.items() if not arrives(frame, me, other)] == ["another's MAC address"]


def test_nothing_of_a_pod_stays_in_the_table() -> None:
    with lab("gone") as made, made.daemon():
        pods(made, "a", "b", "c")
        assert made.call("DEL", "b").code == 0
        listed = made.host.run("nft", "list", "table", "bridge", "wherry-cni")
        assert (
            sorted({word.strip('",') for word in listed.split() if word.startswith('"wv') and "*" not in word})
            == made.links()
        )
        assert len(made.links()) == 2
