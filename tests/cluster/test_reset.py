"""`wherry reset` leaves nothing: what is on the host before and after is compared."""

import pytest

from testbed import Snapshot
from tests.cluster.conftest import DEMO, KUBECTL_CACHE, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]


def fill(host: Host) -> None:
    """Pods, Services and host ports, so that there is something in every corner."""
    host.kubectl(f"create deployment web --image={DEMO} --replicas=2")
    host.kubectl("expose deployment web --port=80 --target-port=8080 --type=NodePort")
    host.until("pods are ready", lambda: len(host.ready_pods("app=web")) == 2)
    address = host.get("service web")["spec"]["clusterIP"]
    host.until("the service answers", lambda: host.curl(f"http://{address}/"))
    host.other_node("near", "192.168.77.200", "10.244.200.0/24")
    host.other_node("far", "198.51.100.201", "10.244.201.0/24")
    host.until("ways lead to other nodes", lambda: len(host.ways()) == 2)
    host.node.run(["rm", "-rf", KUBECTL_CACHE])  # not made by `up`


def assert_clean(host: Host, before: Snapshot) -> None:
    found = host.leftovers(before)
    assert not found, "\n".join(f"{kind}: {line}" for kind, lines in found.items() for line in lines)


def test_a_snapshot_sees_what_is_left(host: Host) -> None:
    """The test of the test."""
    before = Snapshot.take(host.node)
    host.node.sh(
        """
        nft add table ip left
        iptables -t nat -N LEFT
        ip link add left0 type bridge
        ip route add 198.51.100.0/24 dev eth0
        ip rule add from 198.51.100.1 lookup 7
        ip netns add left
        for c in /sys/fs/cgroup/*/; do mkdir $c/left; done
        touch /etc/left /run/left /var/lib/wherry/left
        setsid sleep 1000 >/dev/null 2>&1 &
        until pgrep -x sleep; do :; done
        mount -t tmpfs tmpfs /mnt
        sysctl -qw net.ipv4.ip_forward=1
        """
    )
    found = Snapshot.take(host.node).leftovers(before)
    assert set(found) >= {
        *("nft", "iptables", "links", "routes", "rules", "settings"),
        *("namespaces", "mounts", "cgroups", "processes", "files"),
    }
    assert {"+ /etc/left", "+ /run/left", "+ /var/lib/wherry/left"} <= set(found["files"])


def test_reset_leaves_nothing(host: Host) -> None:
    before = Snapshot.take(host.node)
    host.wherry("up")
    fill(host)
    host.wherry("reset")
    assert_clean(host, before)
    assert "removed" in host.wherry("reset").text, "twice is harmless"
    assert_clean(host, before)
    host.wherry("up")
    host.wherry("reset")
    assert_clean(host, before)


def test_reset_after_a_crash_of_everything(host: Host) -> None:
    """All programs are killed, helpers and containers live on without them."""
    before = Snapshot.take(host.node)
    host.wherry("up")
    fill(host)
    pids = [one["pid"] for one in host.status().values()]
    supervisor = host.node.sh("pgrep -f '^[^ ]*python -P -m cli.supervise'").text.split()
    host.node.run(["kill", "-9", *supervisor, *map(str, pids)])
    host.wherry("reset")
    assert_clean(host, before)


def test_reset_after_a_power_cut(host: Host) -> None:
    """/run is empty and nothing runs; the disks and nothing else are left."""
    before = Snapshot.take(host.node)
    host.wherry("up")
    fill(host)
    host.node.power_cut()
    host.node.start()
    host.wherry("reset")
    assert_clean(host, before)  # the network namespace outlives the power cut here, so its rules and settings do too


def test_reset_without_pid_files_and_configuration(host: Host) -> None:
    """Somebody has removed folders by hand."""
    before = Snapshot.take(host.node)
    host.wherry("up")
    fill(host)
    host.node.sh("rm -rf /run/wherry/pids /etc/wherry")
    host.wherry("reset")
    assert_clean(host, before)


def test_reset_while_containerd_hangs(host: Host) -> None:
    before = Snapshot.take(host.node)
    host.wherry("up")
    fill(host)
    host.node.run(["kill", "-STOP", str(host.status()["containerd"]["pid"])])
    hung = host.status()["containerd"]
    assert (hung["healthy"], hung["problem"]) == (False, "no answer in 2 s")
    host.wherry("reset")
    assert_clean(host, before)


def test_reset_where_nothing_is(host: Host) -> None:
    before = Snapshot.take(host.node)
    host.wherry("reset")
    assert_clean(host, before)


def test_reset_after_down(host: Host) -> None:
    before = Snapshot.take(host.node)
    host.wherry("up")
    fill(host)
    host.wherry("down")
    host.wherry("reset")
    assert_clean(host, before)
