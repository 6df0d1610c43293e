"""What a runtime may send: requests and configurations, good and bad."""

import json
from typing import Any

import pytest

from cni import config, request
from cni.errors import CONFIG, DECODE, ENVIRONMENT, FIELD, VERSION, CniError

ENV = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "abc", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/a"}
NET: dict[str, Any] = {"cniVersion": "1.0.0", "name": "n", "type": "wherry-cni", "ipam": {"subnet": "10.1.2.0/24"}}


def parse(raw: dict[str, Any] | None = None, **env: str) -> request.Request:
    return request.parse(ENV | env, NET | (raw or {}))


def failure(raw: dict[str, Any] | None = None, **env: str) -> CniError:
    with pytest.raises(CniError) as caught:
        parse(raw, **env)
    return caught.value


def test_defaults_are_those_of_the_bridge_plugin() -> None:
    network = parse().network
    assert (network.bridge, network.is_gateway, network.hairpin, network.masquerade) == ("wherry0", False, False, False)
    assert [str(net) for net in network.subnets] == ["10.1.2.0/24"]


def test_a_default_gateway_is_a_gateway() -> None:
    assert parse({"isDefaultGateway": True}).network.is_gateway


def test_ranges_of_both_families() -> None:
    sets = [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00:1::/64", "gateway": "fd00:1::fe"}]]
    network = parse({"ipam": {"type": "host-local", "ranges": sets}}).network
    assert [str(net) for net in network.subnets] == ["10.1.2.0/24", "fd00:1::/64"]


def test_addresses_and_mac_may_be_asked_for_in_three_ways() -> None:
    asked = parse({"runtimeConfig": {"ips": ["10.1.2.9/24"], "mac": "0A:58:0a:01:02:09"}}).network
    assert (asked.ips, asked.mac) == (("10.1.2.9",), "0a:58:0a:01:02:09")
    asked = parse(CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=web;IP=10.1.2.9;MAC=0a:58:0a:01:02:09").network
    assert (asked.ips, asked.mac) == (("10.1.2.9",), "0a:58:0a:01:02:09")


def test_addresses_may_be_asked_for_by_the_arguments_of_the_network() -> None:
    arguments = {"ips": ["10.1.2.9"], "mac": "0a:58:0a:01:02:09", "labels": [{"key": "a", "value": "b"}]}
    asked = parse({"args": {"cni": arguments}}).network
    assert (asked.ips, asked.mac) == (("10.1.2.9",), "0a:58:0a:01:02:09")
    asked = parse({"args": {"cni": arguments}, "runtimeConfig": {"ips": ["10.1.2.7"]}}).network
    assert asked.ips == ("10.1.2.7",)


def test_bridge_options() -> None:
    network = parse({"vlan": 7, "preserveDefaultVlan": False, "isGateway": True, "enabledad": True}).network
    assert network.vlans == config.Vlans(7, (), False)
    assert (network.gateway_link, network.duplicate_check) == ("wherry0.7", True)
    trunk = parse({"vlanTrunk": [{"id": 5}, {"minID": 7, "maxID": 9}, {"id": 8}]}).network.vlans
    assert trunk == config.Vlans(0, (5, 7, 8, 9), True)


@pytest.mark.parametrize(
    ("raw", "guard"),
    [
        ({}, config.GUARD_ALL),
        ({"isolation": False}, ""),
        ({"isolation": False, "macspoofchk": True}, config.GUARD_MAC),
        ({"macspoofchk": True}, config.GUARD_ALL),
    ],
)
def test_pods_are_guarded_unless_the_configuration_says_no(raw: dict[str, Any], guard: str) -> None:
    assert parse(raw).network.guard == guard


def test_a_network_without_ipam_gives_no_addresses() -> None:
    layer2 = {key: value for key, value in NET.items() if key != "ipam"}
    asked = request.parse(ENV, layer2 | {"disableContainerInterface": True}).network
    assert (asked.range_sets, asked.guard, asked.starts_down) == ((), "", True)
    assert request.parse(ENV, layer2 | {"macspoofchk": True}).network.guard == config.GUARD_MAC
    with pytest.raises(CniError, match="isolation without ipam"):
        request.parse(ENV, layer2 | {"isolation": True})


def test_routes_have_what_the_specification_knows() -> None:
    route = {"dst": "0.0.0.0/0", "mtu": 1300, "advmss": 1200, "priority": 5, "table": 1000, "scope": 253}
    (found,) = parse({"ipam": {"subnet": "10.1.2.0/24", "routes": [route]}}).network.routes
    assert found == config.ConfigRoute("0.0.0.0/0", "", 1300, 5, 1200, 1000, 253)


def test_port_mappings() -> None:
    mappings = [
        {"hostPort": 8080, "containerPort": 80},
        {"hostPort": 53, "containerPort": 5353, "protocol": "UDP", "hostIP": "192.0.2.1"},
        {"hostPort": 0, "containerPort": 9},
    ]
    ports = parse({"runtimeConfig": {"portMappings": mappings}}).network.ports
    assert ports == (config.PortMapping("tcp", 8080, 80), config.PortMapping("udp", 53, 5353, "192.0.2.1"))


def test_what_a_runtime_wants_is_understood_with_capital_initials_too() -> None:
    wanted = {
        "portMappings": [{"HostPort": 8080, "ContainerPort": 80, "Protocol": "udp", "HostIP": ""}],
        "bandwidth": {"IngressRate": 8_000_000, "IngressBurst": 8_000_000, "EgressRate": 0, "EgressBurst": 0},
    }
    network = parse({"runtimeConfig": wanted}).network
    assert network.ports == (config.PortMapping("udp", 8080, 80, ""),)
    assert network.bandwidth.to_pod is not None and network.bandwidth.from_pod is None


def test_ports_that_could_not_be_used_keep_nobody_from_going() -> None:
    wrong = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 0}]}}
    assert parse(wrong, CNI_COMMAND="DEL").network.ports == ()


