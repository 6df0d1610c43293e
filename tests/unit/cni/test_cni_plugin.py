"""Whole requests on a machine in memory: results in each version, repetition, failure at each step, healing, collection."""

import errno
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw
import pytest

from cni import cleanup, plugin, portmap
from cni.config import VERSIONS
from cni.errors import CHECK_FAILED, CONFIG, CONTAINER, INTERFACE_TAKEN, IO, KERNEL, NO_ADDRESS, UNAVAILABLE
from cni.healing import Healing
from cni.host_fake import FakeHost
from cni.ipam import FILE, Owner, Store
from cni.ports import port_name, shaper_name
from cni.removal import remove_all
from linux.links import Address, Bridge, Ifb, LinkChange, NewLink, Rate, Route, SeenLink, Veth
from linux.nft import FakeKernel, NftError
from linux.nft.wire import BRIDGE, INET4, INET6

NET: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "type": "wherry-cni",
    "isDefaultGateway": True,
    "hairpinMode": True,
    "ipMasq": True,
    "clusterCidr": "10.1.0.0/16",
    "ipam": {"ranges": [[{"subnet": "10.1.2.0/24"}]]},
}
PORTS = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}


class Lab:
    """A machine, a store, and calls of the plugin."""

    def __init__(self, folder: Path) -> None:
        self.host = FakeHost()
        self.store = Store(str(folder))

    def call(
        self, command: str, pod: str = "a", net: dict[str, Any] | None = None, *, again: bool = True, **env: str
    ) -> tuple[int, Any]:
        if command == "ADD" and f"/ns/{pod}" not in self.host.pods:
            self.host.make_pod(f"/ns/{pod}")
        given = {"CNI_COMMAND": command, "CNI_CONTAINERID": pod, "CNI_IFNAME": "eth0", "CNI_NETNS": f"/ns/{pod}"}
        body = json.dumps(NET | (net or {})).encode()
        code, output = plugin.answer(given | env, body, self.host, self.store, again=again)
        return code, json.loads(output) if output else None

    def add(self, pod: str = "a", net: dict[str, Any] | None = None) -> Any:
        code, result = self.call("ADD", pod, net)
        assert code == 0, result
        return result

    def kernel(self) -> tuple[Any, ...]:
        """Everything that an ADD of one more pod may leave."""
        pods = {path: (links.links(), links.addresses(), links.routes()) for path, links in self.host.pods.items()}
        ports = [link.name for link in self.host.links.links() if link.name.startswith("wv")]
        return pods, ports, self.store.state().attachments


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_a_pod_gets_its_interface(lab: Lab) -> None:
    result = lab.add()
    pod = lab.host.pods["/ns/a"]
    link, bridge = pod.find("eth0"), lab.host.links.find("wherry0")
    port = lab.host.links.find(port_name("pods", "a", "eth0"))
    assert link is not None and bridge is not None and port is not None
    assert (link.up, link.mac, link.mtu) == (True, "0a:58:0a:01:02:02", 1400)
    assert pod.addresses() == [Address(link.ifindex, "10.1.2.2", 24)]
    assert Route("0.0.0.0/0", link.ifindex, "10.1.2.1") in pod.routes()
    assert (port.master, port.hairpin, port.alias, port.up) == (bridge.ifindex, True, "a/eth0", True)
    assert lab.host.links.addresses(bridge.ifindex) == [Address(bridge.ifindex, "10.1.2.1", 24)]
    assert lab.host.sysctl.read("net.ipv4.ip_forward") == "1"
    assert lab.host.sysctl.read("net.ipv6.conf.all.forwarding") == "0"
    assert lab.host.has_table(INET4, "wherry-cni") and not lab.host.has_table(INET6, "wherry-cni")
    assert result == {
        "cniVersion": "1.0.0",
        "interfaces": [
            {"name": "wherry0", "mac": bridge.mac},
            {"name": port.name, "mac": port.mac},
            {"name": "eth0", "mac": link.mac, "sandbox": "/ns/a"},
        ],
        "ips": [{"interface": 2, "address": "10.1.2.2/24", "gateway": "10.1.2.1"}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.2.1"}],
        "dns": {},
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_the_result_has_the_form_of_the_version(lab: Lab, version: str) -> None:
    result = lab.add(net={"cniVersion": version, "dns": {"nameservers": ["10.96.0.10"]}})
    assert result["cniVersion"] == version
    assert result["ips"][0].get("version") == ("4" if version in ("0.3.1", "0.4.0") else None)
    assert result["interfaces"][2].get("mtu") == (1400 if version == "1.1.0" else None)
    assert result["dns"] == {"nameservers": ["10.96.0.10"]}


def test_both_families(lab: Lab) -> None:
    ranges = [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00:1::/64"}]]
    result = lab.add(net={"ipam": {"ranges": ranges}, "clusterCidr": "10.1.0.0/16,fd00::/16"})
    assert [ip["address"] for ip in result["ips"]] == ["10.1.2.2/24", "fd00:1::2/64"]
    assert [(r["dst"], r["gw"]) for r in result["routes"]] == [("0.0.0.0/0", "10.1.2.1"), ("::/0", "fd00:1::1")]
    assert lab.host.sysctl.read("net.ipv6.conf.all.forwarding") == "1"
    assert lab.host.has_table(INET6, "wherry-cni")
    code, _ = lab.call("CHECK", net={"prevResult": result, "ipam": {"ranges": ranges}})
    assert code == 0


def test_routes_of_the_configuration(lab: Lab) -> None:
    routes = [{"dst": "192.0.2.0/24"}, {"dst": "198.51.100.0/24", "gw": "10.1.2.9"}, {"dst": "fd00::/8"}]
    ipam = {"ranges": [[{"subnet": "10.1.2.0/24"}]], "routes": routes}
    result = lab.add(net={"ipam": ipam, "isDefaultGateway": False, "isGateway": True})
    assert [(r["dst"], r["gw"]) for r in result["routes"]] == [
        ("192.0.2.0/24", "10.1.2.1"),
        ("198.51.100.0/24", "10.1.2.9"),
    ]


def test_a_duplicate_add_is_refused_and_changes_nothing(lab: Lab) -> None:
    lab.add()
    before = lab.kernel()
    code, error = lab.call("ADD", net=PORTS | {"runtimeConfig": {"ips": ["10.1.2.77"]}}, again=False)
    assert (code, error["code"]) == (1, INTERFACE_TAKEN)
    assert "cannot make eth0 in /ns/a: a has it already in network pods" in error["msg"]
    assert lab.kernel() == before
    assert lab.call("DEL") == (0, None)
    assert lab.call("ADD", again=False)[0] == 0


def test_an_add_that_may_be_a_repeated_one_answers_the_same_and_changes_nothing(lab: Lab) -> None:
    first = lab.add()
    before = lab.kernel()
    commits = lab.host.rules.commits
    assert lab.add() == first
    assert lab.kernel() == before
    assert lab.host.rules.commits == commits


def test_an_add_mends_what_it_finds_half_made(lab: Lab) -> None:
    first = lab.add()
    before = lab.kernel()
    pod = lab.host.pods["/ns/a"]
    link = pod.find("eth0")
    assert link is not None
    pod.remove_address(Address(link.ifindex, "10.1.2.2", 24))
    pod.change(link.ifindex, LinkChange(up=False, mac="02:00:00:00:00:01"))
    assert lab.add() == first
    assert lab.kernel() == before


def test_a_port_left_without_its_pod_is_replaced(lab: Lab) -> None:
    lab.add()
    lab.host.pods["/ns/old"] = lab.host.pods.pop("/ns/a")
    result = lab.add()
    assert lab.host.pods["/ns/old"].find("eth0") is None
    assert result["ips"][0]["address"] == "10.1.2.2/24"


def test_an_interface_that_is_not_ours_stays(lab: Lab) -> None:
    pod = lab.host.make_pod("/ns/a")
    pod.add(NewLink("eth0", Veth("other")))
    code, error = lab.call("ADD")
    assert (code, error["code"]) == (1, INTERFACE_TAKEN)
    assert pod.find("eth0") is not None
    assert lab.store.state().attachments == ()


def test_a_bridge_of_another_kind_is_refused(lab: Lab) -> None:
    lab.host.links.add(NewLink("wherry0", Veth("x")))
    code, error = lab.call("ADD")
    assert code == 1
    assert "a link of another kind" in error["msg"]


def test_whichever_step_fails_nothing_is_left_and_the_next_add_works(tmp_path: Path) -> None:
    everything = {
        "runtimeConfig": PORTS["runtimeConfig"] | {"bandwidth": {"ingressRate": 8000000, "egressRate": 8000000}}
    }
    step = 0
    while True:
        step += 1
        lab = Lab(tmp_path / str(step))
        lab.host.make_pod("/ns/a")
        before = lab.kernel()
        lab.host.machine.fail_at = step
        code, answer = lab.call("ADD", net=everything)
        if code == 0:
            break
        lab.host.machine.fail_at = None
        assert answer["code"] == KERNEL
        assert lab.kernel() == before, f"after a failure of change {step}"
        assert portmap.elements(lab.store.state(), INET4)[portmap.ANYWHERE] == {}
        lab.add(net=PORTS)
    assert step > 8


def test_refused_rules_fail_the_add_and_leave_nothing(lab: Lab) -> None:
    lab.host.make_pod("/ns/a")
    before = lab.kernel()
    lab.host.rules.refuse = [1]
    code, error = lab.call("ADD")
    assert (code, error["code"]) == (1, KERNEL)
    assert "table wherry-cni" in error["msg"]
    assert lab.kernel() == before


@pytest.mark.parametrize("namespace", ["there", "gone", "not told"])
def test_del_takes_all_away_whatever_became_of_the_namespace(lab: Lab, namespace: str) -> None:
    lab.add(net=PORTS)
    env = {}
    if namespace == "gone":
        lab.host.end_pod("/ns/a")
    if namespace == "not told":
        env = {"CNI_NETNS": ""}
    assert lab.call("DEL", **env) == (0, None)
    assert lab.store.state().attachments == ()
    assert [link.name for link in lab.host.links.links()] == ["lo", "wherry0"]
    assert lab.host.rules.elements(INET4, "wherry-cni", "hostports") == []
    assert lab.call("DEL", **env) == (0, None)


def test_del_of_an_attachment_that_the_store_lost(lab: Lab) -> None:
    lab.add()
    forget(lab)
    assert lab.call("DEL") == (0, None)
    assert lab.host.pods["/ns/a"].find("eth0") is None


def test_del_works_with_a_configuration_that_no_longer_would_add(lab: Lab) -> None:
    lab.add()
    assert lab.call("DEL", net={"ipam": {}}) == (0, None)


def test_host_ports_are_in_the_rules(lab: Lab) -> None:
    lab.add("a", PORTS)
    one = {"hostPort": 53, "containerPort": 5353, "protocol": "udp", "hostIP": "198.51.100.7"}
    lab.add("b", {"runtimeConfig": {"portMappings": [one]}})
    anywhere = lab.host.rules.elements(INET4, "wherry-cni", "hostports")
    at = lab.host.rules.elements(INET4, "wherry-cni", "hostports-at")
    assert [(e.key.hex(), e.data.hex()) for e in anywhere] == [("060000001f900000", "0a01020200500000")]
    assert [(e.key.hex(), e.data.hex()) for e in at] == [("c63364071100000000350000", "0a01020314e90000")]
    assert lab.host.sysctl.read("net/ipv4/conf/wherry0/route_localnet") == "1"
    code, error = lab.call("ADD", "c", PORTS)
    assert (code, error["msg"]) == (1, "cannot map host port *:8080/tcp: container a has it")


LIMITED = {"bandwidth": {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 80_000_000}}
FROM_POD = Rate(10_000_000, 1_000_000)


def found(lab: Lab, name: str) -> SeenLink:
    link = lab.host.links.find(name)
    assert link is not None
    return link


def test_bandwidth(lab: Lab) -> None:
    net = {"runtimeConfig": LIMITED}
    port_of_a = port_name("pods", "a", "eth0")
    result, links = lab.add(net=net), lab.host.links
    port, shaper = found(lab, port_of_a), found(lab, shaper_name(port_of_a))
    assert links.rate(port.ifindex) == Rate(1_000_000, 100_000)
    assert (links.rate(shaper.ifindex), links.detour(port.ifindex), shaper.up) == (FROM_POD, shaper.ifindex, True)
    assert lab.host.pods["/ns/a"].rate(2) is None  # whoever may do much in the pod could lift it there
    check = net | {"prevResult": result}
    assert lab.call("CHECK", net=check) == (0, None)
    for damage, limit in (
        (lambda: links.limit(port.ifindex, None), "8000000"),
        (lambda: links.limit(shaper.ifindex, None), "80000000"),
        (lambda: links.change(shaper.ifindex, LinkChange(up=False)), "80000000"),
        (lambda: links.remove(shaper.name), "80000000"),
    ):
        damage()
        assert f"is not limited to {limit} bits" in lab.call("CHECK", net=check)[1]["details"]
        lab.add(net=net)
        assert lab.call("CHECK", net=check) == (0, None)
    assert lab.call("DEL", net=net) == (0, None)
    assert [link.name for link in links.links()] == ["lo", "wherry0"]


def test_a_kernel_that_cannot_limit_pods_on_the_hosts_side_does_so_in_the_pod(lab: Lab) -> None:
    lab.host.machine.unknown = {Ifb}
    net = {"runtimeConfig": LIMITED}
    result = lab.add(net=net)
    assert lab.host.pods["/ns/a"].rate(2) == FROM_POD
    assert lab.call("CHECK", net=net | {"prevResult": result}) == (0, None)
    lab.host.pods["/ns/a"].limit(2, None)
    assert "is not limited to 80000000" in lab.call("CHECK", net=net | {"prevResult": result})[1]["details"]


@pytest.mark.parametrize("end", ["del", "gc", "start", "reset"])
def test_what_limits_a_pod_goes_with_it_also_when_its_namespace_went_first(lab: Lab, end: str, tmp_path: Path) -> None:
    lab.add(net={"runtimeConfig": LIMITED})
    lab.host.end_pod("/ns/a")
    found(lab, shaper_name(port_name("pods", "a", "eth0")))
    if end == "del":
        assert lab.call("DEL") == (0, None)
    elif end == "gc":
        forget(lab)
        assert lab.call("GC", net={"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}) == (0, None)
    elif end == "start":
        plugin.sweep(lab.host, lab.store)
    else:
        remove_all(str(tmp_path / "another"), lab.host)
    assert [link.name for link in lab.host.links.links() if link.name != "wherry0"] == ["lo"]


def test_loopback_routing_stays_closed_without_host_ports(lab: Lab) -> None:
    lab.add()
    assert lab.host.sysctl.read("net/ipv4/conf/wherry0/route_localnet") == "0"


def guarded(lab: Lab, name: str = "macs") -> set[str]:
    """The ports that a set of the bridges' table knows."""
    return {element.key[:16].rstrip(b"\0").decode() for element in lab.host.rules.elements(BRIDGE, "wherry-cni", name)}


def ports_of(*pods: str) -> set[str]:
    return {port_name("pods", pod, "eth0") for pod in pods}


def test_rules_are_written_once_and_again_when_they_are_gone(lab: Lab) -> None:
    for pod in "abc":
        lab.add(pod)
    assert lab.host.rules.commits == 3  # all tables, and twice what the bridges know of one more port
    lab.host.rules.flush()
    lab.add("d")
    assert lab.host.has_table(INET4, "wherry-cni")
    assert guarded(lab) == guarded(lab, "ips") == ports_of(*"abcd")
    lab.add("e", {"clusterCidr": "10.0.0.0/8"})
    assert lab.host.rules.commits == 5


def test_what_a_pod_may_send_comes_and_goes_with_it(lab: Lab) -> None:
    lab.add("a")
    lab.add("b", {"isolation": False})
    lab.add("c", {"isolation": False, "macspoofchk": True})
    assert (guarded(lab), guarded(lab, "ips")) == (ports_of("a", "c"), ports_of("a"))
    assert (guarded(lab, "trusted"), guarded(lab, "anyone")) == (ports_of("b"), ports_of("c"))
    for pod in "abc":
        assert lab.call("DEL", pod) == (0, None)
    assert all(guarded(lab, name) == set() for name in ("macs", "ips", "ips6", "trusted", "anyone"))


class NoBridges(FakeKernel):
    """nf_tables of a kernel that has none for bridges."""

    def commit(self, messages: Iterable[bytes]) -> None:
        if any(message[16] == BRIDGE for message in messages):
            raise NftError("add table", errno.EAFNOSUPPORT)
        super().commit(messages)


def test_a_kernel_that_cannot_guard_says_so_and_serves_those_who_are_trusted(lab: Lab) -> None:
    lab.host.rules = NoBridges()
    code, error = lab.call("ADD", "a")
    assert (code, error["code"]) == (1, KERNEL)
    assert '"isolation": false' in error["details"]
    assert lab.call("DEL", "a") == (0, None)
    result = lab.add("a", {"isolation": False} | PORTS)
    lab.add("b", {"isolation": False})
    assert lab.call("CHECK", "a", {"isolation": False, "prevResult": result} | PORTS) == (0, None)
    assert Healing().heal(lab.host, lab.store) == []
    assert lab.call("DEL", "a") == lab.call("DEL", "b") == (0, None)
    assert lab.store.state().attachments == ()


def test_a_pod_that_changes_its_address_may_no_longer_use_the_old_one(lab: Lab) -> None:
    lab.add("a")
    lab.add("a", {"ipam": {"ranges": [[{"subnet": "10.1.3.0/24"}]]}, "forceAddress": True})
    (element,) = lab.host.rules.elements(BRIDGE, "wherry-cni", "ips")
    assert element.key.endswith(bytes([10, 1, 3, 2]))


def test_a_table_that_goes_at_the_wrong_moment_is_made_anew(lab: Lab) -> None:
    lab.add("a")
    lab.host.rules.flush()
    lab.host.has_table = lambda family, name: True  # type: ignore[method-assign,assignment]  # seen a moment ago
    lab.add("b")
    assert guarded(lab) == ports_of("a", "b")


def test_settings_of_the_pod(lab: Lab) -> None:
    lab.add(net={"sysctl": {"net.core.somaxconn": "512"}})
    assert lab.host.pod_settings["/ns/a"].read("net.core.somaxconn") == "512"
    assert "net/ipv4/conf/eth0/forwarding" not in lab.host.pod_settings["/ns/a"].values
    code, error = lab.call("ADD", "b", {"sysctl": {"net.ipv4.conf.IFNAME.forwarding": "1"}})
    assert (code, error["code"]) == (1, KERNEL)
    assert "net.ipv4.conf.eth0.forwarding" in error["msg"]
    assert len(lab.store.state().attachments) == 1


def test_an_address_in_the_way_goes_only_if_it_may(lab: Lab) -> None:
    lab.add("a")
    moved = {"ipam": {"ranges": [[{"subnet": "10.1.2.0/24", "gateway": "10.1.2.254"}]]}}
    code, error = lab.call("ADD", "b", moved)
    assert (code, error["code"]) == (1, CONFIG)
    assert "it has 10.1.2.1/24, which overlaps; set forceAddress" in error["msg"]
    lab.add("b", moved | {"forceAddress": True})
    bridge = lab.host.links.find("wherry0")
    assert bridge is not None
    assert [address.ip for address in lab.host.links.addresses(bridge.ifindex)] == ["10.1.2.254"]


def test_vlans(lab: Lab) -> None:
    lab.host.sysctl.values["net/ipv4/conf/wherry0.7/route_localnet"] = "0"
    result = lab.add("a", {"vlan": 7, "preserveDefaultVlan": False})
    links = lab.host.links
    way, bridge, port = links.find("wherry0.7"), links.find("wherry0"), links.find(port_name("pods", "a", "eth0"))
    assert way is not None and bridge is not None and port is not None
    assert [address.ip for address in links.addresses(way.ifindex)] == ["10.1.2.1"]
    assert links.addresses(bridge.ifindex) == []
    assert (bridge.vlan_filtering, links.vlans(port.ifindex)) == (True, {7: True})
    gateway = links.find(port_name("pods", "", "wherry0.7"))
    assert gateway is not None
    assert links.vlans(gateway.ifindex) == {7: True}
    assert guarded(lab, "trusted") == {gateway.name}
    before = lab.kernel()
    assert lab.add("a", {"vlan": 7, "preserveDefaultVlan": False}) == result
    assert lab.kernel() == before
    links.remove("wherry0")
    assert len(Healing().heal(lab.host, lab.store)) == 3
    assert links.vlans(port.ifindex) == {7: True}
    gc = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}
    assert lab.call("GC", net=gc) == (0, None)
    assert links.find("wherry0.7") is not None


def test_a_trunk_on_a_bridge_that_is_there(lab: Lab) -> None:
    lab.host.links.add(NewLink("wherry0", Bridge()))
    lab.add("a", {"vlanTrunk": [{"minID": 5, "maxID": 6}]})
    port, bridge = lab.host.links.find(port_name("pods", "a", "eth0")), lab.host.links.find("wherry0")
    assert port is not None and bridge is not None
    assert (bridge.vlan_filtering, lab.host.links.vlans(port.ifindex)) == (True, {1: True, 5: False, 6: False})


def test_a_network_without_addresses(lab: Lab) -> None:
    lab.host.make_pod("/ns/a")
    raw = {key: value for key, value in NET.items() if key not in ("ipam", "isDefaultGateway")}
    given = {"CNI_CONTAINERID": "a", "CNI_IFNAME": "eth0", "CNI_NETNS": "/ns/a"}
    body = json.dumps(raw | {"disableContainerInterface": True}).encode()
    code, output = plugin.answer({"CNI_COMMAND": "ADD", **given}, body, lab.host, lab.store)
    assert code == 0, output
    result = json.loads(output)
    assert (result["ips"], result["routes"]) == ([], [])
    link = lab.host.pods["/ns/a"].find("eth0")
    assert link is not None
    assert (link.up, link.mac) == (False, result["interfaces"][2]["mac"])
    checked = json.dumps(raw | {"disableContainerInterface": True, "prevResult": result}).encode()
    assert plugin.answer({"CNI_COMMAND": "CHECK", **given}, checked, lab.host, lab.store) == (0, b"")
    assert plugin.answer({"CNI_COMMAND": "DEL", **given}, body, lab.host, lab.store) == (0, b"")


def test_routes_with_everything(lab: Lab) -> None:
    more = {"mtu": 1300, "advmss": 1200, "priority": 5, "table": 1000}
    routes = [{"dst": "192.0.2.0/24", **more}, {"dst": "198.51.100.0/24", "scope": 253}]
    ipam = {"ranges": [[{"subnet": "10.1.2.0/24"}]], "routes": routes}
    result = lab.add(net={"cniVersion": "1.1.0", "ipam": ipam, "isDefaultGateway": False, "isGateway": True})
    assert result["routes"] == [{"dst": "192.0.2.0/24", "gw": "10.1.2.1", **more}, routes[1]]
    pod = lab.host.pods["/ns/a"]
    (route,) = pod.routes(1000)
    assert (route.mtu, route.advmss, route.metric, route.gateway) == (1300, 1200, 5, "10.1.2.1")
    assert Route("198.51.100.0/24", 2, scope=253) in pod.routes()
    checked = {"cniVersion": "1.1.0", "ipam": ipam, "isDefaultGateway": False, "isGateway": True, "prevResult": result}
    assert lab.call("CHECK", net=checked) == (0, None)
    pod.remove_route(route)
    assert lab.call("CHECK", net=checked)[0] == 1


def test_dns_from_a_file_unless_the_network_says_it(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# mine\nnameserver 10.96.0.10\nnameserver fd00::a\nsearch a.b c.d\noptions ndots:5\ndomain x.y\n")
    ipam = {"ranges": [[{"subnet": "10.1.2.0/24"}]], "resolvConf": str(file)}
    assert lab.add(net={"ipam": ipam})["dns"] == {
        "nameservers": ["10.96.0.10", "fd00::a"],
        "search": ["a.b", "c.d"],
        "options": ["ndots:5"],
        "domain": "x.y",
    }
    assert lab.add("b", {"ipam": ipam, "dns": {"search": ["z"]}})["dns"] == {"search": ["z"]}
    before = lab.kernel()[1:]
    code, error = lab.call("ADD", "c", {"ipam": ipam | {"resolvConf": "/nonexistent"}})
    assert (code, error["code"]) == (1, IO)
    assert lab.call("DEL", "c") == (0, None)
    assert lab.kernel()[1:] == before


def test_in_a_chain_what_came_before_stays(lab: Lab) -> None:
    before = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "net1", "mac": "02:00:00:00:00:07", "sandbox": "/ns/a"}],
        "ips": [{"interface": 0, "address": "192.0.2.7/24"}],
        "routes": [{"dst": "192.0.2.0/24"}],
        "dns": {"nameservers": ["192.0.2.1"]},
    }
    result = lab.add(net={"prevResult": before})
    assert [one["name"] for one in result["interfaces"]][::3] == ["net1", "eth0"]
    assert [(ip["interface"], ip["address"]) for ip in result["ips"]] == [(0, "192.0.2.7/24"), (3, "10.1.2.2/24")]
    assert [route["dst"] for route in result["routes"]] == ["192.0.2.0/24", "0.0.0.0/0"]
    assert result["dns"] == before["dns"]


def test_udp_senders_find_their_new_way(lab: Lab) -> None:
    mappings = [{"hostPort": 53, "containerPort": 53, "protocol": protocol} for protocol in ("udp", "tcp")]
    lab.add(net={"runtimeConfig": {"portMappings": mappings}})
    assert lab.host.forgotten_flows == [53]
    assert lab.call("DEL") == (0, None)
    assert lab.host.forgotten_flows == [53, 53]


def damage_address(lab: Lab) -> None:
    pod = lab.host.pods["/ns/a"]
    pod.remove_address(pod.addresses()[0])


def damage_port(lab: Lab) -> None:
    port = lab.host.links.find(port_name("pods", "a", "eth0"))
    assert port is not None
    lab.host.links.change(port.ifindex, LinkChange(master=0))


def damage_mac(lab: Lab) -> None:
    lab.host.pods["/ns/a"].change(2, LinkChange(mac="02:00:00:00:00:01"))


def forget(lab: Lab) -> None:
    with lab.store.writing():
        lab.store.release(Owner("pods", "a", "eth0"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_address, "address 10.1.2.2/24 is not on eth0"),
        (damage_port, "is not a port of bridge wherry0"),
        (damage_mac, "has MAC 02:00:00:00:00:01"),
        (lambda lab: lab.host.pods["/ns/a"].remove("eth0"), "the host's end, is not there"),
        (lambda lab: lab.host.pods["/ns/a"].change(2, LinkChange(up=False)), "link eth0 is down"),
        (lambda lab: lab.host.pods["/ns/a"].remove_route(Route("0.0.0.0/0", 2, "10.1.2.1")), "route 0.0.0.0/0 is not"),
        (lambda lab: lab.host.links.remove("wherry0"), "bridge wherry0 is not there"),
        (forget, "no addresses are kept"),
        (lambda lab: lab.host.rules.flush(), "nf_tables has no table"),
    ],
)
def test_check_notices_damage(lab: Lab, damage: Any, message: str) -> None:
    checked = PORTS | {"prevResult": lab.add(net=PORTS)}
    assert lab.call("CHECK", net=checked) == (0, None)
    damage(lab)
    code, error = lab.call("CHECK", net=checked)
    assert (code, error["code"]) == (1, CHECK_FAILED)
    assert message in error["details"]


@pytest.mark.parametrize(
    "previous", [{"ips": [3]}, {"routes": [{"dst": "x"}]}, {"interfaces": 7}, {"ips": [{"address": "x"}]}]
)
def test_check_with_a_broken_previous_result(lab: Lab, previous: Any) -> None:
    lab.add()
    code, error = lab.call("CHECK", net={"prevResult": previous})
    assert code == 1
    assert "prevResult" in error["msg"]


def test_a_missing_namespace_is_an_unknown_container(lab: Lab) -> None:
    code, error = lab.call("ADD", CNI_NETNS="/ns/none")
    assert (code, error["code"]) == (1, CONTAINER)
    assert lab.store.state().attachments == ()


def test_exhaustion_and_status(lab: Lab) -> None:
    small = {"cniVersion": "1.1.0", "ipam": {"ranges": [[{"subnet": "10.1.2.0/30"}]]}}
    assert lab.call("STATUS", net=small) == (0, None)
    lab.add("a", small)
    code, error = lab.call("STATUS", net=small)
    assert (code, error["code"]) == (1, UNAVAILABLE)
    code, error = lab.call("ADD", "b", small)
    assert (code, error["code"], error["cniVersion"]) == (1, NO_ADDRESS, "1.1.0")
    assert lab.call("DEL", "a", small) == (0, None)
    assert lab.call("STATUS", net=small) == (0, None)


def test_gc_frees_what_no_attachment_owns(lab: Lab) -> None:
    for pod in "abc":
        lab.add(pod, PORTS if pod == "a" else None)
    stray = Owner("pods", "lost", "eth0")
    bridge = lab.host.links.find("wherry0")
    assert bridge is not None
    lab.host.links.add(NewLink(port_name(*stray), Veth("x"), master=bridge.ifindex))
    lab.host.links.add(NewLink("foreign0", Veth("y"), master=bridge.ifindex))
    valid = [{"containerID": "b", "ifname": "eth0"}]
    gc = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": valid}
    assert lab.call("GC", net=gc) == (0, None)
    assert [held.owner.container for held in lab.store.state().attachments] == ["b"]
    names = {link.name for link in lab.host.links.links()}
    assert names == {"lo", "wherry0", "foreign0", "y", port_name("pods", "b", "eth0")}
    assert lab.host.rules.elements(INET4, "wherry-cni", "hostports") == []


def test_gc_goes_on_after_a_failure_and_a_second_one_finishes(lab: Lab) -> None:
    for pod in "abc":
        lab.add(pod)
    gc = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}
    lab.host.machine.fail_at = 1
    code, error = lab.call("GC", net=gc)
    assert (code, error["code"]) == (1, KERNEL)
    assert len(lab.store.state().attachments) == 1
    assert lab.call("GC", net=gc) == (0, None)
    assert lab.store.state().attachments == ()


