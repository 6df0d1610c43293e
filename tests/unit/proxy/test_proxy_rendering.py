"""How plans become elements and rules."""

from __future__ import annotations

import random

import pytest

from linux.iptables import LEGACY, NFT, PLAIN, InUse, choose
from proxy.backends.iptables.render import probability, render, tree_chain
from proxy.backends.nftables import words
from proxy.backends.nftables.order import rearrange
from proxy.model.addresses import IPV4, TCP, UDP, endpoint, pack
from proxy.model.facts import Facts, parse_networks
from proxy.plan.desired import Desired, Frontend, Route

FACTS = Facts("here", parse_networks("10.244.0.0/16"))


@pytest.mark.parametrize(
    ("current", "wanted", "result"),
    [
        ("", "abc", "abc"),
        ("abc", "abc", "abc"),
        ("abc", "cba", "abc"),  # who stays keeps the place
        ("abc", "bc", "cb"),  # the last one fills the hole
        ("abc", "ab", "ab"),
        ("abc", "axc", "axc"),  # a newcomer fills the hole
        ("abc", "", ""),
        ("abcd", "dx", "dx"),
        ("abcd", "ad", "ad"),
    ],
)
def test_places_of_endpoints(current: str, wanted: str, result: str) -> None:
    def packed(text: str) -> list[bytes]:
        return [one.encode() for one in text]

    assert b"".join(rearrange(packed(current), packed(wanted))).decode() == result


def test_rearranging_moves_as_few_as_possible() -> None:
    rng = random.Random(1)
    for _ in range(300):
        current = [bytes([n]) for n in rng.sample(range(30), rng.randrange(12))]
        wanted = [bytes([n]) for n in rng.sample(range(30), rng.randrange(12))]
        result = rearrange(current, wanted)
        assert sorted(result) == sorted(wanted)
        kept = sum(1 for old, new in zip(current, result, strict=False) if old == new)
        assert kept == sum(1 for index, one in enumerate(current) if one in wanted and index < len(wanted))


def test_words_and_names_hold_what_was_put_in() -> None:
    rng = random.Random(2)
    for _ in range(200):
        route, group, code = rng.randrange(3), rng.randrange(words.MAX_GROUP + 1), rng.randrange(words.MAX_CODE + 1)
        assert words.unpack(words.word(route, group, code)) == (route, group, code)
        slot = rng.randrange(words.MAX_SLOT + 1)
        assert words.unpack_name(words.endpoint_name(group, slot)) == (group, slot)
        # Masked as the rules do, an endpoint's name is its group.
        assert words.unpack(words.endpoint_name(group, slot))[1] == group


@pytest.mark.parametrize(
    ("remaining", "text"),
    [(1, ""), (2, "0.50000000000"), (3, "0.33333333349"), (7, "0.14285714272"), (100, "0.00999999978")],
)
def test_probabilities_are_spelled_as_the_kernel_keeps_them(remaining: int, text: str) -> None:
    assert probability(remaining) == (f"-m statistic --mode random --probability {text} " if text else "")


@pytest.mark.parametrize("address", ["10.96.255.255", "fd00:1234:5678:9abc:def0:1234:5678:9abc"])
def test_chain_names_fit(address: str) -> None:
    for bits in (12, 16):
        assert len(tree_chain("W", pack(address), bits)) <= 28
    # Addresses that differ in the last bits only share a chain, others do not.
    near = pack(address)[:-1] + b"\0"
    assert tree_chain("W", near, 12) == tree_chain("W", pack(address), 12)
    far = bytes([pack(address)[0], pack(address)[1] ^ 1]) + pack(address)[2:]
    assert tree_chain("W", far, 12) != tree_chain("W", pack(address), 12)


def test_rules_of_a_service_port() -> None:
    one = Desired(
        "ns/web:http", IPV4, TCP, (Frontend(pack("10.96.0.1"), 80, Route.INTERNAL),), 0, False,
        endpoint(pack("10.244.0.5"), 8080) + endpoint(pack("10.244.0.6"), 8080), b"", pack("10.244.0.5"),
    )  # fmt: skip
    lines = {f"{table} {chain} {line}" for (table, chain, _), found in render(one, FACTS).items() for line in found}
    service = next(line.split()[-1] for line in lines if "--comment" in line)
    assert lines == {
        "nat WHERRY-SERVICES -d 10.96.0.0/16 -j WHERRY-V-10.96.0.0",
        "nat WHERRY-V-10.96.0.0 -d 10.96.0.0/20 -j WHERRY-W-10.96.0.0",
        f'nat WHERRY-W-10.96.0.0 -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -m comment --comment "ns/web:http" -j {service}',
        f"nat {service} ! -s 10.244.0.0/16 -j MARK --set-xmark 0x4000/0x4000",
        f"nat {service} -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.244.0.5:8080",
        f"nat {service} -p tcp -j DNAT --to-destination 10.244.0.6:8080",
        "nat WHERRY-HAIRPIN -d 10.244.0.0/16 -j WHERRY-H-10.244.0.0",
        "nat WHERRY-H-10.244.0.0 -d 10.244.0.0/20 -j WHERRY-J-10.244.0.0",
        "nat WHERRY-J-10.244.0.0 -s 10.244.0.5/32 -d 10.244.0.5/32 -j MASQUERADE --random-fully",
        "filter WHERRY-FILTER -d 10.96.0.0/16 -j WHERRY-F-10.96.0.0",
        "filter WHERRY-F-10.96.0.0 -d 10.96.0.0/20 -j WHERRY-G-10.96.0.0",
        "filter WHERRY-G-10.96.0.0 -d 10.96.0.1/32 -j WHERRY-REFUSE",
    }


def test_two_services_never_share_a_chain_of_endpoints() -> None:
    def chains(name: str, protocol: int) -> set[str]:
        one = Desired(name, IPV4, protocol, (Frontend(pack("10.96.0.1"), 80, 0),), 0, False, b"", b"", b"")
        return {chain for _, chain, _ in render(one, FACTS) if chain.startswith("WHERRY-S-")}

    assert len(chains("ns/a", TCP) | chains("ns/b", TCP) | chains("ns/a", UDP)) == 3


@pytest.mark.parametrize(
    ("nft", "legacy", "variant"),
    [
        (InUse(False, 0), InUse(False, 0), NFT),
        (InUse(False, 5), InUse(False, 5), NFT),
        (InUse(False, 2), InUse(False, 9), LEGACY),
        (InUse(True, 2), InUse(False, 9), NFT),
        (InUse(False, 9), InUse(True, 2), LEGACY),
        (InUse(True, 1), InUse(True, 9), NFT),
        (InUse(False, -1), InUse(False, 0), LEGACY),
        (InUse(False, 0), InUse(False, -1), NFT),
        (InUse(False, -1), InUse(False, -1), PLAIN),
    ],
)
def test_the_variant_of_iptables_that_is_in_use(nft: InUse, legacy: InUse, variant: str) -> None:
    assert choose(nft, legacy) == variant
