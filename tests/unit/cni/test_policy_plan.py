"""What policies say, by table; and that change by change the kernel comes to the same as all at once."""

import json
import random
from typing import Any

import pytest

from cni import ranges
from cni.matches import SIZES
from cni.pods import PodInterface
from cni.policy import objects
from cni.policy.ledger import AddressSet, Ledger, Match, PortSet
from cni.policy.objects import EGRESS, INGRESS, Block, NamedPort, PodFacts, PolicyFacts, Ports, Rule, Who
from cni.policy.render import TABLE, Table, chain_of, counter_of
from linux.nft.fake import FakeKernel
from linux.nft.wire import INET4

DB = {"matchLabels": {"app": "db"}}


def policy(spec: dict[str, Any], name: str = "p", namespace: str = "a") -> PolicyFacts:
    meta = {"namespace": namespace, "name": name}
    return objects.policy(json.dumps({"metadata": meta, "spec": {"podSelector": {}, **spec}}).encode())


def pod(key: str, number: int, node: str = "here", **labels: str) -> PodFacts:
    namespace, _, name = key.partition("/")
    ips = (ranges.parse(f"10.0.0.{number}"), ranges.parse(f"fd00::{number:x}"))
    return PodFacts(namespace, name, labels, node, ips, (objects.Endpoint("web", 6, 8000 + number),))


@pytest.mark.parametrize(
    ("spec", "rules"),
    [
        ({}, {INGRESS: ()}),
        ({"ingress": [{}]}, {INGRESS: (Rule(None, None),)}),
        ({"ingress": [{"from": [], "ports": []}]}, {INGRESS: (Rule(None, None),)}),
        ({"egress": [{}]}, {INGRESS: (), EGRESS: (Rule(None, None),)}),
        ({"policyTypes": ["Egress"]}, {EGRESS: ()}),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, {INGRESS: ()}),
        ({"policyTypes": ["Ingress", "Egress"]}, {INGRESS: (), EGRESS: ()}),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, {INGRESS: (Rule((Who("a", "", ""),), None),)}),
        ({"ingress": [{"from": [{"podSelector": DB}]}]}, {INGRESS: (Rule((Who("a", "", "app=db"),), None),)}),
        ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, {INGRESS: (Rule((Who("", "", ""),), None),)}),
        (
            {"ingress": [{"from": [{"namespaceSelector": DB, "podSelector": DB}]}]},
            {INGRESS: (Rule((Who("", "app=db", "app=db"),), None),)},
        ),
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]},
            {INGRESS: (Rule((Block(ranges.subnet("10.0.0.0/8"), (ranges.subnet("10.1.0.0/16"),)),), None),)},
        ),
        ({"ingress": [{"ports": [{"port": 80}]}]}, {INGRESS: (Rule(None, (Ports(6, 80, 80),)),)}),
        ({"ingress": [{"ports": [{"protocol": "UDP"}]}]}, {INGRESS: (Rule(None, (Ports(17),)),)}),
        ({"ingress": [{"ports": [{"port": 1, "endPort": 9}]}]}, {INGRESS: (Rule(None, (Ports(6, 1, 9),)),)}),
        (
            {"ingress": [{"ports": [{"protocol": "SCTP", "port": "x"}]}]},
            {INGRESS: (Rule(None, (NamedPort(132, "x"),)),)},
        ),
    ],
)
def test_what_a_policy_says(spec: dict[str, Any], rules: dict[str, tuple[Rule, ...]]) -> None:
    found = policy(spec)
    assert found.rules == rules
    assert found.complaints == ()


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"from": [{"ipBlock": {"cidr": "all"}}]}, "ipBlock"),
        ({"from": [{}]}, "a peer selects nothing"),
        ({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}]}, "Like"),
        ({"ports": [{"port": 90000}]}, "ports 90000 to 90000"),
        ({"ports": [{"port": 9, "endPort": 3}]}, "ports 9 to 3"),
        ({"ports": [{"protocol": "ICMP"}]}, "protocol ICMP"),
    ],
)
def test_what_cannot_be_used_allows_nothing(rule: dict[str, Any], complaint: str) -> None:
    found = policy({"ingress": [rule]})
    assert complaint in found.complaints[0]
    ledger = Ledger("here")
    ledger.on_pod("a/x", pod("a/x", 1))
    ledger.on_policy("a/p", found)
    allowed = list(ledger.matches("a/p", INGRESS))
    sets = [list(ledger.members(match.peer.who)) for match in allowed if isinstance(match.peer, AddressSet)]
    assert not any(sets)
    assert len(sets) == len(allowed)


