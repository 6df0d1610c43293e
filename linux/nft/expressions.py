"""What rules are made of. Each function packs one expression; registers are numbered as in `wire` (R0 = 8)."""

from linux.nft.wire import attr, nest, text, u8, u32, u64

R0 = 8  # NFT_REG32_00: sixteen registers of 32 bits; addresses of IPv6 take four
VERDICT = 0

LINK_HEADER, NETWORK_HEADER, TRANSPORT_HEADER = 0, 1, 2
META_PROTOCOL, META_PRIORITY, META_MARK, META_IIFNAME, META_L4PROTO = 1, 2, 3, 6, 16
ACCEPT, DROP, JUMP, GOTO = 1, 0, -3, -4
EQUAL, NOT_EQUAL = 0, 1
DYN_UPDATE, DYN_DELETE = 1, 2
FIB_TYPE = 3
FIB_SOURCE, FIB_DESTINATION = 1, 2
ADDRESS_LOCAL = 2  # RTN_LOCAL
CT_STATUS = 2
CT_STATUS_DNAT = 0x20


def expression(name: str, *parts: bytes) -> bytes:
    """An expression of any kind."""
    return nest(1, text(1, name), nest(2, *parts))


def payload(register: int, base: int, offset: int, length: int) -> bytes:
    """Load bytes of a header."""
    return expression("payload", u32(1, register), u32(2, base), u32(3, offset), u32(4, length))


def meta(register: int, key: int) -> bytes:
    """Load a fact about the packet."""
    return expression("meta", u32(2, key), u32(1, register))


def meta_set(register: int, key: int) -> bytes:
    """Store a register in a field of the packet."""
    return expression("meta", u32(2, key), u32(3, register))


def immediate(register: int, value: bytes) -> bytes:
    """register = value"""
    return expression("immediate", u32(1, register), nest(2, attr(1, value)))


def conntrack(register: int, key: int) -> bytes:
    """Load a fact about the connection."""
    return expression("ct", u32(1, register), u32(2, key))


def compare(register: int, operator: int, value: bytes) -> bytes:
    """Go on only if the register compares so."""
    return expression("cmp", u32(1, register), u32(2, operator), nest(3, attr(1, value)))


def bitwise(register: int, mask: bytes, xor: bytes) -> bytes:
    """register = (register & mask) ^ xor, in place."""
    size = len(mask)
    parts = (u32(1, register), u32(2, register), u32(3, size), nest(4, attr(1, mask)), nest(5, attr(1, xor)))
    return expression("bitwise", *parts)


def random_below(register: int, modulus: int) -> bytes:
    """A random number in [0, modulus)."""
    return expression("numgen", u32(1, register), u32(2, modulus), u32(3, 1), u32(4, 0))


def lookup(set_name: str, key: int, result: int | None = None) -> bytes:
    """Find a key in a set or map; the rule ends when it is not there. A verdict map's result is register VERDICT."""
    parts = (text(1, set_name), u32(2, key)) + ((u32(3, result),) if result is not None else ())
    return expression("lookup", *parts)


def absent(set_name: str, key: int) -> bytes:
    """Go on only if a set does not have the key."""
    return expression("lookup", text(1, set_name), u32(2, key), u32(5, 1))


def count() -> bytes:
    """Count packets and bytes that come here."""
    return expression("counter")


def dynamic(set_name: str, operation: int, key: int, data: int | None = None, timeout_ms: int = 0) -> bytes:
    """Update or delete an element from the packet path."""
    parts = [text(1, set_name), u32(3, operation), u32(4, key)]
    if data is not None:
        parts.append(u32(5, data))
    if timeout_ms:
        parts.append(u64(6, timeout_ms))
    return expression("dynset", *parts)


def fib_type(register: int, which: int) -> bytes:
    """The kind of an address of the packet, as the routing table sees it."""
    return expression("fib", u32(1, register), u32(2, FIB_TYPE), u32(3, which))


def dnat(family: int, address: int, port: int) -> bytes:
    """Send the connection to the address and port in these registers."""
    return expression("nat", u32(1, 1), u32(2, family), u32(3, address), u32(5, port))


def masquerade() -> bytes:
    """Make the connection come from this host, from a port chosen at random."""
    return expression("masq", u32(1, 0x10))


def reject_unreachable_family(family_code: int) -> bytes:
    """Refuse with an ICMP code of the table's own family."""
    return expression("reject", u32(1, 0), u8(2, family_code))


def reject_reset() -> bytes:
    """Refuse a TCP connection."""
    return expression("reject", u32(1, 1))


def verdict(code: int, chain: str = "") -> bytes:
    """End the rule with a verdict."""
    parts = (u32(1, code),) + ((text(2, chain),) if chain else ())
    return expression("immediate", u32(1, VERDICT), nest(2, nest(2, *parts)))
