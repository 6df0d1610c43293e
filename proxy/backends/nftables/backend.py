"""The nftables backend: owns `table ip wherry-proxy` and `table ip6 wherry-proxy`.

A change is one transaction for both families, made from the layouts in memory; nothing is read first. Any refusal by
the kernel makes the layouts worthless, and the loop replaces everything: also one transaction, so packets see the old
rules or the new ones and never none. Session affinity that clients have is carried over.

Others' transactions are heard by a netlink monitor (`watch`): whoever touches our tables gets them rewritten at once.
"""

import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from linux.nft import Door, Monitor, NftError
from linux.nft.elements import expiring_element
from proxy.backends.interface import PROBES, BackendError, RebuildNeeded, Suspicion, Watch
from proxy.backends.nftables.layout import Layout, Memory
from proxy.backends.nftables.reading import read_family, read_memory
from proxy.backends.nftables.schema import (
    AFF_EPS,
    AFFINITY,
    PROBE_TABLE,
    SIZED,
    TABLE,
    TABLE_FAMILIES,
    Schema,
)
from proxy.model.facts import Facts
from proxy.plan.desired import Desired
from proxy.plan.diff import Change
from proxy.plan.expected import Reading

COUNTED = 5000  # maps up to this size are counted by `check`: a dump of 250,000 elements takes seconds


class NftablesBackend:
    """Programs nftables through its door."""

    name = "nftables"
    quick = True
    check_seconds = 60.0

    def __init__(self, door: Door, monitor: Callable[[], Monitor] | None = None) -> None:
        self._door = door
        self._monitor = monitor
        self._families: tuple[int, ...] | None = None
        self._layouts: dict[int, Layout] = {}
        self.commits = 0  # our transactions so far
        self._untouched: int | None = None  # the kernel's generation less our transactions, while nobody else makes any

    def probe(self) -> str:
        """Why this kernel cannot do it; empty if it can do at least one family."""
        reasons: dict[int, str] = {}
        for family in TABLE_FAMILIES:
            for _ in range(PROBES):
                try:
                    self._door.commit(_trial(family))
                except NftError as error:
                    reasons[family] = str(error)
                else:
                    reasons.pop(family, None)
                    break
        self._families = tuple(family for family in TABLE_FAMILIES if family not in reasons)
        return "" if self._families else f"the kernel's nf_tables lacks something: {reasons[4]}"

    def families(self) -> tuple[int, ...]:
        """The address families that the kernel can do."""
        if self._families is None:
            self.probe()
        return self._families or ()

    def replace(self, desired: Collection[Desired], facts: Facts) -> None:
        """Make the kernel hold exactly this, whatever it held."""
        layouts: dict[int, Layout] = {}
        messages: list[bytes] = []
        self._layouts = {}
        for family in self.families():
            memory = self._memory(family)
            layout = Layout(Schema(family), facts, memory)
            messages += layout.fill(one for one in desired if one.family == family)
            messages += self._carried_affinity(layout)
            layouts[family] = layout
        before = self._door.generation() - self.commits
        self._commit(messages)
        self._untouched = before if self._door.generation() - self.commits == before else None
        self._layouts = layouts

    def apply(self, changes: Sequence[Change]) -> None:
        """Make these changes to what the last `replace` and `apply` left."""
        layouts, self._layouts = self._layouts, {}
        if not layouts:
            raise RebuildNeeded("cannot change the tables: their state is not known")
        messages: list[bytes] = []
        for family, layout in layouts.items():
            mine = [change for change in changes if change.subject.family == family]
            if mine:
                messages += layout.change(mine)
        if messages:
            self._commit(messages)
        self._layouts = layouts

    def check(self) -> list[str]:
        """What is not as we left it, as far as it can be seen cheaply; one question if nobody else made a transaction."""
        found: list[str] = []
        now = self._door.generation() - self.commits
        if now == self._untouched:
            return found
        for family, layout in self._layouts.items():
            where = f"table {'ip' if family == 4 else 'ip6'} {TABLE}"
            seen = self._door.table(TABLE_FAMILIES[family], TABLE)
            if seen is None:
                found.append(f"{where} is gone")
                continue
            if seen.chains != dict(layout.schema.rules):
                found.append(f"{where}: chains differ")
            if {name: seen.sets.get(name) for name in SIZED} != layout.sizes:
                found.append(f"{where}: maps differ")
                continue
            for name in SIZED:
                if layout.counts[name] <= COUNTED:
                    count = len(self._door.elements(TABLE_FAMILIES[family], TABLE, name))
                    if count != layout.counts[name]:
                        found.append(f"{where}: map {name} has {count} elements, not {layout.counts[name]}")
        self._untouched = None if found else now
        return found

    def read(self) -> Reading:
        """What the kernel holds now."""
        readings = [read_family(self._door, family) for family in self.families()]
        frontends = {slot: frontend for reading in readings for slot, frontend in reading.frontends.items()}
        cluster_ips = frozenset().union(*(reading.cluster_ips for reading in readings))
        return Reading(frontends, cluster_ips, frozenset().union(*(reading.here for reading in readings)))

    def cleanup(self) -> list[str]:
        """Remove our tables."""
        self._layouts = {}
        removed = []
        for family, nf in TABLE_FAMILIES.items():
            try:
                for table in sorted(self._door.tables(nf) & {TABLE, PROBE_TABLE}):
                    self._door.commit([Schema(family, table).destroy()])
                    removed.append(f"nftables table {'ip' if family == 4 else 'ip6'} {table}")
            except NftError as error:
                raise BackendError(f"cannot clean up nftables: {error}") from error
        return removed

    def watch(self) -> Watch | None:
        """Hears of others' changes."""
        return _NftWatch(self._monitor(), self, self._door) if self._monitor is not None else None

    def rule_counts(self) -> Mapping[tuple[str, int], int]:
        """Rules do not depend on Services here."""
        return {}

    def written(self) -> Mapping[tuple[str, int], int]:
        """Nothing is written as rules."""
        return {}

    def close(self) -> None:
        """Give the socket back; the rules stay."""
        self._door.close()

    def _commit(self, messages: list[bytes]) -> None:
        try:
            self._door.commit(messages)
        except NftError as error:
            raise BackendError(f"cannot program nftables: {error}") from error
        self.commits += 1

    def _memory(self, family: int) -> Memory:
        try:
            return read_memory(self._door, family)
        except (NftError, KeyError, IndexError, struct.error):
            return Memory()  # another layout, or somebody else's table: affinity starts anew

    def _carried_affinity(self, layout: Layout) -> list[bytes]:
        """The affinity that clients have, for endpoints that are still there under the same name."""
        names = layout.affine_names()
        if not names:
            return []
        try:
            nf = TABLE_FAMILIES[layout.schema.family]
            known = {e.key for e in self._door.elements(nf, TABLE, AFF_EPS)}
            entries = self._door.elements(nf, TABLE, AFFINITY) if known else []
        except NftError:
            return []
        kept = [
            expiring_element(entry.key, entry.data, entry.timeout_ms or 10_800_000, entry.left_ms)
            for entry in entries
            if entry.data in names and entry.data in known
        ]
        return list(layout.schema.adds[AFFINITY].mixed(kept))


