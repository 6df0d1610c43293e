"""From the bytes of pods and nodes to what the scheduler keeps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from controlplane.scheduler import extract, shapes
from controlplane.scheduler.model import Requirement, Taint, Term, Toleration
from controlplane.scheduler.requests import pod_requests, scored_requests


def container(cpu: str = "", memory: str = "", **more: Any) -> dict[str, Any]:
    requests = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    return {"name": "c", "resources": {"requests": requests}, **more}


def spec(**fields: Any) -> shapes.PodSpec:
    return msgspec.convert(fields, shapes.PodSpec)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"containers": [container("100m", "1Ki")]}, {"cpu": 100, "memory": 1024}),
        ({"containers": [container("0.5"), container("1500u")]}, {"cpu": 502}),
        ({"containers": [container("1")], "initContainers": [container("3")]}, {"cpu": 3000}),
        (
            {"containers": [container("1")], "initContainers": [container("1", restartPolicy="Always")]},
            {"cpu": 2000},
        ),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("1", restartPolicy="Always"), container("5"), container("2")],
            },
            {"cpu": 6000},
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, {"cpu": 1250}),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "2"}}}, {"cpu": 2000}),
        ({"containers": [{"name": "c", "resources": None}]}, {}),
    ],
)
def test_requests(fields: dict[str, Any], expected: dict[str, int]) -> None:
    assert pod_requests(spec(**fields)) == expected


def test_silent_containers_count_as_small_ones() -> None:
    given = spec(containers=[container("1"), container(memory="1Gi")])
    assert scored_requests(given, pod_requests(given)) == (1100, (1 << 30) + (200 << 20))


def test_a_pod() -> None:
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
            }
        }
    }
    body = {
        "metadata": {
            "namespace": "ns",
            "name": "p",
            "uid": "u",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"uid": "x"}, {"uid": "rs", "controller": True}],
        },
        "spec": {
            "schedulerName": "default-scheduler",
            "priority": 7,
            "nodeSelector": {"disk": "ssd"},
            "affinity": affinity,
            "tolerations": [{"key": "k", "operator": "Exists"}],
            "containers": [
                container("1", image="web", ports=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}])
            ],
            "unknown": {"deep": [1]},
        },
        "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "R", "message": "m"}]},
    }
    pod = extract.pod(msgspec.json.encode(body))
    assert (pod.key, pod.uid, pod.priority, pod.owner, pod.created) == ("ns/p", "u", 7, "rs", 1767225600.0)
    assert pod.selector == (("disk", "ssd"),)
    assert pod.required == (Term(labels=(Requirement("zone", "In", ("a",)),)),)
    assert pod.tolerations == (Toleration("k", "Exists", "", ""),)
    assert pod.ports == (("0.0.0.0", "TCP", 8080),)
    assert pod.images == ("web:latest",)
    assert pod.said == ("R", "m")


def test_nulls_are_absence() -> None:
    body = b'{"metadata":{"name":"p","labels":null},"spec":{"containers":null,"affinity":null},"status":null}'
    assert extract.pod(body).requests == {}
    assert extract.node(b'{"metadata":{"name":"n"},"spec":null,"status":null}').allocatable == {}


def test_a_node() -> None:
    body = {
        "metadata": {"name": "n1", "labels": {"zone": "a"}},
        "spec": {"unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": {"cpu": "3920m", "memory": "16Gi", "pods": "110"},
            "images": [{"names": ["web:1", "web@sha256:aa"], "sizeBytes": 5}],
        },
    }
    node = extract.node(msgspec.json.encode(body))
    assert node.allocatable == {"cpu": 3920, "memory": 16 << 30, "pods": 110}
    assert node.taints == (Taint("k", "", "NoSchedule"),)
    assert node.images == {"web:1": 5, "web@sha256:aa": 5}
    assert node.unschedulable
