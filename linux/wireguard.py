"""WireGuard links over generic netlink: our key and port, and the peers with their keys, hosts and networks.

The numbers are the kernel's (linux/wireguard.h, genetlink.h). Keys are base64, as everywhere.
"""

import base64
import errno
import socket
import struct
from typing import NamedTuple

from linux.links import family, pack, unpack
from linux.netlink import (
    ACK,
    CREATE,
    EXCLUSIVE,
    Connection,
    NetlinkError,
    NotFound,
    attribute,
    attributes,
    nested,
    text,
    u32,
)

_GENERIC = 16
_CONTROLLER, _GET_FAMILY = 16, 3
_FAMILY_ID, _FAMILY_NAME = 1, 2
_GET_DEVICE, _SET_DEVICE = 0, 1
_IFINDEX, _PRIVATE_KEY, _PUBLIC_KEY, _LISTEN_PORT, _PEERS = 1, 3, 4, 6, 8
_PEER_KEY, _PEER_FLAGS, _ENDPOINT, _ALLOWED = 1, 3, 4, 9
_REMOVE_PEER, _REPLACE_ALLOWED = 1, 2
_IP_FAMILY, _IP_ADDRESS, _IP_MASK = 1, 2, 3
_IFINFO = struct.Struct("=BBHiII")
_NEWLINK = 16


class Peer(NamedTuple):
    """A host at the other end: its key, its address and port, and the networks behind it."""

    key: str
    host: str
    port: int
    networks: tuple[str, ...]


class SeenWireguard(NamedTuple):
    """A link as the kernel has it."""

    key: str
    """Our public key."""
    port: int
    peers: tuple[Peer, ...]


class Wireguard:
    """WireGuard in the namespace that the calling thread is in. NotFound: this kernel has none."""

    def __init__(self) -> None:
        self._route = Connection()
        try:
            self._kernel = Connection(_GENERIC)
        except OSError:
            self._route.close()
            raise
        try:
            self._family = self._find_family()
        except NetlinkError as error:
            self.close()
            raise NotFound("cannot use WireGuard: this kernel has no such module", errno.ENOENT) from error

    def close(self) -> None:
        """Let the namespace go."""
        self._route.close()
        self._kernel.close()

    def _find_family(self) -> int:
        body = struct.pack("=BBH", _GET_FAMILY, 1, 0) + text(_FAMILY_NAME, "wireguard")
        answer = self._kernel.query("find WireGuard", _CONTROLLER, body)
        return int(struct.unpack("=H", attributes(answer, 4)[_FAMILY_ID][:2])[0])

    def add(self, name: str, mtu: int) -> None:
        """Make a link, and let it come up."""
        body = _IFINFO.pack(0, 0, 0, 0, 1, 1) + text(3, name) + u32(4, mtu) + nested(18, text(1, "wireguard"))
        self._route.change(f"make WireGuard link {name}", _NEWLINK, CREATE | EXCLUSIVE, body)

    def look(self, ifindex: int) -> SeenWireguard:
        """What the link knows."""
        found = SeenWireguard("", 0, ())
        for body in self._kernel.dump("look at WireGuard", self._family, _head(_GET_DEVICE) + u32(_IFINDEX, ifindex)):
            found = merge(found, body)
        return found

    def set(self, ifindex: int, private_key: str, port: int) -> None:
        """Give the link its own key and port; its peers stay."""
        self._change(ifindex, attribute(_PRIVATE_KEY, base64.b64decode(private_key)) + _port(port))

    def set_peer(self, ifindex: int, peer: Peer) -> None:
        """Make a peer, or change it; sessions with it go on."""
        self._change(ifindex, nested(_PEERS, peer_body(peer)))

    def remove_peer(self, ifindex: int, key: str) -> None:
        """Forget a peer."""
        body = nested(0, attribute(_PEER_KEY, base64.b64decode(key)), u32(_PEER_FLAGS, _REMOVE_PEER))
        self._change(ifindex, nested(_PEERS, body))

    def _change(self, ifindex: int, body: bytes) -> None:
        self._kernel.change("change WireGuard", self._family, ACK, _head(_SET_DEVICE) + u32(_IFINDEX, ifindex) + body)


def peer_body(peer: Peer) -> bytes:
    """A peer with all its networks, as the kernel reads it."""
    kind = family(peer.host)
    port = struct.pack(">H", peer.port)
    if kind == socket.AF_INET:
        endpoint = struct.pack("=H", kind) + port + pack(peer.host) + bytes(8)
    else:
        endpoint = struct.pack("=H", kind) + port + bytes(4) + pack(peer.host) + bytes(4)
    return nested(
        0,
        attribute(_PEER_KEY, base64.b64decode(peer.key)),
        u32(_PEER_FLAGS, _REPLACE_ALLOWED),
        attribute(_ENDPOINT, endpoint),
        nested(_ALLOWED, *(_network(one) for one in peer.networks)),
    )


def merge(found: SeenWireguard, body: bytes) -> SeenWireguard:
    """One message of an answer joined to those before: many peers, or many networks of one, come in several."""
    seen = attributes(body, 4)
    key = base64.b64encode(seen[_PUBLIC_KEY]).decode() if _PUBLIC_KEY in seen else found.key
    port = struct.unpack("=H", seen[_LISTEN_PORT][:2])[0] if _LISTEN_PORT in seen else found.port
    peers = {peer.key: peer for peer in found.peers}
    for one in _list(seen.get(_PEERS, b"")):
        peer = _peer(attributes(one))
        before = peers.get(peer.key)
        if before is not None:
            peer = Peer(peer.key, peer.host or before.host, peer.port or before.port, before.networks + peer.networks)
        peers[peer.key] = peer
    return SeenWireguard(key, port, tuple(peers.values()))


def _peer(seen: dict[int, bytes]) -> Peer:
    host, port = "", 0
    if _ENDPOINT in seen:
        endpoint = seen[_ENDPOINT]
        port = struct.unpack_from(">H", endpoint, 2)[0]
        short = struct.unpack_from("=H", endpoint)[0] == socket.AF_INET
        host = unpack(endpoint[4:8] if short else endpoint[8:24])
    networks = []
    for one in _list(seen.get(_ALLOWED, b"")):
        allowed = attributes(one)
        networks.append(f"{unpack(allowed[_IP_ADDRESS])}/{allowed[_IP_MASK][0]}")
    return Peer(base64.b64encode(seen[_PEER_KEY]).decode(), host, port, tuple(networks))


def _network(text_: str) -> bytes:
    ip, _, prefix = text_.partition("/")
    kind = attribute(_IP_FAMILY, struct.pack("=H", family(ip)))
    return nested(0, kind, attribute(_IP_ADDRESS, pack(ip)), attribute(_IP_MASK, bytes([int(prefix)])))


def _list(data: bytes) -> list[bytes]:
    """The attributes of a list, which all have the same number."""
    found, start = [], 0
    while start + 4 <= len(data):
        (length,) = struct.unpack_from("=H", data, start)
        if length < 4:
            break
        found.append(data[start + 4 : start + length])
        start += (length + 3) & ~3
    return found


def _head(command: int) -> bytes:
    return struct.pack("=BBH", command, 1, 0)


def _port(port: int) -> bytes:
    return attribute(_LISTEN_PORT, struct.pack("=H", port))
