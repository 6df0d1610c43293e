"""Static pods and the agent's own API on a whole cluster, with the real kubectl."""

import json
from typing import Any

import pytest

from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

MANIFEST = f"""\
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: kube-system
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: a
    image: {DEMO}
    command: [sh, -c, "echo hello; sleep 1000"]
"""
NAME = "web-one"


def _running(cluster: Host) -> dict[str, Any] | None:
    pod: dict[str, Any] = cluster.get(f"-n kube-system pod {NAME}")
    return pod if pod["status"].get("phase") == "Running" else None


def test_a_static_pod_is_seen_used_and_not_deleted(cluster: Host) -> None:
    cluster.node.sh(f"cat > /etc/wherry/manifests/web.yaml <<'E'\n{MANIFEST}E")
    pod = cluster.until("the mirror runs", lambda: _running(cluster))
    container = pod["status"]["containerStatuses"][0]["containerID"]
    cluster.until("it has spoken", lambda: cluster.kubectl(f"-n kube-system logs {NAME}") == "hello\n")
    assert cluster.kubectl(f"-n kube-system exec {NAME} -- echo hi") == "hi\n"
    cluster.until(
        "users are told",
        lambda: (
            "Container started" in (said := cluster.kubectl(f"-n kube-system describe pod {NAME}"))
            and "Node/one" in said
        ),
    )
    cluster.kubectl(f"-n kube-system delete pod {NAME} --wait=false")
    again = cluster.until(
        "it has a new mirror",
        lambda: (now := _running(cluster)) and now["metadata"]["uid"] != pod["metadata"]["uid"] and now,
    )
    assert again["status"]["containerStatuses"][0]["containerID"] == container
    link = f"/var/log/containers/{NAME}_kube-system_a-{container.partition('//')[2]}.log"
    cluster.until("its log is linked", lambda: "hello" in cluster.node.run(["cat", link], check=False).text)
    cluster.node.sh("rm /etc/wherry/manifests/web.yaml")
    cluster.until("it is gone", lambda: NAME not in cluster.kubectl("-n kube-system get pods -o name"))
    cluster.until("so is the link", lambda: cluster.node.run(["ls", link], check=False).code != 0)


def test_pages_of_the_agent_through_the_api_server(cluster: Host) -> None:
    def page(path: str) -> str:
        return cluster.kubectl(f"get --raw /api/v1/nodes/one/proxy/{path}")

    assert page("healthz") == "ok" and page("configz").startswith('{"kubeletconfig":')
    assert 'kubelet_node_name{node="one"} 1' in page("metrics")
    assert 'container_memory_working_set_bytes{container="",id="/kubepods"' in page("metrics/cadvisor")
    assert json.loads(page("stats/summary"))["node"]["nodeName"] == "one"


def test_callers_by_token_have_the_rights_that_roles_give_them(cluster: Host) -> None:
    """The agent asks the API server whose a token is, and what its owner may do."""
    cluster.kubectl("create serviceaccount reader")
    token = cluster.kubectl("create token reader").strip()

    def answer(path: str) -> tuple[str, str]:
        argv = ["curl", "-sk", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {token}"]
        text, _, code = cluster.node.run([*argv, f"https://127.0.0.1:10250/{path}"]).text.rpartition("\n")
        return code, text

    who = "user=system:serviceaccount:default:reader, verb=get, resource=nodes"
    assert answer("metrics") == ("403", f"Forbidden ({who}, subresource(s)=[metrics])\n")
    assert answer("pods") == ("403", f"Forbidden ({who}, subresource(s)=[pods proxy])\n")
    cluster.kubectl("create clusterrole watcher --verb=get --resource=nodes/stats,nodes/pods")
    cluster.kubectl("create clusterrolebinding watcher --clusterrole=watcher --serviceaccount=default:reader")
    cluster.until("it has a right", lambda: answer("stats/summary")[0] == "200")
    cluster.until("a refusal is not kept for long", lambda: answer("pods")[0] == "200")
    assert answer("metrics")[0] == "403" and answer("containerLogs/a/b/c")[0] == "403"
