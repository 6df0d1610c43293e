"""The plugin's other verbs on a real host: DEL, CHECK, GC, a reboot, kills at random points, and Debian's plugins beside."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench import cni_kills
from bench.cni_lab import GO_PLUGINS, Lab, Space, lab, need_go_plugins
from cni.ipam import Store

pytestmark = pytest.mark.root


@pytest.fixture(params=["daemon", "alone"])
def made(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab("life") as one:
        if request.param == "alone":
            yield one
        else:
            with one.daemon():
                yield one


def left(made: Lab) -> dict[str, Any]:
    """What ADDs leave on the host."""
    store = Store(str(made.data))
    attachments = store.state().attachments
    store.close()
    tables = json.loads(made.host.run("nft", "-j", "list", "ruleset"))["nftables"]
    return {
        "links": made.links(),
        "attachments": attachments,
        "ports": [one["map"]["elem"] for one in tables if one.get("map", {}).get("elem")],
        "senders": [one["set"]["elem"] for one in tables if one.get("set", {}).get("elem")],
    }


NOTHING = {"links": [], "attachments": (), "ports": [], "senders": []}
PORT = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}


@pytest.mark.parametrize("namespace", ["there", "gone", "not told"])
def test_del_leaves_nothing_and_may_be_repeated(made: Lab, namespace: str) -> None:
    made.space("a")
    assert made.call("ADD", "a", made.network(**PORT)).code == 0
    assert left(made)["links"] != []
    env = {"CNI_NETNS": ""} if namespace == "not told" else {}
    if namespace == "gone":
        made.end("a")
    for _ in range(2):
        answer = made.call("DEL", "a", **env)
        assert (answer.code, answer.output) == (0, b"")
    assert left(made) == NOTHING


def test_a_duplicate_add_is_refused_as_debians_plugins_do(made: Lab) -> None:
    need_go_plugins()
    space = made.space("a")
    first = made.call("ADD", "a").body
    before = (space.run("ip", "-o", "-4", "addr"), left(made))
    again = made.call("ADD", "a")
    assert (again.code, again.body["code"]) == (1, 104)
    assert "a has it already" in again.body["msg"]
    assert (space.run("ip", "-o", "-4", "addr"), left(made)) == before
    assert made.call("ADD", "a", made.go_network(), plugin=f"{GO_PLUGINS}/bridge").code != 0
    assert made.call("DEL", "a").code == 0
    assert made.call("ADD", "a").body["ips"] != first["ips"]


def test_check_notices_damage(made: Lab) -> None:
    pod = made.space("a")
    network = made.network(**PORT)
    network["prevResult"] = made.call("ADD", "a", network).body
    assert made.call("CHECK", "a", network).code == 0
    damages = (
        (made.host, "ip link set wherry0 down", "bridge wherry0 is down"),
        (made.host, "nft delete table ip wherry-cni", "nf_tables has no table"),
        (made.host, "nft flush set bridge wherry-cni macs", "are not judged as they should"),
        (pod, "ip route del default", "route 0.0.0.0/0 is not in"),
        (pod, "ip addr flush dev eth0", "is not on eth0"),
        (pod, "ip link del eth0", "link eth0 is not in"),
    )
    for space, command, message in damages:
        for _ in range(20):  # a daemon mends some of it, now and then before anybody checks
            space.run(*command.split())
            answer = made.call("CHECK", "a", network)
            if answer.code and message in answer.body["details"]:
                break
        else:
            raise AssertionError(f"after {command}: {answer.output!r}")
    assert made.call("DEL", "a", network).code == 0
    del network["prevResult"]
    network["prevResult"] = made.call("ADD", "a", network).body
    assert made.call("CHECK", "a", network).code == 0


def test_gc_frees_all_but_the_valid(made: Lab) -> None:
    for name in "abc":
        made.space(name)
        assert made.call("ADD", name, made.network(**(PORT if name == "a" else {}))).code == 0
    valid = [{"containerID": "b", "ifname": "eth0"}]
    gc = made.network(cniVersion="1.1.0") | {"cni.dev/valid-attachments": valid}
    assert made.call("GC", "", gc).code == 0
    found = left(made)
    assert (len(found["links"]), len(found["attachments"]), found["ports"]) == (1, 1, [])
    assert made.call("STATUS", "", gc).code == 0


def test_no_addresses_left_is_told_and_ends_with_a_del(made: Lab) -> None:
    small = made.network(ipam={"ranges": [[{"subnet": "10.244.7.0/29"}]]})
    for n in range(6):
        made.space(f"p{n}")
    answers = [made.call("ADD", f"p{n}", small) for n in range(6)]
    assert [answer.code for answer in answers] == [0, 0, 0, 0, 0, 1]
    assert answers[5].body["code"] == 101
    assert "no addresses left in 10.244.7.1-10.244.7.6" in answers[5].body["msg"]
    assert len(made.links()) == 5
    assert made.call("DEL", "p1", small).code == 0
    assert made.call("ADD", "p5", small).code == 0


def test_a_restart_after_a_reboot_forgets_the_dead() -> None:
    with lab("reboot") as one:
        with one.daemon():
            for name in "ab":
                one.space(name)
                assert one.call("ADD", name).code == 0
        one.end("a")
        while len(one.links()) > 1:  # the kernel ends a namespace in its own time
            one.host.run("sleep", "0.02")
        with one.daemon():
            found = left(one)
            assert [held.owner.container for held in found["attachments"]] == ["b"]
            assert one.call("DEL", "a").code == 0


def alike(address: str) -> str:
    """The two plugins give addresses of two networks that differ in one number."""
    return address.replace("10.245.", "10.244.")


def facts(space: Space) -> dict[str, Any]:
    """A pod's namespace without what must differ: its own address, the link-local ones; when its link has come up."""
    state = ""
    while state != "UP":
        links = json.loads(space.run("ip", "-j", "-d", "addr"))
        eth0 = next(link for link in links if link["ifname"] == "eth0")
        state = eth0["operstate"]
    routes = json.loads(space.run("ip", "-j", "route"))
    return {
        "names": sorted(link["ifname"] for link in links),
        "flags": sorted(eth0["flags"]),
        "mtu": eth0["mtu"],
        "kind": eth0["linkinfo"]["info_kind"],
        "addresses": [
            (a["family"], a["prefixlen"], a["scope"], alike(a["broadcast"]))
            for a in eth0["addr_info"]
            if a["scope"] == "global"
        ],
        "routes": sorted((alike(r["dst"]), alike(r.get("gateway", "")), r["dev"], r.get("scope")) for r in routes),
    }


