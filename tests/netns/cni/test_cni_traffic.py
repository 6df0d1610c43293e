"""Real packets through real pods, in a host namespace of our own; each test with the daemon and alone."""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from bench.cni_lab import HOST_IP, IN_CLUSTER_IP, OUTSIDE_IP, Lab, Space, lab
from cni.healing import Healing
from cni.host import KernelHost
from cni.ipam import Store
from cni.ports import port_name
from linux import conntrack

pytestmark = pytest.mark.root
PORTS = [
    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
    {"hostPort": 5300, "containerPort": 53, "protocol": "udp"},
    {"hostPort": 8443, "containerPort": 443, "protocol": "tcp", "hostIP": HOST_IP},
]


@pytest.fixture(params=["daemon", "alone"])
def made(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab("traffic") as one:
        if request.param == "alone":
            yield one
        else:
            with one.daemon():
                yield one


def add(made: Lab, name: str, **more: Any) -> tuple[Space, str]:
    space = made.space(name)
    answer = made.call("ADD", name, made.network(**more))
    assert answer.code == 0, answer.output
    return space, answer.body["ips"][0]["address"].partition("/")[0]


def talk(client: Space, server: Space, target: tuple[str, int], port: int, bind: str = "0.0.0.0") -> str:
    """Send a word over TCP and back; the address that the server saw."""
    with server.listen(port, bind) as listener, client.connect(*target) as sent:
        got, peer = listener.accept()
        with got:
            sent.sendall(b"word")
            assert got.recv(16) == b"word"
            got.sendall(b"back")
            assert sent.recv(16) == b"back"
    return str(peer[0])


def talk_udp(client: Space, server: Space, target: tuple[str, int], port: int) -> str:
    """The same over UDP."""
    sent = client.visit(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with sent, server.listen(port, kind=socket.SOCK_DGRAM) as listener:
        sent.settimeout(60)
        sent.connect(target)
        sent.send(b"word")
        word, peer = listener.recvfrom(16)
        listener.sendto(b"back", peer)
        assert (word, sent.recv(16)) == (b"word", b"back")
    return str(peer[0])


def test_pods_reach_each_other_the_gateway_and_the_host_them(made: Lab) -> None:
    (a, a_ip), (b, b_ip) = add(made, "a"), add(made, "b")
    assert talk(a, b, (b_ip, 80), 80) == a_ip
    assert talk(b, a, (a_ip, 80), 80) == b_ip
    assert talk(a, made.host, ("10.244.7.1", 8000), 8000) == a_ip
    assert talk(made.host, a, (a_ip, 80), 80) == "10.244.7.1"
    a.run("ping", "-c1", "-W50", b_ip)
    a.run("ping", "-c1", "-W50", "10.244.7.1")


def test_traffic_that_leaves_the_cluster_is_masqueraded_and_no_other(made: Lab) -> None:
    a, a_ip = add(made, "a")
    assert talk(a, made.outside, (OUTSIDE_IP, 8000), 8000) == HOST_IP
    assert talk(a, made.outside, (IN_CLUSTER_IP, 8000), 8000) == a_ip
    assert talk(made.outside, a, (a_ip, 80), 80) == OUTSIDE_IP


def test_host_ports_from_everywhere(made: Lab) -> None:
    (web, _), (other, _) = add(made, "web", runtimeConfig={"portMappings": PORTS}), add(made, "other")
    assert talk(made.outside, web, (HOST_IP, 8080), 80) == OUTSIDE_IP
    assert talk(made.outside, web, (HOST_IP, 8443), 443) == OUTSIDE_IP
    assert talk_udp(made.outside, web, (HOST_IP, 5300), 53) == OUTSIDE_IP
    assert talk(other, web, (HOST_IP, 8080), 80) == "10.244.7.1"
    assert talk(web, web, (HOST_IP, 8080), 80) == "10.244.7.1"
    talk(made.host, web, (HOST_IP, 8080), 80)
    talk(made.host, web, ("127.0.0.1", 8080), 80)
    with pytest.raises(OSError):
        made.host.connect("127.0.0.1", 8443, 1).close()
    assert made.call("DEL", "web").code == 0
    with pytest.raises(OSError):
        made.outside.connect(HOST_IP, 8080, 1).close()


def test_a_host_port_on_all_addresses_leaves_the_pod_its_own_traffic(made: Lab) -> None:
    add(made, "web", runtimeConfig={"portMappings": PORTS})
    client, _ = add(made, "client")
    assert talk(client, made.outside, (OUTSIDE_IP, 8080), 8080) == HOST_IP


def test_the_hosts_loopback_stays_closed_to_pods(made: Lab) -> None:
    pod, _ = add(made, "a", runtimeConfig={"portMappings": PORTS})
    made.host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
    pod.run("sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1")
    pod.run("ip", "route", "add", "127.0.0.1/32", "via", "10.244.7.1")

    def arrives(seconds: float) -> bool:
        with made.host.listen(9000, "127.0.0.1", socket.SOCK_DGRAM) as secret:
            secret.settimeout(seconds)
            with pod.visit(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sent:
                sent.sendto(b"let me in", ("127.0.0.1", 9000))
            try:
                return bool(secret.recv(16))
            except TimeoutError:
                return False

    assert not arrives(0.3)
    for _ in range(60):  # a daemon puts it back, now and then before anything has come
        made.host.run("nft", "flush", "chain", "ip", "wherry-cni", "guard")
        if arrives(1):
            return
    pytest.fail("without the guard it must arrive, or this test proves nothing")


def test_both_families(made: Lab) -> None:
    ranges = [[{"subnet": "10.244.7.0/24"}], [{"subnet": "fd00:7::/64"}]]
    more = {"ipam": {"ranges": ranges}, "clusterCidr": "10.244.0.0/16,fd00::/16"}
    mapping = {"hostPort": 8081, "containerPort": 80, "protocol": "tcp"}
    a, b = made.space("a"), made.space("b")
    for name in "ab":
        ports = {"runtimeConfig": {"portMappings": [mapping]}} if name == "b" else {}
        answer = made.call("ADD", name, made.network(**more, **ports))
        assert answer.code == 0, answer.output
    b_ip = answer.body["ips"][1]["address"].partition("/")[0]
    assert talk(a, b, (b_ip, 80), 80, "::") == "fd00:7::2"
    made.host.run("ip", "addr", "add", "2001:db8::7/64", "dev", "eth0", "nodad")
    made.outside.run("ip", "addr", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
    assert talk(made.outside, b, ("2001:db8::7", 8081), 80, "::") == "2001:db8::1"
    assert talk(a, made.outside, ("2001:db8::1", 8000), 8000, "::") == "2001:db8::7"
    assert talk(made.outside, b, (HOST_IP, 8081), 80) == OUTSIDE_IP


def has_ifb(made: Lab) -> bool:
    try:
        made.host.run("ip", "link", "add", "probe", "type", "ifb")
    except RuntimeError:
        return False
    made.host.run("ip", "link", "del", "probe")
    return True


def shapers(made: Lab) -> list[str]:
    listed = json.loads(made.host.run("ip", "-j", "link"))
    return [link["ifname"] for link in listed if link["ifname"].startswith("ws")]


def test_bandwidth_is_limited_both_ways_and_checked(made: Lab) -> None:
    limits = {"bandwidth": {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 16_000_000}}
    pod, _ = add(made, "a", runtimeConfig=limits)
    other, there = add(made, "b")
    port = port_name("pods", "a", "eth0")
    assert "rate 8Mbit" in made.host.run("tc", "qdisc", "show", "dev", port)
    if has_ifb(made):
        (shaper,) = shapers(made)
        assert "tbf" not in pod.run("tc", "qdisc", "show", "dev", "eth0")
        assert "rate 16Mbit" in made.host.run("tc", "qdisc", "show", "dev", shaper)
        talk(pod, other, (there, 80), 80)
        (queue,) = json.loads(made.host.run("tc", "-s", "-j", "qdisc", "show", "dev", shaper))
        assert queue["packets"] > 0  # what the pod sends goes that way, and on to where it shall
        assert made.host.run("tc", "filter", "show", "dev", port, "parent", "ffff:").count("mirred") == 1
    else:
        assert "rate 16Mbit" in pod.run("tc", "qdisc", "show", "dev", "eth0")
    network = made.network(runtimeConfig=limits)
    assert made.call("DEL", "a", network).code == 0
    assert shapers(made) == []
    network["prevResult"] = made.call("ADD", "a", network).body
    assert made.call("CHECK", "a", network).code == 0
    made.host.run("tc", "qdisc", "del", "dev", port, "root")
    assert made.call("CHECK", "a", network).code == 1


def test_the_mtu_is_that_of_the_way_out(made: Lab) -> None:
    made.host.run("ip", "link", "set", "eth0", "mtu", "1420")
    pod, _ = add(made, "a")
    links = {link["ifname"]: link for link in json.loads(pod.run("ip", "-j", "link"))}
    assert links["eth0"]["mtu"] == 1420


def test_the_daemon_mends_a_flushed_ruleset() -> None:
    with lab("mend") as one, one.daemon():
        add(one, "web", runtimeConfig={"portMappings": PORTS})
        one.host.run("nft", "flush", "ruleset")
        mended = threading.Event()
        while not mended.wait(0.1):
            if "8080" in one.host.run("nft", "list", "ruleset"):
                mended.set()
        web = one.spaces["web"]
        assert talk(one.outside, web, (HOST_IP, 8080), 80) == OUTSIDE_IP


def test_what_was_written_is_no_damage() -> None:
    with lab("whole") as one:
        sets = [[{"subnet": "10.244.7.0/24"}], [{"subnet": "fd00:7::/64"}]]
        add(one, "a", ipam={"ranges": sets}, runtimeConfig={"portMappings": PORTS})
        add(one, "b", ipam={"ranges": sets}, isolation=False)
        add(one, "c", ipam={"ranges": sets}, isolation=False, macspoofchk=True)

        def heal() -> list[str]:
            with closing(Store(str(one.data))) as store, closing(KernelHost()) as host:
                return Healing().heal(host, store)

        assert one.host.visit(heal) == []
        one.host.run("nft", "flush", "set", "bridge", "wherry-cni", "ips6")
        assert one.host.visit(heal) == ["table wherry-cni"]
        assert one.host.visit(heal) == []


def test_the_daemon_mends_single_elements() -> None:
    with lab("element") as one, one.daemon():
        add(one, "web", runtimeConfig={"portMappings": PORTS})
        before = rules_of(one)
        for damage in ("map ip wherry-cni hostports", "set bridge wherry-cni macs", "chain ip wherry-cni postrouting"):
            one.host.run("nft", "flush", *damage.split())
            mended = threading.Event()
            while not mended.wait(0.1):
                if rules_of(one) == before:
                    mended.set()
        assert talk(one.outside, one.spaces["web"], (HOST_IP, 8080), 80) == OUTSIDE_IP


def rules_of(one: Lab) -> str:
    """Both tables, without what is counted."""
    listed = "".join(one.host.run("nft", "-s", "list", "table", family, "wherry-cni") for family in ("ip", "bridge"))
    return "\n".join(sorted(listed.splitlines()))


def test_the_daemon_mends_a_deleted_bridge() -> None:
    with lab("bridge") as one, one.daemon():
        (a, a_ip), (b, b_ip) = add(one, "a"), add(one, "b")
        one.host.run("ip", "link", "del", "wherry0")
        mended = threading.Event()
        while not mended.wait(0.1):
            if one.host.run("ip", "-o", "link").count("master wherry0") == 2:
                mended.set()
        assert talk(a, b, (b_ip, 80), 80) == a_ip
        assert talk(b, one.outside, (OUTSIDE_IP, 8000), 8000) == HOST_IP


def test_a_dying_daemon_loses_no_request() -> None:
    with lab("dying") as one:
        with one.daemon() as process:
            for n in range(12):
                one.space(f"p{n}")
            answers: list[int] = []
            calls = [
                threading.Thread(target=lambda n=n: answers.append(one.call("ADD", f"p{n}").code)) for n in range(12)
            ]
            for call in calls:
                call.start()
            time.sleep(0.02)
            process.kill()
            for call in calls:
                call.join()
        assert answers == [0] * 12
        assert len(one.links()) == 12


def test_a_vlan_is_a_network_of_its_own_or_the_kernel_says_that_it_has_none() -> None:
    with lab("vlan") as one:
        (a, b), alone = (one.space(name) for name in "ab"), one.space("c")
        answers = [one.call("ADD", name, one.network(vlan=7, preserveDefaultVlan=False)) for name in "ab"]
        if answers[0].code:
            assert "CONFIG_BRIDGE_VLAN_FILTERING" in answers[0].body["details"]
            assert "wherry0" not in one.host.run("ip", "-o", "link")
            assert one.call("DEL", "a").code == 0
            return
        other = one.network(vlan=8, name="other", ipam={"ranges": [[{"subnet": "10.244.8.0/24"}]]})
        assert one.call("ADD", "c", other).code == 0
        b_ip = answers[1].body["ips"][0]["address"].partition("/")[0]
        assert talk(a, b, (b_ip, 80), 80)
        a.run("ping", "-c1", "-W60", "10.244.7.1")
        alone.run("ip", "addr", "add", "10.244.7.200/24", "dev", "eth0")
        with pytest.raises(RuntimeError):
            alone.run("ping", "-c1", "-W1", "-I", "10.244.7.200", b_ip)


def crc32c(data: bytes) -> int:
    """The checksum of SCTP."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_host_ports_of_sctp_lead_to_the_pod(made: Lab) -> None:
    mapping = {"hostPort": 3868, "containerPort": 3900, "protocol": "SCTP"}
    pod, ip = add(made, "a", runtimeConfig={"portMappings": [mapping]})
    begin = struct.pack(">BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 7)  # INIT: the kernel here may have no SCTP of its own
    head = struct.pack(">HHI", 5000, 3868, 0)
    packet = head + struct.pack("<I", crc32c(head + b"\0" * 4 + begin)) + begin

    def raw() -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP)

    with pod.visit(raw) as receiver, made.outside.visit(raw) as sender:
        receiver.settimeout(60)
        sender.sendto(packet, (HOST_IP, 0))
        seen, peer = receiver.recvfrom(2048)
    assert (peer[0], struct.unpack(">HH", seen[20:24]), seen[16:20]) == (OUTSIDE_IP, (5000, 3900), socket.inet_aton(ip))


def tracked(host: Space, port: int) -> bool:
    """Whether the host knows of UDP to a port."""
    kernel = host.visit(conntrack.Kernel)
    try:
        return any(flow.destination_port == port for flow in list(kernel.flows(4, socket.IPPROTO_UDP)))
    finally:
        kernel.close()


def test_who_goes_on_sending_udp_finds_the_new_pod(made: Lab) -> None:
    network = {"runtimeConfig": {"portMappings": [{"hostPort": 5300, "containerPort": 53, "protocol": "udp"}]}}
    with made.outside.visit(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.bind(("", 0))
        add(made, "first")  # from now on the host tracks what comes
        for name in "abc":
            client.sendto(b"is anybody there?", (HOST_IP, 5300))
            while not tracked(made.host, 5300):
                time.sleep(0.01)
            pod, _ = add(made, name, **network)
            with pod.listen(53, kind=socket.SOCK_DGRAM) as listener:
                client.sendto(b"word", (HOST_IP, 5300))
                assert listener.recv(16) == b"word"
            assert made.call("DEL", name, made.network(**network)).code == 0


def test_address_and_mac_that_the_runtime_asks_for(made: Lab) -> None:
    space = made.space("a")
    args = "IgnoreUnknown=1;K8S_POD_NAME=web;IP=10.244.7.77;MAC=0a:58:0a:f4:07:aa"
    answer = made.call("ADD", "a", CNI_ARGS=args)
    assert answer.code == 0, answer.output
    link = json.loads(space.run("ip", "-j", "addr", "show", "eth0"))[0]
    assert (link["address"], link["addr_info"][0]["local"]) == ("0a:58:0a:f4:07:aa", "10.244.7.77")
    space.run("ping", "-c1", "-W60", "10.244.7.1")  # its own MAC address is not taken for a forged one
    made.space("b")
    taken = made.call("ADD", "b", CNI_ARGS="IP=10.244.7.77")
    assert (taken.code, taken.body["code"]) == (1, 102)


def test_a_pod_with_two_interfaces(made: Lab) -> None:
    space, first = add(made, "a")
    second = made.call("ADD", "a", made.network(isDefaultGateway=False), CNI_IFNAME="net1")
    assert second.code == 0, second.output
    assert {link["ifname"] for link in json.loads(space.run("ip", "-j", "link"))} == {"lo", "eth0", "net1"}
    assert second.body["ips"][0]["address"] != f"{first}/24"
    assert made.call("DEL", "a", CNI_IFNAME="net1").code == 0
    space.run("ping", "-c1", "-W60", "10.244.7.1")
    assert len(made.links()) == 1