def test_unknown_keys_are_left_alone() -> None:
    assert parse({"future": {"x": 1}, "args": {"labels": []}}).network.name == "n"


@pytest.mark.parametrize(
    ("env", "code", "message"),
    [
        ({"CNI_COMMAND": ""}, ENVIRONMENT, "CNI_COMMAND ''"),
        ({"CNI_COMMAND": "add"}, ENVIRONMENT, "must be one of ADD, DEL, CHECK, STATUS, GC, VERSION"),
        ({"CNI_CONTAINERID": ""}, ENVIRONMENT, "CNI_CONTAINERID"),
        ({"CNI_CONTAINERID": "../x"}, ENVIRONMENT, "CNI_CONTAINERID"),
        ({"CNI_CONTAINERID": "a;b"}, ENVIRONMENT, "CNI_CONTAINERID"),
        ({"CNI_IFNAME": ""}, ENVIRONMENT, "CNI_IFNAME"),
        ({"CNI_IFNAME": "eth0:1"}, ENVIRONMENT, "CNI_IFNAME"),
        ({"CNI_IFNAME": "a-name-that-is-too-long"}, ENVIRONMENT, "1 to 15"),
        ({"CNI_IFNAME": ".."}, ENVIRONMENT, "CNI_IFNAME"),
        ({"CNI_NETNS": ""}, ENVIRONMENT, "CNI_NETNS is not set"),
        ({"CNI_COMMAND": "CHECK", "CNI_NETNS": ""}, ENVIRONMENT, "CNI_NETNS is not set"),
        ({"CNI_COMMAND": "GC"}, VERSION, "came with 1.1.0"),
        ({"CNI_ARGS": "IP"}, ENVIRONMENT, "'IP' is not KEY=VALUE"),
        ({"CNI_ARGS": "=1"}, ENVIRONMENT, "is not KEY=VALUE"),
        ({"CNI_ARGS": "K8S_POD_NAME=web"}, ENVIRONMENT, "'K8S_POD_NAME' is unknown"),
        ({"CNI_ARGS": "IgnoreUnknown=0;X=1"}, ENVIRONMENT, "'X' is unknown"),
        ({"CNI_ARGS": "IP=10.1.2"}, CONFIG, "not an IP address"),
    ],
)
def test_bad_environments(env: dict[str, str], code: int, message: str) -> None:
    error = failure(**env)
    assert error.code == code
    assert message in error.message