def test_names_of_ports_belong_to_pods() -> None:
    ledger, web = Ledger("here"), [{"port": "web"}]
    some = [{"podSelector": DB}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]
    ledger.on_policy("a/p", policy({"podSelector": DB, "ingress": [{"ports": web, "from": some}]}))
    subject = PortSet(Who("a", "", "app=db"), 6, "web")
    block = Block(ranges.subnet("10.0.0.0/8"))
    assert list(ledger.matches("a/p", INGRESS)) == [
        Match(AddressSet(Who("a", "", "app=db")), subject),
        Match(block, subject),
    ]
    ledger.on_policy("a/p", policy({"egress": [{"ports": web, "to": some}, {"ports": web}]}))
    assert list(ledger.matches("a/p", EGRESS)) == [
        Match(None, subject),
        Match(None, PortSet(Who("", "", ""), 6, "web")),
    ]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"spec": {"hostNetwork": True}}, {"apart": True}),
        ({"status": {"phase": "Succeeded", "podIP": "10.0.0.1"}}, {"apart": True}),
        ({"status": {"phase": "Running", "podIP": "10.0.0.1"}}, {"apart": False, "ips": (b"\n\0\0\1",)}),
        ({"status": {"podIPs": [{"ip": "nonsense"}]}}, {"ips": ()}),
        (
            {"spec": {"initContainers": [{"restartPolicy": "Always", "ports": [{"name": "m", "containerPort": 9}]}]}},
            {"ports": (objects.Endpoint("m", 6, 9),)},
        ),
        ({"spec": {"initContainers": [{"ports": [{"name": "m", "containerPort": 9}]}]}}, {"ports": ()}),
        ({"spec": {"containers": [{"ports": [{"containerPort": 9}]}]}}, {"ports": ()}),
    ],
)
def test_facts_of_a_pod(change: dict[str, Any], fields: dict[str, Any]) -> None:
    body = {"metadata": {"namespace": "a", "name": "x"}} | change
    found = objects.pod(json.dumps(body).encode())._asdict()
    assert {name: found[name] for name in fields} == fields


def interface(pod: str = "a/x", container: str = "c", ifname: str = "eth0", uid: str = "") -> PodInterface:
    return PodInterface(pod, container, ifname, uid)


def ip(number: int) -> bytes:
    return ranges.parse(f"10.0.0.{number}")


def test_addresses_come_from_the_runtime_before_the_status_and_go_with_the_interface() -> None:
    ledger = Ledger("here")
    ledger.attach(interface(container="c1"), (ip(7),))
    assert ledger.ips("a/x") == ()  # nobody knows its labels yet
    ledger.on_pod("a/x", pod("a/x", 1)._replace(ips=()))
    assert ledger.ips("a/x") == (ip(7),)
    ledger.attach(interface(container="c2"), (ip(8),))
    assert ledger.detach(interface(container="c1"), ()) == (ip(7),)  # the one before
    assert ledger.ips("a/x") == (ip(8),)
    ledger.detach(interface(container="c2"), ())
    ledger.on_pod("a/x", pod("a/x", 8)._replace(ips=(ip(7), ip(8))))  # statuses of before
    assert ledger.ips("a/x") == ()
    ledger.on_pod("a/x", None)
    ledger.on_pod("a/x", pod("a/x", 8))
    assert ledger.ips("a/x") == pod("a/x", 8).ips


def test_a_pod_has_the_addresses_of_all_its_interfaces() -> None:
    ledger, table, kernel = Ledger("here"), Table(INET4, "br0"), FakeKernel()
    ledger.on_policy("a/p", policy({"podSelector": DB}))
    ledger.on_pod("a/x", pod("a/x", 1, app="db")._replace(ips=()))
    ledger.attach(interface(), (ip(7),))
    ledger.attach(interface(ifname="net1"), (ip(9),))
    kernel.commit(table.replace(ledger))
    ledger.take()
    assert table.written.owners == {ip(7): "a/x", ip(9): "a/x"}
    assert ledger.detach(interface(ifname="net1"), ()) == (ip(9),)
    kernel.commit(table.change(ledger, ledger.take()))
    assert table.written.owners == {ip(7): "a/x"}


def test_a_pod_before_or_after_of_the_same_name_is_another() -> None:
    ledger, first, second = Ledger("here"), interface(container="c1", uid="1"), interface(container="c2", uid="2")
    ledger.on_pod("a/x", pod("a/x", 1)._replace(ips=(), uid="1"))
    ledger.attach(first, (ip(7),))
    ledger.attach(second, (ip(8),))  # the runtime may be told first of the new one
    assert (ledger.ips("a/x"), ledger.speaks_for(second)) == ((ip(7),), False)
    ledger.on_pod("a/x", pod("a/x", 1)._replace(ips=(), uid="2"))
    assert (ledger.ips("a/x"), ledger.speaks_for(second)) == ((ip(8),), True)
    assert ledger.detach(first, ()) == (ip(7),)  # the old one is stopped late
    assert ledger.ips("a/x") == (ip(8),)


