"""Which attachment owns which address and host port: one small SQLite file, shared by the daemon and the stand-alone path.

Theory of operation. An attachment (network, container, interface) is written with its addresses and host ports in one
transaction BEFORE anything is made in the kernel, and removed AFTER everything is gone from it. So whatever a SIGKILL
leaves in the kernel has its row here, and a second DEL or a GC finds it. No address and no host port can be given twice:
they are primary keys. In between a DEL marks the attachment as leaving, so that no rewriting of the rules brings its ports
back; the rules are written while the database's write lock is held, thus in the order of the changes (`writing`).

The file is in WAL mode with synchronous=NORMAL: a commit is 15 us and survives a kill of any process; a power cut may take
the last ones, but also every pod they were for, and cannot damage the file. Which address is given is said in cni.addresses.
A reboot changes nothing here: `plugin.sweep` finds what it ended.
"""

import json
import os
from _thread import RLock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import apsw

from cni import addresses, ranges
from cni.config import PROTOCOLS, NetworkConfig, PortMapping
from cni.errors import IO, PORT_TAKEN, CniError
from cni.ports import mac_for, port_name
from cni.ranges import RangeSet

FILE = "attachments.db"
IPV4, IPV6 = 2, 10  # as nf_tables numbers families
_T = TypeVar("_T")
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
# What made each version of the file from the one before: pods live longer than versions.
_STEPS = (
    _SCHEMA,
    addresses.SCHEMA
    + """
ALTER TABLE attachment ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE attachment ADD COLUMN guard TEXT NOT NULL DEFAULT '';
""",
)


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
    mac: str = ""
    guard: str = ""
    """What the pod may send; see cni.isolation."""


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
    vlan: int = 0
    trunk: tuple[int, ...] = ()
    default_vlan: bool = True
    guard: str = ""

    @property
    def families(self) -> frozenset[int]:
        """The families of IP that its pods have addresses of."""
        return frozenset(IPV6 if ":" in net else IPV4 for net in self.subnets)

    @property
    def gateway_link(self) -> str:
        """The link of the host that has the gateways' addresses."""
        return f"{self.bridge}.{self.vlan}" if self.vlan else self.bridge

    @property
    def gateway_port(self) -> str:
        """The port that leads there, in a VLAN."""
        return port_name(self.name, "", self.gateway_link)


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
        vlan=config.vlans.native,
        trunk=config.vlans.tagged,
        default_vlan=config.vlans.keep_default,
        guard=config.guard,
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
            if self._one("PRAGMA user_version") != len(_STEPS):
                self._upgrade()
            self._db.execute("PRAGMA synchronous=NORMAL")
        except (OSError, apsw.Error) as error:
            raise CniError(IO, f"cannot open {self._path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _upgrade(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        with self.writing():
            found = self._one("PRAGMA user_version")
            if found > len(_STEPS):
                raise CniError(IO, f"cannot use {self._path}: it is of a newer version of wherry ({found})")
            for version, step in enumerate(_STEPS[found:], start=found + 1):
                self._db.execute(f"{step} PRAGMA user_version={version};")

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

    def free(self, config: NetworkConfig, range_set: RangeSet) -> int:
        """How many addresses of a set the next pods may get."""
        with self._lock:
            return self._reading(lambda: addresses.free(self._db, config, range_set))

    # --- what changes

    def reserve(self, owner: Owner, netns: str, link: str, config: NetworkConfig) -> tuple[Attachment, bool]:
        """An address of each set for an attachment, and its host ports; True if it is new. It keeps what it had."""
        with self.writing():
            network = network_of(config)
            facts = json.dumps(
                {key: value for key, value in network._asdict().items() if key not in ("name", "bridge")}
            )
            self._db.execute("INSERT OR REPLACE INTO network VALUES (?,?,?)", (network.name, network.bridge, facts))
            fresh = (
                self._one("SELECT count(*) FROM attachment WHERE network=? AND container=? AND ifname=?", owner) == 0
            )
            ips = addresses.choose(self._db, owner, config)
            mac = config.mac or (ranges.mac_of(ips[0]) if ips else mac_for(*owner))
            row = (*owner, netns, link, mac, config.guard)
            self._db.execute("INSERT OR REPLACE INTO attachment VALUES (?,?,?,?,?,0,?,?)", row)
            self._claim_ports(owner, config.ports)
        return Attachment(owner, netns, link, ips, config.ports, mac=mac, guard=config.guard), fresh

    def leave(self, owner: Owner) -> None:
        """Mark an attachment as going; call inside `writing`, with the rules written before it ends."""
        self._db.execute("UPDATE attachment SET leaving=1 WHERE network=? AND container=? AND ifname=?", owner)

    def release(self, owner: Owner) -> bool:
        """Forget an attachment: its addresses and ports are free. False if there was none. Call inside `writing`."""
        addresses.give_back(self._db, owner)
        for table in ("port", "attachment"):
            self._db.execute(f"DELETE FROM {table} WHERE network=? AND container=? AND ifname=?", owner)
        return self._db.changes() > 0

    def _claim_ports(self, owner: Owner, ports: tuple[PortMapping, ...]) -> None:
        self._db.execute("DELETE FROM port WHERE network=? AND container=? AND ifname=?", owner)
        for mapping in ports:
            query = "SELECT host_ip, network, container, ifname FROM port WHERE protocol=? AND host_port=?"
            rows: list[Any] = self._db.execute(query, (mapping.protocol, mapping.host_port)).fetchall()
            for host_ip, *holder in rows:
                # One pod may have an address and all the others: the address counts first.
                if host_ip == mapping.host_ip or (tuple(holder) != owner and _collide(host_ip, mapping.host_ip)):
                    where = f"{mapping.host_ip or '*'}:{mapping.host_port}/{mapping.protocol}"
                    raise CniError(PORT_TAKEN, f"cannot map host port {where}: container {holder[1]} has it")
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
            # What a later version wrote beside the running daemon is none of our business.
            known: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in json.loads(facts).items()
                if key in Network._fields
            }
            found.append(Network(name, bridge, **known))
        return tuple(found)

    def _attachments(self, where: str, values: tuple[Any, ...] = ()) -> tuple[Attachment, ...]:
        query = f"SELECT network, container, ifname, netns, link, leaving, mac, guard FROM attachment {where}"
        rows: list[Any] = self._db.execute(query, values).fetchall()
        return tuple(self._attachment(Owner(*row[:3]), *row[3:]) for row in rows)

    def _attachment(self, owner: Owner, netns: str, link: str, leaving: int, mac: str, guard: str) -> Attachment:
        query = (
            "SELECT protocol, host_port, pod_port, host_ip FROM port WHERE network=? AND container=? AND ifname=?"
            " ORDER BY protocol, host_port, host_ip"
        )
        ports = tuple(PortMapping(*row) for row in self._db.execute(query, owner))
        return Attachment(owner, netns, link, addresses.held(self._db, owner), ports, bool(leaving), mac, guard)

    def _one(self, query: str, values: tuple[Any, ...] = ()) -> Any:
        row = self._db.execute(query, values).fetchone()
        return None if row is None else row[0]


def _collide(one: str, other: str) -> bool:
    """Whether a packet may be to both: none is every address, 0.0.0.0 and :: are all of their family."""
    if "" in (one, other) or one == other:
        return True
    return (":" in one) == (":" in other) and not {"0.0.0.0", "::"}.isdisjoint((one, other))


def remove(data_dir: str) -> None:
    """Remove the file and its journal."""
    for suffix in ("", "-wal", "-shm"):
        try:
            os.unlink(os.path.join(data_dir, FILE + suffix))
        except FileNotFoundError:
            continue


__all__ = ["PROTOCOLS", "Attachment", "Network", "Owner", "State", "Store", "network_of", "remove"]
