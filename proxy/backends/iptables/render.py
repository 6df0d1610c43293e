"""From the plan to rules: each line belongs to a chain and to a place in it. Pure.

    nat     SERVICES -> V-<address/16> -> W-<address/20> -> one line per frontend -> S, I or X
            SERVICES -> NODEPORTS -> P-<range of 128 ports> -> one line per node port -> X
            S: one line per endpoint, drawn with the right probability; first, masquerade what comes from outside
            L: the same for local endpoints; I: masquerade, then L; X: external traffic, to S or L by its policy
            A: with affinity, one chain per endpoint, which remembers the client
            R: before X, for a load balancer's address: only the allowed sources go on
                    POSTROUTING -> HAIRPIN -> H-<address/16> -> J-<address/20> -> one line per endpoint on this node
    filter  FILTER -> F-<address/16> -> G-<address/20> -> refuse what reached no endpoint

The tree over addresses keeps the way short: 5,000 Services are some hundred comparisons, not 5,000. A line that several
service ports need (a branch of the tree, a cluster IP's refusal) is counted by `chains`. Lines are spelled exactly as
iptables-save prints them, so that what is read can be compared.
"""

import functools
import hashlib
from collections.abc import Iterator

from proxy.model import addresses
from proxy.model.addresses import IPV4, PROTOCOL_NAMES
from proxy.model.facts import Facts
from proxy.plan.desired import NODE, Desired, Frontend, Route

PREFIX = "WHERRY-"
SERVICES, NODEPORTS, POSTROUTING, MASQUERADE = (
    "WHERRY-SERVICES",
    "WHERRY-NODEPORTS",
    "WHERRY-POSTROUTING",
    "WHERRY-MASQUERADE",
)
HAIRPIN, FILTER, FORWARD, REFUSE = "WHERRY-HAIRPIN", "WHERRY-FILTER", "WHERRY-FORWARD", "WHERRY-REFUSE"
NODEPORT_FILTER = "WHERRY-NODEPORT-FILTER"
MARK = "-j MARK --set-xmark 0x4000/0x4000"
HOOKS = (
    ("nat", "PREROUTING", f"-j {SERVICES}"),
    ("nat", "OUTPUT", f"-j {SERVICES}"),
    ("nat", "POSTROUTING", f"-j {POSTROUTING}"),
    ("filter", "INPUT", f"-m conntrack --ctstate NEW -j {FILTER}"),
    ("filter", "OUTPUT", f"-m conntrack --ctstate NEW -j {FILTER}"),
    ("filter", "FORWARD", f"-m conntrack --ctstate NEW -j {FILTER}"),  # first: FORWARD lets marked packets pass
    ("filter", "FORWARD", f"-j {FORWARD}"),
)
PORT_RANGE = 128

Chain = tuple[str, str]  # table, chain
Place = tuple[str, str, tuple[object, ...]]  # table, chain, position in it
Entries = dict[Place, tuple[str, ...]]  # lines without "-A CHAIN"


