"""Which way leads to a peer, and what is done for it: by table, without a kernel."""

import base64
import json
import random
from typing import Any

import pytest

from cni import ranges
from cni.fabric import nodes, openings
from cni.fabric import plan as p
from cni.fabric import ways as w
from cni.fabric.nodes import AUTO, ROUTES, VXLAN, WIREGUARD, NodeFacts, mac_of
from cni.fabric.openings import Open, plan_chain, plan_iptables
from cni.fabric.plan import Desired, Seen, desire, plan
from cni.fabric.ways import NOWHERE, Path, Settings
from linux.links import Address, Neighbour, Route, SeenLink
from linux.nft.chains import INET, BaseChain, NotedRule
from linux.nft.wire import INET4
from linux.vxlan import Entry
from linux.wireguard import Peer, SeenWireguard
from proxy.backends.iptables.backend import _ServiceRules
from proxy.backends.iptables.chains import Rules
from proxy.backends.ipvs.rules import IpvsRules
from proxy.backends.ipvs.virtuals import Marks
from proxy.model.facts import Facts

KEY, OTHER_KEY = (base64.b64encode(bytes([byte]) * 32).decode() for byte in (0, 2))
ME = NodeFacts("me", ("192.0.2.1", "2001:db8::1"), ("10.244.1.0/24", "fd00:244:0:1::/64"))
PEER = NodeFacts("you", ("192.0.2.2", "2001:db8::2"), ("10.244.2.0/24", "fd00:244:0:2::/64"))
NEAR = {"192.0.2.2": Path(2), "2001:db8::2": Path(2)}
FAR = {"192.0.2.2": Path(2, "192.0.2.254"), "2001:db8::2": Path(2, "fe80::1")}
MIXED = {"192.0.2.2": Path(2), "2001:db8::2": Path(2, "fe80::1")}
ETH0 = SeenLink(2, "eth0", up=True, mtu=1500)


@pytest.mark.parametrize(
    ("mine", "theirs", "paths", "kinds"),
    [
        (AUTO, "", NEAR, (ROUTES, ROUTES)),
        (AUTO, "", FAR, (VXLAN, VXLAN)),
        (AUTO, "", MIXED, (ROUTES, VXLAN)),
        (AUTO, "", {}, (NOWHERE, NOWHERE)),
        (ROUTES, "", FAR, (NOWHERE, NOWHERE)),
        (ROUTES, "", NEAR, (ROUTES, ROUTES)),
        (VXLAN, "", NEAR, (VXLAN, VXLAN)),
        (AUTO, VXLAN, NEAR, (VXLAN, VXLAN)),
        (ROUTES, VXLAN, NEAR, (VXLAN, VXLAN)),
        (WIREGUARD, VXLAN, NEAR, (WIREGUARD, WIREGUARD)),
        (AUTO, WIREGUARD, NEAR, (WIREGUARD, WIREGUARD)),
    ],
)
def test_the_way_follows_from_the_path_and_from_what_both_want(
    mine: str, theirs: str, paths: dict[str, Path], kinds: tuple[str, str]
) -> None:
    me, peer = ME._replace(key=KEY), PEER._replace(mode=theirs, key=OTHER_KEY, key_port=1)
    found = w.choose(Settings("me", mine), me, [peer], paths)
    assert tuple(way.kind for way in found) == kinds
    assert all(way.reason for way in found if way.kind == NOWHERE)


def test_an_administrators_word_counts_more_than_the_configuration() -> None:
    assert w.mode_between(Settings("me", VXLAN), ME._replace(wish=ROUTES), PEER) == ROUTES
    assert w.mode_between(Settings("me", VXLAN), ME, PEER) == VXLAN


def test_nothing_is_sent_unencrypted_where_encryption_is_wanted() -> None:
    for me, peer in ((ME, PEER._replace(key=KEY)), (ME._replace(key=KEY), PEER)):
        found = w.choose(Settings("me", WIREGUARD), me, [peer], NEAR)
        assert [way.kind for way in found] == [NOWHERE, NOWHERE]
        assert "nothing is sent unencrypted" in found[0].reason
        assert all(way.secret for way in found)


def test_who_asks_for_encryption_makes_no_secret_of_anothers_pods() -> None:
    claims = PEER._replace(name="z", mode=WIREGUARD)
    ways = w.choose(Settings("me"), ME, [PEER, claims], NEAR)
    assert {(way.peer, way.kind, way.secret) for way in ways} == {("you", ROUTES, False), ("z", NOWHERE, False)}


