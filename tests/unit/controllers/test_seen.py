"""From bytes to extracts: what is kept, and that odd objects are not lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from controlplane.controllers.seen import node, pod, scope, seen, service, workload
from controlplane.controllers.seen.pod import Toleration
from controlplane.controllers.seen.service import ServicePort

META = {"name": "x", "namespace": "ns", "uid": "u", "resourceVersion": "12", "generation": 3}


def data(**parts: Any) -> bytes:
    return msgspec.json.encode({"metadata": META, **parts})


def test_metadata() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "r", "controller": True}
    meta = META | {"ownerReferences": [owner, {"uid": "other"}], "finalizers": ["f"], "deletionTimestamp": "now"}
    item = seen(data(metadata=meta))
    assert (item.key, item.version, item.generation, item.deleting) == ("ns/x", 12, 3, True)
    assert item.controller is not None
    assert (item.controller.uid, item.finalizers, len(item.owners)) == ("r", ("f",), 2)


@pytest.mark.parametrize(
    "read",
    [
        pod.pod,
        node.node,
        node.lease,
        workload.replica_set,
        workload.deployment,
        service.service,
        service.endpoint_slice,
        service.endpoints,
        scope.namespace,
        scope.config_map,
    ],
)
def test_nulls_and_unknown_fields(read: Any) -> None:
    nothing: dict[str, Any] = {"spec": None, "status": None, "endpoints": None, "subsets": None, "data": None}
    empty: dict[str, Any] = {
        "spec": {"selector": None, "template": None, "tolerations": None},
        "status": {"conditions": None},
    }
    if read in (node.node, node.lease, scope.namespace, service.endpoint_slice, service.endpoints, scope.config_map):
        assert read(data(**nothing)).name == "x"
    assert read(data(**empty, unknown={"a": [1]})).name == "x"


def test_a_wrong_time_does_not_hide_a_pod() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "yesterday"}]}
    found = pod.pod(data(spec={}, status=status))
    assert (found.ready, found.ready_since) == (True, 0.0)


def test_a_pod() -> None:
    spec = {
        "nodeName": "n1",
        "containers": [{"ports": [{"name": "web", "containerPort": 80}, {"containerPort": 81}]}],
        "initContainers": [
            {"ports": [{"name": "init", "containerPort": 1}]},
            {"restartPolicy": "Always", "ports": [{"name": "side", "protocol": "UDP", "containerPort": 53}]},
        ],
        "tolerations": [
            {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "b", "effect": "NoSchedule"},
            {"operator": "Exists"},
        ],
    }
    status = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "containerStatuses": [{"restartCount": 2}, {"restartCount": 5}],
    }
    annotations = {"controller.kubernetes.io/pod-deletion-cost": "-7"}
    found = pod.pod(data(metadata=META | {"annotations": annotations}, spec=spec, status=status))
    assert found.ports == {("web", "TCP"): 80, ("side", "UDP"): 53}
    assert (found.ips, found.restarts, found.deletion_cost, found.active) == (("10.0.0.1",), 5, -7, True)
    assert found.tolerations == (
        Toleration("a", "Exists", "", "NoExecute", 300),
        Toleration("", "Exists", "", "", None),
    )


def test_a_deployment() -> None:
    spec = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        "strategy": {"type": "Recreate"},
        "progressDeadlineSeconds": 2147483647,
    }
    annotations = {"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    found = workload.deployment(data(metadata=META | {"annotations": annotations}, spec=spec))
    assert (found.replicas, found.recreate, found.deadline, found.history_limit) == (1, True, None, None)
    assert found.annotations == {"a": "b"}
    assert found.template.labels == {"app": "web"}
    assert found.selector.matches({"app": "web", "x": "y"})


def test_a_service() -> None:
    spec = {
        "selector": {"app": "web"},
        "clusterIP": "None",
        "ports": [{"port": 80, "targetPort": "http"}, {"name": "b", "port": 81, "targetPort": 0}],
    }
    found = service.service(data(spec=spec))
    assert found.headless
    assert found.ports == (ServicePort("", "TCP", 80, "http"), ServicePort("b", "TCP", 81, 81))
    assert not service.service(data(spec={"clusterIP": "10.0.0.1"})).has_selector


def test_only_the_bundle_of_that_name_is_read() -> None:
    held = {"ca.crt": "PEM"}
    named = scope.config_map(data(metadata=META | {"name": scope.ROOT_CA}, data=held))
    assert named.bundle == scope.bundle_digest(held) != ""
    assert scope.config_map(data(data=held)).bundle == ""
