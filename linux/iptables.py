"""The door to iptables: rules in bulk through iptables-restore --noflush and iptables-save.

There are two kinds of the same programs: `nft` writes to nf_tables, `legacy` to the kernel's old tables. Rules in one are
not seen by the other, so `choose` takes the one that is in use, the way upstream's iptables wrapper does: whichever has
the kubelet's hint chain, else the one with more rules, else nft.

`--noflush` leaves alone what the text does not name; a chain that it declares (`:NAME - [0:0]`) is made or emptied first.
Each table is committed at once, or not at all. The lock of the legacy variant is waited for (`-w`).
"""

import ctypes
import os
import shlex
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from linux import nft, process

NFT, LEGACY, PLAIN = "nft", "legacy", ""
LOCK_SECONDS = 5
HINTS = ("KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY")
_TIMEOUT = 300
_GET_INFO, _GET_ENTRIES = 64, 65  # IPT_SO_GET_INFO and so on; the same for IPv6
_INFO = struct.Struct("=32sI5I5III")
_ENTRIES = struct.Struct("=32sI4x")
_TO_TARGET = {4: 88, 6: 140}  # where a rule says where its target begins
_TO_VERDICT = 32  # of the target
# A legacy table is copied as a whole for each change: in big pages that takes a fifth less of the processor.
_BIG_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
_LOCKED = 4  # exit status when the lock could not be had


class IptablesError(Exception):
    """Rules could not be read or written."""

    def __init__(self, message: str, *, locked: bool = False, missing: bool = False) -> None:
        super().__init__(message)
        self.locked = locked
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Extent:
    """A table's entries and bytes: a rule is one entry, a chain of one's own two more."""

    entries: int
    size: int


class Iptables(Protocol):
    """Rules of one variant, both families."""

    variant: str

    def save(self, family: int, table: str) -> list[str]:
        """The lines of a table as iptables-save prints them, chains (":NAME ...") and rules ("-A ...")."""
        ...

    def restore(self, family: int, text: str) -> None:
        """Apply iptables-restore input without flushing anything else."""
        ...

    def extent(self, family: int, table: str) -> Extent:
        """How big a table is, cheaply; zero if there is no cheap way."""
        ...

    def forget(self, family: int, table: str) -> bool:
        """Remove a table that holds nothing and that only these programs made, where that can be done."""
        ...


class Programs:
    """The real thing. `variant` PLAIN runs whatever `iptables-restore` is."""

    def __init__(self, variant: str) -> None:
        self.variant = variant

    def save(self, family: int, table: str) -> list[str]:
        """The lines of a table as iptables-save prints them; none if a legacy table is not in use (asking makes it)."""
        if self.variant == LEGACY and table not in legacy_tables(family):
            return []
        lines = self._run([self._program(family, "save"), "-t", table]).splitlines()
        return [line for line in lines if line.startswith((":", "-A"))]

    def restore(self, family: int, text: str) -> None:
        """Apply iptables-restore input without flushing anything else."""
        self._run([self._program(family, "restore"), "-w", str(LOCK_SECONDS), "--noflush"], text)

    def extent(self, family: int, table: str) -> Extent:
        """Of a legacy table, in two system calls; to ask makes it."""
        return _legacy_extent(family, table) if self.variant == LEGACY else Extent(0, 0)

    def policies(self, family: int, table: str) -> tuple[int, ...]:
        """What a legacy table's built-in chains do in the end, as numbers that tell whether it is the same."""
        return _legacy_policies(family, table) if self.variant == LEGACY else ()

    def forget(self, family: int, table: str) -> bool:
        """Remove a table of the nft variant that holds nothing but empty built-in chains with policy ACCEPT."""
        if self.variant != NFT:
            return False  # the kernel keeps legacy tables until the network namespace ends
        lines = self.save(family, table)
        if not lines or not all(line.startswith(":") and line.split()[1] == "ACCEPT" for line in lines):
            return False
        door = nft.Kernel()
        try:
            netlink = nft.FAMILIES[family]
            seen = door.table(netlink, table)
            # Somebody may keep sets or chains of nft's own in a table of that name: iptables-save does not show them.
            if (
                seen is None
                or seen.sets
                or not seen.chains.keys() <= set(_BUILT_IN[table])
                or any(seen.chains.values())
            ):
                return False
            door.commit([nft.destroy_table(netlink, table)])
        except nft.NftError as error:
            raise IptablesError(f"cannot remove empty table {table}: {error}") from error
        finally:
            door.close()
        return True

    def _program(self, family: int, verb: str) -> str:
        variant = f"-{self.variant}" if self.variant else ""
        return f"{'iptables' if family == 4 else 'ip6tables'}{variant}-{verb}"

    def _run(self, argv: list[str], text: str | None = None) -> str:
        try:
            env = _BIG_PAGES | os.environ if self.variant == LEGACY else None
            return process.run(argv, input=text, timeout=_TIMEOUT, env=env).text
        except process.NotInstalled as error:
            raise IptablesError(f"{error}; install the package iptables", missing=True) from error
        except process.ProcessFailed as error:
            raise IptablesError(str(error), locked=error.code == _LOCKED) from error
        except process.ProcessError as error:
            raise IptablesError(str(error)) from error