def test_two_nodes_with_one_network() -> None:
    twin = PEER._replace(name="twin", addresses=("192.0.2.3",))
    thief = PEER._replace(name="a", pod_cidrs=("10.244.0.0/16",))
    found = w.choose(Settings("me"), ME, [PEER, twin, thief], NEAR | {"192.0.2.3": Path(2)})
    owners = {(way.peer, way.cidr): way.kind for way in found}
    assert owners["a", "10.244.0.0/16"] == NOWHERE  # it holds our own pods
    assert owners["twin", "10.244.2.0/24"] == ROUTES
    assert owners["you", "10.244.2.0/24"] == NOWHERE


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "192.0.2.0/28", "2001:db8::/64"])
def test_no_network_of_pods_holds_a_node(cidr: str) -> None:
    found = w.choose(Settings("me"), ME, [PEER, PEER._replace(name="a", addresses=(), pod_cidrs=(cidr,))], NEAR)
    ways = {way.cidr: way for way in found}
    assert ways[cidr].kind == NOWHERE
    assert ways[cidr].reason in {f"the address of node {name} itself lies in it" for name in ("me", "you")}
    assert [ways[cidr].kind for cidr in PEER.pod_cidrs] == [ROUTES, ROUTES]


def test_who_has_a_network_among_many() -> None:
    """As found by comparing each with each."""
    dice = random.Random(5)
    for _ in range(200):
        made = []
        for number in range(12):
            cidrs = [f"10.0.{dice.randrange(8) * 32}.0/{dice.choice((19, 20, 21))}" for _ in range(dice.randrange(3))]
            cidrs += [f"fd00:0:0:{dice.randrange(16):x}::/{dice.choice((62, 64))}"]
            address = f"10.0.{dice.randrange(256)}.9" if dice.random() < 0.1 else f"192.0.2.{number + 1}"
            made.append(NodeFacts(f"n{number:02}", (address,), tuple(dict.fromkeys(cidrs))))
        me, *peers = made
        taken = [ranges.subnet(cidr) for cidr in me.pod_cidrs]
        hosts = [ranges.parse(address) for one in made for address in one.addresses]
        expected = []
        for peer in peers:
            for net in map(ranges.subnet, peer.pod_cidrs):
                free = not any(map(net.holds, hosts)) and not any(ranges.overlap(net, other) for other in taken)
                expected.append((peer.name, str(net), free))
                taken += [net] if free else []
        ways = w.choose(Settings("n00"), me, dice.sample(peers, len(peers)), {})
        # Without a path nobody can be reached: what counts is which reason is told.
        found = [(way.peer, str(ranges.subnet(way.cidr)), way.reason.startswith("no route leads")) for way in ways]
        assert found == expected


def seen_of(want: Desired, paths: dict[str, Path]) -> Seen:
    """A kernel that has everything."""
    links = {"eth0": ETH0}
    for number, link in enumerate(want.tunnels, start=10):
        links[link.name] = SeenLink(number, link.name, "vxlan", link.mac, link.mtu, True)
    wireguard = None
    if want.encryption is not None:
        links[w.WIREGUARD_LINK] = SeenLink(20, w.WIREGUARD_LINK, "wireguard", "", want.encryption.mtu, True)
        wireguard = SeenWireguard(want.encryption.key, want.encryption.port, want.encryption.peers)

    def number_of(link: str | int) -> int:
        return link if isinstance(link, int) else links[link].ifindex

    return Seen(
        links,
        {link.name: link for link in want.tunnels},
        wireguard,
        tuple(Address(number_of(link), ip, prefix) for link, ip, prefix in want.addresses),
        tuple(Neighbour(number_of(link), ip, mac) for link, ip, mac in want.neighbours),
        tuple(Entry(number_of(link), mac, host) for link, mac, host in want.entries),
        tuple(
            Route(one.destination, number_of(one.link), one.gateway, on_link=one.on_link, protocol=p.PROTOCOL)
            for one in want.routes
        ),
        paths,
    )


