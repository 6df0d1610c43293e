"""What the README promises: `./wherry up`, then the real kubectl, real containers, real packets."""

import re
import time

import pytest

from linux.process import Finished, ProcessFailed
from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]
TIMED_OUT = 28  # as curl says it


def test_up_says_what_to_do_next_and_may_be_repeated(cluster: Host) -> None:
    pids = {name: one["pid"] for name, one in cluster.status().items()}
    again = cluster.wherry("up").text
    assert "export KUBECONFIG=/etc/wherry/admin.kubeconfig" in again
    assert {name: one["pid"] for name, one in cluster.status().items()} == pids


def test_status(cluster: Host) -> None:
    def well() -> Finished | None:
        said = cluster.wherry("status", check=False)
        return said if said.code == 0 else None

    shown = cluster.until("all answer in time", well).text.splitlines()
    assert shown[0].split() == ["COMPONENT", "STATE", "HEALTH", "PID", "MEMORY", "UP", "RESTARTS", "VERSION"]
    assert [line.split()[0:3] for line in shown[1:]] == [
        [name, "running", "ok"] for name in ("containerd", "controlplane", "agent", "proxy")
    ]
    for one in cluster.status().values():
        assert one["memory_mb"] > 1
        assert re.match(r"v?\d+\.\d+", one["version"])


def test_the_first_paragraph(cluster: Host) -> None:
    """create, expose, scale, get -o wide, logs, delete; ClusterIP and NodePort answered by the pods."""
    node_line = cluster.kubectl("get nodes -o wide").splitlines()[1].split()
    assert node_line[0:2] == ["one", "Ready"]
    assert cluster.node.address in node_line

    cluster.kubectl(f"create deployment web --image={DEMO}")
    cluster.kubectl("expose deployment web --port=80 --target-port=8080 --type=NodePort")
    cluster.kubectl("scale deployment web --replicas=3")
    pods = cluster.until("three pods are ready", lambda: len(found := cluster.ready_pods("app=web")) == 3 and found)
    names = {pod["metadata"]["name"] for pod in pods}
    wide = cluster.kubectl("get pods -o wide")
    assert "NOMINATED NODE" in wide
    assert all(
        name in wide and pod["status"]["podIP"] in wide for name, pod in zip(sorted(names), by_name(pods), strict=True)
    )

    service = cluster.get("service web")["spec"]
    cluster_ip, node_port = service["clusterIP"], service["ports"][0]["nodePort"]
    urls = {
        f"http://{cluster_ip}/": cluster.curl,
        f"http://{cluster.node.address}:{node_port}/": cluster.curl_from_outside,
    }
    for url, ask in urls.items():
        cluster.until(f"all pods answer on {url}", lambda url=url, ask=ask: seen_all(lambda: ask(url), names))
    assert cluster.curl(f"http://{cluster.node.address}:{node_port}/", 50) in names
    cluster.until("requests are logged", lambda: "url:/" in cluster.kubectl(f"logs {min(names)}"))

    cluster.kubectl("scale deployment web --replicas=1")
    cluster.until("one pod is left", lambda: len(cluster.get("pods -l app=web")["items"]) == 1)
    left = cluster.ready_pods("app=web")[0]["metadata"]["name"]
    cluster.until("only it answers", lambda: cluster.answered_by(f"http://{cluster_ip}/", {left}))

    cluster.kubectl("delete service,deployment web")
    cluster.until("all pods are gone", lambda: not cluster.get("pods -l app=web")["items"])
    cluster.until("nobody answers", lambda: cluster.curl(f"http://{cluster_ip}/") == "")


