"""The iptables rules beside IPVS: who is masqueraded, what is refused, whose traffic is from inside. Pure.

    nat     SERVICES -> V-<address/16> -> W-<address/20> -> one line per frontend -> INTERNAL, EXTERNAL or X
            SERVICES -> NODEPORTS (if it is to one of the node's addresses) -> P-<range of 128 ports> -> the same
            INTERNAL: mark what comes from outside the pod network, to be masqueraded; EXTERNAL: mark all
            X: external traffic that stays on this node; what is from inside gets the mark of a virtual service
            R: before these, for a load balancer's address: only the allowed sources go on; others get a mark and are dropped
            in table filter, where what this host sends comes after IPVS has given it another destination
            POSTROUTING: masquerade what is marked, what this host sends by such a virtual service, and hairpins
    filter  FILTER -> F-<address/16> -> G-<address/20> -> leave open ports to IPVS; drop or refuse the rest of the address

The tables are walked before IPVS sees a packet that comes in, so an open port must leave them by a line of its own.
"""

import hashlib
from collections.abc import Collection, Iterator

from proxy.backends.iptables.render import MARK, Entries, address_branch, hairpins, port_branch, port_chain, tree_chain
from proxy.backends.iptables.render import SERVICES as IPTABLES_SERVICES
from proxy.backends.ipvs.virtuals import INSIDE_MARK, Marks
from proxy.model import addresses
from proxy.model.addresses import PROTOCOL_NAMES
from proxy.model.facts import Facts
from proxy.plan.desired import NODE, Desired, Frontend, Route

PREFIX = "WHERRYVS-"
SERVICES, NODEPORTS, POSTROUTING = f"{PREFIX}SERVICES", f"{PREFIX}NODEPORTS", f"{PREFIX}POSTROUTING"
INTERNAL, EXTERNAL, GUARD = f"{PREFIX}INTERNAL", f"{PREFIX}EXTERNAL", f"{PREFIX}R-"
MASQUERADE, HAIRPIN, FORWARD = f"{PREFIX}MASQUERADE", f"{PREFIX}HAIRPIN", f"{PREFIX}FORWARD"
FILTER, REFUSE, NODEPORT_FILTER = f"{PREFIX}FILTER", f"{PREFIX}REFUSE", f"{PREFIX}NODEPORT-FILTER"
DROP_MARK = "0x8000/0x8000"
_FROM_HERE = "-m addrtype --src-type LOCAL"
_INSIDE = f"-m mark --mark {INSIDE_MARK:#x}/{INSIDE_MARK:#x}"


