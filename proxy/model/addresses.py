"""Addresses as bytes: four or sixteen of them, so the length is the family.

An endpoint is packed as address, port (big-endian), two zero bytes: 8 bytes, or 20 for IPv6. A list of endpoints is one
`bytes` of these. 250,000 endpoints are 2 MB that way, and 60 MB as objects.
"""

import ipaddress
from collections.abc import Sequence

IPV4, IPV6 = 4, 6
PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
TCP, UDP, SCTP = 6, 17, 132


class BadAddress(ValueError):
    """Text that is no address, or one that traffic must not be sent to."""


def pack(text: str) -> bytes:
    """An address from its text."""
    try:
        if ":" in text:
            return ipaddress.IPv6Address(text).packed
        return ipaddress.IPv4Address(text).packed
    except ValueError as error:
        raise BadAddress(f"cannot use address {text!r}: {error}") from None


def show(address: bytes) -> str:
    """An address as text."""
    if len(address) == 4:
        return f"{address[0]}.{address[1]}.{address[2]}.{address[3]}"
    return str(ipaddress.IPv6Address(address))


def family_of(address: bytes) -> int:
    """IPV4 or IPV6."""
    return IPV4 if len(address) == 4 else IPV6


def width(family: int) -> int:
    """Bytes of a packed endpoint."""
    return 8 if family == IPV4 else 20


def endpoint(address: bytes, port: int) -> bytes:
    """One packed endpoint."""
    return address + port.to_bytes(2, "big") + b"\0\0"


def split(endpoints: bytes, family: int) -> list[bytes]:
    """The packed endpoints one by one."""
    step = 8 if family == IPV4 else 20
    return [endpoints[i : i + step] for i in range(0, len(endpoints), step)]


def unpack(packed: bytes) -> tuple[bytes, int]:
    """Address and port of one packed endpoint."""
    return packed[:-4], int.from_bytes(packed[-4:-2], "big")


def show_endpoint(packed: bytes) -> str:
    """One packed endpoint as text, as iptables writes it."""
    address, port = unpack(packed)
    return f"{show(address)}:{port}" if len(address) == 4 else f"[{show(address)}]:{port}"


def refusal(address: bytes) -> str:
    """Why traffic must not be sent to this address; empty if it may."""
    if len(address) == 4:
        first = address[0]
        if first == 127:
            return "loopback"
        if first == 169 and address[1] == 254:
            return "link-local"
        if first == 0:
            return "unspecified"
        return "multicast" if first >= 224 else ""
    if address[:15] == b"\0" * 15:
        return "loopback" if address[15] == 1 else "unspecified" if address[15] == 0 else ""
    if address[0] == 0xFE and address[1] & 0xC0 == 0x80:
        return "link-local"
    return "multicast" if address[0] == 0xFF else ""


def network(text: str) -> tuple[bytes, int]:
    """A CIDR as network address and prefix length."""
    try:
        parsed = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise BadAddress(f"cannot use network {text!r}: {error}") from None
    return parsed.network_address.packed, parsed.prefixlen


def mask(family: int, prefix: int) -> bytes:
    """The netmask of a prefix length."""
    bits = 32 if family == IPV4 else 128
    return (((1 << prefix) - 1) << (bits - prefix)).to_bytes(bits // 8, "big")


def join(endpoints: Sequence[bytes]) -> bytes:
    """A list of endpoints in its one order, without repetitions."""
    return b"".join(sorted(set(endpoints)) if len(endpoints) > 1 else endpoints)
