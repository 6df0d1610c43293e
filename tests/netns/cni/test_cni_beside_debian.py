"""The same requests to our plugin and to Debian's: equal namespaces, valid results, equal behaviour of real packets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.cni_lab import GO_PLUGINS, HOST_IP, OUTSIDE_IP, Answer, Lab, Space, lab, need_go_plugins
from tests.netns.cni import specification

pytestmark = pytest.mark.root
OURS, THEIRS = "10.244.7.", "10.245.7."
OURS6, THEIRS6 = "fd00:7::", "fd00:8::"


@pytest.fixture
def made() -> Iterator[Lab]:
    need_go_plugins()
    with lab("both") as one, one.daemon():
        yield one


def alike(text: str) -> str:
    """Both give addresses of networks of their own, that differ in one number."""
    return text.replace(THEIRS, OURS).replace(THEIRS6, OURS6).replace("wherry0", "BRIDGE").replace("gobr0", "BRIDGE")


def both(made: Lab, network: dict[str, Any], version: str) -> list[dict[str, Any]]:
    """A configuration for each: the same but for names and networks."""
    ours = {
        "isolation": False,
        "type": "wherry-cni",
        "name": "pods",
        "bridge": "wherry0",
        "cniVersion": version,
    } | network
    ours["ipam"] = ours["ipam"] | {"dataDir": str(made.folder / "go")}
    theirs = json.loads(json.dumps(ours).replace(OURS, THEIRS).replace(OURS6, THEIRS6))
    return [ours, theirs | {"type": "bridge", "name": "gopods", "bridge": "gobr0"}]


def path_of(network: dict[str, Any]) -> str:
    return "" if network["type"] == "wherry-cni" else f"{GO_PLUGINS}/{network['type']}"


def chain(made: Lab, verb: str, pod: str, network: dict[str, Any], *more: dict[str, Any], **env: str) -> Answer:
    """What a runtime does with a list of plugins: each gets what the one before said; a DEL goes backwards."""
    plugins = [network, *({"cniVersion": network["cniVersion"], "name": network["name"]} | one for one in more)]
    before: dict[str, Any] = {}
    for one in plugins if verb == "ADD" else plugins[::-1]:
        answer = made.call(verb, pod, one | before, plugin=path_of(one), **env)
        if answer.code:
            return answer
        before = {"prevResult": answer.body} if verb == "ADD" else {}
    return answer


def facts(made: Lab, space: Space) -> dict[str, Any]:
    """A pod's namespace and the host's side of it, without what must differ: names and addresses made of nothing."""
    link = json.loads(space.run("ip", "-j", "-d", "addr", "show", "eth0"))[0]
    tables = {
        family: json.loads(space.run("ip", "-j", family, "route", "show", "table", "all")) for family in ("-4", "-6")
    }
    port = next(
        one
        for one in json.loads(made.host.run("ip", "-j", "-d", "link", "show", "type", "veth"))
        if one["ifindex"] == link["link_index"]
    )
    bridge = json.loads(made.host.run("ip", "-j", "-d", "addr", "show", port["master"]))[0]
    return {
        "links": sorted(one["ifname"] for one in json.loads(space.run("ip", "-j", "link"))),
        "link": (sorted(set(link["flags"]) - {"LOWER_UP", "NO-CARRIER"}), link["mtu"], link["linkinfo"]["info_kind"]),
        "addresses": sorted(
            (alike(a["local"]), a["prefixlen"], alike(a.get("broadcast", "")))
            for a in link["addr_info"]
            if a["scope"] == "global"
        ),
        "routes": sorted(
            (alike(r["dst"]), alike(r.get("gateway", "")), r.get("metric"), r.get("table"), r.get("scope"))
            for table in tables.values()
            for r in table
            if r["dev"] == "eth0"
            and r.get("type", "unicast") == "unicast"
            and not r["dst"].startswith(("fe80:", "ff00:"))
        ),
        "port": (port["mtu"], port["linkinfo"]["info_slave_data"]["hairpin"]),
        "bridge": (bridge["mtu"], "PROMISC" in bridge["flags"], "UP" in bridge["flags"]),
        "gateways": sorted((alike(a["local"]), a["prefixlen"]) for a in bridge["addr_info"] if a["scope"] == "global"),
    }


def shape(result: dict[str, Any]) -> Any:
    """A result without the names and hardware addresses of links."""
    return {
        "interfaces": [bool(one.get("sandbox")) for one in result["interfaces"]],
        "ips": [
            (one["interface"], alike(one["address"]), alike(one["gateway"]), one.get("version"))
            for one in result["ips"]
        ],
        "routes": [one["dst"] for one in result.get("routes", [])],
        "dns": result.get("dns", {}),
    }


IPAM: dict[str, Any] = {"type": "host-local", "ranges": [[{"subnet": "10.244.7.0/24"}]]}
DUAL = {"type": "host-local", "ranges": [*IPAM["ranges"], [{"subnet": "fd00:7::/64"}]]}
REQUESTS: dict[str, dict[str, Any]] = {
    "a plain bridge": {"ipam": IPAM},
    "a gateway": {"isGateway": True, "ipam": IPAM},
    "the default gateway": {"isDefaultGateway": True, "ipam": IPAM},
    "both families": {"isDefaultGateway": True, "ipam": DUAL},
    "an MTU": {"mtu": 1400, "isGateway": True, "ipam": IPAM},
    "hairpin": {"hairpinMode": True, "ipam": IPAM},
    "promiscuous": {"promiscMode": True, "ipam": IPAM},
    "routes": {
        "isGateway": True,
        "ipam": IPAM | {"routes": [{"dst": "192.0.2.0/24"}, {"dst": "10.0.0.0/8", "gw": "10.244.7.9"}]},
    },
    "part of a subnet": {
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "subnet": "10.244.7.0/24",
            "rangeStart": "10.244.7.40",
            "gateway": "10.244.7.254",
        },
    },
    "a range after a full one": {
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.244.7.0/24", "rangeStart": "10.244.7.50", "rangeEnd": "10.244.7.60"}]],
        },
    },
    "an address from the runtime": {"isGateway": True, "ipam": IPAM, "runtimeConfig": {"ips": ["10.244.7.99/24"]}},
    "an address from the arguments": {"isGateway": True, "ipam": IPAM, "args": {"cni": {"ips": ["10.244.7.98"]}}},
    "DNS": {"ipam": IPAM, "dns": {"nameservers": ["10.96.0.10"], "search": ["cluster.local"]}},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_equal_namespaces_and_valid_results(made: Lab, name: str) -> None:
    for version in ("0.3.1", "0.4.0", "1.0.0"):
        seen, shapes = [], []
        for pod, network in zip("ab", both(made, {"mtu": 1500} | REQUESTS[name], version), strict=True):
            space = made.space(pod)
            answer = chain(made, "ADD", pod, network)
            assert answer.code == 0, answer.output
            assert specification.problems(answer.body, version) == []
            seen.append(facts(made, space))
            shapes.append(shape(answer.body))
            if network["type"] == "wherry-cni":  # Debian's misses routes that it made itself
                checked = made.call("CHECK", pod, network | {"prevResult": answer.body})
                assert checked.code == (version == "0.3.1"), checked.output
            assert chain(made, "DEL", pod, network).code == 0
            assert "eth0" not in space.run("ip", "-o", "link")
            made.end(pod)
        assert seen[0] == seen[1]
        assert shapes[0] == shapes[1]


PORTS = [
    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
    {"hostPort": 8443, "containerPort": 443, "protocol": "tcp", "hostIP": HOST_IP},
]
HOST_PORTS = {"runtimeConfig": {"portMappings": PORTS}}


def reached(server: Space, client: Space, ip: str, port: int, target: int) -> bool:
    """Whether a client gets through to the pod."""
    with server.listen(target) as listener:
        try:
            with client.connect(ip, port) as sent, listener.accept()[0] as got:
                sent.sendall(b"word")
                return got.recv(16) == b"word"
        except OSError:
            return False


def test_host_ports_lead_to_pods_from_the_same_places(made: Lab) -> None:
    network = {"isDefaultGateway": True, "hairpinMode": True, "ipMasq": True, "ipam": IPAM}
    seen = []
    for pod, one in zip("ab", both(made, network, "1.0.0"), strict=True):
        web, other = made.space(pod), made.space(f"{pod}2")
        mapped = [] if one["type"] == "wherry-cni" else [{"type": "portmap", "snat": True} | HOST_PORTS]
        asked = one | (HOST_PORTS if not mapped else {})
        for name, answer in (
            (pod, chain(made, "ADD", pod, asked, *mapped)),
            (f"{pod}2", chain(made, "ADD", f"{pod}2", one)),
        ):
            assert answer.code == 0, (name, answer.output)
        ways = [
            (client, ip, port, target)
            for client in (made.outside, made.host, other, web)
            for ip, port, target in (
                (HOST_IP, 8080, 80),
                (HOST_IP, 8443, 443),
                ("127.0.0.1", 8080, 80),
                ("127.0.0.1", 8443, 443),
            )
            if ip != "127.0.0.1" or client is made.host
        ]
        seen.append([reached(web, *way) for way in ways])
        assert chain(made, "DEL", pod, asked, *mapped).code == 0
        assert not reached(web, made.outside, HOST_IP, 8080, 80)
    assert seen[0] == seen[1] == [True] * 5 + [False] + [True] * 4


def test_others_go_on_from_our_result(made: Lab) -> None:
    """A chain of our plugin and three of Debian's."""
    pod = made.space("a")
    limits = {"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000, "ingressBurst": 8_000_000}}}
    more = [
        {"type": "portmap", "snat": True} | HOST_PORTS,
        {"type": "tuning", "sysctl": {"net.core.somaxconn": "512"}, "mac": "0a:58:0a:f4:07:99"},
        {"type": "bandwidth"} | limits,
    ]
    network = made.network(isolation=False)  # one of them changes the MAC address
    answer = chain(made, "ADD", "a", network, *more)
    assert answer.code == 0, answer.output
    assert specification.problems(answer.body, "1.0.0") == []
    assert pod.run("sysctl", "-n", "net.core.somaxconn").strip() == "512"
    assert "rate 8Mbit" in made.host.run("tc", "qdisc", "show", "dev", made.links()[0])
    assert answer.body["interfaces"][2]["mac"] == "0a:58:0a:f4:07:99"
    assert chain(made, "DEL", "a", network, *more).code == 0
    assert made.links() == []


def test_the_same_limits_and_settings_in_one_plugin(made: Lab) -> None:
    pod = made.space("a")
    limits = {"bandwidth": {"ingressRate": 8_000_000, "ingressBurst": 8_000_000}, "portMappings": PORTS}
    network = made.network(
        sysctl={"net.core.somaxconn": "512", "net.ipv4.conf.IFNAME.forwarding": "1"}, runtimeConfig=limits
    )
    assert made.call("ADD", "a", network).code == 0
    assert pod.run("sysctl", "-n", "net.core.somaxconn", "net.ipv4.conf.eth0.forwarding").split() == ["512", "1"]
    assert "rate 8Mbit" in made.host.run("tc", "qdisc", "show", "dev", made.links()[0])
    assert reached(pod, made.outside, HOST_IP, 8080, 80)
    assert reached(made.outside, pod, OUTSIDE_IP, 8080, 8080)
