"""Host ports and masquerading: what the tables `wherry-cni` hold, rendered whole from the attachments. Pure.

    map hostports    { protocol . port : pod . port }                 # on every address of this host
    map hostports-at { address . protocol . port : pod . port }       # on one
    prerouting, output: to an address of this host -> chain hostports
    hostports:          from a pod or from 127.0.0.0/8: look up, mark, dnat;  from elsewhere: look up, dnat
    postrouting:        marked -> masquerade;  from a pod to outside of the cluster -> masquerade
    guard:              from a bridge to 127.0.0.0/8 -> drop

A pod that reaches itself or its neighbour through the host's port, and the host that uses 127.0.0.1, must get their
answers from the host: the mark (of the first packet, between two hooks) says so. `route_localnet`, which 127.0.0.1 needs,
would open the host's loopback services to pods: `guard` keeps them closed, before anything else sees the packet.

A transaction replaces a whole table: as cheap as a change (host ports are few), and right whatever was there before.
"""

import struct
from collections import Counter
from collections.abc import Container

from cni import ranges
from cni.config import PROTOCOLS
from cni.ipam import Attachment, Network, State
from cni.matches import SIZES, beyond, destination, source, within
from cni.ports import TABLE
from cni.ranges import Subnet
from linux.nft import expressions as ex
from linux.nft import objects, userdata
from linux.nft.door import Door, NftError
from linux.nft.elements import Batch, Format
from linux.nft.expressions import R0
from linux.nft.objects import T_IPV4, T_IPV6, T_PORT, T_PROTOCOL, Set, concatenated
from linux.nft.wire import INET4

ANYWHERE, ONE_ADDRESS = "hostports", "hostports-at"
# Of the bits that others use: 0x4000 and 0x8000 are Kubernetes', 0x2000 is what the portmap plugin takes for the same.
_MARK = 0x2000
_LOOPBACK = ranges.subnet("127.0.0.0/8")
_MANY = {4: ranges.subnet("224.0.0.0/3"), 16: ranges.subnet("ff00::/8")}  # multicast, and the broadcast address
_RESULT = R0 + 8


def render(state: State) -> list[bytes]:
    """The messages that make the tables right, whatever they are now."""
    messages: list[bytes] = []
    for family in _families(state):
        messages += _Table(family).render(state)
    return messages


def elements(state: State, family: int) -> dict[str, dict[bytes, bytes]]:
    """The elements of both maps."""
    size = SIZES[family]
    found: dict[str, dict[bytes, bytes]] = {ANYWHERE: {}, ONE_ADDRESS: {}}
    for attachment in state.attachments:
        ips = [ip for ip in attachment.ips if len(ip) == size]
        if attachment.leaving or not ips:
            continue
        for mapping in attachment.ports:
            host_ip = ranges.parse(mapping.host_ip) if mapping.host_ip else b""
            key = struct.pack("=B3x", PROTOCOLS[mapping.protocol]) + struct.pack(">Hxx", mapping.host_port)
            target = ips[0] + struct.pack(">Hxx", mapping.pod_port)
            if not any(host_ip):  # none, 0.0.0.0 or ::
                if len(host_ip) in (0, size):
                    found[ANYWHERE][key] = target
            elif len(host_ip) == size:
                found[ONE_ADDRESS][host_ip + key] = target
    return found


def problems(state: State, door: Door) -> list[str]:
    """Host ports that the kernel does not have as they should be."""
    found: list[str] = []
    for family in _families(state):
        for name, wanted in elements(state, family).items():
            if not wanted:
                continue
            try:
                seen = {element.key: element.data for element in door.elements(family, TABLE, name)}
            except NftError as error:
                if not error.not_found:
                    raise
                return [*found, f"nf_tables has no table {TABLE} with the host ports"]
            for key, target in wanted.items():
                if seen.get(key) != target:
                    port = struct.unpack(">H", key[-4:-2])[0]
                    found.append(f"host port {port} does not lead to the container")
    return found


def is_whole(state: State, certain: Container[Attachment], door: Door) -> bool:
    """Whether the kernel has the tables as they were written, of rules how many; attachments that are not certain may be missing."""
    there = state._replace(attachments=tuple(held for held in state.attachments if held in certain))
    try:
        for family in _families(state):
            table, seen = _Table(family), door.table(family, TABLE)
            table.render(state)
            if seen is None or seen.chains != table.lengths:
                return False
            must = elements(there, family)
            for name, may in elements(state, family).items():
                found = {element.key: element.data for element in door.elements(family, TABLE, name)}
                if not must[name].items() <= found.items() <= may.items():
                    return False
    except NftError as error:
        if not error.not_found:
            raise
        return False  # it went while it was looked at
    return True


def _families(state: State) -> list[int]:
    return sorted({family for network in state.networks for family in network.families})


