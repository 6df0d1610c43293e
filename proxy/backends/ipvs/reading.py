"""From the rules and virtual services that are there back to what the plan speaks of. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping

from linux.ipvs import Service
from proxy.backends.iptables.reading import read_guard, read_rules
from proxy.backends.ipvs.rules import EXTERNAL, GUARD, INTERNAL, PREFIX
from proxy.backends.ipvs.virtuals import DRAINING, Virtual
from proxy.model import addresses
from proxy.plan.desired import NODE, Route
from proxy.plan.expected import Reading, SeenFrontend, Slot, Target

_MARK = re.compile(r"--set-xmark (0x[0-9a-f]+)/0xffffffff$")
Virtuals = Mapping[Service, Virtual]


def read(family: int, saved: Mapping[str, Iterable[str]], seen: Virtuals, listening: Collection[bytes]) -> Reading:
    """Everything of one family."""
    rules = read_rules(family, saved, PREFIX)
    ports_on = sorted(one for one in listening if addresses.family_of(one) == family)
    frontends: dict[Slot, SeenFrontend] = {}
    for slot, chain in rules.frontends.items():
        _, protocol, address, port = slot
        places = [address] if address != NODE else ports_on
        targets = {_target(Service(family, protocol, one, port), seen, rules.verdicts.get(slot, "")) for one in places}
        outside = targets.pop() if len(targets) == 1 else Target(frozenset(), 0, "not the same everywhere")
        sources, goes_to = read_guard(rules.chains[chain][:-1]) if chain.startswith(GUARD) else ("", chain)
        if goes_to in (INTERNAL, EXTERNAL):
            route = Route.INTERNAL if goes_to == INTERNAL else Route.EXTERNAL
            frontends[slot] = SeenFrontend(route, outside, None, sources)
            continue
        marks = {int(found[1], 16) for line in rules.chains[goes_to] if (found := _MARK.search(line))}
        inside = _target(Service(family, mark=marks.pop()), seen, "") if marks else Target(frozenset(), 0, "reject")
        frontends[slot] = SeenFrontend(Route.EXTERNAL_LOCAL, outside, inside, sources)
    cluster_ips = {slot[2] for slot, frontend in frontends.items() if frontend.route == Route.INTERNAL}
    return Reading(frontends, frozenset(cluster_ips & rules.refused), rules.here)


def _target(service: Service, seen: Virtuals, verdict: str) -> Target:
    virtual = seen.get(service)
    weights = virtual.weights if virtual is not None else {}
    found = frozenset(addresses.endpoint(*one) for one, weight in weights.items() if weight != DRAINING)
    return Target(found, virtual.settings.timeout if found and virtual is not None else 0, "" if found else verdict)