def legacy_tables(family: int) -> list[str]:
    """The legacy tables that are in use."""
    try:
        with open(
            "/proc/thread-self/net/ip_tables_names" if family == 4 else "/proc/thread-self/net/ip6_tables_names"
        ) as names:
            return names.read().split()
    except OSError:
        return []


def _legacy_extent(family: int, table: str) -> Extent:
    """struct ipt_getinfo."""
    found = _ask(family, _GET_INFO, _INFO.pack(table.encode(), *([0] * 13)))
    return Extent(*_INFO.unpack(found)[-2:]) if found else Extent(0, 0)


def _legacy_policies(family: int, table: str) -> tuple[int, ...]:
    """struct ipt_get_entries; each built-in chain ends with a rule that is its policy."""
    info = _ask(family, _GET_INFO, _INFO.pack(table.encode(), *([0] * 13)))
    if not info:
        return ()
    _, hooks, *numbers = _INFO.unpack(info)
    underflows, size = numbers[5:10], numbers[-1]
    found = _ask(family, _GET_ENTRIES, _ENTRIES.pack(table.encode(), size) + bytes(size))
    if not found:
        return ()  # it has changed in between, so its size has
    ends = [underflow + _ENTRIES.size for hook, underflow in enumerate(underflows) if hooks & 1 << hook]
    targets = [end + struct.unpack_from("=H", found, end + _TO_TARGET[family])[0] for end in ends]
    return tuple(struct.unpack_from("=i", found, target + _TO_VERDICT)[0] for target in targets)