@pytest.mark.parametrize(
    ("raw", "code", "message"),
    [
        ({"cniVersion": "0.2.0"}, VERSION, "cniVersion '0.2.0'"),
        ({"cniVersion": "9.9.9"}, VERSION, "not supported"),
        ({"cniVersion": 1}, VERSION, "not supported"),
        ({"name": ""}, CONFIG, "network name ''"),
        ({"name": "a/b"}, CONFIG, "network name 'a/b'"),
        ({"name": 7}, CONFIG, "cannot use name"),
        ({"bridge": "much-too-long-a-name"}, CONFIG, "not a name for a link"),
        ({"bridge": "a/b"}, CONFIG, "not a name for a link"),
        ({"isGateway": "yes"}, CONFIG, "isGateway"),
        ({"mtu": -1}, CONFIG, "mtu"),
        ({"mtu": "1500"}, CONFIG, "mtu"),
        ({"hairpinMode": True, "promiscMode": True}, CONFIG, "choose one"),
        ({"vlan": 4095}, CONFIG, "vlan: 4095 is not a whole number from 0 to 4094"),
        ({"vlan": 7, "vlanTrunk": [{"id": 8}]}, CONFIG, "vlan with vlanTrunk"),
        ({"vlan": 4000, "bridge": "a-long-bridge", "isGateway": True}, CONFIG, "a-long-bridge.4000 is too long"),
        ({"vlanTrunk": [7]}, CONFIG, "vlanTrunk"),
        ({"vlanTrunk": [{"minID": 5}]}, CONFIG, "maxID"),
        ({"macspoofchk": "yes"}, CONFIG, "macspoofchk"),
        ({"isolation": 1}, CONFIG, "isolation"),
        ({"disableContainerInterface": True}, CONFIG, "disableContainerInterface with ipam"),
        ({"sysctl": {"kernel.panic": "1"}}, CONFIG, "sysctl kernel.panic"),
        ({"sysctl": {"net.core.somaxconn": 1}}, CONFIG, "sysctl net.core.somaxconn"),
        ({"sysctl": ["net.core.somaxconn"]}, CONFIG, "sysctl: it is not an object"),
        ({"ipam": {"subnet": "10.1.0.0/24", "reserved": ["10.1.0.9-10.1.0.3"]}}, CONFIG, "ipam.reserved"),
        ({"ipam": {"subnet": "10.1.0.0/24", "reserved": "10.1.0.9"}}, CONFIG, "reserved: it is not a list"),
        ({"ipam": {"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0", "scope": 7}]}}, CONFIG, "scope 7"),
        ({"ipam": {"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0", "advmss": -1}]}}, CONFIG, "advmss"),
        ({"args": {"cni": {"ips": ["x"]}}}, CONFIG, "not an IP address"),
        ({"ipam": {"type": "dhcp"}}, FIELD, "ipam.type 'dhcp'"),
        ({"ipam": {}}, CONFIG, "no ipam.ranges"),
        ({"ipam": []}, CONFIG, "ipam: it is not an object"),
        ({"ipam": {"ranges": [{"subnet": "10.1.0.0/24"}]}}, CONFIG, "ipam.ranges[0]"),
        ({"ipam": {"ranges": [[{"subnet": "10.1.0.0/44"}]]}}, CONFIG, "ipam.ranges[0]"),
        ({"ipam": {"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "fd00::/64"}]]}}, CONFIG, "mixes IPv4 and IPv6"),
        ({"ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}], [{"subnet": "10.1.2.0/24"}]]}}, CONFIG, "overlap"),
        ({"ipam": {"subnet": "10.1.0.0/24", "routes": [{"dst": "10.0.0.0"}]}}, CONFIG, "ipam.routes"),
        ({"ipam": {"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0", "gw": "fd00::1"}]}}, CONFIG, "families"),
        ({"clusterCidr": "10.244.0.0"}, CONFIG, "clusterCidr"),
        ({"runtimeConfig": {"portMappings": [{"hostPort": 70000, "containerPort": 1}]}}, CONFIG, "hostPort"),
        ({"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 0}]}}, CONFIG, "containerPort"),
        (
            {"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "protocol": "x"}]}},
            CONFIG,
            "tcp, udp",
        ),
        ({"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "hostIP": "x"}]}}, CONFIG, "hostIP"),
        ({"runtimeConfig": {"bandwidth": {"ingressRate": -1}}}, CONFIG, "ingressRate"),
        ({"runtimeConfig": {"bandwidth": 5}}, CONFIG, "bandwidth: it is not an object"),
        ({"runtimeConfig": {"ips": ["nonsense"]}}, CONFIG, "not an IP address"),
        ({"runtimeConfig": {"mac": "01:00:5e:00:00:01"}}, CONFIG, "not one of a single host"),
    ],
)
def test_bad_configurations(raw: dict[str, Any], code: int, message: str) -> None:
    error = failure(raw)
    assert error.code == code
    assert message in error.message


def test_a_missing_version_is_older_than_ours() -> None:
    with pytest.raises(CniError) as caught:
        request.parse(ENV, {key: value for key, value in NET.items() if key != "cniVersion"})
    assert caught.value.code == VERSION


def test_del_needs_neither_namespace_nor_ranges() -> None:
    asked = parse({"ipam": {}}, CNI_COMMAND="DEL", CNI_NETNS="")
    assert asked.network.range_sets == ()


def test_check_came_with_0_4_0() -> None:
    assert failure({"cniVersion": "0.3.1"}, CNI_COMMAND="CHECK").code == VERSION
    assert parse({"cniVersion": "0.4.0"}, CNI_COMMAND="CHECK").command == "CHECK"


def test_gc_needs_its_list() -> None:
    assert "cni.dev/valid-attachments" in failure({"cniVersion": "1.1.0"}, CNI_COMMAND="GC").message
    valid = [{"containerID": "a", "ifname": "eth0"}]
    asked = parse({"cniVersion": "1.1.0", "cni.dev/valid-attachments": valid}, CNI_COMMAND="GC")
    assert asked.network.valid == {("a", "eth0")}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"3", b"[" * 100_000])
def test_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises(CniError) as caught:
        config.decode(body)
    assert caught.value.code == DECODE


def test_an_error_has_the_specified_form() -> None:
    body = CniError(7, "cannot", "since").to_json("1.0.0")
    assert json.dumps(body) == '{"cniVersion": "1.0.0", "code": 7, "msg": "cannot", "details": "since"}'
