"""The chains that the kernel should hold, and the text that takes it from what it has to that. Pure.

Lines are kept by place; several service ports may need the same line, so places are counted. What was touched since the
last `text` is written again chain by chain: an iptables chain cannot be changed in the middle without naming numbers
that others may have moved, but it can be emptied and filled in one commit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from proxy.backends.iptables.render import Chain, Entries, Place
from proxy.model.facts import Facts
from proxy.plan.desired import Desired

TABLES = ("nat", "filter")


class Rules(Protocol):
    """Some rules: what their chains' names begin with, where they are hooked in, and what they are."""

    prefix: str
    hooks: tuple[tuple[str, str, str], ...]  # table, built-in chain, rule
    behind: str  # ours come first, but after this one where it is: what it knows is still its own

    def skeleton(self, family: int, facts: Facts) -> Entries:
        """What is there without any Service."""
        ...

    def render(self, one: Desired, facts: Facts) -> Entries:
        """All lines of one service port."""
        ...

    def trial(self, family: int) -> str:
        """Input that uses every match and target, in chains that are made and removed by the same commit."""
        ...


class Chains:
    """The wanted chains of one family."""

    def __init__(self) -> None:
        self._lines: dict[Chain, dict[tuple[object, ...], tuple[str, ...]]] = {}
        self._counts: Counter[Place] = Counter()
        self._touched: set[Chain] = set()
        self.totals: Counter[str] = Counter()  # rules by table

    def change(self, changes: Iterable[tuple[Entries, Entries]]) -> None:
        """Take away old lines, then put new ones: a place may pass from one service port to another."""
        pairs = list(changes)
        for old, new in pairs:
            for place in old:
                if place not in new:
                    self._counts[place] -= 1
                    if not self._counts[place]:
                        del self._counts[place]
                        self._take(place)
        for old, new in pairs:
            for place, lines in new.items():
                if place not in old:
                    self._counts[place] += 1
                    if self._counts[place] == 1:
                        self._put(place, lines)
                elif old[place] != lines:
                    self._put(place, lines)

    def _put(self, place: Place, lines: tuple[str, ...]) -> None:
        chain = place[0], place[1]
        places = self._lines.setdefault(chain, {})
        self.totals[place[0]] += len(lines) - len(places.get(place[2], ()))
        places[place[2]] = lines
        self._touched.add(chain)

    def _take(self, place: Place) -> None:
        chain = place[0], place[1]
        self.totals[place[0]] -= len(self._lines[chain].pop(place[2]))
        if not self._lines[chain]:
            del self._lines[chain]
        self._touched.add(chain)

    def lines(self, chain: Chain) -> list[str]:
        """A chain's rules in order."""
        places = self._lines.get(chain, {})
        ordered = sorted(places) if len(places) > 1 else places
        return [f"-A {chain[1]} {line}" for place in ordered for line in places[place]]

    def all(self) -> dict[Chain, list[str]]:
        """Every chain."""
        return {chain: self.lines(chain) for chain in self._lines}

    def entries(self, table: str) -> int:
        """Rules, and two for each chain: what the kernel counts."""
        return self.totals[table] + 2 * sum(1 for name, _ in self._lines if name == table)

    def text(self) -> str:
        """Input for iptables-restore that writes what was touched."""
        touched, self._touched = self._touched, set()
        wanted = {chain: self.lines(chain) for chain in touched if chain in self._lines}
        return restore_text(wanted, [chain for chain in touched if chain not in self._lines], [])


def replacement(rules: Rules, wanted: Mapping[Chain, list[str]], seen: Mapping[str, Iterable[str]]) -> str:
    """Input that leaves exactly the wanted chains, given what iptables-save says of each table."""
    gone, hooks = [], []
    for table in TABLES:
        lines = list(seen.get(table, ()))
        declared = {line[1:].split()[0] for line in lines if line.startswith(":" + rules.prefix)}
        gone += [(table, chain) for chain in declared if (table, chain) not in wanted]
        hooks += [
            (name, chain, rule)
            for name, chain, rule in rules.hooks
            if name == table and _count(lines, chain, rule) == 0
        ]
    # What is hooked last comes first: insert in reverse order.
    commands = [
        (name, f"-I {chain} {_position(seen.get(name, ()), chain, rules.behind)} {rule}")
        for name, chain, rule in reversed(hooks)
    ]
    return restore_text(wanted, gone, commands)


def _position(lines: Iterable[str], chain: str, behind: str) -> int:
    own = [line for line in lines if line.startswith(f"-A {chain} ")]
    before = f"-A {chain} {behind}"
    return own.index(before) + 2 if before in own else 1


def removal(prefix: str, seen: Mapping[str, Iterable[str]]) -> str:
    """Input that leaves nothing of ours; empty if there is nothing.

    First nothing is refused any more, then nothing translated: else what another backend takes over would be refused in
    between.
    """
    gone, unhook = [], []
    for table in TABLES:
        for line in seen.get(table, ()):
            if line.startswith(":" + prefix):
                gone.append((table, line[1:].split()[0]))
            elif line.startswith("-A ") and not line.startswith("-A " + prefix) and f"-j {prefix}" in line:
                unhook.append((table, "-D" + line[2:]))
    return restore_text({}, gone, unhook, reversed(TABLES))


def differences(rules: Rules, wanted: Mapping[Chain, list[str]], seen: Mapping[str, Iterable[str]]) -> list[str]:
    """What iptables-save shows that is not as it should be, in words."""
    found = []
    for table in TABLES:
        lines = list(seen.get(table, ()))
        have: dict[str, list[str]] = {line[1:].split()[0]: [] for line in lines if line.startswith(":" + rules.prefix)}
        for line in lines:
            if line.startswith("-A " + rules.prefix):
                have.setdefault(line.split(" ", 2)[1], []).append(line)
        for chain in sorted(have.keys() | {name for kind, name in wanted if kind == table}):
            if have.get(chain) != wanted.get((table, chain)):
                state = "is gone" if chain not in have else "is not ours" if (table, chain) not in wanted else "differs"
                found.append(f"chain {chain} of table {table} {state}")
        for name, chain, rule in rules.hooks:
            if name == table and _count(lines, chain, rule) != 1:
                found.append(
                    f"the jump from {chain} of table {table} ({rule}) is there {_count(lines, chain, rule)} times"
                )
    return found


def _count(lines: list[str], chain: str, rule: str) -> int:
    return lines.count(f"-A {chain} {rule}")


def restore_text(
    wanted: Mapping[Chain, list[str]],
    gone: Iterable[Chain],
    commands: Iterable[tuple[str, str]],
    tables: Iterable[str] = TABLES,
) -> str:
    """One input for both tables, in this order: declare (so empty) every chain, fill the wanted ones, run commands, remove others."""
    out: list[str] = []
    removed, extra = list(gone), list(commands)
    for table in tables:
        chains = sorted(chain for kind, chain in wanted if kind == table)
        dropped = sorted(chain for kind, chain in removed if kind == table)
        orders = [command for name, command in extra if name == table]
        if not chains and not dropped and not orders:
            continue
        out.append(f"*{table}")
        out += [f":{chain} - [0:0]" for chain in (*chains, *dropped)]
        for chain in chains:
            out += wanted[table, chain]
        out += orders
        out += [f"-X {chain}" for chain in dropped]
        out.append("COMMIT")
    return "\n".join(out) + "\n" if out else ""


def rules_in(text: str) -> Counter[str]:
    """How many rules such an input appends, by table."""
    found: Counter[str] = Counter()
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        found[table] += line.startswith("-A ")
    return found
