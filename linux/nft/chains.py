"""Chains of others that the kernel calls, and rules of ours in them, which a note tells from theirs."""

from typing import NamedTuple

from linux.nft import wire
from linux.nft.door import Kernel
from linux.nft.wire import attr, attrs, message, nest, number, string, text, u64

INET = 1  # NFPROTO_INET: both families in one table
DROP = 0


class BaseChain(NamedTuple):
    """A chain that the kernel calls."""

    family: int
    table: str
    name: str
    kind: str
    hook: int
    policy: int


class NotedRule(NamedTuple):
    """A rule that bears a note."""

    handle: int
    note: str


def base_chains(door: Kernel, family: int) -> list[BaseChain]:
    """All of a family."""
    found = []
    for body in door.dump(wire.GET_CHAIN, family):
        if 4 in body:
            hook = number(attrs(body[4]).get(1))
            chain = BaseChain(family, string(body[1]), string(body[3]), string(body.get(7)), hook, number(body.get(5)))
            found.append(chain)
    return found


def noted_rules(door: Kernel, chain: BaseChain) -> list[NotedRule]:
    """The rules of a chain that bear a note, in order."""
    found = []
    for body in door.dump(wire.GET_RULE, chain.family, text(1, chain.table) + text(2, chain.name)):
        note = body.get(7, b"")
        if (string(body.get(1)), string(body.get(2))) == (chain.table, chain.name) and note[:1] == b"\0":
            found.append(NotedRule(number(body[3]), string(note[2:])))
    return found


def rule_note(words: str) -> bytes:
    """The attribute of a rule that the nft program shows as a comment."""
    data = words.encode() + b"\0"
    return attr(7, bytes((0, len(data))) + data)


def first_rule(chain: BaseChain, words: str, *expressions: bytes) -> bytes:
    """A rule before all others of a chain."""
    parts = (text(1, chain.table), text(2, chain.name), nest(4, *expressions), rule_note(words))
    return message(wire.NEW_RULE, wire.F_CREATE, chain.family, *parts)


def delete_rule(chain: BaseChain, handle: int) -> bytes:
    """Remove one rule."""
    return message(wire.DEL_RULE, 0, chain.family, text(1, chain.table), text(2, chain.name), u64(3, handle))
