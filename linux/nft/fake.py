"""A kernel in memory that reads the same messages as the real one, with its rules for errors.

It keeps tables, chains, rules (as bytes) and elements, refuses what the kernel refuses (missing and duplicate objects,
full sets, chains in use) and undoes a refused transaction. It does not run packets. The suite in
tests/contract/nft_door passes on both.
"""

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from linux.nft import wire
from linux.nft.counters import DELETE as DELETE_COUNTER
from linux.nft.counters import NEW as NEW_COUNTER
from linux.nft.door import NftError, Seen, SeenElement
from linux.nft.objects import DATA_VERDICT, SET_MAP
from linux.nft.wire import attrs, number, string

_Undo = list[Callable[[], object]]


@dataclass
class _Set:
    data_type: int | None
    key_size: int
    data_size: int
    size: int | None
    elements: dict[bytes, SeenElement] = field(default_factory=dict)

    def full(self) -> bool:
        return self.size is not None and len(self.elements) >= self.size


@dataclass
class _Table:
    chains: dict[str, list[bytes]] = field(default_factory=dict)
    base: set[str] = field(default_factory=set)
    sets: dict[str, _Set] = field(default_factory=dict)
    counters: set[str] = field(default_factory=set)


class FakeKernel:
    """nf_tables without a kernel. `refuse` makes the next transactions fail with these error numbers."""

    port = 1

    def __init__(self) -> None:
        self._tables: dict[tuple[int, str], _Table] = {}
        self._generation = 1
        self.refuse: list[int] = []
        self.commits = 0

    def close(self) -> None:
        """Nothing to give back."""

    def commit(self, messages: Iterable[bytes]) -> None:
        """Apply all messages as one transaction, or none of them."""
        if self.refuse:
            raise NftError("commit", self.refuse.pop(0))
        undo: _Undo = []
        try:
            for kind, family, body in _split(b"".join(messages)):
                self._apply(kind, family, attrs(body), undo)
        except NftError:
            for step in reversed(undo):
                step()
            raise
        self._generation += 1
        self.commits += 1

    def flush(self) -> None:
        """What `nft flush ruleset` does."""
        self._tables.clear()
        self._generation += 1

    def tables(self, family: int) -> set[str]:
        """The names of all tables."""
        return {name for table_family, name in self._tables if table_family == family}

    def table(self, family: int, name: str) -> Seen | None:
        """One table, or None."""
        table = self._tables.get((family, name))
        if table is None:
            return None
        chains = {chain: len(rules) for chain, rules in table.chains.items()}
        return Seen(chains, {set_name: one.size for set_name, one in table.sets.items()})

    def elements(self, family: int, table: str, set_name: str) -> list[SeenElement]:
        """All elements of a set; an error if there is no such set."""
        return list(self._set(family, table, set_name, "read nf_tables").elements.values())

    def keys(self, family: int, table: str, set_name: str) -> set[bytes]:
        """The keys of all elements of a set; an error if there is no such set."""
        return set(self._set(family, table, set_name, "read nf_tables").elements)

    def generation(self) -> int:
        """A number that changes with every transaction of anybody."""
        return self._generation

    def _table(self, family: int, name: str, what: str) -> _Table:
        table = self._tables.get((family, name))
        if table is None:
            raise NftError(what, errno.ENOENT)
        return table

    def _set(self, family: int, table: str, name: str, what: str) -> _Set:
        found = self._table(family, table, what).sets.get(name)
        if found is None:
            raise NftError(what, errno.ENOENT)
        return found

    def _apply(self, kind: int, family: int, body: dict[int, bytes], undo: _Undo) -> None:
        name = string(body.get(1))
        if kind == wire.NEW_TABLE:
            if (family, name) not in self._tables:
                self._tables[family, name] = _Table()
                undo.append(lambda: self._tables.pop((family, name)))
            return
        if kind == wire.DEL_TABLE:
            table = self._table(family, name, "delete table")
            del self._tables[family, name]
            undo.append(lambda: self._tables.__setitem__((family, name), table))
            return
        table = self._table(family, name, "commit")
        if kind in (wire.NEW_CHAIN, wire.DEL_CHAIN):
            _apply_chain(table, kind, body, undo)
        elif kind in (wire.NEW_RULE, wire.DEL_RULE):
            _apply_rule(table, kind, body, undo)
        elif kind in (wire.NEW_SET, wire.DEL_SET):
            _apply_set(table, kind, body, undo)
        elif kind in (wire.NEW_ELEMENT, wire.DEL_ELEMENT):
            _apply_elements(table, kind, body, undo)
        elif kind in (NEW_COUNTER, DELETE_COUNTER):
            _apply_counter(table, kind, body, undo)
        else:
            raise NftError("commit", errno.EOPNOTSUPP)


def _split(data: bytes) -> Iterable[tuple[int, int, bytes]]:
    offset = 0
    while offset < len(data):
        size, kind, _, _, _, family, _, _ = wire.HEADER.unpack_from(data, offset)
        yield kind & 0xFF, family, data[offset + 20 : offset + size]
        offset += (size + 3) & ~3


def _apply_counter(table: _Table, kind: int, body: dict[int, bytes], undo: _Undo) -> None:
    name, before = string(body.get(2)), set(table.counters)
    if kind == DELETE_COUNTER and name not in before:
        raise NftError("delete counter", errno.ENOENT)
    if kind == DELETE_COUNTER and any(name in _counts(rule) for rules in table.chains.values() for rule in rules):
        raise NftError("delete counter", errno.EBUSY)
    table.counters = before - {name} if kind == DELETE_COUNTER else before | {name}
    undo.append(lambda: setattr(table, "counters", before))


