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


def test_the_search_goes_on_behind_the_last_to_the_end() -> None:
    assert listed("10.1.2.0/29", "10.1.2.4") == ["10.1.2.5", "10.1.2.6"]
    assert listed("10.1.2.0/29", "10.1.2.6") == []
    assert listed("10.1.2.0/29", "192.0.2.1") == [f"10.1.2.{n}" for n in range(2, 7)]


def test_several_ranges_follow_one_another() -> None:
    one, two = make_range("10.1.0.0/30"), make_range("10.2.0.0/29", first="10.2.0.3", last="10.2.0.4")
    assert [show(ip) for ip in candidates((one, two), None)] == ["10.1.0.2", "10.2.0.3", "10.2.0.4"]
    assert [show(ip) for ip in candidates((one, two), ranges.parse("10.2.0.3"))] == ["10.2.0.4"]
    assert [show(ip) for ip in candidates((one, two), ranges.parse("10.1.0.2"))] == ["10.2.0.3", "10.2.0.4"]


def test_every_address_comes_exactly_once() -> None:
    found = listed("10.1.2.0/24", first="10.1.2.2", gateway="10.1.2.77")
    assert len(found) == len(set(found)) == make_range("10.1.2.0/24", first="10.1.2.2", gateway="10.1.2.77").room
    assert "10.1.2.77" not in found


@pytest.mark.parametrize(
    ("spans", "left"),
    [
        ((), "2 3 4 5 6"),
        (("10.1.2.4",), "2 3 5 6"),
        (("10.1.2.0-10.1.2.3", "10.1.2.6"), "4 5"),
        (("10.1.2.0/30",), "4 5 6"),
        (("fd00::/8", "192.0.2.0/24"), "2 3 4 5 6"),
        (("10.1.2.3-10.1.2.4", "10.1.2.4-10.1.2.5"), "2 6"),
        (("10.1.0.0/16",), ""),
    ],
)
def test_spans_are_taken_out(spans: tuple[str, ...], left: str) -> None:
    pieces = ranges.without((make_range("10.1.2.0/29"),), tuple(map(ranges.span, spans)))
    assert " ".join(show(ip).rpartition(".")[2] for ip in candidates(pieces, None)) == left
    assert sum(piece.room for piece in pieces) == len(left.split())


@pytest.mark.parametrize("text", ["", "x", "10.1.2.9-10.1.2.8", "10.1.2.1-fd00::1", "10.1.2.0/44"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|does not"):
        ranges.span(text)


def test_a_link_local_address_is_the_kernels() -> None:
    assert show(ranges.link_local("0a:58:0a:f4:07:02")) == "fe80::858:aff:fef4:702"


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
