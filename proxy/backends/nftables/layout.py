"""What one family's table holds, and the transaction that takes it from one state to the next. No I/O.

The layout gives groups their ids, endpoint counts their codes, endpoints with affinity their slots, and knows how full
each map is. `fill` makes everything for an empty table, `change` the difference. When the kernel refuses a transaction
the layout is no longer true, and its owner makes a new one (`fill` again).

Ids are handed out in a circle: a freed one is not used again soon, so that a packet that is between two look-ups never
meets another service's endpoints.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from linux.nft.elements import goto_element
from proxy.backends.interface import BackendError, RebuildNeeded
from proxy.backends.nftables import schema, words
from proxy.backends.nftables.order import rearrange
from proxy.backends.nftables.schema import (
    AFF_EPS,
    AFF_IDS,
    CLUSTER_IPS,
    ENDPOINTS,
    GUARD_CHAIN,
    GUARDS,
    HAIRPIN,
    NODEPORTS,
    SERVICES,
    SIZED,
    TWINS,
    Schema,
)
from proxy.model import addresses
from proxy.model.facts import Facts
from proxy.model.networks import Network, digest
from proxy.plan.desired import NODE, Desired, Route
from proxy.plan.diff import Change

HEADROOM, FULL = 2, 0.8
LOW_COUNTS, NEIGHBOURS = 128, 4
SPARE_GUARDS = 64
_SMALLEST = dict.fromkeys(SIZED, 1024) | {ENDPOINTS: 4096}
MemoryKey = tuple[int, int, bytes, int, bool]
_Image = dict[tuple[str, bytes], bytes]  # (map, key) -> data


@dataclass(slots=True)
class Group:
    """One list of endpoints in the kernel, by index; `slots` names them for affinity."""

    id: int
    order: bytes = b""
    slots: dict[bytes, int] | None = None
    next_slot: int = 0
    free: list[int] = field(default_factory=list)  # a deque takes 600 bytes, and there are as many groups as Services

    def name_endpoint(self, endpoint: bytes) -> bytes:
        """The lasting name of an endpoint; a new one gets a name that was never used, as long as there are any."""
        assert self.slots is not None
        slot = self.slots.get(endpoint)
        if slot is None:
            if self.next_slot <= words.MAX_SLOT:
                slot = self.next_slot
                self.next_slot += 1
            else:
                slot = self.free.pop(0)
            self.slots[endpoint] = slot
        return words.endpoint_name(self.id, slot)

    def forget(self, endpoint: bytes) -> bytes:
        """Take an endpoint's name away."""
        assert self.slots is not None
        slot = self.slots.pop(endpoint)
        self.free.append(slot)
        return words.endpoint_name(self.id, slot)


@dataclass(slots=True)
class Memory:
    """What of an earlier table is to go on: group ids and slots of frontends with affinity."""

    groups: dict[MemoryKey, tuple[int, dict[bytes, int]]] = field(default_factory=dict)


class Transaction:
    """Elements to delete and to add, by map. Deletions go first, so a changed value is both."""

    def __init__(self, table: Schema) -> None:
        self._schema = table
        self.deletes: dict[str, list[bytes]] = {name: [] for name in SIZED}
        self.adds: dict[str, list[bytes]] = {name: [] for name in SIZED}
        self.added: Counter[str] = Counter()
        self.chains: list[bytes] = []

    def add(self, name: str, key: bytes, data: bytes = b"") -> None:
        """Put one element."""
        guard = name == GUARDS
        self.adds[name].append(
            goto_element(key, data.decode()) if guard else self._schema.formats[name].element(key, data)
        )
        self.added[name] += 1

    def add_many(self, name: str, prefix: bytes, data: list[bytes]) -> None:
        """Put elements numbered from 0."""
        self.adds[name].append(self._schema.formats[name].numbered(prefix, data))
        self.added[name] += len(data)

    def delete(self, name: str, key: bytes) -> None:
        """Take one element away."""
        self.deletes[name].append(self._schema.formats[name].bare(key))

    def messages(self) -> Iterable[bytes]:
        """All of it, in an order the kernel accepts."""
        yield from self.chains
        for name, elements in self.deletes.items():
            if elements:
                yield from self._schema.deletes[name].mixed(elements)
        for name, elements in self.adds.items():
            if elements and name == GUARDS:
                yield from self._schema.adds[name].mixed(elements)
            elif elements:
                yield from self._schema.adds[name].uniform(b"".join(elements), self._schema.formats[name].size)