def test_gc_leaves_other_networks_alone(lab: Lab) -> None:
    lab.add("a")
    lab.add("b", {"name": "other", "ipam": {"ranges": [[{"subnet": "10.9.0.0/24"}]]}})
    assert lab.call("GC", net={"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}) == (0, None)
    assert [held.owner.container for held in lab.store.state().attachments] == ["b"]


def test_a_start_forgets_only_what_a_reboot_ended(lab: Lab) -> None:
    for pod in "abc":
        lab.add(pod)
    lab.host.end_pod("/ns/a")
    lab.host.pods.pop("/ns/b")  # unmounted, but its processes and its link live
    assert [owner.container for owner in plugin.sweep(lab.host, lab.store)] == ["a"]
    assert len(lab.store.state().attachments) == 2


def test_healing_puts_back_tables_and_bridge(lab: Lab) -> None:
    lab.add(net=PORTS)
    assert Healing().heal(lab.host, lab.store) == []
    bridge = lab.host.links.find("wherry0")
    assert bridge is not None
    lab.host.rules.flush()
    lab.host.links.remove_address(Address(bridge.ifindex, "10.1.2.1", 24))
    lab.host.links.change(bridge.ifindex, LinkChange(up=False))
    mended = Healing().heal(lab.host, lab.store)
    assert mended == ["table wherry-cni", "bridge wherry0, which was down", "address 10.1.2.1/24 of wherry0"]
    assert len(lab.host.rules.elements(INET4, "wherry-cni", "hostports")) == 1
    assert Healing().heal(lab.host, lab.store) == []


def test_a_bridge_that_was_deleted_comes_back_with_its_ports(lab: Lab) -> None:
    for pod in "ab":
        lab.add(pod)
    before = lab.host.links.links()
    lab.host.links.remove("wherry0")
    assert len(Healing().heal(lab.host, lab.store)) == 4
    after = lab.host.links.links()
    bridge = lab.host.links.find("wherry0")
    assert bridge is not None
    assert [link.name for link in after if link.master == bridge.ifindex and link.hairpin] == [
        link.name for link in before if link.name.startswith("wv")
    ]
    assert bridge.mac == "0a:58:0a:01:02:01"
    assert Healing().heal(lab.host, lab.store) == []


def test_cleanup_removes_all_and_may_be_repeated(lab: Lab, tmp_path: Path) -> None:
    lab.host.sysctl.values["net/ipv4/conf/br7/route_localnet"] = "0"
    for pod in "ab":
        lab.add(pod, {"bridge": "br7"} | (PORTS if pod == "a" else {}))
    lab.host.links.add(NewLink("br0", Bridge()))
    lab.store.close()
    for _ in range(2):
        remove_all(str(tmp_path), lab.host)
        assert {link.name for link in lab.host.links.links()} == {"lo", "br0"}
        assert not lab.host.has_table(INET4, "wherry-cni")
        assert list(tmp_path.iterdir()) == []
    assert callable(cleanup)


def test_cleanup_goes_on_when_the_store_cannot_be_read(lab: Lab, tmp_path: Path) -> None:
    lab.add("a")
    lab.store.close()
    damaged = apsw.Connection(str(tmp_path / FILE))
    damaged.execute("DROP TABLE network")
    damaged.close()
    with pytest.raises(ExceptionGroup) as caught:
        remove_all(str(tmp_path), lab.host)
    assert "no such table" in str(caught.value.exceptions[0])
    assert {link.name for link in lab.host.links.links()} == {"lo"}
    assert list(tmp_path.iterdir()) == []


def test_loopback(lab: Lab) -> None:
    pod = lab.host.make_pod("/ns/a")
    pod.add_address(Address(1, "127.0.0.1", 8))
    net = {"cniVersion": "0.3.1", "name": "cni-loopback", "type": "loopback", "ipam": {}}
    code, result = lab.call("ADD", net=net, CNI_IFNAME="lo")
    assert code == 0
    assert result["ips"] == [{"version": "4", "interface": 0, "address": "127.0.0.1/8"}]
    assert lab.call("CHECK", net=net | {"cniVersion": "1.0.0"}, CNI_IFNAME="lo") == (0, None)
    pod.change(1, LinkChange(up=False))
    assert lab.call("CHECK", net=net | {"cniVersion": "1.0.0"}, CNI_IFNAME="lo")[0] == 1
    assert lab.call("DEL", net=net, CNI_IFNAME="lo", CNI_NETNS="") == (0, None)


def test_version(lab: Lab) -> None:
    _, answer = lab.call("VERSION", net={"cniVersion": "0.4.0"})
    assert answer == {"cniVersion": "0.4.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}
    assert lab.call("VERSION", net={"cniVersion": "7"})[1]["cniVersion"] == "1.1.0"


def test_a_bug_is_an_answer_too(lab: Lab) -> None:
    lab.host.links.find = None  # type: ignore[assignment,method-assign]
    code, error = lab.call("ADD")
    assert code == 1
    assert error["msg"].startswith("cannot serve the request: TypeError")
