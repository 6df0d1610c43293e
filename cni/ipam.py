"""Which attachment owns which address and host port: one small SQLite file, shared by the daemon and the stand-alone path.

Theory of operation. An attachment (network, container, interface) is written with its addresses and host ports in one
transaction BEFORE anything is made in the kernel, and removed AFTER everything is gone from it. So whatever a SIGKILL
leaves in the kernel has its row here, and a second DEL or a GC finds it. No address and no host port can be given twice:
they are primary keys. In between a DEL marks the attachment as leaving, so that no rewriting of the rules brings its ports
back; the rules are written while the database's write lock is held, thus in the order of the changes (`writing`).

The file is in WAL mode with synchronous=NORMAL: a commit is 15 us and survives a kill of any process; a power cut may take
the last ones, but also every pod they were for, and cannot damage the file. Addresses are given round robin, so that a freed
one rests as long as possible; `cursor` remembers where. A reboot changes nothing here: `dead` finds what it ended.
"""

import json
import os
from _thread import RLock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import apsw

from cni import ranges
from cni.config import PROTOCOLS, NetworkConfig, PortMapping
from cni.errors import ADDRESS_TAKEN, IO, NO_ADDRESS, PORT_TAKEN, CniError
from cni.ranges import RangeSet

FILE = "attachments.db"
_T = TypeVar("_T")
_SCHEMA_VERSION = 1
_BUSY_MS = 20_000
_SCHEMA = """
CREATE TABLE network (name TEXT PRIMARY KEY, bridge TEXT NOT NULL, facts TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE attachment (
    network TEXT, container TEXT, ifname TEXT, netns TEXT NOT NULL, link TEXT NOT NULL, leaving INTEGER NOT NULL,
    PRIMARY KEY (network, container, ifname)) STRICT, WITHOUT ROWID;
CREATE TABLE address (
    network TEXT, ip BLOB, range_set INTEGER NOT NULL, container TEXT NOT NULL, ifname TEXT NOT NULL,
    PRIMARY KEY (network, ip)) STRICT, WITHOUT ROWID;
CREATE INDEX address_owner ON address (network, container, ifname);
CREATE TABLE port (
    host_ip TEXT, protocol TEXT, host_port INTEGER, pod_port INTEGER NOT NULL,
    network TEXT NOT NULL, container TEXT NOT NULL, ifname TEXT NOT NULL,
    PRIMARY KEY (protocol, host_port, host_ip)) STRICT, WITHOUT ROWID;
CREATE INDEX port_owner ON port (network, container, ifname);
CREATE TABLE cursor (network TEXT, range_set INTEGER, ip BLOB NOT NULL, PRIMARY KEY (network, range_set))
    STRICT, WITHOUT ROWID;
"""


class Owner(NamedTuple):
    """An attachment's name."""

    network: str
    container: str
    ifname: str


