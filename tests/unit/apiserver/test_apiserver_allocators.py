"""Numbers are handed out once each, whoever asks and in whatever order."""

import random

import pytest

from controlplane.apiserver.allocators.addresses import AddressError, Addresses
from controlplane.apiserver.allocators.pool import Full, Pool, Taken
from controlplane.apiserver.allocators.ports import PortError, Ports


def pool(size: int = 8, by_hand: int = 2) -> Pool:
    return Pool(size, by_hand, random.Random(1))


def test_picks_above_the_hand_chosen_part_until_that_is_full():
    numbers = pool()
    picked = [numbers.reserve_any("a") for _ in range(6)]
    assert sorted(picked) == [2, 3, 4, 5, 6, 7]
    assert sorted([numbers.reserve_any("a"), numbers.reserve_any("a")]) == [0, 1]
    with pytest.raises(Full):
        numbers.reserve_any("a")
    assert numbers.free == 0


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


def test_only_the_owner_lets_go():
    numbers = pool()
    numbers.hold(3, "default/a")
    numbers.hold(3, "default/b")
    numbers.let_go(3, "default/b")
    assert numbers.owner(3) == "default/a"


@pytest.mark.parametrize(
    ("cidr", "usable", "first"),
    [
        ("10.96.0.0/12", 2**20 - 2, "10.96.0.1"),
        ("10.0.0.0/29", 6, "10.0.0.1"),
        ("fd00::/112", 2**16 - 1, "fd00::1"),
        ("fd00::/64", 2**24, "fd00::1"),
    ],
)
def test_ranges(cidr: str, usable: int, first: str):
    addresses = Addresses(cidr, random.Random(1))
    assert addresses.first == first
    assert addresses._pool.size == usable


def test_the_first_address_belongs_to_the_api_server():
    addresses = Addresses("10.96.0.0/24", random.Random(1))
    with pytest.raises(AddressError, match="provided IP is already allocated"):
        addresses.reserve("10.96.0.1", "default/web")
    addresses.reserve("10.96.0.1", "default/kubernetes")


@pytest.mark.parametrize("address", ["10.97.0.1", "10.96.0.0", "10.96.0.255", "fd00::1", "nonsense"])
def test_addresses_outside_the_range(address: str):
    addresses = Addresses("10.96.0.0/24", random.Random(1))
    with pytest.raises(AddressError, match=r"is not in the valid range. The range of valid IPs is 10.96.0.0/24"):
        addresses.reserve(address, "default/web")


def test_a_full_range():
    addresses = Addresses("10.0.0.0/30", random.Random(1))
    assert addresses.reserve_any("a")[1] == "10.0.0.2"
    with pytest.raises(AddressError, match="range is full"):
        addresses.reserve_any("a")


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