def _ask(family: int, what: int, question: bytes) -> bytes:
    """An answer in the question's place, which Python's own getsockopt cannot have; empty if there is none."""
    kind, level = (socket.AF_INET, socket.IPPROTO_IP) if family == 4 else (socket.AF_INET6, socket.IPPROTO_IPV6)
    buffer, size = ctypes.create_string_buffer(question, len(question)), ctypes.c_uint32(len(question))
    try:
        with socket.socket(kind, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as raw:
            libc = ctypes.CDLL(None, use_errno=True)
            refused = libc.getsockopt(raw.fileno(), level, what, buffer, ctypes.byref(size)) != 0
    except OSError:
        return b""
    return b"" if refused else buffer.raw


@dataclass(frozen=True, slots=True)
class InUse:
    """What one variant holds: has it the kubelet's hint, and how many rules. None installed: rules is -1."""

    hinted: bool
    rules: int


def choose(nft: InUse, legacy: InUse) -> str:
    """The variant to write to."""
    if nft.rules < 0 or legacy.rules < 0:
        return PLAIN if nft.rules == legacy.rules else NFT if legacy.rules < 0 else LEGACY
    if nft.hinted or legacy.hinted:
        return NFT if nft.hinted else LEGACY
    return LEGACY if legacy.rules > nft.rules else NFT


def look(variant: str) -> InUse:
    """What a variant holds now."""
    hinted, rules = False, 0
    for family in (4, 6):
        programs = Programs(variant)
        try:
            lines = programs._run([programs._program(family, "save")]).splitlines()
        except IptablesError as error:
            if error.missing:
                return InUse(False, -1)
            continue  # a family that the kernel does not have
        rules += sum(line.startswith("-A") for line in lines)
        hinted = hinted or any(line.startswith(tuple(f":{hint} " for hint in HINTS)) for line in lines)
    return InUse(hinted, rules)


def detect() -> str:
    """The variant in use on this machine."""
    return choose(look(NFT), look(LEGACY))


_BUILT_IN = {
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
}
_TARGETS = ("ACCEPT", "DROP", "RETURN", "REJECT", "MASQUERADE", "DNAT", "SNAT", "MARK", "CT", "LOG")


@dataclass
class FakeIptables:
    """iptables in memory: keeps lines as they are given, knows chains and what jumps to them.

    `refuse` makes the next restores fail with these messages.
    """

    variant: str = NFT
    refuse: list[str] = field(default_factory=list)
    restores: int = 0
    _tables: dict[tuple[int, str], dict[str, list[str]]] = field(default_factory=dict)

    def save(self, family: int, table: str) -> list[str]:
        """The lines of a table as iptables-save prints them."""
        chains = self._table(family, table)
        built_in = _BUILT_IN[table]
        heads = [f":{name} {'ACCEPT' if name in built_in else '-'} [0:0]" for name in chains]
        return heads + [line for lines in chains.values() for line in lines]

    def restore(self, family: int, text: str) -> None:
        """Apply iptables-restore input without flushing anything else."""
        if self.refuse:
            raise IptablesError(self.refuse.pop(0))
        name, working = "", dict[str, list[str]]()
        for number, line in enumerate(text.splitlines(), start=1):
            if line.startswith("*"):
                name = line[1:]
                working = {chain: list(lines) for chain, lines in self._table(family, name).items()}
            elif line == "COMMIT":
                _check_references(working, number)
                self._tables[family, name] = working
            elif line.startswith(":"):
                working[line[1:].split()[0]] = []
            elif line and not line.startswith("#"):
                _edit(working, line, number)
        self.restores += 1

    def extent(self, family: int, table: str) -> Extent:
        """How much there is."""
        lines = self.save(family, table)
        return Extent(sum(1 if line.startswith("-A") else 2 for line in lines), sum(map(len, lines)))

    def forget(self, family: int, table: str) -> bool:
        """Remove a table that holds nothing."""
        known = (family, table) in self._tables
        if known and not any(line.startswith("-A") for line in self.save(family, table)):
            del self._tables[family, table]
            return True
        return False

    def flush(self) -> None:
        """Remove everything, as a careless administrator would."""
        self._tables.clear()

    def _table(self, family: int, name: str) -> dict[str, list[str]]:
        return self._tables.setdefault((family, name), {chain: [] for chain in _BUILT_IN[name]})


def _edit(chains: dict[str, list[str]], line: str, number: int) -> None:
    command, chain, *rest = line.split(" ", 2)
    if chain not in chains:
        raise IptablesError(f"cannot restore: line {number} failed: no chain {chain}")
    rule = f"-A {chain} {rest[0]}" if rest else ""
    if command == "-A":
        chains[chain].append(rule)
    elif command == "-I":
        position, _, spec = rest[0].partition(" ")
        index, text = (int(position) - 1, spec) if position.isdigit() else (0, rest[0])
        chains[chain].insert(index, f"-A {chain} {text}")
    elif command == "-D":
        if rule not in chains[chain]:
            raise IptablesError(f"cannot restore: line {number} failed: no such rule")
        chains[chain].remove(rule)
    elif command == "-F":
        chains[chain].clear()
    elif command == "-X":
        if chains[chain] or any(jump_target(one) == chain for lines in chains.values() for one in lines):
            raise IptablesError(f"cannot restore: line {number} failed: chain {chain} is in use")
        del chains[chain]
    else:
        raise IptablesError(f"cannot restore: line {number} failed: unknown command {command}")


def _check_references(chains: Mapping[str, Iterable[str]], number: int) -> None:
    for lines in chains.values():
        for line in lines:
            target = jump_target(line)
            if target and target not in _TARGETS and target not in chains:
                raise IptablesError(f"cannot restore: line {number} failed: no chain {target}")


def jump_target(line: str) -> str:
    """Where a rule goes: what follows -j or -g."""
    words = shlex.split(line) if '"' in line else line.split()
    for flag in ("-j", "-g"):
        if flag in words:
            return words[words.index(flag) + 1]
    return ""
