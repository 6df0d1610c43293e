"""From what iptables-save prints back to what the plan speaks of. Pure."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from proxy.backends.iptables.render import PREFIX, REFUSE
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


def read_tables(family: int, saved: Mapping[str, Iterable[str]]) -> Reading:
    """Everything in our chains of one family."""
    nat = _by_chain(saved.get("nat", ()))
    frontends: dict[Slot, SeenFrontend] = {}
    verdicts = _verdicts(family, saved.get("filter", ()))
    for chain, lines in nat.items():
        if not chain.startswith((f"{PREFIX}W-", f"{PREFIX}P-")):
            continue
        for line in lines:
            found = _FRONTEND.match(line)
            if found:
                slot = _slot(family, found)
                frontends[slot] = _frontend(family, nat, found[6], verdicts.get(slot, ""))
    hairpins = (
        _HAIRPIN.match(line) for chain, lines in nat.items() if chain.startswith(f"{PREFIX}J-") for line in lines
    )
    here = frozenset(addresses.pack(found[1]) for found in hairpins if found)
    return Reading(frontends, _cluster_ips(saved.get("filter", ())), here)


def _by_chain(lines: Iterable[str]) -> dict[str, list[str]]:
    chains: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("-A "):
            chains.setdefault(line.split(" ", 2)[1], []).append(line)
    return chains


def _slot(family: int, found: re.Match[str]) -> Slot:
    return family, PROTOCOLS[found[3].upper()], addresses.pack(found[2]) if found[2] else NODE, int(found[4])


def _verdicts(family: int, lines: Iterable[str]) -> dict[Slot, str]:
    found = (_FRONTEND.match(line) for line in lines)
    return {_slot(family, one): "drop" if one[6] == "DROP" else "reject" for one in found if one}


def _cluster_ips(lines: Iterable[str]) -> frozenset[bytes]:
    found = (_WHOLE.match(line) for line in lines if f"-j {REFUSE}" in line and "--dport" not in line)
    return frozenset(addresses.pack(one[1]) for one in found if one)


def _frontend(family: int, nat: Mapping[str, list[str]], chain: str, verdict: str) -> SeenFrontend:
    if chain.startswith(f"{PREFIX}R-"):
        sources = [Network(*addresses.network(_SOURCE.findall(line)[0])) for line in nat[chain]]
        seen = _frontend(family, nat, _jump(nat[chain][0]), verdict)
        return msgspec.structs.replace(seen, sources=digest(sources))
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