class Layout:
    """The state of one table."""

    def __init__(self, table: Schema, facts: Facts, memory: Memory | None = None) -> None:
        self.schema = table
        self._facts = facts
        self._guards: set[str] = set()  # chains that were made
        self._memory = memory or Memory()
        self._groups: dict[tuple[str, bool], Group] = {}  # (name of the service port, local)
        self._next_group = 1
        self._free_groups: deque[int] = deque()
        self._taken = {identity for identity, _ in self._memory.groups.values()}
        self._carried = set(self._taken)
        self._codes: dict[tuple[int, int], int] = {}
        self._here: Counter[bytes] = Counter()
        self._cluster_ips: Counter[bytes] = Counter()
        self.counts: Counter[str] = Counter()
        self.sizes: dict[str, int] = {}

    def fill(self, desired: Iterable[Desired]) -> list[bytes]:
        """Messages that replace the whole table by one that holds this."""
        transaction = Transaction(self.schema)
        for one in desired:
            self._add(one, transaction)
        for count in _likely_counts([count for count, timeout in self._codes if not timeout]):
            self._code(count, 0, transaction)
        self.counts = Counter(transaction.added)
        self.sizes = {name: _size(name, self.counts[name]) for name in SIZED}
        cluster, nodes = self._facts.cluster_network(self.schema.family), self._facts.node_networks(self.schema.family)
        return [*self.schema.create(self.sizes, cluster, nodes), *transaction.messages()]

    def change(self, changes: Sequence[Change]) -> list[bytes]:
        """Messages that make these changes; RebuildNeeded if a map has no room for them."""
        transaction = Transaction(self.schema)
        for change in changes:
            if change.old is None and change.new is not None:
                self._add(change.new, transaction)
            elif change.old is not None:
                self._change(change.old, change.new, transaction)
        self._check_room(transaction)
        return list(transaction.messages())

    def affine_names(self) -> set[bytes]:
        """The names of all endpoints of groups with affinity."""
        return {
            words.endpoint_name(group.id, slot)
            for group in self._groups.values()
            if group.slots
            for slot in group.slots.values()
        }

    def _check_room(self, transaction: Transaction) -> None:
        for name in SIZED:
            added, gone = transaction.added[name], len(transaction.deletes[name])
            before = self.counts[name]
            self.counts[name] = before + added - gone
            if added and self.counts[name] > self.sizes[name] * FULL:
                raise RebuildNeeded(f"cannot add to map {name}: it is nearly full ({before} of {self.sizes[name]})")

        if len(self._guards) > SPARE_GUARDS + 2 * self.counts[GUARDS]:
            raise RebuildNeeded("cannot add another set of source ranges: too many are there that nobody uses any more")

    def _add(self, one: Desired, transaction: Transaction) -> None:
        self._update_groups(None, one, transaction)
        for (name, key), data in self._image(one, transaction).items():
            transaction.add(name, key, data)
        if one.here:
            self._count(self._here, HAIRPIN, _hairpins(one), 1, transaction)
        self._count(self._cluster_ips, CLUSTER_IPS, _cluster_ips(one), 1, transaction)

    def _change(self, old: Desired, new: Desired | None, transaction: Transaction) -> None:
        before = self._image(old, transaction)
        self._update_groups(old, new, transaction)
        after = self._image(new, transaction) if new is not None else {}
        for (name, key), data in before.items():
            if after.get((name, key)) != data:
                transaction.delete(name, key)
        for (name, key), data in after.items():
            if before.get((name, key)) != data:
                transaction.add(name, key, data)
        if new is None or new.here != old.here:
            self._recount(self._here, HAIRPIN, _hairpins(old), _hairpins(new), transaction)
        if new is None or new.frontends != old.frontends:
            self._recount(self._cluster_ips, CLUSTER_IPS, _cluster_ips(old), _cluster_ips(new), transaction)

    def _recount(
        self, counter: Counter[bytes], name: str, old: set[bytes], new: set[bytes], transaction: Transaction
    ) -> None:
        self._count(counter, name, new - old, 1, transaction)
        self._count(counter, name, old - new, -1, transaction)

    def _count(self, counter: Counter[bytes], name: str, keys: set[bytes], step: int, transaction: Transaction) -> None:
        """Keep an element as long as somebody counts on it."""
        for key in keys:
            was = counter[key]
            counter[key] = was + step
            full_key = key + key if name == HAIRPIN else key
            if was == 0:
                transaction.add(name, full_key)
            elif was + step == 0:
                del counter[key]
                transaction.delete(name, full_key)

    def _image(self, one: Desired, transaction: Transaction) -> _Image:
        """The words of a service port, with its groups as they are now."""
        image: _Image = {}
        protocol = one.protocol
        for frontend in one.frontends:
            data = self._word(one, frontend.route, one.uses_local(frontend.route), transaction)
            if frontend.address == NODE:
                image[NODEPORTS, self.schema.port_key(protocol, frontend.port)] = data
            else:
                image[SERVICES, self.schema.service_key(protocol, frontend.address, frontend.port)] = data
            if frontend.guarded:
                key = self.schema.service_key(protocol, frontend.address, frontend.port)
                image[GUARDS, key] = self._guard(one.sources, transaction)
            if frontend.route == Route.EXTERNAL_LOCAL:
                near = self._groups[one.name, True]
                image[TWINS, words.group_key(near.id)] = self._word(one, Route.INTERNAL, False, transaction)
        return image

    def _word(self, one: Desired, route: int, local: bool, transaction: Transaction) -> bytes:
        group = self._groups[one.name, local]
        count = len(group.order) // addresses.width(one.family)
        if count:
            code = self._code(count, one.affinity, transaction)
        else:
            code = words.DROP if local and one.every else words.REFUSE
        return words.word(route, group.id, code)

    def _guard(self, sources: Sequence[Network], transaction: Transaction) -> bytes:
        chain = f"{GUARD_CHAIN}{digest(sources)}"
        if chain not in self._guards:
            self._guards.add(chain)
            transaction.chains += self.schema.guard(chain, sources)
        return chain.encode()

    def _code(self, count: int, timeout: int, transaction: Transaction) -> int:
        code = self._codes.get((count, timeout))
        if code is None:
            code = words.FIRST_CODE + len(self._codes)
            if code > words.MAX_CODE:
                # Counts that were in use once are kept: a rebuild forgets those that no longer are.
                raise RebuildNeeded("cannot add another endpoint count: all codes are in use")
            self._codes[count, timeout] = code
            transaction.chains += self.schema.balancer(code, count, timeout)
        return code

    def _update_groups(self, old: Desired | None, new: Desired | None, transaction: Transaction) -> None:
        """Bring the endpoint lists of a service port up to date."""
        for local in _BOTH if old is not None or (new is not None and _wants_group(new, True)) else _EVERY:
            had = old is not None and (old.name, local) in self._groups
            wants = new is not None and _wants_group(new, local)
            if had and old is not None and (not wants or new is None or bool(old.affinity) != bool(new.affinity)):
                self._drop_group(old, local, transaction)
                had = False
            if wants and new is not None:
                if not had:
                    self._groups[new.name, local] = self._new_group(new, local)
                group = self._groups[new.name, local]
                wanted = new.local if local else new.every
                if group.slots is None:
                    self._put_plain(group, addresses.split(wanted, new.family), transaction)
                else:
                    self._put_affine(group, addresses.split(wanted, new.family), transaction)

    def _put_plain(self, group: Group, wanted: list[bytes], transaction: Transaction) -> None:
        prefix = words.group_key(group.id)
        if not group.order:
            transaction.add_many(ENDPOINTS, prefix, wanted)
            group.order = b"".join(wanted)
            return
        current = self._split(group.order)
        order = rearrange(current, wanted)
        for index in range(max(len(current), len(order))):
            was = current[index] if index < len(current) else None
            now = order[index] if index < len(order) else None
            if was != now:
                key = prefix + index.to_bytes(4, _BYTE_ORDER)
                if was is not None:
                    transaction.delete(ENDPOINTS, key)
                if now is not None:
                    transaction.add(ENDPOINTS, key, now)
        group.order = b"".join(order)

    def _put_affine(self, group: Group, wanted: list[bytes], transaction: Transaction) -> None:
        """As `_put_plain`, but indexes lead to names, and names to endpoints."""
        prefix = words.group_key(group.id)
        current = self._split(group.order)
        order = rearrange(current, wanted[: words.MAX_SLOT + 1])
        slots = group.slots
        assert slots is not None
        old_names = [words.endpoint_name(group.id, slots[one]) for one in current]
        staying, known = set(order), set(current)
        for one in current:
            if one not in staying:
                transaction.delete(AFF_EPS, group.forget(one))
        for one in order:
            if one not in known:
                transaction.add(AFF_EPS, group.name_endpoint(one), one)
        names = [group.name_endpoint(one) for one in order]
        for index in range(max(len(old_names), len(names))):
            was = old_names[index] if index < len(old_names) else None
            now = names[index] if index < len(names) else None
            if was != now:
                key = prefix + index.to_bytes(4, _BYTE_ORDER)
                if was is not None:
                    transaction.delete(AFF_IDS, key)
                if now is not None:
                    transaction.add(AFF_IDS, key, now)
        group.order = b"".join(order)

    def _new_group(self, one: Desired, local: bool) -> Group:
        if not one.affinity:
            return Group(self._new_id())
        for frontend in one.frontends:
            carried = self._memory.groups.pop(
                memory_key(one.family, one.protocol, frontend.address, frontend.port, local), None
            )
            # One old group may be known by several frontends, and those may part: the first one gets it.
            if carried is not None and carried[0] in self._carried:
                identity, slots = carried
                self._carried.discard(identity)
                wanted = set(addresses.split(one.local if local else one.every, one.family))
                kept = {endpoint: slot for endpoint, slot in slots.items() if endpoint in wanted}
                following = max(slots.values(), default=-1) + 1
                free = sorted(set(range(following)).difference(kept.values()))
                return Group(identity, b"", kept, following, free)
        return Group(self._new_id(), b"", {})

    def _new_id(self) -> int:
        while self._next_group <= words.MAX_GROUP:
            identity = self._next_group
            self._next_group += 1
            if identity not in self._taken:
                return identity
        if not self._free_groups:
            raise BackendError(f"cannot add a service port: there are {words.MAX_GROUP} endpoint lists already")
        return self._free_groups.popleft()

    def _drop_group(self, one: Desired, local: bool, transaction: Transaction) -> None:
        group = self._groups.pop((one.name, local))
        prefix = words.group_key(group.id)
        current = self._split(group.order)
        for index in range(len(current)):
            transaction.delete(ENDPOINTS if group.slots is None else AFF_IDS, prefix + index.to_bytes(4, _BYTE_ORDER))
        if group.slots is not None:
            for endpoint in current:
                transaction.delete(AFF_EPS, words.endpoint_name(group.id, group.slots[endpoint]))
        self._free_groups.append(group.id)

    def _split(self, order: bytes) -> list[bytes]:
        return addresses.split(order, self.schema.family)


