"""From what iptables-save prints back to what the plan speaks of. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from proxy.backends.iptables.render import PREFIX
from proxy.model import addresses
from proxy.model.addresses import PROTOCOLS
from proxy.model.networks import Network, digest
from proxy.plan.desired import NODE, Route
from proxy.plan.expected import Reading, SeenFrontend, Slot, Target

_FRONTEND = re.compile(
    r"^-A (\S+) (?:-d (\S+)/\d+ )?-p (\w+) -m \w+ --dport (\d+) -m comment --comment \"([^\"]*)\" -j (\S+)$"
)
_DNAT = re.compile(r"--to-destination (\S+)$")
_JUMP = re.compile(r"-j (\S+)")
_SOURCE = re.compile(r" -s (\S+) ")
_SECONDS = re.compile(r"--seconds (\d+)")
_HAIRPIN = re.compile(r"^-A \S+ -s (\S+)/\d+ -d ")
_WHOLE = re.compile(r"^-A \S+ -d (\S+)/\d+ -j (\S+)$")


class SeenRules(NamedTuple):
    """The rules of one family under one prefix, whoever balances."""

    chains: dict[str, list[str]]  # of table nat
    frontends: dict[Slot, str]  # the chain that each goes to
    verdicts: dict[Slot, str]  # what becomes of it without an endpoint
    refused: frozenset[bytes]  # whose other ports refuse
    here: frozenset[bytes]


def read_rules(family: int, saved: Mapping[str, Iterable[str]], prefix: str = PREFIX) -> SeenRules:
    """What iptables-save prints, taken apart."""
    chains = _by_chain(saved.get("nat", ()))
    frontends: dict[Slot, str] = {}
    for chain, lines in chains.items():
        if chain.startswith((f"{prefix}W-", f"{prefix}P-")):
            frontends.update((_slot(family, found), found[6]) for line in lines if (found := _FRONTEND.match(line)))
    hairpins = (
        _HAIRPIN.match(line) for chain, lines in chains.items() if chain.startswith(f"{prefix}J-") for line in lines
    )
    here = frozenset(addresses.pack(found[1]) for found in hairpins if found)
    refuse = f"{prefix}REFUSE"
    filters = [line for line in saved.get("filter", ()) if line.startswith(f"-A {prefix}")]
    ours = [found for line in filters if (found := _FRONTEND.match(line)) and found[6] in (refuse, "DROP")]
    verdicts = {_slot(family, one): "drop" if one[6] == "DROP" else "reject" for one in ours}
    whole = (_WHOLE.match(line) for line in filters if line.endswith(f"-j {refuse}") and "--dport" not in line)
    return SeenRules(chains, frontends, verdicts, frozenset(addresses.pack(one[1]) for one in whole if one), here)


def read_tables(family: int, saved: Mapping[str, Iterable[str]]) -> Reading:
    """Everything in our chains of one family."""
    seen = read_rules(family, saved)
    frontends = {
        slot: _frontend(family, seen.chains, chain, seen.verdicts.get(slot, ""))
        for slot, chain in seen.frontends.items()
    }
    return Reading(frontends, seen.refused, seen.here)


def _by_chain(lines: Iterable[str]) -> dict[str, list[str]]:
    chains: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("-A "):
            chains.setdefault(line.split(" ", 2)[1], []).append(line)
    return chains


def _slot(family: int, found: re.Match[str]) -> Slot:
    return family, PROTOCOLS[found[3].upper()], addresses.pack(found[2]) if found[2] else NODE, int(found[4])


def read_guard(lines: Sequence[str]) -> tuple[str, str]:
    """Who may come, and the chain that they go to."""
    sources = [Network(*addresses.network(_SOURCE.findall(line)[0])) for line in lines]
    return digest(sources), _jump(lines[0])


def _frontend(family: int, nat: Mapping[str, list[str]], chain: str, verdict: str) -> SeenFrontend:
    if chain.startswith(f"{PREFIX}R-"):
        sources, chain = read_guard(nat[chain])
        return msgspec.structs.replace(_frontend(family, nat, chain, verdict), sources=sources)
    if not chain.startswith(f"{PREFIX}X-"):
        final = _jump(nat[chain][-1]) if chain.startswith(f"{PREFIX}I-") else chain
        return SeenFrontend(Route.INTERNAL, _target(family, nat, final, verdict))
    jumps = [_jump(line) for line in nat[chain]]
    if jumps[0] == "MARK" and len(jumps) == 2:
        return SeenFrontend(Route.EXTERNAL, _target(family, nat, jumps[1], verdict))
    inside = _target(family, nat, jumps[-2], "reject")
    return SeenFrontend(Route.EXTERNAL_LOCAL, _target(family, nat, jumps[-1], verdict), inside)


def _target(family: int, nat: Mapping[str, list[str]], chain: str, verdict: str) -> Target:
    endpoints: set[bytes] = set()
    affinity = 0
    for line in nat.get(chain, ()):
        seconds = _SECONDS.search(line)
        affinity = int(seconds[1]) if seconds else affinity
        target = line
        if _jump(line).startswith(f"{PREFIX}A-"):
            target = nat[_jump(line)][0]
        found = _DNAT.search(target)
        if found:
            endpoints.add(_endpoint(found[1]))
    return Target(frozenset(endpoints), affinity, "" if endpoints else verdict)


def _jump(line: str) -> str:
    found = _JUMP.search(line)
    return found[1] if found else ""


def _endpoint(text: str) -> bytes:
    address, _, port = text.rpartition(":")
    return addresses.endpoint(addresses.pack(address.strip("[]")), int(port))
