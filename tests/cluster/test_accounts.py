"""Pods act as their accounts: token, authority and namespace are where clients look, and the API server believes them."""

import json
import shlex

import pytest

from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


def ask(cluster: Host, pod: str, path: str) -> dict[str, object]:
    """What the API server says to a pod: from its network, with its own token and authority."""
    shown = {name: cluster.kubectl(f"exec {pod} -- cat {FOLDER}/{name}") for name in ("token", "ca.crt", "namespace")}
    assert shown["namespace"].strip() == "default"
    cluster.node.run(["tee", "/run/pod-ca.crt"], input=shown["ca.crt"])
    address = cluster.get(f"pod {pod}")["status"]["podIP"]
    service = cluster.get("service kubernetes")["spec"]["clusterIP"]
    header = shlex.quote(f"Authorization: Bearer {shown['token'].strip()}")
    said = cluster.in_pod(address, f"curl -sS -m 50 --cacert /run/pod-ca.crt -H {header} https://{service}{path}")
    found: dict[str, object] = json.loads(said)
    return found


def test_a_pod_talks_to_the_api_server_as_its_account(cluster: Host) -> None:
    pods = "/api/v1/namespaces/default/pods"
    cluster.kubectl("create serviceaccount robot")
    cluster.kubectl("create rolebinding robot-views --clusterrole=view --serviceaccount=default:robot")
    override = json.dumps({"spec": {"serviceAccountName": "robot"}})
    cluster.kubectl(f"run robot --image={DEMO} --overrides={shlex.quote(override)}")
    cluster.kubectl(f"run plain --image={DEMO}")
    cluster.until("both are ready", lambda: cluster.ready_pods("run=robot") and cluster.ready_pods("run=plain"))
    assert ask(cluster, "robot", pods)["kind"] == "PodList"
    refused = ask(cluster, "plain", pods)
    user = "system:serviceaccount:default:default"
    assert refused["message"] == (
        f'pods is forbidden: User "{user}" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    whoami = cluster.kubectl("exec plain -- ls -la /var/run/secrets/kubernetes.io/serviceaccount/")
    assert "..data" in whoami and "token -> ..data/token" in whoami
    cluster.kubectl("delete pod robot plain --now")


def test_a_pod_without_a_token(cluster: Host) -> None:
    override = json.dumps({"spec": {"automountServiceAccountToken": False}})
    cluster.kubectl(f"run bare --image={DEMO} --overrides={shlex.quote(override)}")
    cluster.until("it is ready", lambda: cluster.ready_pods("run=bare"))
    assert cluster.get("pod bare")["spec"].get("volumes", []) == []
    cluster.kubectl("delete pod bare --now")
