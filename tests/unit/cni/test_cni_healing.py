"""Rules that others damaged, down to one element, are made right; pods that come and go meanwhile are no damage."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from client.client import Client
from client.fake import FakeTransport
from cni import config, isolation, plugin
from cni.fabric.ways import Settings
from cni.healing import Healing
from cni.host_fake import FakeHost
from cni.ipam import Owner, Store
from cni.network import Network, NetworkSettings
from cni.ports import TABLE, port_name
from kit.clock import FakeClock
from linux.nft import wire
from linux.nft.elements import Batch, Format
from linux.nft.wire import BRIDGE, INET4

NET = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "type": "wherry-cni",
    "isGateway": True,
    "ipMasq": True,
    "ipam": {"subnet": "10.1.2.0/24"},
}
PORTS = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}


class Scene:
    bridge = config.BRIDGE

    def __init__(self, folder: Path) -> None:
        self.host, self.store = FakeHost(), Store(str(folder))
        self.repairs: Counter[str] = Counter()
        self.healing = Healing(self.repairs)
        for pod, more in (("a", PORTS), ("b", {})):
            self.host.make_pod(f"/ns/{pod}")
            self.call("ADD", pod, more)

    def call(self, command: str, pod: str, more: dict[str, Any]) -> None:
        given = {"CNI_COMMAND": command, "CNI_CONTAINERID": pod, "CNI_IFNAME": "eth0", "CNI_NETNS": f"/ns/{pod}"}
        code, output = plugin.answer(given, json.dumps(NET | more).encode(), self.host, self.store)
        assert code == 0, output

    def heal(self) -> list[str]:
        return self.healing.heal(self.host, self.store)

    def seen(self) -> list[Any]:
        rules, tables = self.host.rules, []
        for family in (INET4, BRIDGE):
            table = rules.table(family, TABLE)
            assert table is not None
            each = {name: sorted(rules.elements(family, TABLE, name)) for name in sorted(table.sets)}
            tables.append((dict(sorted(table.chains.items())), each))
        return tables


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def elements(family: int, name: str, keys: Iterable[bytes], *, delete: bool) -> list[bytes]:
    each = list(keys)
    shape = Format(len(each[0]))
    return list(Batch(family, TABLE, name, delete=delete).uniform(b"".join(map(shape.bare, each)), shape.size))


def take(scene: Scene, family: int, name: str) -> list[bytes]:
    return elements(family, name, [min(scene.host.rules.keys(family, TABLE, name))], delete=True)


def allow(scene: Scene, name: str) -> list[bytes]:
    """A pod of ours may send as somebody else."""
    key = min(scene.host.rules.keys(BRIDGE, TABLE, name))
    return elements(BRIDGE, name, [key[:-1] + bytes([key[-1] ^ 1])], delete=False)


def redirect(scene: Scene) -> list[bytes]:
    """A host port leads elsewhere."""
    ((key, data, *_),) = scene.host.rules.elements(INET4, TABLE, "hostports")
    packed = Format(len(key), len(data)).element(key, b"\x0a\x01\x02\x63" + data[4:])
    changed = Batch(INET4, TABLE, "hostports").uniform(packed, len(packed))
    return [*elements(INET4, "hostports", [key], delete=True), *changed]


def empty(family: int, chain: str) -> list[bytes]:
    return [wire.message(wire.DEL_RULE, 0, family, wire.text(1, TABLE), wire.text(2, chain))]


DAMAGES = {
    "a MAC address": lambda scene: take(scene, BRIDGE, "macs"),
    "an IPv4 address": lambda scene: take(scene, BRIDGE, "ips"),
    "an IPv6 address": lambda scene: take(scene, BRIDGE, "ips6"),
    "a host port": lambda scene: take(scene, INET4, "hostports"),
    "another's MAC address": lambda scene: allow(scene, "macs"),
    "another's IP address": lambda scene: allow(scene, "ips"),
    "a trusted port": lambda _: elements(BRIDGE, "trusted", [b"wvx".ljust(16, b"\0")], delete=False),
    "a host port that leads elsewhere": redirect,
    "an empty guard": lambda _: empty(BRIDGE, "guard"),
    "no masquerading": lambda _: empty(INET4, "postrouting"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_each_damage_is_put_right_once(scene: Scene, what: str) -> None:
    before = scene.seen()
    assert scene.heal() == []
    scene.host.rules.commit(DAMAGES[what](scene))
    assert scene.seen() != before
    assert scene.heal() == ["table wherry-cni"]
    assert scene.seen() == before
    assert scene.heal() == []
    assert scene.repairs == {"attachment rules": 1, "bridge": 0}


def test_a_bridge_of_two_networks_is_put_back_once(scene: Scene) -> None:
    other = {"name": "more", "bridge": scene.bridge, "ipam": {"subnet": "10.1.3.0/24"}}
    scene.host.make_pod("/ns/c")
    scene.call("ADD", "c", other)
    scene.host.links.remove(scene.bridge)
    mended = Counter(one.partition(" ")[0] for one in scene.heal())
    assert mended == {"bridge": 1, "port": 3, "address": 2}
    assert scene.heal() == []


def test_nothing_is_read_while_nobody_writes_rules(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scene.heal() == []
    monkeypatch.setattr(isolation, "is_whole", None)
    assert scene.heal() == []


def test_pods_that_come_and_go_are_no_damage(scene: Scene) -> None:
    parsed = config.parse(
        NET | PORTS | {"runtimeConfig": {"portMappings": [{"hostPort": 81, "containerPort": 1}]}}, needs_ranges=True
    )
    owner = Owner("pods", "c", "eth0")
    held, _ = scene.store.reserve(owner, "/ns/c", port_name(*owner), parsed)  # and no more than that yet
    assert scene.heal() == []
    scene.host.rules.commit(isolation.admit(held))
    assert scene.heal() == []
    scene.host.remove_port(port_name("pods", "a", "eth0"))  # a DEL is in the middle
    scene.host.rules.commit(take(scene, INET4, "hostports"))
    assert scene.heal() == []
    scene.call("DEL", "a", PORTS)
    scene.call("DEL", "b", {})
    assert scene.heal() == []
    assert scene.repairs["attachment rules"] == 0


def test_the_first_pod_of_a_host_is_no_damage(tmp_path: Path) -> None:
    host, store = FakeHost(), Store(str(tmp_path))
    store.reserve(Owner("pods", "a", "eth0"), "/ns/a", "wv0", config.parse(NET, needs_ranges=True))
    assert Healing().heal(host, store) == []
    assert not host.has_table(INET4, TABLE)


def test_the_agents_metrics_count_what_was_put_back(scene: Scene, tmp_path: Path) -> None:
    settings = NetworkSettings(Settings("a"), "10.244.0.0/16", str(tmp_path), "wherry0")
    network = Network(settings, Client(FakeTransport()), None, FakeClock(), lambda _: None)
    scene.healing = Healing(network.attachments)
    assert b"repairs_total" not in network.exposition()
    scene.host.rules.flush()
    scene.heal()
    assert b'wherry_network_repairs_total{what="attachment rules"} 1\n' in network.exposition()