@pytest.mark.parametrize("mode", [AUTO, VXLAN, WIREGUARD])
@pytest.mark.parametrize("paths", [NEAR, FAR, MIXED])
def test_what_is_right_is_left_alone_and_what_is_missing_comes_back(mode: str, paths: dict[str, Path]) -> None:
    me, peer = ME._replace(key=KEY), PEER._replace(key=OTHER_KEY, key_port=51877)
    want = desire(Settings("me", mode), me, [peer, me], paths)
    right = seen_of(want, paths)
    assert plan(want, right) == []
    for field in ("addresses", "neighbours", "entries", "routes"):
        have = getattr(right, field)
        if have:
            actions = plan(want, right._replace(**{field: have[1:]}))
            assert len(actions) == 1, field
    for name in list(right.links):
        if name != "eth0":
            links = {other: link for other, link in right.links.items() if other != name}
            again = plan(want, right._replace(links=links))
            assert any(isinstance(action, p.MakeVxlan | p.MakeWireguard) for action in again)
            down = right.links | {name: right.links[name]._replace(up=False)}
            assert plan(want, right._replace(links=down)) == [p.ChangeLink(name, right.links[name].mtu)]


def test_a_way_is_made_from_its_end_and_taken_away_from_its_beginning() -> None:
    want = desire(Settings("me"), ME, [PEER], FAR)
    order = [type(action).__name__ for action in plan(want, Seen({"eth0": ETH0}, paths=FAR))]
    assert order[0] == "MakeVxlan"
    assert order.index("SetEntry") > order.index("SetNeighbour") > order.index("GiveAddress")
    assert order.index("SetRoute") > order.index("SetEntry")
    gone = plan(desire(Settings("me"), ME, [], {}), seen_of(want, FAR))
    names = [type(action).__name__ for action in gone]
    assert names[0] == "DropRoute"
    assert names[-1] == "RemoveLink"


def test_a_change_of_the_way_replaces_the_route_in_one_step() -> None:
    near, far = desire(Settings("me"), ME, [PEER], NEAR), desire(Settings("me"), ME, [PEER], FAR)
    actions = plan(far, seen_of(near, FAR))
    assert not any(isinstance(action, p.DropRoute) for action in actions)
    assert sum(isinstance(action, p.SetRoute) for action in actions) == 2


def test_routes_of_others_are_left_alone() -> None:
    want = desire(Settings("me"), ME, [], {})
    theirs = Route("10.9.0.0/16", 2, "192.0.2.9")
    assert plan(want, Seen({"eth0": ETH0}, routes=(theirs,))) == []
    assert plan(want, Seen({"eth0": ETH0}, routes=(theirs._replace(protocol=p.PROTOCOL),))) == [
        p.DropRoute(theirs._replace(protocol=p.PROTOCOL))
    ]


@pytest.mark.parametrize(
    ("mode", "paths", "mtu"),
    [
        (AUTO, NEAR, 1500),
        (AUTO, FAR, 1450),
        (WIREGUARD, FAR, 1440),
        (AUTO, {host: way._replace(mtu=9000) for host, way in FAR.items()}, 8950),
        (AUTO, {host: way._replace(mtu=1300) for host, way in FAR.items()}, 1280),
        (AUTO, {}, 0),
    ],
)
def test_pods_are_told_what_every_way_has_room_for(mode: str, paths: dict[str, Path], mtu: int) -> None:
    me, peer = ME._replace(key=KEY), PEER._replace(key=OTHER_KEY, key_port=1)
    assert desire(Settings("me", mode), me, [peer], paths).pod_mtu == mtu


def test_a_peer_of_wireguard_has_all_its_networks_and_one_that_moved_is_told() -> None:
    me, peer = ME._replace(key=KEY), PEER._replace(key=OTHER_KEY, key_port=7)
    want = desire(Settings("me", WIREGUARD), me, [peer], NEAR)
    assert want.encryption is not None
    assert want.encryption.peers == (Peer(OTHER_KEY, "192.0.2.2", 7, ("10.244.2.0/24", "fd00:244:0:2::/64")),)
    moved = desire(Settings("me", WIREGUARD), me, [peer._replace(addresses=("192.0.2.9",))], {"192.0.2.9": Path(2)})
    assert [type(action).__name__ for action in plan(moved, seen_of(want, NEAR))] == ["SetPeer"]
    other = base64.b64encode(b"\1" * 32).decode()
    renewed = desire(Settings("me", WIREGUARD), me, [peer._replace(key=other)], NEAR)
    assert [type(action).__name__ for action in plan(renewed, seen_of(want, NEAR))] == ["DropPeer", "SetPeer"]