def shape(result: dict[str, Any]) -> Any:
    """A result's form: its keys, and how the parts refer to one another."""
    return {
        "keys": sorted(key for key in result if key != "cniVersion"),
        "interfaces": [(sorted(i), bool(i.get("sandbox")), i["name"]) for i in result["interfaces"][2:]],
        "bridges": [sorted(i) for i in result["interfaces"][:2]],
        "ips": [(sorted(ip), ip["interface"], ip["gateway"][-4:]) for ip in result["ips"]],
        "routes": [r["dst"] for r in result.get("routes", [])],
    }


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0"])
def test_debians_plugins_make_an_equivalent_namespace(made: Lab, version: str) -> None:
    need_go_plugins()
    ours, theirs = made.space("a"), made.space("b")
    routes = [{"dst": "0.0.0.0/0"}, {"dst": "192.0.2.0/24"}]
    own = made.network(cniVersion=version)
    own["ipam"]["routes"] = routes
    go = made.go_network(cniVersion=version, isDefaultGateway=False)
    go["ipam"]["routes"] = routes
    mine, other = made.call("ADD", "a", own), made.call("ADD", "b", go, plugin=f"{GO_PLUGINS}/bridge")
    assert (mine.code, other.code) == (0, 0), (mine.output, other.output)
    assert facts(ours) == facts(theirs)
    assert shape(mine.body) == shape(other.body)
    bridges = json.loads(made.host.run("ip", "-j", "-d", "link", "show", "type", "bridge"))
    assert len({(b["mtu"], "UP" in b["flags"]) for b in bridges}) == 1
    ports = json.loads(made.host.run("ip", "-j", "-d", "link", "show", "type", "veth"))
    slaves = [p["linkinfo"]["info_slave_data"]["hairpin"] for p in ports if p.get("master")]
    assert slaves == [True, True]
    assert made.call("DEL", "a", own).code == made.call("DEL", "b", go, plugin=f"{GO_PLUGINS}/bridge").code == 0
    assert ours.run("ip", "-o", "link").count("\n") == theirs.run("ip", "-o", "link").count("\n") == 1


@pytest.mark.parametrize("version", ["0.3.1", "1.0.0"])
def test_loopback_answers_as_debians_does(made: Lab, version: str) -> None:
    need_go_plugins()
    results = []
    for name, plugin in (("a", str(made.bin / "loopback")), ("b", f"{GO_PLUGINS}/loopback")):
        space = made.space(name)
        network = {"cniVersion": version, "name": "cni-loopback", "type": "loopback"}
        answer = made.call("ADD", name, network, plugin=plugin, CNI_IFNAME="lo")
        assert answer.code == 0, answer.output
        assert "UP" in json.loads(space.run("ip", "-j", "link", "show", "lo"))[0]["flags"]
        results.append([ip["address"] for ip in answer.body["ips"]])
        assert made.call("DEL", name, network, plugin=plugin, CNI_IFNAME="lo", CNI_NETNS="").code == 0
    assert results[0] == results[1]