def skeleton(family: int, facts: Facts) -> Entries:
    """What is there without any Service."""
    # Node ports are not on the loopback address: that would take route_localnet.
    loopback = "127.0.0.0/8" if family == IPV4 else "::1/128"
    places = [f"-d {network}" for network in facts.node_networks(family)] or [f"! -d {loopback}"]
    own = [f"{place} -m addrtype --dst-type LOCAL" for place in places]
    unreachable = "icmp-port-unreachable" if family == IPV4 else "icmp6-port-unreachable"
    marked = "-m mark --mark 0x4000/0x4000"
    return {
        ("nat", SERVICES, (1,)): tuple(f"{match} -j {NODEPORTS}" for match in own),
        ("nat", NODEPORTS, ()): (),
        ("nat", POSTROUTING, ()): (
            f"{marked} -j {MASQUERADE}",
            f"-m conntrack --ctstate DNAT -j {HAIRPIN}",
        ),
        ("nat", MASQUERADE, ()): ("-j MARK --set-xmark 0x4000/0x0", "-j MASQUERADE --random-fully"),
        ("nat", HAIRPIN, ()): (),
        ("filter", FILTER, (1,)): tuple(f"{match} -j {NODEPORT_FILTER}" for match in own),
        ("filter", NODEPORT_FILTER, ()): (),
        ("filter", REFUSE, ()): (
            "-p tcp -j REJECT --reject-with tcp-reset",
            f"-j REJECT --reject-with {unreachable}",
        ),
        # Packets that conntrack cannot place would leave untranslated and reset the client's connection.
        ("filter", FORWARD, ()): (
            "-m conntrack --ctstate INVALID -j DROP",
            f"{marked} -j ACCEPT",
            "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ),
    }


def render(one: Desired, facts: Facts) -> Entries:
    """All lines of one service port."""
    entries: Entries = {}
    network = facts.cluster_network(one.family)
    outside = (f"! -s {network} {MARK}",) if network is not None else ()
    everywhere, near = _hash(one, "S"), _hash(one, "L")
    routes = {frontend.route for frontend in one.frontends}
    if any(one.uses_local(route) for route in routes):
        entries.update(_balance(one, near, one.local, ()))
    if Route.EXTERNAL_LOCAL in routes or any(not one.uses_local(route) for route in routes):
        entries.update(_balance(one, everywhere, one.every, outside))
    if Route.INTERNAL in routes and one.internal_local:
        entries["nat", _hash(one, "I"), ()] = (*outside, f"-j {near}")
    if Route.EXTERNAL_LOCAL in routes:
        here = "-m addrtype --src-type LOCAL"
        pods = (f"-s {network} -j {everywhere}",) if network is not None else ()
        lines = (*pods, f"{here} {MARK}", f"{here} -j {everywhere}", f"-j {near}")
        entries["nat", _hash(one, "X"), ()] = lines
    elif Route.EXTERNAL in routes:
        entries["nat", _hash(one, "X"), ()] = (MARK, f"-j {everywhere}")
    for frontend in one.frontends:
        entries.update(_frontend(one, frontend))
    entries.update(hairpins(one))
    return entries


def _balance(one: Desired, chain: str, endpoints: bytes, first: tuple[str, ...]) -> Entries:
    """The chain that picks one of the endpoints."""
    entries: Entries = {}
    protocol = PROTOCOL_NAMES[one.protocol].lower()
    packed = addresses.split(endpoints, one.family)
    total = len(packed)
    if not one.affinity:
        lines = [
            f"-p {protocol} {probability(total - index)}-j DNAT --to-destination {addresses.show_endpoint(endpoint)}"
            for index, endpoint in enumerate(packed)
        ]
        entries["nat", chain, ()] = (*first, *lines)
        return entries
    mask = "255.255.255.255" if one.family == IPV4 else "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    again, draw = [], []
    for index, endpoint in enumerate(packed):
        own = _hash(one, "A", endpoint)
        memory = f"--name {own} --mask {mask} --rsource"
        again.append(f"-m recent --rcheck --seconds {one.affinity} --reap {memory} -j {own}")
        draw.append(f"{probability(total - index)}-j {own}")
        target = f"-j DNAT --to-destination {addresses.show_endpoint(endpoint)}"
        entries["nat", own, ()] = (f"-p {protocol} -m recent --set {memory} {target}",)
    entries["nat", chain, ()] = (*first, *again, *draw)
    return entries


def _frontend(one: Desired, frontend: Frontend) -> Entries:
    """The line that leads to a service port, the branches to that line, and the refusal if there is no endpoint."""
    entries: Entries = {}
    letter = "X" if frontend.route != Route.INTERNAL else "I" if one.internal_local else "S"
    protocol = PROTOCOL_NAMES[one.protocol].lower()
    match = f"-p {protocol} -m {protocol} --dport {frontend.port}"
    position = (frontend.address, 0, one.protocol, frontend.port)
    if frontend.guarded:
        entries["nat", _hash(one, "R"), ()] = tuple(f"-s {source} -j {_hash(one, letter)}" for source in one.sources)
        letter = "R"
    goes_to = f'-m comment --comment "{one.name}" -j {_hash(one, letter)}'
    if frontend.address == NODE:
        entries.update(port_branch(protocol, frontend.port))
        chain = port_chain(protocol, frontend.port)
        entries["nat", chain, position] = (f"{match} {goes_to}",)
        refused_in = NODEPORT_FILTER
    else:
        match = f"-d {addresses.show(frontend.address)}/{len(frontend.address) * 8} {match}"
        for table, letters, top in (("nat", "VW", SERVICES), ("filter", "FG", FILTER)):
            entries.update(address_branch(table, letters, top, frontend.address))
        chain = tree_chain("W", frontend.address, 12)
        entries["nat", chain, position] = (f"{match} {goes_to}",)
        refused_in = tree_chain("G", frontend.address, 12)
        if frontend.route == Route.INTERNAL:
            whole = f"-d {addresses.show(frontend.address)}/{len(frontend.address) * 8} -j {REFUSE}"
            entries["filter", refused_in, (frontend.address, 1)] = (whole,)
    if not one.endpoints(frontend.route):
        why = "no local endpoints" if one.dropped(frontend.route) else "no endpoints"
        verdict = "DROP" if one.dropped(frontend.route) else REFUSE
        comment = f'-m comment --comment "{one.name} has {why}"'
        entries["filter", refused_in, position] = (f"{match} {comment} -j {verdict}",)
    elif frontend.guarded:  # who came so far was not let in
        entries["filter", refused_in, position] = (f'{match} -m comment --comment "{one.name} is for others" -j DROP',)
    return entries


def address_branch(
    table: str, letters: str, top: str, address: bytes, prefix: str = PREFIX
) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """The two lines from the top of the tree to the chain that has this address."""
    upper, lower = tree_chain(letters[0], address, 16, prefix), tree_chain(letters[1], address, 12, prefix)
    yield (table, top, (0, upper)), (f"-d {_network(address, 16)} -j {upper}",)
    yield (table, upper, (lower,)), (f"-d {_network(address, 12)} -j {lower}",)
    yield (table, lower, (b"",)), ()


def port_branch(protocol: str, port: int, prefix: str = PREFIX) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """The line from the node ports to the chain that has this one."""
    first = port // PORT_RANGE * PORT_RANGE
    chain = port_chain(protocol, port, prefix)
    match = f"-p {protocol} -m {protocol} --dport {first}:{first + PORT_RANGE - 1}"
    yield ("nat", f"{prefix}NODEPORTS", (protocol, first)), (f"{match} -j {chain}",)


def hairpins(one: Desired, prefix: str = PREFIX) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """The lines that masquerade what comes back to an endpoint of this node."""
    size = 4 if one.family == IPV4 else 16
    for start in range(0, len(one.here), size):
        address = one.here[start : start + size]
        text = f"{addresses.show(address)}/{size * 8}"
        yield from address_branch("nat", "HJ", f"{prefix}HAIRPIN", address, prefix)
        line = f"-s {text} -d {text} -j MASQUERADE --random-fully"
        yield ("nat", tree_chain("J", address, 12, prefix), (address,)), (line,)


def tree_chain(letter: str, address: bytes, free_bits: int, prefix: str = PREFIX) -> str:
    """The chain of all addresses that differ from this one in the last bits only."""
    network = _network(address, free_bits).partition("/")[0]
    if len(address) == 16:  # too long for a chain's name
        network = hashlib.sha256(network.encode()).hexdigest()[:16].upper()
    return f"{prefix}{letter}-{network}"


@functools.lru_cache(4096)
def _network(address: bytes, free_bits: int) -> str:
    value = int.from_bytes(address, "big") >> free_bits << free_bits
    network = value.to_bytes(len(address), "big")
    return f"{addresses.show(network)}/{len(address) * 8 - free_bits}"


def port_chain(protocol: str, port: int, prefix: str = PREFIX) -> str:
    """The chain of all node ports near this one."""
    return f"{prefix}P-{protocol}-{port // PORT_RANGE * PORT_RANGE}"


def _hash(one: Desired, letter: str, more: bytes = b"") -> str:
    digest = hashlib.sha256(f"{one.name}/{one.protocol}".encode() + more).hexdigest()
    return f"{PREFIX}{letter}-{digest[:16].upper()}"


@functools.lru_cache(4096)
def probability(remaining: int) -> str:
    """The match that lets one in `remaining` packets pass, as the kernel keeps and iptables-save prints it."""
    if remaining <= 1:
        return ""
    kept = int(0x80000000 / remaining + 0.5) / 0x80000000
    return f"-m statistic --mode random --probability {kept:.11f} "