class _Table:
    """Renders the table of one family."""

    def __init__(self, family: int) -> None:
        self.lengths: Counter[str] = Counter()  # how many rules each chain has
        self._family = family
        self._size = SIZES[family]
        words = self._size // 4
        self._key = {
            ANYWHERE: self._port_key(R0),
            ONE_ADDRESS: destination(family) + self._port_key(R0 + words),
        }
        self._dnat = ex.dnat(family, _RESULT, _RESULT + words)

    def render(self, state: State) -> list[bytes]:
        """The messages that make this table in place of whatever is there."""
        family = self._family
        messages = [objects.destroy_table(family, TABLE), objects.new_table(family, TABLE)]
        for identity, (name, wanted) in enumerate(elements(state, family).items(), start=1):
            messages.append(objects.new_set(family, TABLE, self._map(name), identity))
            shape = Format(len(next(iter(wanted))) if wanted else 0, self._size + 4)
            packed = b"".join(shape.element(key, target) for key, target in wanted.items())
            messages += Batch(family, TABLE, name).uniform(packed, shape.size)
        networks = [(net, net_of) for net_of in state.networks for net in self._mine(net_of.subnets)]
        messages += self._hostports([net for net, _ in networks])
        messages += self._postrouting(networks)
        if family == INET4:
            messages += self._guard({network.gateway_link for network in state.networks})
        return messages

    def _mine(self, texts: tuple[str, ...]) -> list[Subnet]:
        return [net for net in map(ranges.subnet, texts) if net.size == self._size]

    def _map(self, name: str) -> Set:
        ip = T_IPV4 if self._family == INET4 else T_IPV6
        destination = userdata.destination(self._family)
        parts: tuple[userdata.Part, ...] = (userdata.PROTOCOL, userdata.PORT)
        fields: tuple[int, ...] = (4, 4)
        kind = concatenated(T_PROTOCOL, T_PORT)
        if name == ONE_ADDRESS:
            parts, fields = (destination, *parts), (self._size, *fields)
            kind = concatenated(ip, T_PROTOCOL, T_PORT)
        return Set(
            name,
            kind,
            fields,
            data_type=concatenated(ip, T_PORT),
            data_size=self._size + 4,
            userdata=userdata.of_map(parts, (destination, userdata.PORT)),
        )

    def _hostports(self, pods: list[Subnet]) -> list[bytes]:
        family = self._family
        messages = [objects.new_chain(family, TABLE, "hostports")]
        near = [*pods, *([_LOOPBACK] if family == INET4 else [])]
        mark = ex.meta(R0, ex.META_MARK) + _or_mark(R0) + ex.meta_set(R0, ex.META_MARK)
        for name in (ONE_ADDRESS, ANYWHERE):
            find = self._key[name] + ex.lookup(name, R0, _RESULT)
            messages += [self._rule("hostports", source(family) + within(net), find, mark, self._dnat) for net in near]
            messages.append(self._rule("hostports", find, self._dnat))
        local = ex.fib_type(R0, ex.FIB_DESTINATION) + ex.compare(R0, ex.EQUAL, struct.pack("=I", ex.ADDRESS_LOCAL))
        for chain, hook in (("prerouting", objects.PREROUTING), ("output", objects.OUTPUT)):
            messages.append(objects.new_base_chain(family, TABLE, chain, hook, objects.PRIORITY_DNAT))
            messages.append(self._rule(chain, local, ex.verdict(ex.JUMP, "hostports")))
        return messages

    def _postrouting(self, networks: list[tuple[Subnet, Network]]) -> list[bytes]:
        chain = "postrouting"
        messages = [objects.new_base_chain(self._family, TABLE, chain, objects.POSTROUTING, objects.PRIORITY_SNAT)]
        mark = struct.pack("=I", _MARK)
        marked = ex.meta(R0, ex.META_MARK) + ex.bitwise(R0, mark, b"\0" * 4) + ex.compare(R0, ex.EQUAL, mark)
        messages.append(self._rule(chain, marked, ex.masquerade()))
        for net, network in networks:
            if network.masquerade:
                inside = [*(self._mine(network.cluster) or [net]), _MANY[self._size]]
                ours, outside = source(self._family) + within(net), beyond(self._family, inside)
                messages.append(self._rule(chain, ours, outside, ex.masquerade()))
        return messages

    def _guard(self, bridges: set[str]) -> list[bytes]:
        hook = objects.PREROUTING
        messages = [objects.new_base_chain(self._family, TABLE, "guard", hook, objects.PRIORITY_RAW, "filter")]
        to_loopback = destination(self._family) + within(_LOOPBACK)
        for bridge in sorted(bridges):
            name = bridge.encode().ljust(16, b"\0")
            came_from = ex.meta(R0, ex.META_IIFNAME) + ex.compare(R0, ex.EQUAL, name)
            messages.append(self._rule("guard", came_from, to_loopback, ex.verdict(ex.DROP)))
        return messages

    def _rule(self, chain: str, *expressions: bytes) -> bytes:
        self.lengths[chain] += 1
        return objects.new_rule(self._family, TABLE, chain, *expressions)

    @staticmethod
    def _port_key(register: int) -> bytes:
        port = ex.payload(register + 1, ex.TRANSPORT_HEADER, 2, 2)
        return ex.meta(register, ex.META_L4PROTO) + port


def _or_mark(register: int) -> bytes:
    keep = struct.pack("=I", 0xFFFFFFFF & ~_MARK)
    return ex.bitwise(register, keep, struct.pack("=I", _MARK))