def test_the_same_errors_where_debians_plugins_have_them() -> None:
    need_go_plugins()
    with lab("errors") as one:
        one.space("a")
        for env, network in (
            ({"CNI_COMMAND": "NONSENSE"}, {}),
            ({"CNI_CONTAINERID": ""}, {}),
            ({"CNI_IFNAME": ""}, {}),
            ({"CNI_NETNS": ""}, {}),
            ({"CNI_IFNAME": "a/b"}, {}),
            ({}, {"cniVersion": "9.9.9"}),
            ({}, {"name": ""}),
        ):
            mine = one.call("ADD", "a", one.network(**network), **env)
            other = one.call("ADD", "a", one.go_network(**network), plugin=f"{GO_PLUGINS}/bridge", **env)
            assert mine.code != 0 and other.code != 0
            assert mine.body["code"] == other.body["code"], (env, network, mine.body, other.body)
            assert sorted(mine.body)[:3] == ["cniVersion", "code", "details"] or "msg" in mine.body


SMALL = {"ipam": {"ranges": [[{"subnet": "10.244.7.0/30"}]]}}
MAPPED = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}
BAD_CALLS: dict[str, tuple[str, dict[str, Any] | bytes, dict[str, str], int, str]] = {
    "no JSON": ("ADD", b"{", {}, 6, "it is not JSON"),
    "no object": ("ADD", b"[]", {}, 6, "it is not a JSON object"),
    "nothing": ("ADD", b"", {}, 1, "cniVersion '0.1.0'"),
    "an unknown version": ("ADD", {"cniVersion": "9.9.9"}, {}, 1, "cniVersion '9.9.9'"),
    "a command of a later version": ("STATUS", {}, {}, 1, "it came with 1.1.0"),
    "a foreign command": ("MOVE", {}, {}, 4, "CNI_COMMAND 'MOVE'"),
    "no container": ("ADD", {}, {"CNI_CONTAINERID": ""}, 4, "CNI_CONTAINERID"),
    "no interface": ("ADD", {}, {"CNI_IFNAME": ""}, 4, "CNI_IFNAME"),
    "no path": ("ADD", {}, {"CNI_NETNS": ""}, 4, "CNI_NETNS"),
    "no namespace": ("ADD", {}, {"CNI_NETNS": "/run/netns/none"}, 3, "cannot open network namespace /run/netns/none"),
    "a file that is no namespace": ("ADD", {}, {"CNI_NETNS": "/etc/hostname"}, 3, "/etc/hostname"),
    "arguments that nobody knows": ("ADD", {}, {"CNI_ARGS": "COLOUR=red"}, 4, "'COLOUR' is unknown"),
    "no name": ("ADD", {"name": ""}, {}, 7, "network name ''"),
    "an unknown IPAM": ("ADD", {"ipam": {"type": "dhcp"}}, {}, 2, "ipam.type 'dhcp'"),
    "a broken subnet": ("ADD", {"ipam": {"subnet": "10.244.7.0/99"}}, {}, 7, "10.244.7.0/99"),
    "a bridge that is none": ("ADD", {"bridge": "eth0"}, {}, 7, "cannot use eth0 as a bridge"),
    "loopback instead of a new interface": ("ADD", {}, {"CNI_IFNAME": "lo"}, 104, "cannot make lo"),
    "a setting that there is not": ("ADD", {"sysctl": {"net.no.such": "1"}}, {}, 106, "net.no.such"),
    "a resolver that there is not": (
        "ADD",
        {"ipam": {"subnet": "10.244.7.0/24", "resolvConf": "/none"}},
        {},
        5,
        "/none",
    ),
    "a strange address": ("ADD", {"runtimeConfig": {"ips": ["192.0.2.1"]}}, {}, 102, "192.0.2.1"),
    "no address left": ("ADD", SMALL, {}, 101, "no addresses left in 10.244.7.1-10.244.7.2 of network pods"),
    "a host port that is taken": ("ADD", MAPPED, {}, 103, "cannot map host port *:8080/tcp: container first has it"),
    "a check of nothing": ("CHECK", {}, {}, 105, "no addresses are kept"),
}


def test_bad_calls_have_their_codes_and_change_nothing(made: Lab) -> None:
    for name in ("first", "a"):
        made.space(name)
    assert made.call("ADD", "first", made.network(**MAPPED)).code == 0
    before = left(made)
    for name, (command, more, env, code, message) in BAD_CALLS.items():
        network = more if isinstance(more, bytes) else made.network(**more)
        for _ in range(2):
            answer = made.call(command, "a", network, **env)
            assert (name, answer.code, answer.body["code"]) == (name, 1, code), answer.output
            assert message in answer.body["msg"] + answer.body.get("details", ""), name
            assert set(answer.body) <= {"cniVersion", "code", "msg", "details"}, name
        assert left(made) == before, name
        assert made.call("DEL", "a").code == 0, name  # what the runtime does next
    assert made.call("ADD", "a").code == made.call("DEL", "a").code == 0
    assert left(made) == before
    assert made.call("DEL", "first").code == 0
    assert left(made) == NOTHING


@pytest.mark.slow
def test_kills_at_random_points_leave_nothing_after_gc() -> None:
    with lab("kills") as one:
        report = cni_kills.kill_at_random(one, kills=100, seed=20)
    assert report.killed == 100
    assert report.leaked == []
