"""Where systemd is PID 1 the programs are its services."""

from collections.abc import Iterator

import pytest

from testbed import Node, Snapshot, Switch
from tests.cluster.conftest import DEMO, KUBECTL_CACHE, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

UNITS = [f"wherry-{name}.service" for name in ("containerd", "controlplane", "agent", "proxy")]
# systemd and its journal write these by themselves.
OWN = (
    "/var/log/",
    "/var/lib/systemd",
    "/run/systemd",
    "/run/log",
    "/run/dbus",
    "/run/udev",
    "/run/user",
    "/var/tmp/systemd-",
)


@pytest.fixture
def host() -> Iterator[Host]:
    with Switch() as switch, Node("one", switch, systemd=True) as node:
        yield Host(node, switch)


def states(host: Host) -> dict[str, str]:
    return {unit: host.node.run(["systemctl", "is-active", unit], check=False).text.strip() for unit in UNITS}


def test_services(host: Host) -> None:
    before = Snapshot.take(host.node)
    host.wherry("up")
    assert set(states(host).values()) == {"active"}
    host.kubectl(f"create deployment web --image={DEMO} --replicas=2")
    host.kubectl("expose deployment web --port=80 --target-port=8080 --type=NodePort")
    host.until("pods are ready", lambda: len(host.ready_pods("app=web")) == 2)
    port = host.get("service web")["spec"]["ports"][0]["nodePort"]
    host.until("an answer comes", lambda: host.curl_from_outside(f"http://{host.node.address}:{port}/"))
    groups = host.node.sh("cat /proc/$(pgrep -xo httpd)/cgroup").text
    assert "kubepods" in groups and ".slice" in groups, "pods are slices of systemd"

    pids = {name: one["pid"] for name, one in host.status().items()}
    for name, pid in pids.items():
        host.node.run(["kill", "-9", str(pid)])
        host.until(f"{name} is back", lambda name=name, pid=pid: well(host, name, pid))
    assert host.status()["agent"]["restarts"] == 1
    host.until("pods are ready", lambda: len(host.ready_pods("app=web")) == 2)

    pids = {name: one["pid"] for name, one in host.status().items()}
    host.wherry("up")
    assert {name: one["pid"] for name, one in host.status().items()} == pids, "twice is harmless"

    host.wherry("down")
    assert set(states(host).values()) == {"inactive"}
    host.wherry("up")
    host.until("pods are ready again", lambda: host.started_again("app=web", 2))
    host.wherry("reset")
    host.node.run(["rm", "-rf", KUBECTL_CACHE])
    found = {
        kind: lines
        for kind, all_lines in host.leftovers(before).items()
        if (lines := [line for line in all_lines if not line[2:].startswith(OWN)])
    }
    assert not found, found


def test_services_start_at_boot(host: Host) -> None:
    host.wherry("up")
    host.kubectl(f"create deployment web --image={DEMO}")
    host.until("the pod is ready", lambda: host.ready_pods("app=web"))
    host.node.power_cut()
    host.node.start()
    host.until("all are well", lambda: all(one["healthy"] for one in host.status().values()))
    host.until("the pod is ready again", lambda: host.started_again("app=web"))


def well(host: Host, name: str, before: int) -> bool:
    one = host.status()[name]
    return bool(one["healthy"]) and one["pid"] not in (0, before)
