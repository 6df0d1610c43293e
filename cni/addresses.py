"""Which address a pod gets: asked for, kept, never given before, or longest at rest.

A new address is one that nobody ever had: a cursor goes through the ranges once. When it has come to the end, that
address is given which has been free for longest (`rested` counts releases). What is `reserved` is given only to those who
ask for it. Every function works inside a transaction of the store.
"""

from collections.abc import Iterator
from typing import Any

import apsw

from cni import ranges
from cni.config import NetworkConfig
from cni.errors import ADDRESS_TAKEN, NO_ADDRESS, CniError
from cni.ranges import RangeSet

SCHEMA = """
CREATE TABLE rested (network TEXT, ip BLOB, turn INTEGER NOT NULL, PRIMARY KEY (network, ip)) STRICT, WITHOUT ROWID;
CREATE INDEX rested_turn ON rested (network, turn);
"""
_REMEMBERED = 1 << 16  # releases; a /64 would fill the disk, and is never used up
_MINE = "network=? AND container=? AND ifname=?"
Owner = tuple[str, str, str]


def choose(db: apsw.Connection, owner: Owner, config: NetworkConfig) -> tuple[bytes, ...]:
    """An address of each set, taken; the owner keeps those that still fit, and loses the others."""
    had = held(db, owner)
    asked = {ranges.parse(ip) for ip in config.ips}
    chosen: list[bytes] = []
    for index, one_set in enumerate(config.range_sets):
        wanted = [ip for ip in sorted(asked) if _holds(one_set, ip)]
        if len(wanted) > 1:
            both = " and ".join(map(ranges.show, wanted))
            raise CniError(ADDRESS_TAKEN, f"cannot give addresses {both}: a pod gets one address of {_shown(one_set)}")
        if wanted:
            if wanted[0] not in had and not _take(db, owner, index, wanted[0]):
                raise CniError(ADDRESS_TAKEN, f"cannot give address {ranges.show(wanted[0])}: another container has it")
            chosen.append(wanted[0])
            continue
        kept = [ip for ip in had if _holds(one_set, ip)]
        chosen.append(kept[0] if kept else _fresh(db, owner, index, one_set, config))
    for ip in asked - set(chosen):
        raise CniError(ADDRESS_TAKEN, f"cannot give address {ranges.show(ip)}: it is in none of this network's ranges")
    for ip in set(had) - set(chosen):
        _rest(db, owner[0], ip)
    return tuple(chosen)


def held(db: apsw.Connection, owner: Owner) -> tuple[bytes, ...]:
    """The addresses of an attachment."""
    rows = db.execute(f"SELECT ip FROM address WHERE {_MINE} ORDER BY range_set, ip", owner)
    return tuple(row[0] for row in rows)


def give_back(db: apsw.Connection, owner: Owner) -> None:
    """Free the addresses of an attachment; they rest longest of all from now on."""
    for ip in held(db, owner):
        _rest(db, owner[0], ip)


def free(db: apsw.Connection, config: NetworkConfig, one_set: RangeSet) -> int:
    """How many addresses of a set nobody has or needs to ask for."""
    pieces = ranges.without(one_set, config.reserved)
    return sum(one.room for one in pieces) - _taken(db, config.name, pieces)


def _fresh(db: apsw.Connection, owner: Owner, index: int, one_set: RangeSet, config: NetworkConfig) -> bytes:
    pieces = ranges.without(one_set, config.reserved)
    if free(db, config, one_set) > 0:
        for ip in _candidates(db, owner[0], index, pieces):
            if _take(db, owner, index, ip):
                return ip
    details = f"{_taken(db, owner[0], pieces)} are in use; DEL of an attachment, or GC, frees addresses"
    raise CniError(NO_ADDRESS, f"no addresses left in {_shown(one_set)} of network {owner[0]}", details)


def _candidates(db: apsw.Connection, network: str, index: int, pieces: RangeSet) -> Iterator[bytes]:
    last = db.execute("SELECT ip FROM cursor WHERE network=? AND range_set=?", (network, index)).fetchone()
    for ip in ranges.candidates(pieces, last[0] if last else None):
        if db.execute("SELECT 1 FROM rested WHERE network=? AND ip=?", (network, ip)).fetchone() is None:
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?,?,?)", (network, index, ip))
            yield ip
    waiting: list[Any] = db.execute("SELECT ip FROM rested WHERE network=? ORDER BY turn", (network,)).fetchall()
    yield from (row[0] for row in waiting if _holds(pieces, row[0]))
    yield from ranges.candidates(pieces, None)  # behind the cursor and never released: ranges that have changed


def _take(db: apsw.Connection, owner: Owner, index: int, ip: bytes) -> bool:
    network, container, ifname = owner
    db.execute("INSERT OR IGNORE INTO address VALUES (?,?,?,?,?)", (network, ip, index, container, ifname))
    if db.changes() != 1:
        return False
    db.execute("DELETE FROM rested WHERE network=? AND ip=?", (network, ip))
    return True


def _rest(db: apsw.Connection, network: str, ip: bytes) -> None:
    db.execute("DELETE FROM address WHERE network=? AND ip=?", (network, ip))
    turn = db.execute("SELECT coalesce(max(turn), 0) + 1 FROM rested WHERE network=?", (network,)).get
    db.execute("INSERT OR REPLACE INTO rested VALUES (?,?,?)", (network, ip, turn))
    db.execute("DELETE FROM rested WHERE network=? AND turn<=?", (network, turn - _REMEMBERED))


def _taken(db: apsw.Connection, network: str, pieces: RangeSet) -> int:
    total = 0
    for one in pieces:
        size = one.subnet.size
        bounds = (network, ranges.data(one.first, size), ranges.data(one.last, size), size, one.gateway)
        query = "SELECT count(*) FROM address WHERE network=? AND ip BETWEEN ? AND ? AND length(ip)=? AND ip<>?"
        total += db.execute(query, bounds).get
    return total


def _holds(one_set: RangeSet, ip: bytes) -> bool:
    return any(one.holds(ip) for one in one_set)


def _shown(one_set: RangeSet) -> str:
    return ", ".join(str(one) for one in one_set)
