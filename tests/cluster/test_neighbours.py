"""What belongs to others on the same machine works on, before, during and after."""

import pytest

from testbed import Snapshot
from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

RULES = """
nft add table inet firewall
nft add chain inet firewall input '{ type filter hook input priority 0; policy accept; }'
nft add rule inet firewall input tcp dport 22 accept
iptables -t nat -N DOCKER
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -N THEIRS
iptables -A FORWARD -j THEIRS
ip link add docker0 type bridge
ip address add 172.17.0.1/16 dev docker0
ip link set docker0 up
ip netns add theirs
mkdir -p /var/lib/cni/results /etc/cni/net.d
echo '{}' > /var/lib/cni/results/theirs-1-eth0
echo '{}' > /etc/cni/net.d/00-theirs.conflist
sysctl -qw net.ipv4.ip_forward=1
"""


def test_another_containerd_and_other_rules(host: Host) -> None:
    theirs = host.start("containerd")
    host.until("their containerd answers", lambda: host.node.run(["ctr", "version"], check=False).code == 0)
    host.node.sh(RULES)
    host.node.sh("ctr images pull x >/dev/null 2>&1 || true")
    before = Snapshot.take(host.node)
    host.wherry("up")
    host.kubectl(f"create deployment web --image={DEMO} --replicas=2")
    host.until("pods are ready", lambda: len(host.ready_pods("app=web")) == 2)
    assert host.node.sh("ctr --namespace k8s.io containers list -q").text == "", "their containerd has none of ours"
    during = Snapshot.take(host.node)
    for kind in ("nft", "iptables", "links", "addresses", "routes", "namespaces", "mounts"):
        assert set(getattr(before, kind)) <= set(getattr(during, kind)), kind
    host.node.run(["rm", "-rf", "/dev/shm/kubectl"])
    host.wherry("reset")
    found = host.leftovers(before)
    assert not found, found
    assert theirs.poll() is None
    assert host.node.run(["ctr", "version"], check=False).code == 0
    theirs.terminate()
    theirs.wait(60)
