"""Numbers are handed out once each, whoever asks and in whatever order."""

import random

import pytest

from api import codec, kinds
from controlplane.apiserver.allocators.addresses import AddressError, Addresses, NoneLeft, range_of
from controlplane.apiserver.allocators.pool import Full, Pool, Taken, by_hand
from controlplane.apiserver.allocators.ports import PortError, Ports
from controlplane.apiserver.allocators.services import ServiceNumbers
from controlplane.apiserver.cache import Event, Kept

SPANS = ((2, 8), (0, 2))


def pool() -> Pool:
    return Pool(random.Random(1))


def addresses(*cidrs: str, known: tuple[str, ...] = ()) -> Addresses:
    found = Addresses("IPv6" if ":" in cidrs[0] else "IPv4", random.Random(1), known)
    found.use(map(range_of, cidrs))
    return found


def test_picks_above_the_hand_chosen_part_until_that_is_full():
    numbers = pool()
    picked = [numbers.reserve_any("a", SPANS) for _ in range(6)]
    assert sorted(picked) == [2, 3, 4, 5, 6, 7]
    assert sorted([numbers.reserve_any("a", SPANS), numbers.reserve_any("a", SPANS)]) == [0, 1]
    with pytest.raises(Full):
        numbers.reserve_any("a", SPANS)


def test_a_number_is_taken_while_it_is_reserved_or_held():
    numbers = pool()
    numbers.reserve(3, "default/a")
    with pytest.raises(Taken):
        numbers.reserve(3, "default/b")
    numbers.hold(3, "default/a")
    numbers.give_back(3)
    with pytest.raises(Taken):
        numbers.reserve(3, "default/b")
    numbers.let_go(3, "default/a")
    numbers.reserve(3, "default/b")


def test_the_owner_may_reserve_what_it_holds_in_several_writes_at_once():
    numbers = pool()
    numbers.hold(3, "default/a")
    numbers.reserve(3, "default/a")
    numbers.reserve(3, "default/a")
    numbers.give_back(3)
    with pytest.raises(Taken):
        numbers.reserve(3, "default/b")
    numbers.give_back(3)
    assert numbers.owner(3) == "default/a"


def test_a_number_that_two_hold_is_taken_until_both_have_let_go():
    numbers = pool()
    numbers.hold(3, "default/a")
    numbers.hold(3, "default/b")
    numbers.let_go(3, "default/c")
    numbers.let_go(3, "default/a")
    assert numbers.owner(3) == "default/b"
    numbers.let_go(3, "default/b")
    assert numbers.owner(3) == ""


@pytest.mark.parametrize(
    ("size", "least", "most", "part", "expected"),
    [
        (8, 16, 256, 16, 0),
        (16, 16, 256, 16, 0),
        (32, 16, 256, 16, 16),
        (256, 16, 256, 16, 16),
        (1024, 16, 256, 16, 64),
        (2**20, 16, 256, 16, 256),
        (2768, 16, 128, 32, 86),
        (16, 16, 128, 32, 0),
        (17, 16, 128, 32, 16),
    ],
)
def test_how_many_are_left_to_people(size: int, least: int, most: int, part: int, expected: int):
    assert by_hand(size, least, most, part) == expected


@pytest.mark.parametrize(
    ("cidr", "usable", "left_to_people"),
    [
        ("10.96.0.0/12", 2**20 - 2, 256),
        ("10.0.0.0/29", 6, 0),
        ("10.0.0.0/28", 14, 0),
        ("10.0.0.0/24", 254, 16),
        ("10.0.0.0/32", 0, 0),
        ("10.0.0.0/31", 0, 0),
        ("fd00::/112", 2**16 - 1, 256),
        ("fd00::/64", 2**64 - 1, 256),
    ],
)
def test_ranges(cidr: str, usable: int, left_to_people: int):
    found = range_of(cidr)
    assert found.end - found.first == usable
    assert found.middle - found.first == left_to_people


def test_dynamic_addresses_come_from_the_upper_part():
    found = addresses("10.0.0.0/24")
    picked = {found.reserve_any("a")[1] for _ in range(238)}
    assert not picked & {f"10.0.0.{n}" for n in range(1, 17)}
    assert found.reserve_any("a")[1] in {f"10.0.0.{n}" for n in range(1, 17)}


@pytest.mark.parametrize("address", ["10.97.0.1", "10.96.0.0", "10.96.0.255", "fd00::1", "nonsense"])
def test_addresses_outside_the_range(address: str):
    with pytest.raises(AddressError, match="the provided network does not match the current range"):
        addresses("10.96.0.0/24").reserve(address, "default/web")


def test_an_address_with_an_object_of_its_name_is_taken_whoever_made_it():
    found = addresses("10.0.0.0/30", known=("10.0.0.2",))
    with pytest.raises(AddressError, match="provided IP is already allocated"):
        found.reserve("10.0.0.2", "default/web")
    assert found.reserve_any("a")[1] == "10.0.0.1"
    with pytest.raises(NoneLeft, match="range is full"):
        found.reserve_any("a")