def test_who_is_stopped_after_a_restart_of_the_agent_loses_its_own_address_only() -> None:
    ledger = Ledger("here")
    ledger.on_pod("a/x", pod("a/x", 1)._replace(ips=(ip(7), ip(8))))
    assert ledger.detach(interface(container="before"), ()) == ()  # a sandbox of long ago is tidied up
    assert ledger.ips("a/x") == (ip(7), ip(8))
    assert ledger.detach(interface(), (ip(7),)) == (ip(7),)
    assert ledger.ips("a/x") == (ip(8),)


def test_a_mirror_is_the_static_pod_that_the_runtime_knows() -> None:
    meta = {"namespace": "a", "name": "x", "uid": "m", "annotations": {"kubernetes.io/config.mirror": "s"}}
    shown = {"metadata": meta, "spec": {"nodeName": "here"}}
    ledger = Ledger("here")
    ledger.on_pod("a/x", objects.pod(json.dumps(shown).encode()))
    ledger.attach(interface(uid="s"), (ip(7),))
    assert ledger.ips("a/x") == (ip(7),)
    del meta["annotations"]
    assert objects.pod(json.dumps(shown).encode()).uid == "m"


def test_one_who_got_an_address_last_has_it() -> None:
    ledger, table = Ledger("here"), Table(INET4, "br0")
    kernel = FakeKernel()
    ledger.on_policy("a/p", policy({"podSelector": DB}))
    ledger.on_pod("a/old", pod("a/old", 1, app="db"))
    kernel.commit(table.replace(ledger))
    ledger.take()
    ledger.on_pod("a/new", pod("a/new", 1, app="web")._replace(ips=()))
    ledger.attach(interface("a/new"), (ip(1),))
    kernel.commit(table.change(ledger, ledger.take()))
    assert table.written.owners[ranges.parse("10.0.0.1")] == "a/new"
    ledger.on_pod("a/new", None)
    kernel.commit(table.change(ledger, ledger.take()))
    assert table.written.owners[ranges.parse("10.0.0.1")] == "a/old"


def test_who_lost_an_address_does_not_get_it_back_by_a_change() -> None:
    ledger, table, kernel = Ledger("here"), Table(INET4, "br0"), FakeKernel()
    ledger.on_policy("a/p", policy({"podSelector": DB}))
    for number, key in enumerate(("a/a", "a/b")):
        ledger.on_pod(key, pod(key, number, app="web")._replace(ips=()))
        ledger.attach(interface(key, f"c{number}"), (ip(1),))  # what a GC has freed, nobody has told of
    kernel.commit(table.replace(ledger))
    ledger.take()
    ledger.on_pod("a/a", pod("a/a", 1, app="db")._replace(ips=(ip(1),)))
    kernel.commit(table.change(ledger, ledger.take()))
    assert table.written.owners[ip(1)] == "a/b"
    assert ledger.ips("a/a") == ()


def test_a_pod_of_a_namespace_that_is_not_known_yet_is_selected_by_no_labels_of_namespaces() -> None:
    ledger = Ledger("here")
    others = {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]}
    found = policy({"ingress": [{"from": [{"namespaceSelector": others}]}]})
    ledger.on_policy("a/p", found)
    ledger.on_pod("b/x", pod("b/x", 1))
    (match,) = ledger.matches("a/p", INGRESS)
    assert isinstance(match.peer, AddressSet)
    assert not ledger.members(match.peer.who)
    ledger.on_namespace("b", {"env": "dev"})
    assert not ledger.members(match.peer.who)
    ledger.on_namespace("b", {})
    assert ledger.members(match.peer.who) == {"b/x"}
    ledger.on_namespace("b", None)
    assert not ledger.members(match.peer.who)


def shown(kernel: FakeKernel) -> Any:
    """All of the tables, to compare."""
    found = {}
    for family in SIZES:
        seen = kernel.table(family, TABLE)
        assert seen is not None
        sets = {
            name: sorted((one.key, one.chain) for one in kernel.elements(family, TABLE, name)) for name in seen.sets
        }
        found[family] = (seen.chains, sets)
    return found