class Attachment(NamedTuple):
    """An interface of a container, and what it owns."""

    owner: Owner
    netns: str
    link: str
    ips: tuple[bytes, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    leaving: bool = False


class Network(NamedTuple):
    """What the rules and the bridge are made of, as a network's last ADD said."""

    name: str
    bridge: str
    subnets: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()
    masquerade: bool = False
    gateways: tuple[str, ...] = ()
    """With their prefix: "10.244.0.1/24"; empty if the bridge is no gateway."""
    hairpin: bool = False


class State(NamedTuple):
    """Everything that the rules are made of."""

    networks: tuple[Network, ...]
    attachments: tuple[Attachment, ...]


def network_of(config: NetworkConfig) -> Network:
    """What is kept of a configuration."""
    gateways = [f"{ranges.show(r.gateway)}/{r.subnet.prefix}" for one_set in config.range_sets for r in one_set]
    return Network(
        name=config.name,
        bridge=config.bridge,
        subnets=tuple(str(net) for net in config.subnets),
        cluster=tuple(str(net) for net in config.cluster),
        masquerade=config.masquerade,
        gateways=tuple(dict.fromkeys(gateways)) if config.is_gateway else (),
        hairpin=config.hairpin,
    )


class Store:
    """The file, opened. Safe for threads; several processes may have it open."""

    def __init__(self, data_dir: str) -> None:
        self._lock = RLock()
        self._path = os.path.join(data_dir, FILE)
        try:
            os.makedirs(data_dir, mode=0o700, exist_ok=True)
            self._db = apsw.Connection(self._path)
            self._db.set_busy_timeout(_BUSY_MS)
            if self._one("PRAGMA user_version") != _SCHEMA_VERSION:
                self._create()
            self._db.execute("PRAGMA synchronous=NORMAL")
        except (OSError, apsw.Error) as error:
            raise CniError(IO, f"cannot open {self._path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _create(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        with self.writing():
            found = self._one("PRAGMA user_version")
            if found == 0:
                self._db.execute(_SCHEMA + f"PRAGMA user_version={_SCHEMA_VERSION};")
            elif found != _SCHEMA_VERSION:
                raise CniError(IO, f"cannot use {self._path}: it is of a newer version of wherry ({found})")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction; nobody else, in any process, writes meanwhile."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except apsw.Error as error:
                raise CniError(IO, f"cannot write {self._path}: {error}") from error
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, apsw.Error):
                    raise CniError(IO, f"cannot write {self._path}: {error}") from error
                raise

    # --- what is there

    def state(self) -> State:
        """Networks and attachments."""
        with self._lock:
            return self._reading(lambda: State(self._networks(), self._attachments("")))

    def network(self, name: str) -> Network | None:
        """A network as last seen."""
        with self._lock:
            return next((found for found in self._reading(self._networks) if found.name == name), None)

    def find(self, owner: Owner) -> Attachment | None:
        """An attachment."""
        where = "WHERE network = ? AND container = ? AND ifname = ?"
        with self._lock:
            found = self._reading(lambda: self._attachments(where, owner))
        return found[0] if found else None

    def free(self, network: str, range_set: RangeSet) -> int:
        """How many addresses of a set nobody has."""
        with self._lock:
            return self._reading(lambda: sum(one.room for one in range_set) - self._taken(network, range_set))

    # --- what changes

    def reserve(self, owner: Owner, netns: str, link: str, config: NetworkConfig) -> tuple[Attachment, bool]:
        """An address of each set for an attachment, and its host ports; True if it is new. It keeps what it had."""
        with self.writing():
            had = self._ips(owner)
            network = network_of(config)
            facts = json.dumps(
                {key: value for key, value in network._asdict().items() if key not in ("name", "bridge")}
            )
            self._db.execute("INSERT OR REPLACE INTO network VALUES (?,?,?)", (network.name, network.bridge, facts))
            fresh = (
                self._one("SELECT count(*) FROM attachment WHERE network=? AND container=? AND ifname=?", owner) == 0
            )
            self._db.execute("INSERT OR REPLACE INTO attachment VALUES (?,?,?,?,?,0)", (*owner, netns, link))
            asked = {ranges.parse(ip) for ip in config.ips}
            chosen = []
            for index, range_set in enumerate(config.range_sets):
                chosen.append(self._choose(owner, index, range_set, asked, had))
            if asked - set(chosen):
                stray = ranges.show(min(asked - set(chosen)))
                raise CniError(ADDRESS_TAKEN, f"cannot give address {stray}: it is in none of this network's ranges")
            for ip in set(had) - set(chosen):
                self._db.execute("DELETE FROM address WHERE network = ? AND ip = ?", (owner.network, ip))
            self._claim_ports(owner, config.ports)
        return Attachment(owner, netns, link, tuple(chosen), config.ports), fresh

    def leave(self, owner: Owner) -> None:
        """Mark an attachment as going; call inside `writing`, with the rules written before it ends."""
        self._db.execute("UPDATE attachment SET leaving=1 WHERE network=? AND container=? AND ifname=?", owner)

    def release(self, owner: Owner) -> bool:
        """Forget an attachment: its addresses and ports are free. False if there was none."""
        with self.writing():
            for table in ("address", "port", "attachment"):
                self._db.execute(f"DELETE FROM {table} WHERE network=? AND container=? AND ifname=?", owner)
            return self._db.changes() > 0

    def _choose(self, owner: Owner, index: int, one_set: RangeSet, asked: set[bytes], had: tuple[bytes, ...]) -> bytes:
        wanted = [ip for ip in asked if any(one.holds(ip) for one in one_set)]
        if wanted:
            if wanted[0] not in had and not self._take(owner, index, wanted[0]):
                raise CniError(ADDRESS_TAKEN, f"cannot give address {ranges.show(wanted[0])}: another container has it")
            return wanted[0]
        for ip in had:
            if any(one.holds(ip) for one in one_set):
                return ip
        last = self._one("SELECT ip FROM cursor WHERE network=? AND range_set=?", (owner.network, index))
        if self._taken(owner.network, one_set) < sum(one.room for one in one_set):
            for ip in ranges.candidates(one_set, last):
                if self._take(owner, index, ip):
                    self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?,?,?)", (owner.network, index, ip))
                    return ip
        shown = ", ".join(str(one) for one in one_set)
        taken = self._taken(owner.network, one_set)
        details = f"{taken} are in use; DEL of an attachment, or GC, frees addresses"
        raise CniError(NO_ADDRESS, f"no addresses left in {shown} of network {owner.network}", details)

    def _take(self, owner: Owner, index: int, ip: bytes) -> bool:
        row = (owner.network, ip, index, owner.container, owner.ifname)
        self._db.execute("INSERT OR IGNORE INTO address VALUES (?,?,?,?,?)", row)
        return self._db.changes() == 1

    def _taken(self, network: str, range_set: RangeSet) -> int:
        total = 0
        for one in range_set:
            size = one.subnet.size
            bounds = (network, ranges.data(one.first, size), ranges.data(one.last, size), size, one.gateway)
            total += self._one(
                "SELECT count(*) FROM address WHERE network=? AND ip BETWEEN ? AND ? AND length(ip)=? AND ip<>?", bounds
            )
        return total

    def _claim_ports(self, owner: Owner, ports: tuple[PortMapping, ...]) -> None:
        self._db.execute("DELETE FROM port WHERE network=? AND container=? AND ifname=?", owner)
        for mapping in ports:
            taken = self._db.execute(
                "SELECT container FROM port WHERE protocol=? AND host_port=? AND (host_ip=? OR host_ip='' OR ?='')",
                (mapping.protocol, mapping.host_port, mapping.host_ip, mapping.host_ip),
            ).fetchone()
            if taken is not None:
                where = f"{mapping.host_ip or '*'}:{mapping.host_port}/{mapping.protocol}"
                raise CniError(PORT_TAKEN, f"cannot map host port {where}: container {taken[0]} has it")
            row = (mapping.host_ip, mapping.protocol, mapping.host_port, mapping.pod_port, *owner)
            self._db.execute("INSERT INTO port VALUES (?,?,?,?,?,?,?)", row)

    # --- reading

    def _reading(self, read: Callable[[], _T]) -> _T:
        try:
            with self._db:  # one view of the file for all queries
                found = read()
        except apsw.Error as error:
            raise CniError(IO, f"cannot read {self._path}: {error}") from error
        return found

    def _networks(self) -> tuple[Network, ...]:
        found = []
        for name, bridge, facts in self._db.execute("SELECT name, bridge, facts FROM network ORDER BY name"):
            known: dict[str, Any] = {
                key: tuple(v) if isinstance(v, list) else v for key, v in json.loads(facts).items()
            }
            found.append(Network(name, bridge, **known))
        return tuple(found)

    def _attachments(self, where: str, values: tuple[Any, ...] = ()) -> tuple[Attachment, ...]:
        query = f"SELECT network, container, ifname, netns, link, leaving FROM attachment {where}"
        rows: list[Any] = self._db.execute(query, values).fetchall()
        return tuple(self._attachment(Owner(*row[:3]), *row[3:]) for row in rows)

    def _attachment(self, owner: Owner, netns: str, link: str, leaving: int) -> Attachment:
        query = (
            "SELECT protocol, host_port, pod_port, host_ip FROM port WHERE network=? AND container=? AND ifname=?"
            " ORDER BY protocol, host_port, host_ip"
        )
        ports = tuple(PortMapping(*row) for row in self._db.execute(query, owner))
        return Attachment(owner, netns, link, self._ips(owner), ports, bool(leaving))

    def _ips(self, owner: Owner) -> tuple[bytes, ...]:
        query = "SELECT ip FROM address WHERE network=? AND container=? AND ifname=? ORDER BY range_set, ip"
        return tuple(row[0] for row in self._db.execute(query, owner))

    def _one(self, query: str, values: tuple[Any, ...] = ()) -> Any:
        row = self._db.execute(query, values).fetchone()
        return None if row is None else row[0]


def remove(data_dir: str) -> None:
    """Remove the file and its journal."""
    for suffix in ("", "-wal", "-shm"):
        try:
            os.unlink(os.path.join(data_dir, FILE + suffix))
        except FileNotFoundError:
            continue


__all__ = ["PROTOCOLS", "Attachment", "Network", "Owner", "State", "Store", "network_of", "remove"]
