"""The iptables backend: chains WHERRY-*, in the tables nat and filter, of both families.

`replace` reads what is there once, then writes everything in one restore per family; `apply` writes the chains that the
changes touch. Others' rules are never named. The legacy variant's tables are asked for their size every second, which
costs microseconds, and read only if that changed without us; the nft variant's are heard through netlink.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from linux.iptables import LEGACY, Extent, Iptables, IptablesError
from linux.nft import Kernel, Monitor
from proxy.backends.interface import PROBES, BackendError, RebuildNeeded, Suspicion, Watch
from proxy.backends.iptables.chains import TABLES, Chains, Rules, differences, removal, replacement, rules_in
from proxy.backends.iptables.reading import read_tables
from proxy.backends.iptables.render import HOOKS, PREFIX, Entries, render, skeleton
from proxy.model.facts import Facts
from proxy.plan.desired import Desired
from proxy.plan.diff import Change
from proxy.plan.expected import Reading

FAMILIES = (4, 6)


class IptablesBackend:
    """Programs iptables through its door."""

    name = "iptables"
    quick = False
    check_seconds = 600.0  # reading 50,000 rules takes a quarter of a second; the watch sees what comes and goes

    def __init__(
        self, door: Iptables, monitor: Callable[[], Monitor] | None = None, rules: Rules | None = None
    ) -> None:
        self._rules: Rules = rules or _ServiceRules()
        self._door = door
        self._monitor = monitor
        self._families: tuple[int, ...] | None = None
        self._facts = Facts()
        self._chains: dict[int, Chains] = {}
        self._written: Counter[tuple[str, int]] = Counter()
        self.commits = 0  # tables written so far

    @property
    def variant(self) -> str:
        """Which kind of iptables it writes to."""
        return self._door.variant

    def probe(self) -> str:
        """Why this machine cannot do it; empty if it can do at least one family."""
        reasons: dict[int, str] = {}
        for family in FAMILIES:
            for _ in range(PROBES):
                try:
                    self._door.restore(family, self._rules.trial(family))
                except IptablesError as error:
                    reasons[family] = str(error)
                else:
                    reasons.pop(family, None)
                    break
        self._families = tuple(family for family in FAMILIES if family not in reasons)
        return "" if self._families else f"iptables does not do what is needed: {reasons[4]}"

    def families(self) -> tuple[int, ...]:
        """The address families that the kernel can do."""
        if self._families is None:
            self.probe()
        return self._families or ()

    def replace(self, desired: Collection[Desired], facts: Facts) -> None:
        """Make our chains hold exactly this, whatever they held."""
        self._facts = facts
        self._chains = {}
        made: dict[int, Chains] = {}
        self._written.clear()
        for family in self.families():
            chains = made[family] = Chains()
            chains.change([({}, self._rules.skeleton(family, facts))])
            for one in desired:
                if one.family == family:
                    chains.change([({}, self._rules.render(one, facts))])
            chains.text()  # all of it is about to be written
            wanted = chains.all()
            self._restore(family, replacement(self._rules, wanted, self.saved(family)))
        self._chains = made

    def apply(self, changes: Sequence[Change]) -> None:
        """Write the chains that these changes touch."""
        made, self._chains = self._chains, {}
        if not made:
            raise RebuildNeeded("cannot change the chains: their state is not known")
        self._written.clear()
        for family, chains in made.items():
            chains.change(self._rendered(change) for change in changes if change.subject.family == family)
            text = chains.text()
            if text:
                self._restore(family, text)
        self._chains = made

    def _rendered(self, change: Change) -> tuple[Entries, Entries]:
        old, new = change.old, change.new
        render = self._rules.render
        return render(old, self._facts) if old else {}, render(new, self._facts) if new else {}

    def check(self) -> list[str]:
        """What is not as we left it."""
        return [
            f"{problem} (IPv{family})"
            for family, chains in self._chains.items()
            for problem in differences(self._rules, chains.all(), self.saved(family))
        ]

    def read(self) -> Reading:
        """What the kernel holds now."""
        readings = [read_tables(family, self.saved(family)) for family in self.families()]
        frontends = {slot: frontend for reading in readings for slot, frontend in reading.frontends.items()}
        cluster_ips = frozenset[bytes]().union(*(reading.cluster_ips for reading in readings))
        return Reading(frontends, cluster_ips, frozenset[bytes]().union(*(reading.here for reading in readings)))

    def cleanup(self) -> list[str]:
        """Remove our chains and the jumps to them."""
        self._chains = {}
        removed = []
        for family in FAMILIES:
            try:
                text = removal(self._rules.prefix, {table: self._door.save(family, table) for table in TABLES})
            except IptablesError:
                continue  # not installed, or a family that the kernel does not have: nothing of ours is there
            if text:
                self._restore(family, text)
                for table in TABLES:
                    self._forget(family, table)
                removed.append(f"iptables chains {self._rules.prefix}* (IPv{family}, {self._door.variant or 'plain'})")
        return removed

    def _forget(self, family: int, table: str) -> None:
        try:
            self._door.forget(family, table)
        except IptablesError as error:
            raise BackendError(f"cannot clean up iptables: {error}") from error

    def rule_counts(self) -> Mapping[tuple[str, int], int]:
        """Rules of ours by table and family."""
        return {(table, family): self._chains[family].totals[table] for family in self._chains for table in TABLES}

    def written(self) -> Mapping[tuple[str, int], int]:
        """Rules in what was last written, by table and family."""
        return self._written

    def entry_counts(self) -> Mapping[tuple[str, int], int]:
        """What our chains take up in a legacy table, by table and family."""
        return {(table, family): self._chains[family].entries(table) for family in self._chains for table in TABLES}

    def watch(self) -> Watch | None:
        """Hears of others' changes."""
        if self._door.variant == LEGACY:
            return _LegacyWatch(self, self._door)
        return _NftWatch(self, self._monitor()) if self._monitor is not None else None

    def close(self) -> None:
        """There is nothing to give back; the rules stay."""

    def saved(self, family: int) -> dict[str, list[str]]:
        """All lines of both tables."""
        try:
            return {table: self._door.save(family, table) for table in TABLES}
        except IptablesError as error:
            raise BackendError(f"cannot read iptables: {error}") from error

    def _restore(self, family: int, text: str) -> None:
        try:
            self._door.restore(family, text)
            self.commits += text.count("\nCOMMIT\n")
            for table, count in rules_in(text).items():
                self._written[table, family] += count
        except IptablesError as error:
            raise BackendError(f"cannot program iptables: {error}") from error


