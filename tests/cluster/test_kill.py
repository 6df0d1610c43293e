"""SIGKILL for each component in the middle of its work: the cluster converges to what was asked for."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import DEMO, Host, NotYet

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def load(cluster: Host) -> Iterator[str]:
    """A Deployment behind a Service; its ClusterIP."""
    cluster.kubectl(f"create deployment web --image={DEMO} --replicas=2")
    cluster.kubectl("expose deployment web --port=80 --target-port=8080")
    cluster.until("pods are ready", lambda: len(cluster.ready_pods("app=web")) == 2)
    address = str(cluster.get("service web")["spec"]["clusterIP"])
    cluster.until("the service answers", lambda: cluster.curl(f"http://{address}/"))
    yield address
    cluster.kubectl("delete service,deployment web")
    cluster.until("pods are gone", lambda: not cluster.get("pods -l app=web")["items"])


def kill(host: Host, name: str) -> int:
    """SIGKILL a component; the process that it was."""
    pid = int(host.status()[name]["pid"])
    assert pid
    host.node.run(["kill", "-9", str(pid)])
    return pid


@pytest.mark.parametrize("name", ["controlplane", "agent", "proxy", "containerd"])
@pytest.mark.parametrize("delay", [0.0, 0.15, 0.6])
def test_killed_while_scaling(cluster: Host, load: str, name: str, delay: float) -> None:
    """Up to five while it is killed, down to one while it is killed: afterwards exactly those pods answer."""
    for replicas in (5, 1):
        cluster.kubectl(f"scale deployment web --replicas={replicas}")
        time.sleep(delay)
        before = kill(cluster, name)
        cluster.until(f"{name} is back", lambda before=before: is_back(cluster, name, before))
        cluster.until(
            f"exactly {replicas} pods are ready and answer",
            lambda replicas=replicas: cluster.answered_by(f"http://{load}/", as_wanted(cluster, replicas), 40),
        )
    cluster.until("no sandbox is forgotten", lambda: cluster.node.sh("pgrep -x pause | wc -l").text.strip() == "1")


@pytest.mark.parametrize("name", ["controlplane", "agent", "proxy", "containerd"])
def test_traffic_goes_on_while_a_component_is_dead(cluster: Host, load: str, name: str) -> None:
    """No component is in the path of packets."""
    before = kill(cluster, name)
    answers = [cluster.curl(f"http://{load}/", 50) for _ in range(20)]
    assert all(answers), answers
    cluster.until(f"{name} is back", lambda: is_back(cluster, name, before))


def test_containers_survive_their_keepers(cluster: Host, load: str) -> None:
    """A restart of containerd and agent restarts no container."""
    before = restarts_and_starts(cluster)
    killed = {name: kill(cluster, name) for name in ("containerd", "agent")}
    for name, pid in killed.items():
        cluster.until(f"{name} is back", lambda name=name, pid=pid: is_back(cluster, name, pid))
    time.sleep(2)
    assert restarts_and_starts(cluster) == before


def test_a_killed_container_is_started_again(cluster: Host, load: str) -> None:
    pids = cluster.node.sh("pgrep -x serve || pgrep -f '^/bin/sh /bin/serve'").text.split()
    cluster.node.run(["kill", "-9", pids[0]])
    cluster.until("a restart is counted", lambda: sum(count for _, count, _ in restarts_and_starts(cluster)) == 1)
    cluster.until("both are ready", lambda: len(cluster.ready_pods("app=web")) == 2)


def test_the_supervisor_dies_and_up_puts_it_back(cluster: Host, load: str) -> None:
    """Programs live on; `up` starts a supervisor that takes them over."""
    pids = {name: one["pid"] for name, one in cluster.status().items()}
    cluster.node.sh("kill -9 $(pgrep -f '^[^ ]*python -P -m cli.supervise')")
    assert cluster.curl(f"http://{load}/", 50)
    cluster.wherry("up")
    assert {name: one["pid"] for name, one in cluster.status().items()} == pids
    before = kill(cluster, "proxy")
    cluster.until("proxy is back", lambda: is_back(cluster, "proxy", before))


def test_power_cut(cluster: Host) -> None:
    """Everything dies at once; after `up` all is as it was asked for, with new sandboxes."""
    cluster.kubectl(f"create deployment kept --image={DEMO} --replicas=2")
    cluster.kubectl("expose deployment kept --port=80 --target-port=8080")
    cluster.until("pods are ready", lambda: len(cluster.ready_pods("app=kept")) == 2)
    cluster.node.power_cut()
    cluster.node.start()
    cluster.wherry("up")
    pods = cluster.until("pods are ready again", lambda: cluster.started_again("app=kept", 2))
    address = cluster.get("service kept")["spec"]["clusterIP"]
    names = {pod["metadata"]["name"] for pod in pods}
    cluster.until("both answer", lambda: cluster.answered_by(f"http://{address}/", names))
    cluster.kubectl("delete service,deployment kept")


def is_back(host: Host, name: str, before: int) -> bool:
    one = host.status()[name]
    return bool(one["healthy"]) and one["pid"] != before


def as_wanted(host: Host, replicas: int) -> set[str]:
    """The names of the pods, if there are just so many and all are ready."""
    pods = host.get("pods -l app=web")["items"]
    ready = {pod["metadata"]["name"] for pod in host.ready_pods("app=web")}
    if not len(pods) == len(ready) == replicas:
        raise NotYet(f"{len(pods)} pods, {len(ready)} of them ready")
    return ready


def restarts_and_starts(host: Host) -> list[tuple[str, int, str]]:
    return sorted(
        (pod["metadata"]["name"], status["restartCount"], status["containerID"])
        for pod in host.get("pods -l app=web")["items"]
        for status in pod["status"]["containerStatuses"]
    )
