"""Counters with names: they stay when the rules that count in them are written anew."""

from linux.nft import wire
from linux.nft.door import Kernel
from linux.nft.expressions import expression
from linux.nft.wire import attrs, message, nest, number, string, text, u32

NEW, GET, DELETE = 18, 19, 20
_COUNTER = 1


def new_counter(family: int, table: str, name: str) -> bytes:
    """Make a counter; one that exists goes on counting."""
    parts = (text(1, table), text(2, name), u32(3, _COUNTER), nest(4))
    return message(NEW, wire.F_CREATE, family, *parts)


def delete_counter(family: int, table: str, name: str) -> bytes:
    """Remove a counter that no rule counts in."""
    return message(DELETE, 0, family, text(1, table), text(2, name), u32(3, _COUNTER))


def count_in(name: str) -> bytes:
    """An expression: count the packet."""
    return expression("objref", u32(1, _COUNTER), text(2, name))


def counters(door: Kernel, family: int, table: str) -> dict[str, int]:
    """Packets counted by each counter of a table."""
    found = {}
    for body in door.dump(GET, family, text(1, table) + u32(3, _COUNTER)):
        if string(body.get(1)) == table:
            found[string(body.get(2))] = number(attrs(body.get(4, b"")).get(2))
    return found
