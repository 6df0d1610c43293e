"""Who a pod may pretend to be: nobody but itself. What the table `wherry-cni` of the bridges holds. Pure.

    set trusted { port }             # ports whose pods may send anything
    set macs    { port . address }   # whose frames come from where
    set anyone  { port }             # of which only the MAC address matters
    set ips     { port . address }   # and its IP addresses; `ips6` with the link-local one
    prerouting: from a pod's port -> guard;   all else is no business of ours
    guard:      trusted -> accept;  strange MAC -> refuse;  anyone -> accept;  ARP, IPv4, IPv6 -> own chains;  rest -> refuse
    refuse:     count, drop

The first hook of a bridge sees a frame before the bridge learns from it, so a forged frame changes nothing at all. A port
that no set knows may send nothing: a pod is known before its link is made, and nothing is open while rules are replaced
(one transaction). Router advertisements, redirects and answers of DHCP servers are refused whoever sends them; of IPv6
neighbour advertisements and ARP the address inside counts, since that is what others would believe.
"""

import struct
from collections.abc import Container, Iterable, Iterator

from cni import ranges
from cni.config import GUARD_ALL, GUARD_MAC
from cni.ipam import Attachment, State
from cni.ports import PREFIX, TABLE
from linux.nft import expressions as ex
from linux.nft import objects
from linux.nft.door import Door, NftError
from linux.nft.elements import Batch, Format
from linux.nft.expressions import R0
from linux.nft.objects import T_ETHER, T_IFNAME, T_IPV4, T_IPV6, Set, concatenated
from linux.nft.wire import BRIDGE

_NAME = 16  # bytes of a link's name
_TRUSTED, _MACS, _ANYONE, _IPS4, _IPS6 = "trusted", "macs", "anyone", "ips", "ips6"
_SETS = {
    _TRUSTED: Set(_TRUSTED, T_IFNAME, (_NAME,)),
    _MACS: Set(_MACS, concatenated(T_IFNAME, T_ETHER), (_NAME, 8)),
    _ANYONE: Set(_ANYONE, T_IFNAME, (_NAME,)),
    _IPS4: Set(_IPS4, concatenated(T_IFNAME, T_IPV4), (_NAME, 4)),
    _IPS6: Set(_IPS6, concatenated(T_IFNAME, T_IPV6), (_NAME, 16)),
}
_ARP, _IPV4, _IPV6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
_UDP, _ICMPV6 = b"\x11", b"\x3a"
_ROUTER_ADVERTISEMENT, _SOLICITATION, _ADVERTISEMENT, _REDIRECT, _LISTENER_REPORT = (
    bytes([number]) for number in (134, 135, 136, 137, 143)
)
_DHCP_SERVER, _DHCPV6_SERVER = struct.pack(">H", 67), struct.pack(">H", 547)

_PORT = ex.meta(R0, ex.META_IIFNAME)
_SOURCE_MAC = ex.payload(R0 + 4, ex.LINK_HEADER, 6, 6)
_SENDER_MAC = ex.payload(R0 + 4, ex.NETWORK_HEADER, 8, 6)
_SENDER_IP = ex.payload(R0 + 4, ex.NETWORK_HEADER, 14, 4)
_TARGET_IP = ex.payload(R0 + 4, ex.NETWORK_HEADER, 24, 4)
_SOURCE4 = ex.payload(R0 + 4, ex.NETWORK_HEADER, 12, 4)
_SOURCE6 = ex.payload(R0 + 4, ex.NETWORK_HEADER, 8, 16)
_TARGET6 = ex.payload(R0 + 4, ex.TRANSPORT_HEADER, 8, 16)  # of which a neighbour speaks
_ACCEPT, _REFUSE = ex.verdict(ex.ACCEPT), ex.verdict(ex.GOTO, "refuse")


def elements(held: Attachment) -> dict[str, list[bytes]]:
    """The elements of each set for one attachment."""
    found: dict[str, list[bytes]] = {name: [] for name in _SETS}
    port = _name(held.link)
    if not held.guard:
        found[_TRUSTED].append(port)
        return found
    found[_MACS].append(port + bytes.fromhex(held.mac.replace(":", "")) + b"\0\0")
    if held.guard == GUARD_MAC:
        found[_ANYONE].append(port)
    if held.guard == GUARD_ALL:
        found[_IPS4] += [port + ip for ip in held.ips if len(ip) == 4]
        own = [ip for ip in held.ips if len(ip) == 16]
        found[_IPS6] += [port + ip for ip in (*own, ranges.link_local(held.mac))]
    return found


def admit(held: Attachment) -> list[bytes]:
    """The messages that let a pod's port in; elements that are there already stay."""
    return list(_change([held], delete=False))


def forget(held: Attachment) -> list[bytes]:
    """The messages that take a port out, whatever of it is there: what is added first is there to be deleted."""
    return [*_change([held], delete=False), *_change([held], delete=True)]


def render(state: State) -> list[bytes]:
    """The messages that make the whole table, whatever it is now."""
    messages = [objects.destroy_table(BRIDGE, TABLE), objects.new_table(BRIDGE, TABLE)]
    messages += [objects.new_set(BRIDGE, TABLE, one, number) for number, one in enumerate(_SETS.values(), start=1)]
    messages += _change(state.attachments, delete=False)
    messages += _batch(_TRUSTED, sorted(_ways(state)), delete=False)
    messages += [objects.new_chain(BRIDGE, TABLE, name) for name in ("refuse", "arp", "ipv4", "ipv6", "guard")]
    messages.append(
        objects.new_base_chain(BRIDGE, TABLE, "prerouting", objects.PREROUTING, objects.PRIORITY_RAW, "filter")
    )
    for chain, rules in _rules().items():
        messages += [objects.new_rule(BRIDGE, TABLE, chain, *rule) for rule in rules]
    return messages