def test_a_peer_that_the_kernel_hears_from_another_of_its_addresses_is_left_alone() -> None:
    me, peer = ME._replace(key=KEY), PEER._replace(key=OTHER_KEY, key_port=7)
    want = desire(Settings("me", WIREGUARD), me, [peer], NEAR)
    right = seen_of(want, NEAR)
    assert right.wireguard is not None
    for host, actions in ((peer.addresses[1], []), ("192.0.2.99", ["SetPeer"]), ("", ["SetPeer"])):
        heard = right.wireguard._replace(peers=(right.wireguard.peers[0]._replace(host=host),))
        assert [type(action).__name__ for action in plan(want, right._replace(wireguard=heard))] == actions
    only = {"2001:db8::2": NEAR["2001:db8::2"]}  # the way to the other address is no more
    want = desire(Settings("me", WIREGUARD), me, [peer], only)
    assert "SetPeer" in [type(action).__name__ for action in plan(want, right._replace(paths=only))]


def test_of_nodes_with_one_key_the_first_is_the_one_that_has_it() -> None:
    me, peer = ME._replace(key=KEY), PEER._replace(key=OTHER_KEY, key_port=7)
    twin = peer._replace(name="young", addresses=("192.0.2.3",), pod_cidrs=("10.244.3.0/24",))
    copied = peer._replace(name="copy", addresses=("192.0.2.4",), pod_cidrs=("10.244.4.0/24",), key=KEY)
    paths = NEAR | {host: Path(2) for host in ("192.0.2.3", "192.0.2.4")}
    want = desire(Settings("me", WIREGUARD), me, [twin, copied, peer], paths)
    assert {way.peer: way.kind for way in want.ways} == {"you": WIREGUARD, "young": NOWHERE, "copy": NOWHERE}
    reasons = {way.peer: way.reason for way in want.ways}
    assert "node you has the same WireGuard key" in reasons["young"]
    assert "node me has the same WireGuard key" in reasons["copy"]
    assert want.encryption is not None and [one.host for one in want.encryption.peers] == ["192.0.2.2"]
    assert plan(want, seen_of(want, paths)) == []


def node(**more: Any) -> bytes:
    body = {
        "metadata": {"name": "n", "annotations": more.get("annotations")},
        "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]} | more.get("spec", {}),
        "status": {"addresses": more.get("addresses", [{"type": "InternalIP", "address": "192.0.2.1"}])},
    }
    return json.dumps(body).encode()


