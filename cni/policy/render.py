"""From the ledger to nf_tables, one table a family: what to write so that the kernel has what the ledger says. Pure.

    map egress    { address of a pod here : goto from-.. | accept }       map ingress the same, with to-..
    set self      { address . address }                                   a pod may always reach itself
    chain egress  (forward)    established, related -> accept
                               neighbour discovery -> accept              IPv6's ARP crosses the bridge as packets do
                               saddr . daddr @self -> accept
                               saddr vmap @egress
                               jump unknown-out
    chain from-.. one for each set of policies that isolates somebody: jump to each policy's chain; count; drop
    chain out/namespace/policy  for each peer and port: match, count, accept
    chain unknown-out           while there are any policies: from the bridge -> drop

Accepting in the chain for egress ends only that one; the chain for ingress, called next, decides for the other side. Only
forwarded packets come here: what a node's own programs send to its pods, probes among it, does not, nor what pods send to
their node. It is after DNAT and before SNAT, so both addresses are those of the pods themselves.

A pod whose policies are not known yet has no element, and what has no element is dropped at the bridge: that is what
makes a pod's first packet wait for its policies, whatever came in which order.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from cni.matches import SIZES, destination, source, within
from cni.policy.ledger import AddressSet, Dirty, Ledger, Match, PodSet, PortSet
from cni.policy.objects import DIRECTIONS, EGRESS, INGRESS, LAST_PORT, Block, Ports
from linux.nft import expressions as ex
from linux.nft import objects, userdata, wire
from linux.nft.counters import count_in, delete_counter, new_counter
from linux.nft.door import Door, NftError
from linux.nft.elements import Batch, Format
from linux.nft.expressions import R0
from linux.nft.objects import DATA_VERDICT, T_IPV4, T_IPV6, T_PORT, T_PROTOCOL, Set, concatenated
from linux.nft.wire import INET4, INET6

TABLE = "wherry-policy"
SELF, UNKNOWN = "self", "unknown"
PREFIX = {INGRESS: "in", EGRESS: "out"}
_GROUP = {INGRESS: "to-", EGRESS: "from-"}
_PRIORITY = {EGRESS: 0, INGRESS: 1}
_LINK = {INGRESS: 7, EGRESS: 6}  # meta oifname, iifname
_CT_STATE, _GOING_ON = 0, 2 | 4  # established, related
_ICMP6, _DISCOVERY = 58, (135, 136)
_LONGEST = 200

Verdict = tuple[int, str]  # code, chain
Messages = list[bytes]


@dataclass
class Written:
    """What a family's table has."""

    sets: dict[str, set[bytes]] = field(default_factory=dict)
    policies: dict[str, bytes] = field(default_factory=dict)  # chain -> rules
    lengths: dict[str, int] = field(default_factory=dict)  # how many rules that is
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    verdicts: dict[tuple[str, bytes], Verdict] = field(default_factory=dict)
    owners: dict[bytes, str] = field(default_factory=dict)  # whose an address is
    addresses: dict[str, tuple[bytes, ...]] = field(default_factory=dict)  # of a pod
    counters: set[str] = field(default_factory=set)
    guarded: bool = False


