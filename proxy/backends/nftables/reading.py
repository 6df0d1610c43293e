"""From what the kernel holds back to what the plan speaks of; and what of an old table goes on in a new one."""

from linux.nft import Door
from linux.nft.wire import INET4
from proxy.backends.nftables import words
from proxy.backends.nftables.layout import Memory, memory_key
from proxy.backends.nftables.schema import (
    AFF_EPS,
    AFF_IDS,
    BYTE_ORDER,
    CLUSTER_IPS,
    ENDPOINTS,
    GUARD_CHAIN,
    GUARDS,
    HAIRPIN,
    LB,
    NODEPORTS,
    SERVICES,
    TABLE,
    TABLE_FAMILIES,
    TWINS,
)
from proxy.plan.desired import NODE, Route
from proxy.plan.expected import Reading, SeenFrontend, Slot, Target


def read_family(door: Door, family: int) -> Reading:
    """Everything in the table of one family; empty if there is none."""
    if TABLE not in door.tables(TABLE_FAMILIES[family]):
        return Reading()
    tables = _Tables(door, family)
    frontends: dict[Slot, SeenFrontend] = {}
    for key, word in tables.map(SERVICES).items():
        address, protocol, port = key[:-8], key[-8], int.from_bytes(key[-4:-2], "big")
        frontends[family, protocol, address, port] = tables.frontend(word, tables.guards.get(key, ""))
    for key, word in tables.map(NODEPORTS).items():
        frontends[family, key[0], NODE, int.from_bytes(key[4:6], "big")] = tables.frontend(word)
    here = frozenset(key[: len(key) // 2] for key in tables.map(HAIRPIN))
    return Reading(frontends, frozenset(tables.map(CLUSTER_IPS)), here)


class _Tables:
    """The maps of one table, and what a word in them leads to."""

    def __init__(self, door: Door, family: int) -> None:
        self._door = door
        self._family = family
        self._codes = {int.from_bytes(key, BYTE_ORDER): chain for key, chain in self._chains().items()}
        self.guards = {
            e.key: e.chain.removeprefix(GUARD_CHAIN) for e in door.elements(TABLE_FAMILIES[family], TABLE, GUARDS)
        }
        self._twins = self.map(TWINS)
        names = self.map(AFF_EPS)
        self._endpoints: dict[int, dict[int, bytes]] = {}
        for key, data in self.map(ENDPOINTS).items():
            self._endpoints.setdefault(words.unpack(key[:4])[1], {})[int.from_bytes(key[4:], BYTE_ORDER)] = data
        for key, name in self.map(AFF_IDS).items():
            index = int.from_bytes(key[4:], BYTE_ORDER)
            self._endpoints.setdefault(words.unpack(key[:4])[1], {})[index] = names[name]

    def map(self, name: str) -> dict[bytes, bytes]:
        """A map, or a set with empty data."""
        nf = TABLE_FAMILIES[self._family]
        return {element.key: element.data for element in self._door.elements(nf, TABLE, name)}

    def _chains(self) -> dict[bytes, str]:
        return {e.key: e.chain for e in self._door.elements(TABLE_FAMILIES[self._family], TABLE, LB)}

    def frontend(self, word: bytes, sources: str = "") -> SeenFrontend:
        """What the rules do with a packet that got this word."""
        route, group, code = words.unpack(word)
        inside = None
        if route == Route.EXTERNAL_LOCAL:
            _, twin, twin_code = words.unpack(self._twins[words.group_key(group)])
            inside = self._target(twin, twin_code)
        return SeenFrontend(route, self._target(group, code), inside, sources)

    def _target(self, group: int, code: int) -> Target:
        chain = self._codes[code]
        if code in (words.REFUSE, words.DROP):
            return Target(frozenset(), 0, "reject" if code == words.REFUSE else "drop")
        kind, count, *timeout = chain.split("-")
        # Only indexes below the chain's count can be drawn; one that is missing shows as a difference.
        reachable = [self._endpoints.get(group, {}).get(index, b"") for index in range(int(count))]
        return Target(frozenset(reachable), int(timeout[0]) if kind == "aff" else 0)


def read_memory(door: Door, family: int) -> Memory:
    """Ids and slots of groups with affinity in the table that is there."""
    nf = TABLE_FAMILIES[family]
    memory = Memory()
    if TABLE not in door.tables(nf):
        return memory
    slots: dict[int, dict[bytes, int]] = {}
    for element in door.elements(nf, TABLE, AFF_EPS):
        group, slot = words.unpack_name(element.key)
        slots.setdefault(group, {})[element.data] = slot
    if not slots:
        return memory
    size = 4 if nf == INET4 else 16
    twins = {e.key: e.data for e in door.elements(nf, TABLE, TWINS)}
    frontends = [(e.key[:size], e.key[size:], e.data) for e in door.elements(nf, TABLE, SERVICES)]
    frontends += [(NODE, e.key, e.data) for e in door.elements(nf, TABLE, NODEPORTS)]
    for address, rest, word in frontends:
        route, group, _ = words.unpack(word)
        place = (rest[0], address, int.from_bytes(rest[4:6], "big"))
        twin = twins.get(words.group_key(group)) if route == Route.EXTERNAL_LOCAL else None
        # A word of an internal frontend may lead to a local or to a general group: it goes on as either.
        for local in (True,) if twin is not None else (False, True) if route == Route.INTERNAL else (False,):
            _remember(memory, family, place, local, group, slots)
        if twin is not None:
            _remember(memory, family, place, False, words.unpack(twin)[1], slots)
    return memory


def _remember(
    memory: Memory,
    family: int,
    place: tuple[int, bytes, int],
    local: bool,
    group: int,
    slots: dict[int, dict[bytes, int]],
) -> None:
    protocol, address, port = place
    if group in slots:
        memory.groups[memory_key(family, protocol, address, port, local)] = (group, slots[group])