def test_facts_of_a_node() -> None:
    found = nodes.extract(node(annotations={nodes.POD_CIDRS: "fd00:1::/64", nodes.MODE: "vxlan"}))
    assert (found.addresses, found.pod_cidrs) == (("192.0.2.1",), ("10.244.1.0/24", "fd00:1::/64"))
    assert (found.mode, found.wish, found.complaints) == ("vxlan", "vxlan", ())
    told = nodes.Told("wireguard", KEY, 51877).text()
    found = nodes.extract(node(annotations={nodes.FABRIC: told}))
    assert (found.mode, found.wish, found.key, found.key_port, found.told) == ("wireguard", "", KEY, 51877, told)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"annotations": {nodes.MODE: "pigeon"}}, "'pigeon' is none of auto, routes, vxlan, wireguard"),
        ({"annotations": {nodes.FABRIC: "{"}}, "annotation network.wherry.local/fabric"),
        ({"annotations": {nodes.FABRIC: '{"key":"short","port":1}'}}, "annotation network.wherry.local/fabric"),
        ({"annotations": {nodes.FABRIC: nodes.Told(key=KEY, port=70000).text()}}, "no WireGuard key"),
        ({"annotations": {nodes.POD_CIDRS: "10.0.0.0"}}, "not a network"),
        ({"addresses": [{"type": "InternalIP", "address": "here"}]}, "not an IP address"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_told(more: dict[str, Any], complaint: str) -> None:
    found = nodes.extract(node(**more))
    assert len(found.complaints) == 1
    assert complaint in found.complaints[0]
    assert found.pod_cidrs == ("10.244.1.0/24",)
    assert (found.mode, found.key) == ("", "")


def test_macs_are_of_one_node_and_of_no_maker() -> None:
    made = {mac_of(f"node-{number}") for number in range(1000)}
    assert len(made) == 1000
    assert all(int(mac[:2], 16) & 3 == 2 for mac in made)


OPEN = Open(("10.244.0.0/16", "fd00:244::/48"), frozenset({("192.0.2.2", 8472), ("2001:db8::2", 8472)}))
QUIET = [":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"]


def test_a_firewall_that_forbids_nothing_is_left_alone() -> None:
    assert plan_iptables(OPEN, 4, QUIET) == ""
    ours = ["-A FORWARD -j WHERRY-SERVICES", "-A FORWARD -m comment --comment x -j KUBE-FORWARD"]
    assert plan_iptables(OPEN, 4, QUIET + ours) == ""


@pytest.mark.parametrize("rules", [_ServiceRules(), IpvsRules(Marks())], ids=["iptables", "ipvs"])
def test_the_proxys_chains_are_its_own(rules: Rules) -> None:
    """They bear other names than ours, so neither takes away what the other has made."""
    chains = [f":{chain} - [0:0]" for table, chain, _ in rules.skeleton(4, Facts()) if table == "filter"]
    hooks = [f"-A {chain} {rule}" for table, chain, rule in rules.hooks if table == "filter"]
    assert plan_iptables(OPEN, 4, [*QUIET, *chains, *hooks]) == ""
    text = plan_iptables(OPEN, 4, [*QUIET, ":FORWARD DROP [0:0]", ":INPUT DROP [0:0]"])
    assert not any(line.startswith((f":{rules.prefix}", f"-A {rules.prefix}")) for line in text.splitlines())


@pytest.mark.parametrize("forbidding", [":FORWARD DROP [0:0]", "-A FORWARD -j ufw-before-forward"])
def test_a_firewall_that_forbids_gets_our_rules_once(forbidding: str) -> None:
    text = plan_iptables(OPEN, 4, [*QUIET, forbidding])
    assert text.splitlines()[1:-1] == [
        ":WHERRYNET-FORWARD - [0:0]",
        "-A WHERRYNET-FORWARD -s 10.244.0.0/16 -j ACCEPT",
        "-A WHERRYNET-FORWARD -d 10.244.0.0/16 -j ACCEPT",
        "-I FORWARD 1 -j WHERRYNET-FORWARD",
    ]
    have = [line for line in text.splitlines() if line.startswith((":W", "-A"))] + ["-A FORWARD -j WHERRYNET-FORWARD"]
    assert plan_iptables(OPEN, 4, [*QUIET, forbidding, *have]) == ""
    assert "-s 2001:db8::2/128 -p udp -m udp --dport 8472 -j ACCEPT" in plan_iptables(OPEN, 6, [":INPUT DROP [0:0]"])
    # And when it forbids nothing any more they go.
    assert plan_iptables(OPEN, 4, [*QUIET, *have]).splitlines()[1:-1] == [
        ":WHERRYNET-FORWARD - [0:0]",
        "-D FORWARD -j WHERRYNET-FORWARD",
        "-X WHERRYNET-FORWARD",
    ]


@pytest.mark.parametrize(
    ("chain", "needs"),
    [
        (BaseChain(INET, "mine", "f", "filter", 2, 0), True),
        (BaseChain(INET, "mine", "f", "filter", 2, 1), False),
        (BaseChain(INET, "firewalld", "filter_FORWARD", "filter", 2, 1), True),
        (BaseChain(INET, "mine", "out", "filter", 3, 0), False),
        (BaseChain(INET4, "filter", "FORWARD", "filter", 2, 0), False),  # iptables' own
        (BaseChain(INET4, "wherry-policy", "forward", "filter", 2, 0), False),
        (BaseChain(INET4, "mine", "n", "nat", 1, 0), False),
    ],
)
def test_which_chains_of_others_get_our_rules(chain: BaseChain, needs: bool) -> None:
    assert openings.needs_opening(chain) is needs


def test_rules_in_chains_of_others_are_known_by_their_notes() -> None:
    chain = BaseChain(INET, "mine", "f", "filter", 2, 0)
    made = plan_chain(OPEN, chain, [])
    assert len(made) == 4
    notes = [message[message.index(b"wherry ") :].split(b"\0")[0].decode() for message in made]
    have = [NotedRule(number, note) for number, note in enumerate(notes)]
    assert plan_chain(OPEN, chain, have) == []
    assert len(plan_chain(Open(), chain, [*have, NotedRule(9, "somebody's")])) == 4
