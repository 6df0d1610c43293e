"""What the table looks like: its maps, its chains and their rules, for one family. Pure.

A packet's way: `prerouting` and `output` look into `guards` whether the frontend is only for some sources; if so
`from-DIGEST` lets those go on and drops the others. Then `svc`, which finds the word of address, protocol and port in `services`
(or of protocol and port in `nodeports`, if the address is the node's own) and keeps it in `meta priority`. `dispatch`
marks what must be masqueraded and finds the word's code in `lb`, which leads to `lb-N`: draw an index below N, find
(group, index) in `endpoints`, send the packet there. A look-up that finds nothing ends its rule, and the next one runs:
index 0 if the drawn endpoint has just been removed (each look-up sees the newest state by itself).
A packet that is on its way through a table while that is replaced finds nothing more in it. It is dropped, not refused:
its sender asks again, and the new table answers. So every refusal is by a code that `lb` still holds.
`aff-N-T` does the same but remembers the choice in `affinity` for T seconds.

Each rule is what the nft program can show again: `userdata` for every map, nothing fed from one look-up into the next.
"""

import struct
import sys
from collections import Counter
from collections.abc import Sequence

from linux.nft import expressions as ex
from linux.nft import objects, userdata
from linux.nft.elements import Batch, Format, goto_element
from linux.nft.expressions import R0
from linux.nft.objects import T_INTEGER, T_IPV4, T_IPV6, T_MARK, T_PORT, T_PROTOCOL, Set, concatenated
from linux.nft.wire import INET4, INET6
from proxy.backends.nftables.words import CODE_MASK, DROP, GROUP_MASK, REFUSE, ROUTE_MASK, ROUTE_SHIFT
from proxy.model import addresses
from proxy.model.addresses import IPV4
from proxy.model.networks import Network
from proxy.plan.desired import Route

TABLE = "wherry-proxy"
PROBE_TABLE = "wherry-proxy-probe"
MASQUERADE_MARK = 0x4000
TABLE_FAMILIES = {4: INET4, 6: INET6}
AFFINITY_SIZE = 65536
CODES_SIZE = 8192

SERVICES, NODEPORTS, LB, TWINS, ENDPOINTS = "services", "nodeports", "lb", "twins", "endpoints"
AFF_IDS, AFF_EPS, AFFINITY, HAIRPIN, CLUSTER_IPS = "aff_ids", "aff_eps", "affinity", "hairpin", "cluster_ips"
GUARDS, GUARD_CHAIN = "guards", "from-"
SIZED = (SERVICES, NODEPORTS, TWINS, ENDPOINTS, AFF_IDS, AFF_EPS, HAIRPIN, CLUSTER_IPS, GUARDS)

BYTE_ORDER = sys.byteorder
_U32 = struct.Struct("=I")
_REFUSE_CHAIN, _DROP_CHAIN = "no-endpoints", "no-local-endpoints"


def _host(value: int) -> bytes:
    return _U32.pack(value)