def _counts(rule: bytes) -> set[str]:
    """The counters that a rule names."""
    found = set()
    for _, expression in wire.iterate(rule):
        parts = attrs(expression)
        if string(parts.get(1)) == "objref":
            found.add(string(attrs(parts.get(2, b"")).get(2)))
    return found


def _apply_chain(table: _Table, kind: int, body: dict[int, bytes], undo: _Undo) -> None:
    name = string(body.get(3))
    if kind == wire.NEW_CHAIN:
        if name not in table.chains:
            table.chains[name] = []
            undo.append(lambda: table.chains.pop(name))
            if 4 in body:
                table.base.add(name)
                undo.append(lambda: table.base.discard(name))
        return
    if name not in table.chains:
        raise NftError("delete chain", errno.ENOENT)
    if table.chains[name] or _used(table, name):
        raise NftError("delete chain", errno.EBUSY)
    del table.chains[name]
    undo.append(lambda: table.chains.__setitem__(name, []))


def _used(table: _Table, chain: str) -> bool:
    jumps = any(chain in _references(rule)[1] for rules in table.chains.values() for rule in rules)
    return jumps or any(e.chain == chain for one in table.sets.values() for e in one.elements.values())


def _references(rule: bytes) -> tuple[set[str], set[str]]:
    """The sets and the chains that a rule names."""
    sets, chains = set(), set()
    for _, expression in wire.iterate(rule):
        parts = attrs(expression)
        inner = attrs(parts.get(2, b""))
        kind = string(parts.get(1))
        if kind in ("lookup", "dynset"):
            sets.add(string(inner.get(1)))
        elif kind == "immediate":
            verdict = attrs(attrs(inner.get(2, b"")).get(2, b""))
            if 2 in verdict:
                chains.add(string(verdict[2]))
    return sets, chains


def _apply_rule(table: _Table, kind: int, body: dict[int, bytes], undo: _Undo) -> None:
    name = string(body.get(2))
    if name not in table.chains:
        raise NftError("add rule" if kind == wire.NEW_RULE else "delete rule", errno.ENOENT)
    before = table.chains[name]
    if kind == wire.DEL_RULE:
        table.chains[name] = []
    else:
        rule = body.get(4, b"")
        sets, chains = _references(rule)
        if not (sets <= table.sets.keys() and chains <= table.chains.keys() and _counts(rule) <= table.counters):
            raise NftError("add rule", errno.ENOENT)
        table.chains[name] = [*before, rule]
    undo.append(lambda: table.chains.__setitem__(name, before))


def _apply_set(table: _Table, kind: int, body: dict[int, bytes], undo: _Undo) -> None:
    name = string(body.get(2))
    if kind == wire.DEL_SET:
        if name not in table.sets:
            raise NftError("delete set", errno.ENOENT)
        if any(name in _references(rule)[0] for rules in table.chains.values() for rule in rules):
            raise NftError("delete set", errno.EBUSY)
        old = table.sets.pop(name)
        undo.append(lambda: table.sets.__setitem__(name, old))
    elif name not in table.sets:
        described = attrs(body.get(9, b""))
        data_type = number(body.get(6)) if number(body.get(3)) & SET_MAP else None
        size = number(described[1]) if 1 in described else None
        table.sets[name] = _Set(data_type, number(body.get(5)), number(body.get(7)), size)
        undo.append(lambda: table.sets.pop(name))


def _apply_elements(table: _Table, kind: int, body: dict[int, bytes], undo: _Undo) -> None:
    found = table.sets.get(string(body.get(2)))
    what = "add element" if kind == wire.NEW_ELEMENT else "delete element"
    if found is None:
        raise NftError(what, errno.ENOENT)
    for _, raw in wire.iterate(body.get(3, b"")):
        parts = attrs(raw)
        key = attrs(parts.get(1, b"")).get(1, b"")
        if len(key) != found.key_size:
            raise NftError(what, errno.EINVAL)
        if kind == wire.NEW_ELEMENT:
            _add(table, found, key, parts, undo)
        else:
            _remove(found, key, undo)


def _add(table: _Table, found: _Set, key: bytes, parts: dict[int, bytes], undo: _Undo) -> None:
    data = attrs(parts.get(2, b""))
    chain = string(attrs(data.get(2, b"")).get(2))
    new = SeenElement(key, data.get(1, b""), chain, number(parts.get(4)), number(parts.get(5)))
    if found.data_type == DATA_VERDICT:
        if chain and chain not in table.chains:  # accept and drop lead nowhere
            raise NftError("add element", errno.ENOENT)
    elif found.data_type is not None and len(new.data) != found.data_size:
        raise NftError("add element", errno.EINVAL)
    old = found.elements.get(key)
    if old is not None:
        if (old.data, old.chain) != (new.data, new.chain):
            raise NftError("add element", errno.EEXIST)
        return
    if found.full():
        raise NftError("add element", errno.ENFILE)
    found.elements[key] = new
    undo.append(lambda: found.elements.pop(key))


def _remove(found: _Set, key: bytes, undo: _Undo) -> None:
    old = found.elements.pop(key, None)
    if old is None:
        raise NftError("delete element", errno.ENOENT)
    undo.append(lambda: found.elements.__setitem__(key, old))