def _trial(family: int) -> list[bytes]:
    """Everything the backend uses, made and removed in one transaction: it is never seen by a packet."""
    table = Schema(family, PROBE_TABLE)
    return [
        *table.create(dict.fromkeys(SIZED, 16), None),
        *table.balancer(2, 1, 0),
        *table.balancer(3, 1, 60),
        table.destroy(),
    ]


class _NftWatch:
    """A monitor that knows our own transactions from others'."""

    def __init__(self, monitor: Monitor, backend: NftablesBackend, door: Door) -> None:
        self._monitor = monitor
        self._backend = backend
        self._door = door
        self._missed = False

    def fileno(self) -> int:
        """To wait on."""
        return self._monitor.fileno()

    def suspicion(self) -> Suspicion:
        """What others' transactions since the last call mean for us."""
        notice = self._monitor.read(self._door.port)
        missed, self._missed = self._missed, False
        if any(table == TABLE for _, table in notice.tables):
            return Suspicion.DAMAGED
        return Suspicion.LOOK if notice.lost or missed else Suspicion.NONE

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Do not listen to a big transaction of our own; if others were busy meanwhile, look afterwards."""
        before, ours = self._door.generation(), self._backend.commits
        with self._monitor.deaf():
            yield
        self._missed = self._door.generation() - before != self._backend.commits - ours

    def close(self) -> None:
        """Stop listening."""
        self._monitor.close()