def test_a_second_range_is_used_when_the_first_is_full():
    found = addresses("10.0.0.0/30", "10.9.0.0/30")
    picked = [found.reserve_any("a")[1] for _ in range(4)]
    assert [sorted(picked[:2]), sorted(picked[2:])] == [["10.0.0.1", "10.0.0.2"], ["10.9.0.1", "10.9.0.2"]]
    with pytest.raises(NoneLeft):
        found.reserve_any("a")


def test_ports():
    ports = Ports(30000, 30001, random.Random(1))
    ports.reserve(30000, "default/a")
    with pytest.raises(PortError, match="provided port is already allocated"):
        ports.reserve(30000, "default/b")
    with pytest.raises(PortError, match="The range of valid ports is 30000-30001"):
        ports.reserve(80, "default/a")
    assert ports.reserve_any("default/b") == 30001
    with pytest.raises(PortError, match="range is full"):
        ports.reserve_any("default/c")


class Fed:
    """Numbers that are told of objects as the cache tells them."""

    def __init__(self, *cidrs: str) -> None:
        self.numbers = ServiceNumbers(cidrs or ("10.96.0.0/24",), (30000, 32767), random.Random(1))
        self.kept = {kind: Kept(kind) for kind in (kinds.SERVICE, kinds.SERVICE_CIDR)}
        self.revision = 0

    def put(self, kind, document) -> None:
        obj = codec.from_dict(kind, document)
        self._apply(kind, obj.metadata, codec.encode(obj))

    def drop(self, kind, name: str, namespace: str = "") -> None:
        key = f"{namespace}/{name}" if namespace else name
        self.revision += 1
        kept = self.kept[kind]
        entry = kept.entries[key]
        event = kept.apply(key, None, kept._splicer.unsplice(entry), self.revision)
        assert isinstance(event, Event)
        self.numbers.observe(kept, event)

    def _apply(self, kind, meta, value: bytes) -> None:
        self.revision += 1
        key = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
        event = self.kept[kind].apply(key, value, None, self.revision)
        assert event is not None
        self.numbers.observe(self.kept[kind], event)


def service(name: str, *ips: str, port: int = 0):
    spec = {"clusterIP": ips[0], "clusterIPs": list(ips), "ports": [{"port": 80, "nodePort": port}]}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def service_range(name: str, *cidrs: str, ready: str = "True", deleted: bool = False):
    meta = {"name": name} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})
    return {
        "metadata": meta,
        "spec": {"cidrs": list(cidrs)},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_services_hold_their_numbers_until_they_are_gone():
    fed = Fed()
    fed.put(kinds.SERVICE, service("web", "10.96.0.7", port=30007))
    family = fed.numbers.families["IPv4"]
    assert (family.owner("10.96.0.7"), fed.numbers.ports.owner(30007)) == ("default/web", "default/web")
    fed.put(kinds.SERVICE, service("web", "10.96.0.8"))
    assert (family.owner("10.96.0.7"), fed.numbers.ports.owner(30007)) == ("", "")
    fed.drop(kinds.SERVICE, "web", "default")
    assert family.owner("10.96.0.8") == ""


def test_the_first_address_belongs_to_the_api_server_whether_its_service_is_there_or_not():
    fed = Fed()
    with pytest.raises(AddressError, match="provided IP is already allocated"):
        fed.numbers.families["IPv4"].reserve("10.96.0.1", "default/web")
    fed.put(kinds.SERVICE, service("kubernetes", "10.96.0.1"))
    fed.drop(kinds.SERVICE, "kubernetes", "default")
    with pytest.raises(AddressError, match="provided IP is already allocated"):
        fed.numbers.families["IPv4"].reserve("10.96.0.1", "default/web")
    fed.numbers.families["IPv4"].reserve("10.96.0.1", "default/kubernetes")


def test_ranges_come_become_ready_and_go():
    fed = Fed()
    family = fed.numbers.families["IPv4"]
    fed.put(kinds.SERVICE_CIDR, service_range("more", "10.97.0.0/24", ready="False"))
    assert fed.numbers.covers("10.97.0.5")
    with pytest.raises(AddressError, match="does not match the current range"):
        family.reserve("10.97.0.5", "default/web")
    fed.put(kinds.SERVICE_CIDR, service_range("more", "10.97.0.0/24", "fd00::/112"))
    family.give_back(family.reserve("10.97.0.5", "default/web"))
    fed.put(kinds.SERVICE_CIDR, service_range("more", "10.97.0.0/24", deleted=True))
    with pytest.raises(AddressError, match="does not match the current range"):
        family.reserve("10.97.0.5", "default/web")
    fed.drop(kinds.SERVICE_CIDR, "more")
    assert not fed.numbers.covers("10.97.0.5")
    assert list(fed.numbers.families) == ["IPv4"], "a family must be configured"