class World:
    """Random changes to pods, namespaces and policies."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ledger = Ledger("here")

    def change(self) -> None:
        getattr(self, self.random.choice(["pod", "pod", "policy", "namespace", "runtime"]))()

    def labels(self) -> dict[str, str]:
        return {"app": self.random.choice(["web", "db"])} if self.random.random() < 0.8 else {}

    def pod(self) -> None:
        number = self.random.randrange(1, 9)
        key = f"{'ab'[number % 2]}/{number}"
        if self.random.random() < 0.3:
            self.ledger.on_pod(key, None) if key in self.ledger.pods else None
            return
        node = "here" if number < 6 else "there"
        address = number if self.random.random() < 0.8 else self.random.randrange(1, 9)
        made = pod(key, address, node, **self.labels())
        self.ledger.on_pod(key, made._replace(apart=self.random.random() < 0.1, uid=self.random.choice("12")))

    def runtime(self) -> None:
        number = self.random.randrange(1, 6)
        key, choice = f"{'ab'[number % 2]}/{number}", self.random.choice
        one = interface(key, choice("xy"), choice(["eth0", "net1"]), choice(["", "1", "2"]))
        some = (ip(self.random.randrange(1, 9)),)
        if self.random.random() < 0.5:
            self.ledger.detach(one, choice([(), some]))
        else:
            self.ledger.attach(one, some)

    def namespace(self) -> None:
        self.ledger.on_namespace(self.random.choice("ab"), self.random.choice([None, {}, {"app": "db"}]))

    def policy(self) -> None:
        namespace, name = self.random.choice("ab"), self.random.choice("pqr")
        key = f"{namespace}/{name}"
        if self.random.random() < 0.3:
            self.ledger.on_policy(key, None)
            return
        selector = {"matchLabels": self.labels()}
        peers = [
            {"podSelector": selector},
            {"namespaceSelector": selector},
            {"namespaceSelector": {}, "podSelector": selector},
        ]
        peers.append({"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.3/32"]}})
        ports = [{"port": 80}, {"port": "web"}, {"port": 5, "endPort": 9, "protocol": "UDP"}, {"protocol": "SCTP"}]

        def some(given: list[Any]) -> list[Any]:
            return self.random.sample(given, self.random.randrange(3))

        rule = {"ports": some(ports)}
        types = self.random.choice([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        spec = {"podSelector": {"matchLabels": self.labels()}, "policyTypes": types}
        spec |= {"ingress": [rule | {"from": some(peers)}], "egress": [rule | {"to": some(peers)}]}
        self.ledger.on_policy(key, policy(spec, name, namespace))


@pytest.mark.parametrize("seed", range(8))
def test_change_by_change_it_comes_to_the_same_as_all_at_once(seed: int) -> None:
    world, kernel = World(seed), FakeKernel()
    tables = [Table(family, "br0") for family in SIZES]
    kernel.commit([message for table in tables for message in table.replace(world.ledger)])
    for _ in range(40):
        for _ in range(world.random.randrange(1, 4)):
            world.change()
        dirty = world.ledger.take()
        kernel.commit([message for table in tables for message in table.change(world.ledger, dirty)])
        assert all(table.is_whole(kernel) for table in tables)
        again, fresh = FakeKernel(), [Table(family, "br0") for family in SIZES]
        again.commit([message for table in fresh for message in table.replace(world.ledger)])
        assert _without_owners(shown(kernel), tables) == _without_owners(shown(again), fresh)


def _without_owners(found: Any, tables: list[Table]) -> Any:
    """Two pods may claim one address, and who came first has it: those addresses are left out."""
    for table in tables:
        claims: dict[bytes, int] = {}
        for ips in table.written.addresses.values():
            for ip in ips:
                claims[ip] = claims.get(ip, 0) + 1
        twice = {ip for ip, count in claims.items() if count > 1}
        chains, elements = found[table.family]
        for direction in (INGRESS, EGRESS):
            elements[direction] = [one for one in elements[direction] if one[0] not in twice]
        found[table.family] = ({name for name in chains if not name.startswith(("to-", "from-"))}, elements)
    return found


def test_nothing_is_written_for_what_changes_nothing() -> None:
    ledger, table = Ledger("here"), Table(INET4, "br0")
    ledger.on_policy("a/p", policy({"podSelector": DB, "ingress": [{"from": [{"podSelector": DB}]}]}))
    ledger.on_pod("a/x", pod("a/x", 1, app="db"))
    table.replace(ledger)
    ledger.take()
    ledger.on_pod("a/x", pod("a/x", 1, app="db"))
    assert not ledger.dirty
    ledger.on_pod("b/far", pod("b/far", 7, "there", app="db"))
    assert table.change(ledger, ledger.take()) == []


def test_long_names_stay_different() -> None:
    long = "n" * 60 + "/" + "p" * 240
    assert len(chain_of(long + "1", INGRESS)) <= 200
    assert chain_of(long + "1", INGRESS) != chain_of(long + "2", INGRESS)
    assert counter_of("refused", "a/p") == "refused/a/p"