class Schema:
    """The table of one family, under a name."""

    def __init__(self, family: int, table: str = TABLE) -> None:
        self.family = family
        self.table = table
        self.netlink = TABLE_FAMILIES[family]
        self.size = 4 if family == IPV4 else 16
        words = self.size // 4
        self._source = ex.payload(R0, ex.NETWORK_HEADER, 12 if family == IPV4 else 8, self.size)
        self._destination = ex.payload(R0, ex.NETWORK_HEADER, 16 if family == IPV4 else 24, self.size)
        self._protocol_and_port = words
        endpoint = addresses.width(family)
        self.rules: Counter[str] = Counter()  # how many each chain was given, to compare with what is there
        self.formats = {
            SERVICES: Format(self.size + 8, 4),
            NODEPORTS: Format(8, 4),
            TWINS: Format(4, 4),
            ENDPOINTS: Format(8, endpoint),
            AFF_IDS: Format(8, 4),
            AFF_EPS: Format(4, endpoint),
            HAIRPIN: Format(2 * self.size),
            CLUSTER_IPS: Format(self.size),
            GUARDS: Format(self.size + 8),
        }
        self.adds = {name: Batch(self.netlink, table, name) for name in (*self.formats, LB, AFFINITY)}
        self.deletes = {name: Batch(self.netlink, table, name, delete=True) for name in self.formats}

    def service_key(self, protocol: int, address: bytes, port: int) -> bytes:
        """The key of a frontend in `services`."""
        return address + self.port_key(protocol, port)

    @staticmethod
    def port_key(protocol: int, port: int) -> bytes:
        """The key of a frontend in `nodeports`."""
        return struct.pack("=B3x", protocol) + struct.pack(">Hxx", port)

    def create(self, sizes: dict[str, int], cluster: Network | None, nodes: Sequence[Network] = ()) -> list[bytes]:
        """Messages that make the empty table in place of whatever is there."""
        made = [objects.destroy_table(self.netlink, self.table), objects.new_table(self.netlink, self.table)]
        made += [
            objects.new_set(self.netlink, self.table, one, identity)
            for identity, one in enumerate(self._sets(sizes), start=1)
        ]
        chains = ("svc", "dispatch", "external-local", "pick", "refuse", _REFUSE_CHAIN, _DROP_CHAIN)
        made += [objects.new_chain(self.netlink, self.table, chain) for chain in chains]
        made += self._base_chains()
        made += self._dispatch(cluster, nodes)
        made += self._ends()
        codes = [goto_element(_host(REFUSE), _REFUSE_CHAIN), goto_element(_host(DROP), _DROP_CHAIN)]
        return made + list(self.adds[LB].mixed(codes))

    def destroy(self) -> bytes:
        """Messages that remove the table, if it is there."""
        return objects.destroy_table(self.netlink, self.table)

    def balancer(self, code: int, count: int, timeout: int) -> list[bytes]:
        """Messages that make the chain for a count of endpoints (and an affinity timeout) and bind it to a code."""
        chain = f"aff-{count}-{timeout}" if timeout else f"lb-{count}"
        rules = self._affinity_rules(count, timeout) if timeout else self._plain_rules(count)
        made = [objects.new_chain(self.netlink, self.table, chain)]
        made += [self._rule(chain, *rule) for rule in rules]
        made.append(self._rule(chain, ex.verdict(ex.DROP)))  # only in a table that is being replaced
        return made + list(self.adds[LB].mixed([goto_element(_host(code), chain)]))

    def guard(self, chain: str, sources: Sequence[Network]) -> list[bytes]:
        """Messages that make the chain which lets only these sources go on."""
        made = [objects.new_chain(self.netlink, self.table, chain)]
        to_svc = ex.verdict(ex.GOTO, "svc")
        made += [self._rule(chain, *self._from(source, inside=True), to_svc) for source in sources]
        return [*made, self._rule(chain, ex.verdict(ex.DROP))]

    def _rule(self, chain: str, *expressions: bytes) -> bytes:
        self.rules[chain] += 1
        return objects.new_rule(self.netlink, self.table, chain, *expressions)

    def _sets(self, sizes: dict[str, int]) -> list[Set]:
        nf, size, width = self.netlink, self.size, addresses.width(self.family)
        kind = T_IPV4 if self.family == IPV4 else T_IPV6
        source, destination = userdata.source(nf), userdata.destination(nf)
        priority, port, protocol, index = userdata.PRIORITY, userdata.PORT, userdata.PROTOCOL, userdata.INDEX
        ipset, fields = concatenated(kind, T_PROTOCOL, T_PORT), (size, 4, 4)
        words, to_word = (T_MARK, 4), (priority,)
        targets, to_target = (concatenated(kind, T_PORT), width), (destination, port)
        numbered, by_index = concatenated(T_MARK, T_INTEGER), (priority, index)
        of_map = userdata.of_map
        affine = of_map((priority, source), to_word)
        flags = objects.SET_TIMEOUT | objects.SET_DYNAMIC
        pair = concatenated(kind, kind)
        return [
            Set(SERVICES, ipset, fields, *words, sizes[SERVICES], 0, 0, of_map((destination, protocol, port), to_word)),
            Set(
                NODEPORTS,
                concatenated(T_PROTOCOL, T_PORT),
                (4, 4),
                *words,
                sizes[NODEPORTS],
                0,
                0,
                of_map((protocol, port), to_word),
            ),
            Set(LB, T_MARK, (4,), objects.DATA_VERDICT, 0, CODES_SIZE, 0, 0, userdata.of_verdict_map(to_word)),
            Set(TWINS, T_MARK, (4,), *words, sizes[TWINS], 0, 0, of_map(to_word, to_word)),
            Set(ENDPOINTS, numbered, (4, 4), *targets, sizes[ENDPOINTS], 0, 0, of_map(by_index, to_target)),
            Set(AFF_IDS, numbered, (4, 4), *words, sizes[AFF_IDS], 0, 0, of_map(by_index, to_word)),
            Set(AFF_EPS, T_MARK, (4,), *targets, sizes[AFF_EPS], 0, 0, of_map(to_word, to_target)),
            Set(AFFINITY, concatenated(T_MARK, kind), (4, size), *words, AFFINITY_SIZE, flags, 10_800_000, affine),
            Set(HAIRPIN, pair, (size, size), size=sizes[HAIRPIN], userdata=userdata.of_set((source, destination))),
            Set(
                GUARDS,
                ipset,
                fields,
                objects.DATA_VERDICT,
                0,
                sizes[GUARDS],
                0,
                0,
                userdata.of_verdict_map((destination, protocol, port)),
            ),
            Set(CLUSTER_IPS, kind, (size,), size=sizes[CLUSTER_IPS], userdata=userdata.of_set((destination,))),
        ]

    def _base_chains(self) -> list[bytes]:
        base = objects.new_base_chain
        nf, table = self.netlink, self.table
        to_svc = ex.verdict(ex.GOTO, "svc")
        mark = ex.meta(R0, ex.META_MARK)
        marked = ex.bitwise(R0, _host(MASQUERADE_MARK), _host(0))
        unmark = ex.bitwise(R0, _host(0xFFFFFFFF), _host(MASQUERADE_MARK))
        translated = ex.bitwise(R0, _host(ex.CT_STATUS_DNAT), _host(0))
        second = R0 + self.size // 4
        both = self._source, ex.payload(second, ex.NETWORK_HEADER, 16 if self.family == IPV4 else 24, self.size)
        return [
            base(nf, table, "prerouting", objects.PREROUTING, objects.PRIORITY_DNAT),
            base(nf, table, "output", objects.OUTPUT, objects.PRIORITY_DNAT),
            base(nf, table, "postrouting", objects.POSTROUTING, objects.PRIORITY_SNAT),
            *(
                self._rule(chain, *rule)
                for chain in ("prerouting", "output")
                for rule in ((*self._frontend_key(), ex.lookup(GUARDS, R0, ex.VERDICT)), (to_svc,))
            ),
            self._rule(
                "postrouting",
                mark,
                marked,
                ex.compare(R0, ex.EQUAL, _host(MASQUERADE_MARK)),
                mark,
                unmark,
                ex.meta_set(R0, ex.META_MARK),
                ex.masquerade(),
            ),
            self._rule(
                "postrouting",
                ex.conntrack(R0, ex.CT_STATUS),
                translated,
                ex.compare(R0, ex.NOT_EQUAL, _host(0)),
                *both,
                ex.lookup(HAIRPIN, R0),
                ex.masquerade(),
            ),
        ]

    def _frontend_key(self) -> tuple[bytes, ...]:
        """Address, protocol and port that the packet goes to."""
        after = R0 + self._protocol_and_port
        port = ex.payload(after + 1, ex.TRANSPORT_HEADER, 2, 2)
        return self._destination, ex.meta(after, ex.META_L4PROTO), port

    def _dispatch(self, cluster: Network | None, nodes: Sequence[Network]) -> list[bytes]:
        keep, to_dispatch = ex.meta_set(R0, ex.META_PRIORITY), ex.verdict(ex.GOTO, "dispatch")
        short_key = (ex.meta(R0, ex.META_L4PROTO), ex.payload(R0 + 1, ex.TRANSPORT_HEADER, 2, 2))
        own = self._local(ex.FIB_DESTINATION)
        places = [self._within(self._destination, one, inside=True) for one in nodes] or [self._not_loopback()]
        rules = [
            self._rule("svc", *self._frontend_key(), ex.lookup(SERVICES, R0, R0), keep, to_dispatch),
            *(
                self._rule("svc", *own, *place, *short_key, ex.lookup(NODEPORTS, R0, R0), keep, to_dispatch)
                for place in places
            ),
            self._rule(
                "svc",
                self._destination,
                ex.lookup(CLUSTER_IPS, R0),
                ex.immediate(R0, _host(REFUSE)),
                keep,
                ex.verdict(ex.GOTO, "pick"),
            ),
            self._rule("dispatch", *self._routed(Route.EXTERNAL), *self._masquerade_later()),
            self._rule("dispatch", *self._routed(Route.EXTERNAL_LOCAL), ex.verdict(ex.GOTO, "external-local")),
        ]
        if cluster is not None:
            outside = self._from(cluster, inside=False)
            rules.append(self._rule("dispatch", *self._routed(Route.INTERNAL), *outside, *self._masquerade_later()))
        rules.append(self._rule("dispatch", ex.verdict(ex.GOTO, "pick")))
        everywhere = (*self._group(), ex.lookup(TWINS, R0, R0), keep, ex.verdict(ex.GOTO, "pick"))
        if cluster is not None:
            rules.append(self._rule("external-local", *self._from(cluster, inside=True), *everywhere))
        local = self._local(ex.FIB_SOURCE)
        rules.append(self._rule("external-local", *local, *self._masquerade_later(), *everywhere))
        rules.append(self._rule("external-local", ex.verdict(ex.GOTO, "pick")))
        code = (ex.meta(R0, ex.META_PRIORITY), ex.bitwise(R0, _host(CODE_MASK), _host(0)))
        rules.append(self._rule("pick", *code, ex.lookup(LB, R0, ex.VERDICT)))
        rules.append(self._rule("pick", ex.verdict(ex.DROP)))
        return rules

    def _ends(self) -> list[bytes]:
        tcp = (ex.meta(R0, ex.META_L4PROTO), ex.compare(R0, ex.EQUAL, bytes((addresses.TCP,))))
        unreachable = ex.reject_unreachable_family(3 if self.family == IPV4 else 4)
        return [
            self._rule("refuse", *tcp, ex.reject_reset()),
            self._rule("refuse", unreachable),
            self._rule(_REFUSE_CHAIN, ex.verdict(ex.GOTO, "refuse")),
            self._rule(_DROP_CHAIN, ex.verdict(ex.DROP)),
        ]

    def _group(self) -> tuple[bytes, ...]:
        return ex.meta(R0, ex.META_PRIORITY), ex.bitwise(R0, _host(GROUP_MASK), _host(0))

    def _routed(self, route: int) -> tuple[bytes, ...]:
        load = ex.meta(R0, ex.META_PRIORITY), ex.bitwise(R0, _host(ROUTE_MASK), _host(0))
        return *load, ex.compare(R0, ex.EQUAL, _host(route << ROUTE_SHIFT))

    def _masquerade_later(self) -> tuple[bytes, ...]:
        """mark |= MASQUERADE_MARK"""
        raise_bit = ex.bitwise(R0, _host(0xFFFFFFFF & ~MASQUERADE_MARK), _host(MASQUERADE_MARK))
        return ex.meta(R0, ex.META_MARK), raise_bit, ex.meta_set(R0, ex.META_MARK)

    def _local(self, which: int) -> tuple[bytes, ...]:
        return ex.fib_type(R0, which), ex.compare(R0, ex.EQUAL, _host(ex.ADDRESS_LOCAL))

    def _not_loopback(self) -> tuple[bytes, ...]:
        if self.family == IPV4:
            return ex.payload(R0, ex.NETWORK_HEADER, 16, 1), ex.compare(R0, ex.NOT_EQUAL, b"\x7f")
        return self._destination, ex.compare(R0, ex.NOT_EQUAL, b"\0" * 15 + b"\x01")

    def _from(self, network: Network, *, inside: bool) -> tuple[bytes, ...]:
        return self._within(self._source, network, inside=inside)

    def _within(self, address: bytes, network: Network, *, inside: bool) -> tuple[bytes, ...]:
        masked = ex.bitwise(R0, addresses.mask(self.family, network.prefix), b"\0" * self.size)
        return address, masked, ex.compare(R0, ex.EQUAL if inside else ex.NOT_EQUAL, network.address)

    def _send(self, target: str, key: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """dnat to KEY map @target"""
        address = R0 if self.family == IPV4 else R0 + 4
        port = address + self.size // 4
        return *key, ex.lookup(target, R0, address), ex.dnat(self.netlink, address, port)

    def _plain_rules(self, count: int) -> list[tuple[bytes, ...]]:
        return [self._send(ENDPOINTS, (*self._group(), ex.random_below(R0 + 1, modulus))) for modulus in (count, 1)]

    def _affinity_rules(self, count: int, timeout: int) -> list[tuple[bytes, ...]]:
        keep = ex.meta_set(R0, ex.META_PRIORITY)
        offset = 12 if self.family == IPV4 else 8
        client = (*self._group(), ex.payload(R0 + 1, ex.NETWORK_HEADER, offset, self.size))
        data = R0 + 1 + self.size // 4
        chosen = ex.meta(data, ex.META_PRIORITY)
        remember = (*client, chosen, ex.dynamic(AFFINITY, ex.DYN_UPDATE, R0, data, timeout * 1000))
        forget = (*client, chosen, ex.dynamic(AFFINITY, ex.DYN_DELETE, R0, data))
        send = self._send(AFF_EPS, (ex.meta(R0, ex.META_PRIORITY),))
        again = (*client, ex.lookup(AFFINITY, R0, R0), keep, *remember, *send)
        picks = [
            (*self._group(), ex.random_below(R0 + 1, modulus), ex.lookup(AFF_IDS, R0, R0), keep, *remember, *send)
            for modulus in (count, 1)
        ]
        return [again, forget, *picks]