class Table:
    """Renders one family, and remembers what the kernel has if every transaction succeeds."""

    def __init__(self, family: int, bridge: str) -> None:
        self.family = family
        self.size = SIZES[family]
        self._bridge = bridge
        self.written = Written()

    def replace(self, ledger: Ledger) -> Messages:
        """The messages that make the whole table, whatever is there."""
        self.written = Written()
        messages = [objects.destroy_table(self.family, TABLE), objects.new_table(self.family, TABLE)]
        messages += self._frame()
        local = {key for key in ledger.pods if ledger.local(key)}
        everything = Dirty(set(ledger.sets), set(ledger.policies), local)
        return messages + self.change(ledger, everything)

    def change(self, ledger: Ledger, dirty: Dirty) -> Messages:
        """The messages for what is dirty; none if the kernel has it so."""
        made, gone = self._sets(ledger, dirty)
        chains, dead = self._policies(ledger, dirty)
        verdicts, groups = self._pods(ledger, dirty)
        messages = [*made, *chains, *verdicts, *groups, *dead, *gone]
        guard = bool(ledger.policies)
        if guard != self.written.guarded:
            self.written.guarded = guard
            messages += self.guard(guard)
        return messages

    def is_whole(self, door: Door) -> bool:
        """Whether the kernel has the table as it was written: of rules how many, of all else what."""
        seen, written = door.table(self.family, TABLE), self.written
        if seen is None:
            return False
        chains = {direction: len(list(self._base(direction))) for direction in DIRECTIONS}
        chains |= {_unknown(direction): int(written.guarded) for direction in DIRECTIONS}
        chains |= {name: len(policies) + 1 for name, policies in written.groups.items()}
        chains |= {name: rules for name, rules in written.lengths.items() if name in written.policies}
        sets = {SELF: {ip + ip for direction, ip in written.verdicts if direction == INGRESS}} | written.sets
        if seen.chains != chains or seen.sets.keys() != {*DIRECTIONS, *sets}:
            return False
        try:
            if any(door.keys(self.family, TABLE, name) != wanted for name, wanted in sets.items()):
                return False
            verdicts = {
                (way, one.key): one.chain for way in DIRECTIONS for one in door.elements(self.family, TABLE, way)
            }
        except NftError as error:
            if not error.not_found:
                raise
            return False  # it went while it was looked at
        return verdicts == {where: chain for where, (_, chain) in written.verdicts.items()}

    # --- the frame

    def _frame(self) -> Messages:
        family, address = self.family, T_IPV4 if self.family == INET4 else T_IPV6
        by_source = userdata.source(family)
        both = (by_source, userdata.destination(family))
        described = userdata.of_set(both)
        messages = [
            objects.new_set(
                family,
                TABLE,
                Set(SELF, concatenated(address, address), (self.size, self.size), userdata=described),
                1,
            ),
            new_counter(family, TABLE, UNKNOWN),
        ]
        for number, direction in enumerate(DIRECTIONS, start=2):
            described = userdata.of_verdict_map((by_source,))
            wanted = Set(direction, address, (self.size,), data_type=DATA_VERDICT, userdata=described)
            messages.append(objects.new_set(family, TABLE, wanted, number))
            messages.append(objects.new_chain(family, TABLE, _unknown(direction)))
            hook, priority = objects.FORWARD, _PRIORITY[direction]
            messages.append(objects.new_base_chain(family, TABLE, direction, hook, priority, "filter"))
            messages += [self._rule(direction, rule) for rule in self._base(direction)]
        return messages

    def _base(self, direction: str) -> Iterable[bytes]:
        state = ex.bitwise(R0, struct.pack("=I", _GOING_ON), bytes(4)) + ex.compare(R0, ex.NOT_EQUAL, bytes(4))
        yield ex.conntrack(R0, _CT_STATE) + state + ex.verdict(ex.ACCEPT)
        if self.family == INET6:
            icmp = ex.meta(R0, ex.META_L4PROTO) + ex.compare(R0, ex.EQUAL, bytes([_ICMP6]))
            for kind in _DISCOVERY:
                is_kind = ex.payload(R0, ex.TRANSPORT_HEADER, 0, 1) + ex.compare(R0, ex.EQUAL, bytes([kind]))
                yield icmp + is_kind + ex.verdict(ex.ACCEPT)
        pair = ex.payload(R0, ex.NETWORK_HEADER, 12 if self.family == INET4 else 8, 2 * self.size)
        yield pair + ex.lookup(SELF, R0) + ex.verdict(ex.ACCEPT)
        load = source(self.family) if direction == EGRESS else destination(self.family)
        yield load + ex.lookup(direction, R0, ex.VERDICT)
        yield ex.verdict(ex.JUMP, _unknown(direction))

    def guard(self, on: bool) -> Messages:
        """Drop what comes from or goes to the bridge with an address that no pod here has, or do not."""
        messages = []
        for direction in DIRECTIONS:
            messages.append(_flush(self.family, _unknown(direction)))
            if on:
                name = self._bridge.encode().ljust(16, b"\0")
                at_bridge = ex.meta(R0, _LINK[direction]) + ex.compare(R0, ex.EQUAL, name)
                messages.append(self._rule(_unknown(direction), at_bridge, count_in(UNKNOWN), ex.verdict(ex.DROP)))
        return messages

    # --- sets

    def _sets(self, ledger: Ledger, dirty: Dirty) -> tuple[Messages, Messages]:
        """What makes sets right, and what removes those that nobody needs."""
        made: Messages = []
        gone: Messages = []
        own = cache(lambda key: tuple(ip for ip in ledger.ips(key) if len(ip) == self.size))  # a pod is in many sets
        for number, one in enumerate(sorted(dirty.sets, key=str), start=100):
            name, have = set_name(one), self.written.sets.get(set_name(one))
            if one not in ledger.sets:
                if have is not None:
                    del self.written.sets[name]
                    gone.append(_delete_set(self.family, name))
                continue
            if have is None:
                made.append(objects.new_set(self.family, TABLE, self._set(one), number))
            want = self._elements(ledger, one, own)
            made += self._difference(name, have or set(), want)
            self.written.sets[name] = want
        return made, gone

    def _set(self, one: PodSet) -> Set:
        family, address = self.family, T_IPV4 if self.family == INET4 else T_IPV6
        if isinstance(one, AddressSet):
            return Set(set_name(one), address, (self.size,), userdata=userdata.of_set((userdata.source(family),)))
        parts = (userdata.destination(family), userdata.PROTOCOL, userdata.PORT)
        kind = concatenated(address, T_PROTOCOL, T_PORT)
        return Set(set_name(one), kind, (self.size, 4, 4), userdata=userdata.of_set(parts))

    def _elements(self, ledger: Ledger, one: PodSet, own: Callable[[str], tuple[bytes, ...]]) -> set[bytes]:
        members = ledger.members(one.who)
        if isinstance(one, AddressSet):
            return {ip for key in members for ip in own(key)}
        return {
            ip + struct.pack("=B3x", port.protocol) + struct.pack(">Hxx", port.port)
            for key in members
            for port in ledger.pods[key].ports
            if (port.name, port.protocol) == (one.name, one.protocol)
            for ip in own(key)
        }

    def _difference(self, name: str, have: set[bytes], want: set[bytes]) -> Messages:
        messages: Messages = []
        for delete, keys in ((True, have - want), (False, want - have)):
            if keys:
                shape = Format(len(next(iter(keys))))
                pack = shape.bare if delete else shape.element
                packed = b"".join(map(pack, keys))
                messages += Batch(self.family, TABLE, name, delete=delete).uniform(packed, shape.size)
        return messages

    # --- policies

    def _policies(self, ledger: Ledger, dirty: Dirty) -> tuple[Messages, Messages]:
        """What makes the chains of policies right, and what removes those that are gone."""
        made: Messages = []
        dead: Messages = []
        for key in sorted(dirty.policies):
            facts = ledger.policies.get(key)
            for direction in DIRECTIONS:
                chain = chain_of(key, direction)
                have = self.written.policies.get(chain)
                if facts is None or direction not in facts.rules:
                    if have is not None:
                        del self.written.policies[chain]
                        dead.append(objects.delete_chain(self.family, TABLE, chain))
                    continue
                rules = list(self._allowed(ledger, key, direction))
                want = b"".join(rules)
                if want != have:
                    self.written.lengths[chain] = len(rules)
                    made += [self._counter(counter_of("allowed", key)), self._counter(counter_of("refused", key))]
                    made.append(objects.new_chain(self.family, TABLE, chain))
                    made += [_flush(self.family, chain)] if have is not None else []
                    made.append(want)
                    self.written.policies[chain] = want
            if facts is None:
                for name in (counter_of("allowed", key), counter_of("refused", key)):
                    if name in self.written.counters:
                        self.written.counters.discard(name)
                        dead.append(delete_counter(self.family, TABLE, name))
        return made, dead

    def _counter(self, name: str) -> bytes:
        self.written.counters.add(name)
        return new_counter(self.family, TABLE, name)

    def _allowed(self, ledger: Ledger, key: str, direction: str) -> Iterable[bytes]:
        counted = count_in(counter_of("allowed", key))
        for match in ledger.matches(key, direction):
            expressions = self._match(match, direction)
            if expressions is not None:
                yield self._rule(chain_of(key, direction), expressions, counted, ex.verdict(ex.ACCEPT))

    def _match(self, match: Match, direction: str) -> bytes | None:
        """Go on only if a packet is of this kind; None: no packet of this family is."""
        load = source(self.family) if direction == INGRESS else destination(self.family)
        found = b""
        if isinstance(match.peer, AddressSet):
            found += load + ex.lookup(set_name(match.peer), R0)
        elif isinstance(match.peer, Block):
            if match.peer.cidr.size != self.size:
                return None
            found += load + within(match.peer.cidr)
            for net in match.peer.without:
                if net.size == self.size:
                    found += load + within(net, ex.NOT_EQUAL)
        if isinstance(match.port, PortSet):
            words = self.size // 4
            port = ex.payload(R0 + words + 1, ex.TRANSPORT_HEADER, 2, 2)
            found += destination(self.family) + ex.meta(R0 + words, ex.META_L4PROTO) + port
            found += ex.lookup(set_name(match.port), R0)
        elif match.port is not None:
            found += _ports(match.port)
        return found

    # --- pods

    def _pods(self, ledger: Ledger, dirty: Dirty) -> tuple[Messages, Messages]:
        """What makes the verdicts for pods right with the groups that they lead to, and what removes groups that nobody is in."""
        before = dict(self.written.verdicts)
        touched = self._owners(ledger, dirty.pods)
        members: Messages = []
        for ip in touched:
            owner = self.written.owners.get(ip)
            for direction in DIRECTIONS:
                if owner is None:
                    self.written.verdicts.pop((direction, ip), None)
                    continue
                policies = ledger.isolation(owner).get(direction)
                if policies is None:
                    self.written.verdicts[direction, ip] = (ex.ACCEPT, "")
                    continue
                group = group_of(policies, direction)
                if group not in self.written.groups:
                    members += self._group(group, policies, direction)
                self.written.verdicts[direction, ip] = (ex.GOTO, group)
        members += self._verdicts(before, touched)
        return members, self._unused_groups(touched)

    def _owners(self, ledger: Ledger, keys: set[str]) -> set[bytes]:
        """Note whose the addresses of these pods are now; the addresses that are to be looked at."""
        written, touched = self.written, set[bytes]()
        for key in sorted(keys):
            for ip in written.addresses.pop(key, ()):
                touched.add(ip)
                if written.owners.get(ip) == key:
                    del written.owners[ip]
        for key in sorted(keys):
            mine = tuple(ip for ip in ledger.ips(key) if len(ip) == self.size) if ledger.local(key) else ()
            if mine:
                written.addresses[key] = mine
                touched.update(mine)
                for ip in mine:  # of two that claim one address the one whom the runtime gave it last
                    if ip not in written.owners or ledger.attached(key):
                        written.owners[ip] = key
        for key, ips in written.addresses.items() if touched else ():
            for ip in ips:
                if ip in touched and ip not in written.owners:
                    written.owners[ip] = key
        return touched

    def _group(self, name: str, policies: tuple[str, ...], direction: str) -> Messages:
        self.written.groups[name] = policies
        rules = [self._rule(name, ex.verdict(ex.JUMP, chain_of(key, direction))) for key in policies]
        refused = b"".join(count_in(counter_of("refused", key)) for key in policies)
        rules.append(self._rule(name, refused, ex.verdict(ex.DROP)))
        return [objects.new_chain(self.family, TABLE, name), *rules]

    def _verdicts(self, before: dict[tuple[str, bytes], Verdict], touched: set[bytes]) -> Messages:
        messages: Messages = []
        for direction in DIRECTIONS:
            take, give = [], []
            for ip in sorted(touched):
                had, has = before.get((direction, ip)), self.written.verdicts.get((direction, ip))
                if had == has:
                    continue
                if had is not None:
                    take.append(Format(self.size).bare(ip))
                if has is not None:
                    give.append(_verdict_element(ip, has))
            messages += Batch(self.family, TABLE, direction, delete=True).mixed(take)
            messages += Batch(self.family, TABLE, direction).mixed(give)
        had_self = {ip for direction, ip in before if direction == INGRESS}
        has_self = {ip for direction, ip in self.written.verdicts if direction == INGRESS}
        return messages + self._difference(
            SELF, {ip + ip for ip in had_self & touched}, {ip + ip for ip in has_self & touched}
        )

    def _unused_groups(self, touched: set[bytes]) -> Messages:
        if not touched:
            return []
        used = {chain for _, chain in self.written.verdicts.values()}
        unused = sorted(self.written.groups.keys() - used)
        for name in unused:
            del self.written.groups[name]
        return [objects.delete_chain(self.family, TABLE, name) for name in unused]

    def _rule(self, chain: str, *expressions: bytes) -> bytes:
        return objects.new_rule(self.family, TABLE, chain, *expressions)


