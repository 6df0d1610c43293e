"""The network between nodes, as `up` makes it: ways to pods of Nodes that come and go, and whose address packets bear.

The other nodes are Nodes without machines; only the near one has an address at which somebody answers.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]
NEAR, FAR = "10.244.200.0/24", "10.244.201.0/24"


class Mirror:
    """A web server elsewhere on the network that answers with the address which asked."""

    def __init__(self, host: Host) -> None:
        self._socket = host.switch.listen(0)
        self.url = f"http://{host.switch.address}:{self._socket.getsockname()[1]}/"
        self._open = True
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        while True:
            asking, peer = self._socket.accept()
            with asking, suppress(OSError):  # who asks may have given up
                if not self._open:
                    return
                asking.settimeout(60)
                asking.recv(4096)
                asking.sendall(f"HTTP/1.0 200 OK\r\n\r\n{peer[0]}".encode())

    def close(self, host: Host) -> None:
        """Ask once more, and end."""
        self._open = False
        while self._thread.is_alive():
            host.curl_from_outside(self.url)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def mirror(cluster: Host) -> Iterator[Mirror]:
    made = Mirror(cluster)
    yield made
    made.close(cluster)


def repairs(cluster: Host, what: str) -> int:
    """How often something was put back, as the agent counts it."""
    text = cluster.kubectl("get --raw /api/v1/nodes/one/proxy/metrics")
    found = re.search(rf'^wherry_network_repairs_total{{what="{what}"}} (\d+)', text, re.MULTILINE)
    return int(found[1]) if found else 0


def test_ways_follow_the_nodes_and_are_put_back(cluster: Host) -> None:
    cluster.other_node("near", cluster.switch.address, NEAR)
    cluster.other_node("far", "198.51.100.201", FAR)
    cluster.until("ways lead to both", lambda: cluster.ways() == {NEAR: "eth0", FAR: "wherry-vx4"})
    before = repairs(cluster, "route")
    cluster.node.run(["ip", "route", "delete", NEAR])
    cluster.until("it is put back", lambda: cluster.ways() == {NEAR: "eth0", FAR: "wherry-vx4"})
    cluster.until("and counted", lambda: repairs(cluster, "route") > before)
    cluster.kubectl("delete node near far")
    cluster.until("no way is left", lambda: not cluster.ways())
    cluster.until("nor a tunnel", lambda: "wherry-vx4" not in cluster.node.sh("ip -o link").text)
    log = cluster.node.path("/var/log/wherry/agent.log").read_text()
    assert "reaching pods of a node" in log
    assert not re.search(r"\bnodes is forbidden", log)


def test_only_what_leaves_the_cluster_is_masqueraded(cluster: Host, mirror: Mirror) -> None:
    cluster.kubectl(f"run asks --image={DEMO}")
    [pod] = cluster.until("it is ready", lambda: cluster.ready_pods("run=asks"))
    ip, range_of_pods = pod["status"]["podIP"], cluster.get("node one")["spec"]["podCIDR"]
    cluster.switch.run(["ip", "route", "replace", range_of_pods, "via", cluster.node.address])

    def seen_as() -> str:
        return cluster.in_pod(ip, f"curl -sS -m 5 {mirror.url}")

    cluster.until("the world sees the node", lambda: seen_as() == cluster.node.address)
    cluster.other_node("near", cluster.switch.address, NEAR)
    cluster.until("a node sees the pod", lambda: seen_as() == ip)
    cluster.kubectl("delete node near")
    cluster.until("the world sees the node again", lambda: seen_as() == cluster.node.address)
    before = repairs(cluster, "rules")
    cluster.node.run(["nft", "flush", "ruleset"])
    cluster.until("all rules are back", lambda: repairs(cluster, "rules") > before)
    cluster.until("the world sees the node all the same", lambda: seen_as() == cluster.node.address)
    cluster.kubectl("delete pod asks --now")