class IpvsRules:
    """The rules of a node that has these addresses of its own."""

    prefix: str = PREFIX
    hooks: tuple[tuple[str, str, str], ...] = (
        ("nat", "PREROUTING", f"-j {SERVICES}"),
        ("nat", "OUTPUT", f"-j {SERVICES}"),
        ("nat", "POSTROUTING", f"-j {POSTROUTING}"),
        ("filter", "INPUT", f"-m conntrack --ctstate NEW -j {FILTER}"),
        ("filter", "OUTPUT", f"-m conntrack --ctstate NEW -j {FILTER}"),
        ("filter", "FORWARD", f"-j {FORWARD}"),
    )
    # While the chains of mode iptables are there they translate, and refuse what they have not translated.
    behind: str = f"-j {IPTABLES_SERVICES}"

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.own: Collection[bytes] = ()

    def listening(self, facts: Facts) -> frozenset[bytes]:
        """The node's addresses that have node ports."""
        return frozenset(one for one in self.own if has_node_ports(one, facts))

    def skeleton(self, family: int, facts: Facts) -> Entries:
        """What is there without any Service."""
        own = [f"-d {_host(one)}" for one in sorted(self.listening(facts)) if addresses.family_of(one) == family]
        unreachable = "icmp-port-unreachable" if family == addresses.IPV4 else "icmp6-port-unreachable"
        return {
            ("nat", SERVICES, (1,)): tuple(f"{one} -j {NODEPORTS}" for one in own),
            ("nat", NODEPORTS, ()): (),
            ("nat", POSTROUTING, ()): (
                f"-m mark --mark 0x4000/0x4000 -j {MASQUERADE}",
                f"{_INSIDE} {_FROM_HERE} -j MASQUERADE --random-fully",
                f"-j {HAIRPIN}",
            ),
            ("nat", MASQUERADE, ()): ("-j MARK --set-xmark 0x4000/0x0", "-j MASQUERADE --random-fully"),
            ("nat", HAIRPIN, ()): (),
            ("filter", FILTER, (-1,)): (f"-m mark --mark {DROP_MARK} -j DROP",),
            ("filter", FILTER, (1,)): tuple(f"{one} -j {NODEPORT_FILTER}" for one in own),
            ("filter", NODEPORT_FILTER, ()): (),
            ("filter", REFUSE, ()): (
                "-p tcp -j REJECT --reject-with tcp-reset",
                f"-j REJECT --reject-with {unreachable}",
            ),
            ("filter", FORWARD, ()): ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",),  # answers
        }

    def render(self, one: Desired, facts: Facts) -> Entries:
        """All lines of one service port."""
        entries: Entries = {}
        network = facts.cluster_network(one.family)
        routes = {frontend.route for frontend in one.frontends}
        # What this host sends to an address of its own comes from that very address.
        outside = (
            (f"! -s {network} {MARK}", f"{_FROM_HERE} {MARK}") if network is not None else (f"{_FROM_HERE} {MARK}",)
        )
        if Route.INTERNAL in routes:
            entries["nat", INTERNAL, ()] = (*outside, "-j ACCEPT")
        if Route.EXTERNAL in routes:
            entries["nat", EXTERNAL, ()] = (MARK, "-j ACCEPT")
        if Route.EXTERNAL_LOCAL in routes:
            inside = [f"-s {network}"] * (network is not None) + [_FROM_HERE]
            mark = f"-j MARK --set-xmark {self._marks.of(one.name):#x}/0xffffffff" if one.every else ""
            entries["nat", _chain(one, "X"), ()] = (*(f"{which} {mark}" for which in inside if mark), "-j ACCEPT")
        for frontend in one.frontends:
            entries.update(self._frontend(one, frontend))
        entries.update(hairpins(one, PREFIX))
        return entries

    def _frontend(self, one: Desired, frontend: Frontend) -> Entries:
        entries: Entries = {}
        goes_to = {Route.INTERNAL: INTERNAL, Route.EXTERNAL: EXTERNAL}.get(Route(frontend.route)) or _chain(one, "X")
        if frontend.guarded:
            allowed = (f"-s {source} -j {goes_to}" for source in one.sources)
            entries["nat", _chain(one, "R"), ()] = (*allowed, f"-j MARK --set-xmark {DROP_MARK}")
            goes_to = _chain(one, "R")
        protocol = PROTOCOL_NAMES[one.protocol].lower()
        match = f"-p {protocol} -m {protocol} --dport {frontend.port}"
        if frontend.address == NODE:
            entries.update(port_branch(protocol, frontend.port, PREFIX))
            chain, filter_chain = port_chain(protocol, frontend.port, PREFIX), NODEPORT_FILTER
        else:
            match = f"-d {_host(frontend.address)} {match}"
            for table, letters, top in (("nat", "VW", SERVICES), ("filter", "FG", FILTER)):
                entries.update(address_branch(table, letters, top, frontend.address, PREFIX))
            chain = tree_chain("W", frontend.address, 12, PREFIX)
            filter_chain = tree_chain("G", frontend.address, 12, PREFIX)
            if frontend.address not in self.own:  # all ports of this host would be open there
                whole = f"-d {_host(frontend.address)} -j {REFUSE}"
                entries["filter", filter_chain, (frontend.address, 1)] = (whole,)
        position = (frontend.address, 0, one.protocol, frontend.port)
        entries["nat", chain, position] = (f'{match} -m comment --comment "{one.name}" -j {goes_to}',)
        lines = tuple(_filter_lines(one, frontend, match))
        if lines:
            entries["filter", filter_chain, position] = lines
        return entries

    @staticmethod
    def trial(family: int) -> str:
        """Input that uses every match and target, in chains that are made and removed by the same commit."""
        name, address = f"{PREFIX}PROBE", "192.0.2.1" if family == addresses.IPV4 else "2001:db8::1"
        return "\n".join(
            (
                "*nat",
                f":{name} - [0:0]",
                f'-A {name} -d {address} -p tcp -m tcp --dport 80 -m comment --comment "probe" {MARK}',
                f"-A {name} {_INSIDE} {_FROM_HERE} -j ACCEPT",
                f"-F {name}",
                f"-X {name}",
                "COMMIT",
                "*filter",
                f":{name} - [0:0]",
                f"-A {name} -p tcp -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset",
                f"-F {name}",
                f"-X {name}",
                "COMMIT",
                "",
            )
        )


def _filter_lines(one: Desired, frontend: Frontend, match: str) -> Iterator[str]:
    """What becomes of new connections before IPVS sees them."""
    if one.endpoints(frontend.route):
        if frontend.address != NODE:
            yield f"{match} -j RETURN"
    elif one.dropped(frontend.route):
        if frontend.route == Route.EXTERNAL_LOCAL:
            yield f"{match} {_INSIDE} -j RETURN"
        yield f'{match} -m comment --comment "{one.name} has no local endpoints" -j DROP'
    else:
        yield f'{match} -m comment --comment "{one.name} has no endpoints" -j {REFUSE}'


def _host(address: bytes) -> str:
    return f"{addresses.show(address)}/{len(address) * 8}"


def has_node_ports(address: bytes, facts: Facts) -> bool:
    """Whether node ports are on this address of the node."""
    networks = facts.node_networks(addresses.family_of(address))
    return not networks or any(one.has(address) for one in networks)


def _chain(one: Desired, letter: str) -> str:
    return f"{PREFIX}{letter}-{hashlib.sha256(f'{one.name}/{one.protocol}'.encode()).hexdigest()[:16].upper()}"