def destroy() -> Messages:
    """The messages that remove both tables, whether they are there or not."""
    return [objects.destroy_table(family, TABLE) for family in SIZES]


def chain_of(policy: str, direction: str) -> str:
    """The chain of a policy."""
    return _short(f"{PREFIX[direction]}/{policy}")


def counter_of(what: str, policy: str) -> str:
    """The counter of what a policy has allowed or refused."""
    return _short(f"{what}/{policy}")


def set_name(one: PodSet) -> str:
    """A set's name: its meaning is too long for one, and the same meaning has the same name."""
    kind = "pods" if isinstance(one, AddressSet) else "ports"
    return f"{kind}-{_digest(repr(tuple(one)))}"


def group_of(policies: tuple[str, ...], direction: str) -> str:
    """The chain of all whom these policies isolate."""
    return _GROUP[direction] + _digest(" ".join(policies))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 17]}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unknown(direction: str) -> str:
    return f"{UNKNOWN}-{PREFIX[direction]}"


def _ports(ports: Ports) -> bytes:
    found = ex.meta(R0, ex.META_L4PROTO) + ex.compare(R0, ex.EQUAL, bytes([ports.protocol]))
    if (ports.first, ports.last) == (0, LAST_PORT):
        return found
    load = ex.payload(R0, ex.TRANSPORT_HEADER, 2, 2)
    if ports.first == ports.last:
        return found + load + ex.compare(R0, ex.EQUAL, struct.pack(">H", ports.first))
    at_least, at_most = 5, 3  # NFT_CMP_GTE, NFT_CMP_LTE
    found += load + ex.compare(R0, at_least, struct.pack(">H", ports.first))
    return found + ex.compare(R0, at_most, struct.pack(">H", ports.last))


def _verdict_element(ip: bytes, verdict: Verdict) -> bytes:
    code, chain = verdict
    value = wire.u32(1, code) + (wire.text(2, chain) if chain else b"")
    return wire.nest(1, wire.nest(1, wire.attr(1, ip)), wire.nest(2, wire.nest(2, value)))


def _flush(family: int, chain: str) -> bytes:
    return wire.message(wire.DEL_RULE, 0, family, wire.text(1, TABLE), wire.text(2, chain))


def _delete_set(family: int, name: str) -> bytes:
    return wire.message(wire.DEL_SET, 0, family, wire.text(1, TABLE), wire.text(2, name))
