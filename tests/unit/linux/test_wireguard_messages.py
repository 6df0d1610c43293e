"""What is said to WireGuard, and how its answers are read: by their bytes, for few kernels of test machines have it."""

import base64
import struct

import pytest
from pyroute2.netlink.generic.wireguard import wgmsg

from linux.netlink import attribute, attributes, nested
from linux.wireguard import Peer, SeenWireguard, merge, peer_body

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
V4 = Peer(KEY, "192.0.2.2", 51877, ("10.244.2.0/24", "fd00:244:0:2::/64"))
V6 = Peer(OTHER, "2001:db8::2", 51877, ("10.244.3.0/24",))


def answer(*peers: Peer) -> bytes:
    """A message of the kernel: what it is told of a peer it tells in the same form."""
    head = struct.pack("=BBH", 0, 1, 0) + attribute(4, base64.b64decode(OTHER)) + attribute(6, struct.pack("=H", 7))
    return head + nested(8, *(peer_body(peer) for peer in peers))


def test_what_is_told_of_a_peer_is_read_again() -> None:
    found = merge(SeenWireguard("", 0, ()), answer(V4, V6))
    assert found == SeenWireguard(OTHER, 7, (V4, V6))


def test_a_peer_in_two_messages_is_one() -> None:
    first, rest = V4._replace(networks=V4.networks[:1]), V4._replace(networks=V4.networks[1:])
    found = merge(merge(SeenWireguard("", 0, ()), answer(V6, first)), answer(rest))
    assert found.peers == (V6, V4)


def test_the_endpoint_has_the_kernels_form() -> None:
    seen = attributes(attributes(peer_body(V4))[0])
    assert seen[4] == struct.pack("=H", 2) + struct.pack(">H", 51877) + bytes([192, 0, 2, 2]) + bytes(8)
    assert len(attributes(attributes(peer_body(V6))[0])[4]) == 28


@pytest.mark.parametrize("peer", [V4, V6])
def test_another_program_reads_the_same(peer: Peer) -> None:
    body = struct.pack("=BBH", 1, 1, 0) + attribute(1, struct.pack("=I", 7)) + nested(8, peer_body(peer))
    found = wgmsg(struct.pack("=IHHII", 16 + len(body), 30, 5, 1, 0) + body)
    found.decode()
    seen = found.get_attr("WGDEVICE_A_PEERS")[0]
    endpoint = seen.get_attr("WGPEER_A_ENDPOINT")
    networks = tuple(one["addr"] for one in seen.get_attr("WGPEER_A_ALLOWEDIPS"))
    key = seen.get_attr("WGPEER_A_PUBLIC_KEY").decode()
    assert Peer(key, endpoint["addr"], endpoint["port"], networks) == peer
