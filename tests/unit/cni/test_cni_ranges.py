"""Address arithmetic and the order in which addresses are given."""

from itertools import islice

import pytest

from cni import ranges
from cni.ranges import candidates, make_range, show


def listed(cidr: str, after: str = "", **bounds: str) -> list[str]:
    last = ranges.parse(after) if after else None
    return [show(ip) for ip in candidates((make_range(cidr, **bounds),), last)]


def test_network_gateway_and_broadcast_are_nobodys() -> None:
    assert listed("10.1.2.0/29") == [f"10.1.2.{n}" for n in range(2, 7)]
    assert make_range("10.1.2.0/29").room == 5


def test_the_search_goes_on_behind_the_last_and_round_once() -> None:
    assert listed("10.1.2.0/29", "10.1.2.4") == ["10.1.2.5", "10.1.2.6", "10.1.2.2", "10.1.2.3", "10.1.2.4"]
    assert listed("10.1.2.0/29", "10.1.2.6") == [f"10.1.2.{n}" for n in range(2, 7)]
    assert listed("10.1.2.0/29", "192.0.2.1") == [f"10.1.2.{n}" for n in range(2, 7)]


def test_several_ranges_are_one_wheel() -> None:
    one, two = make_range("10.1.0.0/30"), make_range("10.2.0.0/29", first="10.2.0.3", last="10.2.0.4")
    order = [show(ip) for ip in candidates((one, two), ranges.parse("10.2.0.3"))]
    assert order == ["10.2.0.4", "10.1.0.2", "10.2.0.3"]


@pytest.mark.parametrize("after", ["", "10.1.2.2", "10.1.2.40", "10.1.2.254"])
def test_every_address_comes_exactly_once(after: str) -> None:
    found = listed("10.1.2.0/24", after, first="10.1.2.2", gateway="10.1.2.77")
    assert len(found) == len(set(found)) == make_range("10.1.2.0/24", first="10.1.2.2", gateway="10.1.2.77").room
    assert "10.1.2.77" not in found


def test_a_v6_subnet_is_never_listed_whole() -> None:
    wheel = candidates((make_range("fd00:1::/64"),), ranges.parse("fd00:1::ffff"))
    assert [show(ip) for ip in islice(wheel, 2)] == ["fd00:1::1:0", "fd00:1::1:1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("10.1.2.0/31",), "too small"),
        (("10.1.2.0",), "not a network such as"),
        (("10.1.2.0/33",), "not a network such as"),
        (("10.1.2/24",), "not an IP address"),
        (("10.1.2.0/24", "10.1.3.1"), "rangeStart 10.1.3.1 is not in"),
        (("10.1.2.0/24", "10.1.2.9", "10.1.2.8"), "is after rangeEnd"),
        (("10.1.2.0/24", "", "", "fd00::1"), "gateway fd00::1 is not in"),
    ],
)
def test_bad_ranges_are_named(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_range(*arguments)


def test_a_mac_is_made_of_the_address() -> None:
    assert ranges.mac_of(ranges.parse("10.244.7.2")) == "0a:58:0a:f4:07:02"
    assert ranges.mac_of(ranges.parse("fd00::1:2")) == "0a:58:00:01:00:02"
