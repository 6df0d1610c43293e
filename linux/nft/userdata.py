"""What the nft program stores with a set so that it can show it again as `typeof ip daddr . th dport : ...`.

Without it nft 1.0.6 (Debian 12) aborts on `nft list ruleset`, for the whole host, when a key has an integer part. The
format is libnftnl's: type, length, value, one byte each for the first two, nested; the numbers are nft's own.
"""

import struct
from typing import NamedTuple

from linux.nft.wire import INET4

_PAYLOAD, _META, _CONCATENATION, _NUMGEN = 7, 9, 13, 0x17
_TRANSPORT, _IPV4, _IPV6 = 11, 12, 13
_UNKNOWN, _HOST, _NETWORK = 0, 1, 2  # byte orders
_VERDICT = bytes.fromhex("000401000000" + "0100")


class Part(NamedTuple):
    """One field of a key or of data."""

    kind: int
    description: bytes
    order: int


def _tlv(kind: int, value: bytes) -> bytes:
    return bytes((kind, len(value))) + value


def _number(kind: int, value: int) -> bytes:
    return _tlv(kind, struct.pack("=I", value))


def _payload(protocol: int, field: int) -> Part:
    return Part(_PAYLOAD, _number(0, protocol) + _number(1, field), _NETWORK)


def source(family: int) -> Part:
    """ip saddr, ip6 saddr."""
    return _payload(_IPV4, 11) if family == INET4 else _payload(_IPV6, 8)


def destination(family: int) -> Part:
    """ip daddr, ip6 daddr."""
    return _payload(_IPV4, 12) if family == INET4 else _payload(_IPV6, 9)


PORT = _payload(_TRANSPORT, 2)
PRIORITY = Part(_META, _number(0, 2), _HOST)
PROTOCOL = Part(_META, _number(0, 16), _HOST)
INDEX = Part(_NUMGEN, _number(0, 1) + _number(1, 2) + _number(2, 0), _HOST)


def _typeof(parts: tuple[Part, ...]) -> bytes:
    each = [_number(0, part.kind) + _tlv(1, part.description) for part in parts]
    if len(each) == 1:
        return each[0]
    return _number(0, _CONCATENATION) + _tlv(1, b"".join(_tlv(index, one) for index, one in enumerate(each)))


def _order(parts: tuple[Part, ...]) -> int:
    return parts[0].order if len(parts) == 1 else _UNKNOWN


def of_set(key: tuple[Part, ...]) -> bytes:
    """For a set."""
    return _number(0, _order(key)) + _tlv(3, _typeof(key))


def of_map(key: tuple[Part, ...], data: tuple[Part, ...]) -> bytes:
    """For a map to data."""
    orders = _number(0, _order(key)) + _number(1, _order(data))
    return orders + _tlv(3, _typeof(key)) + _tlv(4, _typeof(data)) + _number(6, 0)


def of_verdict_map(key: tuple[Part, ...]) -> bytes:
    """For a map to verdicts."""
    return _number(0, _order(key)) + _number(1, _UNKNOWN) + _tlv(3, _typeof(key)) + _tlv(4, _VERDICT) + _number(6, 0)