def problems(held: Attachment, door: Door) -> list[str]:
    """What the kernel does not have of a port as it should be: less than the pod may send, or more."""
    port, wanted = _name(held.link), elements(held)
    try:
        for name in _SETS:
            seen = {one.key for one in door.elements(BRIDGE, TABLE, name) if one.key.startswith(port)}
            if seen != set(wanted[name]):
                return [
                    f"frames of link {held.link} are not judged as they should: set {name} of table {TABLE} differs"
                ]
    except NftError as error:
        if not error.not_found:
            raise
        return [f"nf_tables has no table {TABLE} for bridges"]
    return []


def is_whole(state: State, certain: Container[Attachment], door: Door) -> bool:
    """Whether the kernel has the table as it was written, of rules how many; attachments that are not certain may be missing."""
    try:
        seen = door.table(BRIDGE, TABLE)
        if seen is None or seen.chains != {chain: len(rules) for chain, rules in _rules().items()}:
            return False
        may = _of_all(state.attachments)
        must = _of_all(held for held in state.attachments if held in certain)
        for found in (may, must):
            found[_TRUSTED] |= _ways(state)
        return all(must[name] <= door.keys(BRIDGE, TABLE, name) <= may[name] for name in _SETS)
    except NftError as error:
        if not error.not_found:
            raise
        return False  # it went while it was looked at


def _of_all(attachments: Iterable[Attachment]) -> dict[str, set[bytes]]:
    each = [elements(held) for held in attachments]
    return {name: {key for found in each for key in found[name]} for name in _SETS}


def _ways(state: State) -> set[bytes]:
    """The host's own ports, which lead into VLANs."""
    return {_name(network.gateway_port) for network in state.networks if network.vlan}


def _change(attachments: Iterable[Attachment], *, delete: bool) -> Iterator[bytes]:
    for name, keys in _of_all(attachments).items():
        yield from _batch(name, sorted(keys), delete=delete)


def _batch(name: str, keys: Iterable[bytes], *, delete: bool) -> Iterable[bytes]:
    shape = Format(sum(_SETS[name].fields))
    return Batch(BRIDGE, TABLE, name, delete=delete).uniform(b"".join(map(shape.bare, keys)), shape.size)


def _name(link: str) -> bytes:
    return link.encode().ljust(_NAME, b"\0")


def _known(field: bytes, name: str) -> bytes:
    return _PORT + field + ex.lookup(name, R0)


def _strange(field: bytes, name: str) -> bytes:
    return _PORT + field + ex.absent(name, R0)


def _is(field: bytes, value: bytes) -> bytes:
    return field + ex.compare(R0, ex.EQUAL, value)


def _protocol(number: bytes) -> bytes:
    return _is(ex.meta(R0, ex.META_L4PROTO), number)


def _icmpv6(kind: bytes) -> bytes:
    return _protocol(_ICMPV6) + _is(ex.payload(R0, ex.TRANSPORT_HEADER, 0, 1), kind)


def _from_udp(port: bytes) -> bytes:
    return _protocol(_UDP) + _is(ex.payload(R0, ex.TRANSPORT_HEADER, 0, 2), port)


def _rules() -> dict[str, list[tuple[bytes, ...]]]:
    unnamed4 = _is(ex.payload(R0, ex.NETWORK_HEADER, 14, 4), b"\0" * 4)
    unnamed6 = _is(ex.payload(R0, ex.NETWORK_HEADER, 8, 16), b"\0" * 16)
    frame = ex.meta(R0, ex.META_PROTOCOL)
    return {
        "prerouting": [(_is(_PORT, PREFIX.encode()), ex.verdict(ex.GOTO, "guard"))],
        "guard": [
            (_known(b"", _TRUSTED), _ACCEPT),
            (_strange(_SOURCE_MAC, _MACS), _REFUSE),
            (_known(b"", _ANYONE), _ACCEPT),
            (_is(frame, _ARP), ex.verdict(ex.GOTO, "arp")),
            (_is(frame, _IPV4), ex.verdict(ex.GOTO, "ipv4")),
            (_is(frame, _IPV6), ex.verdict(ex.GOTO, "ipv6")),
            (_REFUSE,),
        ],
        "arp": [
            (_strange(_SENDER_MAC, _MACS), _REFUSE),
            (_known(_SENDER_IP, _IPS4), _ACCEPT),
            (unnamed4, _known(_TARGET_IP, _IPS4), _ACCEPT),  # is somebody else using my address?
            (_REFUSE,),
        ],
        "ipv4": [
            (_from_udp(_DHCP_SERVER), _REFUSE),
            (_known(_SOURCE4, _IPS4), _ACCEPT),
            (_REFUSE,),
        ],
        "ipv6": [
            (_icmpv6(_ROUTER_ADVERTISEMENT), _REFUSE),
            (_icmpv6(_REDIRECT), _REFUSE),
            (_icmpv6(_ADVERTISEMENT), _strange(_TARGET6, _IPS6), _REFUSE),
            (_from_udp(_DHCPV6_SERVER), _REFUSE),
            (_known(_SOURCE6, _IPS6), _ACCEPT),
            (unnamed6, _icmpv6(_SOLICITATION), _known(_TARGET6, _IPS6), _ACCEPT),
            (unnamed6, _icmpv6(_LISTENER_REPORT), _ACCEPT),
            (_REFUSE,),
        ],
        "refuse": [(ex.count(), ex.verdict(ex.DROP))],
    }