_BYTE_ORDER = schema.BYTE_ORDER
_BOTH, _EVERY = (False, True), (False,)


def memory_key(family: int, protocol: int, address: bytes, port: int, local: bool) -> MemoryKey:
    """How a group is found again in an older table: by a frontend that leads to it."""
    return family, protocol, address, port, local


def _wants_group(one: Desired, local: bool) -> bool:
    for frontend in one.frontends:
        if one.uses_local(frontend.route) == local or (not local and frontend.route == Route.EXTERNAL_LOCAL):
            return True
    return False


def _hairpins(one: Desired | None) -> set[bytes]:
    if one is None:
        return set()
    size = 4 if one.family == addresses.IPV4 else 16
    return {one.here[i : i + size] for i in range(0, len(one.here), size)}


def _cluster_ips(one: Desired | None) -> set[bytes]:
    if one is None:
        return set()
    return {f.address for f in one.frontends if f.route == Route.INTERNAL and f.address != NODE}


def _likely_counts(used: list[int]) -> set[int]:
    """The counts to make chains for before they are needed.

    When a chain first refers to a map the kernel walks through all that is in it: 15-30 ms with 250,000 endpoints,
    nothing in a map that is still empty.
    """
    low = set(range(1, min(max(used, default=0) + NEIGHBOURS, LOW_COUNTS) + 1))
    return low | {near for count in used for near in range(max(count - NEIGHBOURS, 1), count + NEIGHBOURS + 1)}


def _size(name: str, count: int) -> int:
    wanted = max(_SMALLEST[name], count * HEADROOM)
    return 1 << (wanted - 1).bit_length()