def test_pods_reach_services_and_the_api_server(cluster: Host) -> None:
    """From inside a pod: another pod through its Service, and the API server through its own."""
    cluster.kubectl(f"create deployment back --image={DEMO}")
    cluster.kubectl("expose deployment back --port=80 --target-port=8080")
    cluster.kubectl(f"run front --image={DEMO}")
    cluster.until("both are ready", lambda: cluster.ready_pods("app=back") and cluster.ready_pods("run=front"))
    back = cluster.ready_pods("app=back")[0]["metadata"]["name"]
    front = cluster.ready_pods("run=front")[0]["status"]["podIP"]
    address = cluster.get("service back")["spec"]["clusterIP"]
    said = cluster.until("the other pod answers", lambda: cluster.in_pod(front, f"curl -sS -m 5 http://{address}/"))
    assert said == back
    assert "gitVersion" in cluster.in_pod(front, "curl -skS -m 50 https://10.96.0.1/version")
    cluster.kubectl("delete pod front --now")
    cluster.kubectl("delete service,deployment back")


def test_a_pod_runs_within_a_second(cluster: Host) -> None:
    """Recorded, not asserted: machines are shared."""
    cluster.kubectl(f"create deployment quick --image={DEMO}")
    began = time.monotonic()
    cluster.until("it runs", lambda: cluster.ready_pods("app=quick"))
    print(f"deployment to ready pod, seen through kubectl: {time.monotonic() - began:.2f} s")
    cluster.kubectl("delete deployment quick")


def test_down_and_up_again_keep_everything(cluster: Host) -> None:
    cluster.kubectl(f"create deployment kept --image={DEMO}")
    cluster.until("it is ready", lambda: cluster.ready_pods("app=kept"))
    uid = cluster.get("deployment kept")["metadata"]["uid"]
    cluster.wherry("down")
    own = {"python", "python3", "sh", "ps"}  # the host's own PID 1 and this look at it
    cluster.until("no other program runs", lambda: set(cluster.node.sh("ps -eo comm=").text.split()) <= own)
    assert cluster.wherry("status", check=False).code == 3
    cluster.wherry("up")
    assert cluster.get("deployment kept")["metadata"]["uid"] == uid
    cluster.until("its pod runs again", lambda: cluster.started_again("app=kept"))
    cluster.kubectl("delete deployment kept")


def by_name(pods: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(pods, key=lambda pod: pod["metadata"]["name"])  # type: ignore[index]


def seen_all(ask: object, names: set[str]) -> bool:
    """Whether every pod answers sooner or later, and nobody else."""
    assert callable(ask)
    answers = {ask() for _ in range(30)}
    assert answers - {""} <= names
    return answers == names


POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: friends}
spec:
  podSelector: {matchLabels: {run: guarded}}
  ingress: [{from: [{podSelector: {matchLabels: {run: friend}}}], ports: [{port: 8080}]}]
"""


def test_a_network_policy_lets_some_in_and_others_not(cluster: Host) -> None:
    names = ("guarded", "friend", "stranger")
    for name in names:
        cluster.kubectl(f"run {name} --image={DEMO}")
    label = "run in (guarded,friend,stranger)"
    found = cluster.until("three pods are ready", lambda: len(p := cluster.ready_pods(f"'{label}'")) == 3 and p)
    ips = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in found}
    ask = f"curl -sS -m 2 http://{ips['guarded']}:8080/"

    def refused() -> bool:
        try:
            cluster.in_pod(ips["stranger"], ask)
        except ProcessFailed as error:
            return error.code == TIMED_OUT
        return False

    def counted() -> bool:
        counters = cluster.node.run(["nft", "list", "counters", "table", "ip", "wherry-policy"]).text
        return "refused/default/friends" in counters

    for name in names:
        cluster.until("all may ask at first", lambda name=name: cluster.in_pod(ips[name], ask) == "guarded")
    cluster.kubectl("apply -f -", input=POLICY)
    cluster.until("who is refused is counted", counted)
    cluster.until("a stranger may not ask", refused)
    for name in ("guarded", "friend"):
        cluster.until("itself and a friend may", lambda name=name: cluster.in_pod(ips[name], ask) == "guarded")
    cluster.until("the node may", lambda: cluster.curl(f"http://{ips['guarded']}:8080/") == "guarded")
    cluster.kubectl("delete networkpolicy friends")
    cluster.until("all may ask again", lambda: cluster.in_pod(ips["stranger"], ask) == "guarded")
    cluster.kubectl("delete pod --now guarded friend stranger")