def _trial(family: int) -> str:
    """Every match and target the backend uses, in chains that are made and removed by the same commit."""
    address, pod = ("192.0.2.1", "192.0.2.2:80") if family == 4 else ("2001:db8::1", "[2001:db8::2]:80")
    name = "WHERRY-PROBE"
    return "\n".join(
        (
            "*nat",
            f":{name} - [0:0]",
            f'-A {name} -d {address} -p tcp -m tcp --dport 80 -m comment --comment "probe" -j MARK --set-xmark 0x4000/0x4000',
            f"-A {name} -m addrtype --dst-type LOCAL -m conntrack --ctstate DNAT -j RETURN",
            f"-A {name} -m recent --rcheck --seconds 60 --reap --name {name} --rsource -j RETURN",
            f"-A {name} -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination {pod}",
            f"-F {name}",
            f"-X {name}",
            "COMMIT",
            "*filter",
            f":{name} - [0:0]",
            f"-A {name} -p tcp -m mark --mark 0x4000/0x4000 -j REJECT --reject-with tcp-reset",
            f"-F {name}",
            f"-X {name}",
            "COMMIT",
            "",
        )
    )


class _ServiceRules:
    """The rules that do all of a Service by themselves."""

    prefix: str = PREFIX
    hooks: tuple[tuple[str, str, str], ...] = HOOKS
    behind: str = ""
    skeleton, render, trial = staticmethod(skeleton), staticmethod(render), staticmethod(_trial)


class _LegacyWatch:
    """Compares the size of the tables with what it was after our last change."""

    def __init__(self, backend: IptablesBackend, door: Iptables) -> None:
        self._backend = backend
        self._door = door
        self._where = [(table, family) for family in backend.families() for table in TABLES]
        self._known = self._now()
        self._missed = False

    def _now(self) -> list[Extent]:
        return [self._door.extent(family, table) for table, family in self._where]

    def fileno(self) -> int:
        """There is nothing to wait on."""
        return -1

    def suspicion(self) -> Suspicion:
        """LOOK if the tables have another size."""
        before, self._known = self._known, self._now()
        missed, self._missed = self._missed, False
        return Suspicion.LOOK if missed or before != self._known else Suspicion.NONE

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Around our own changes: the tables should grow by what we add, or others were busy as well."""
        before, ours = self._now(), self._backend.entry_counts()
        yield
        after, now = self._now(), self._backend.entry_counts()
        grown = [new.entries - old.entries for old, new in zip(before, after, strict=True)]
        expected = [now.get(where, 0) - ours.get(where, 0) for where in self._where]
        self._missed = self._missed or before != self._known or grown != expected
        self._known = after

    def close(self) -> None:
        """Nothing to give back."""


class _NftWatch:
    """Listens to nf_tables for changes of the tables that iptables-nft keeps."""

    def __init__(self, backend: IptablesBackend, monitor: Monitor) -> None:
        self._backend = backend
        self._monitor = monitor
        self._door = Kernel()
        self._missed = False

    def fileno(self) -> int:
        """To wait on."""
        return self._monitor.fileno()

    def suspicion(self) -> Suspicion:
        """LOOK if somebody changed a table that we have chains in."""
        notice = self._monitor.read(0)
        missed, self._missed = self._missed, False
        ours = any(table in TABLES for _, table in notice.tables)
        return Suspicion.LOOK if ours or notice.lost or missed else Suspicion.NONE

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """iptables-restore is another process, so our own changes cannot be told apart: count transactions instead."""
        before, ours = self._door.generation(), self._backend.commits
        with self._monitor.deaf():
            yield
        self._missed = self._door.generation() - before != self._backend.commits - ours

    def close(self) -> None:
        """Stop listening."""
        self._monitor.close()
        self._door.close()
