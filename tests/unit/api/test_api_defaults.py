"""What is filled in."""

from typing import Any

import msgspec
import pytest

from api import codec, defaults, images, kinds, resources
from api.core_v1 import PodSpec


def applied(kind: kinds.Kind[Any], **fields: Any) -> Any:
    obj = codec.decode(kind, msgspec.json.encode(fields))
    defaults.apply(kind, obj)
    before = codec.encode(obj)
    defaults.apply(kind, obj)
    assert codec.encode(obj) == before, "applying twice must equal once"
    return codec.to_dict(obj)


CONTAINER = {
    "name": "c",
    "image": "demo:1",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}


def test_a_pod() -> None:
    assert applied(kinds.POD, spec={"containers": [{"name": "c", "image": "demo:1"}]})["spec"] == {
        "containers": [CONTAINER],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }


def test_a_template_gets_less_than_a_pod() -> None:
    limits = {"limits": {"cpu": "1"}}
    template = {"spec": {"containers": [{"name": "c", "image": "demo:1", "resources": limits}]}}
    spec = applied(kinds.REPLICA_SET, spec={"template": template})["spec"]
    assert spec["replicas"] == 1
    assert "enableServiceLinks" not in spec["template"]["spec"]
    assert spec["template"]["spec"]["containers"][0]["resources"] == limits


def container(**fields: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "demo:1", **fields}]}
    got: dict[str, Any] = applied(kinds.POD, spec=spec)["spec"]["containers"][0]
    return got


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"image": "demo"}, {"imagePullPolicy": "Always"}),
        ({"image": "host:5000/demo"}, {"imagePullPolicy": "Always"}),
        ({"image": "demo@sha256:1"}, {"imagePullPolicy": "IfNotPresent"}),
        ({"imagePullPolicy": "Never"}, {"imagePullPolicy": "Never"}),
        ({"ports": [{"containerPort": 1}]}, {"ports": [{"containerPort": 1, "protocol": "TCP"}]}),
        (
            {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}},
            {
                "resources": {
                    "limits": {"cpu": "1", "memory": "1Gi"},
                    "requests": {"cpu": "100m", "memory": "1Gi"},
                }
            },
        ),
        (
            {"livenessProbe": {"httpGet": {"port": 80}}},
            {
                "livenessProbe": {
                    "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                }
            },
        ),
        (
            {"lifecycle": {"preStop": {"httpGet": {"port": 80}}}},
            {"lifecycle": {"preStop": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}}}},
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}]},
        ),
    ],
)
def test_containers(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    got = container(**fields)
    assert {name: got[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({}, {"emptyDir": {}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 0o644}}),
        ({"configMap": {"name": "c", "defaultMode": 0}}, {"configMap": {"name": "c", "defaultMode": 0}}),
        ({"hostPath": {"path": "/"}}, {"hostPath": {"path": "/", "type": ""}}),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                    "defaultMode": 0o644,
                }
            },
        ),
    ],
)
def test_volumes(volume: dict[str, Any], expected: dict[str, Any]) -> None:
    spec = applied(kinds.POD, spec={"containers": [], "volumes": [{"name": "v", **volume}]})["spec"]
    assert spec["volumes"] == [{"name": "v", **expected}]


def test_host_network_opens_the_containers_ports() -> None:
    spec = {"hostNetwork": True, "containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}
    assert applied(kinds.POD, spec=spec)["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


def test_the_old_name_of_the_service_account() -> None:
    for field in ("serviceAccount", "serviceAccountName"):
        spec = applied(kinds.POD, spec={"containers": [], field: "a"})["spec"]
        assert (spec["serviceAccount"], spec["serviceAccountName"]) == ("a", "a")


def test_requests_of_a_pod_as_a_whole() -> None:
    spec = {
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}],
    }
    got = applied(kinds.POD, spec=spec)["spec"]["resources"]
    assert got["requests"] == {"cpu": "500m", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"ports": [{"port": 80}]},
            {
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
            },
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "targetPort": "http"}]},
            {
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": "http"}],
                "type": "NodePort",
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "externalTrafficPolicy": "Cluster",
            },
        ),
        (
            {"type": "ExternalName", "externalName": "a.b"},
            {"type": "ExternalName", "externalName": "a.b", "sessionAffinity": "None"},
        ),
        (
            {"type": "LoadBalancer", "sessionAffinity": "ClientIP"},
            {
                "type": "LoadBalancer",
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
                "internalTrafficPolicy": "Cluster",
                "externalTrafficPolicy": "Cluster",
                "allocateLoadBalancerNodePorts": True,
            },
        ),
    ],
)
def test_services(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    assert applied(kinds.SERVICE, spec=spec)["spec"] == expected


def test_deployments() -> None:
    spec = applied(kinds.DEPLOYMENT)["spec"]
    del spec["template"]
    assert spec == {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert applied(kinds.DEPLOYMENT, spec={"strategy": {"type": "Recreate"}})["spec"]["strategy"] == {
        "type": "Recreate"
    }
    assert applied(kinds.DEPLOYMENT, spec={"replicas": 0})["spec"]["replicas"] == 0


def test_the_rest() -> None:
    assert applied(kinds.NAMESPACE, metadata={"name": "n"}) == {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}},
        "spec": {},
        "status": {"phase": "Active"},
    }
    secret = applied(kinds.SECRET, stringData={"a": "hi"}, data={"b": "aGk="})
    assert (secret["type"], secret["data"], "stringData" in secret) == ("Opaque", {"a": "aGk=", "b": "aGk="}, False)
    node = applied(kinds.NODE, status={"capacity": {"cpu": "2", "memory": "2Mi"}})["status"]
    assert node["allocatable"] == node["capacity"] == {"cpu": "2", "memory": "2Mi"}
    assert applied(kinds.ENDPOINT_SLICE, ports=[{"port": 1}])["ports"] == [{"name": "", "protocol": "TCP", "port": 1}]
    subsets = applied(kinds.ENDPOINTS, subsets=[{"ports": [{"port": 1}]}])["subsets"]
    assert subsets == [{"ports": [{"port": 1, "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("a", "latest"),
        ("a:1", "1"),
        ("h:5000/a", "latest"),
        ("h:5000/a:1", "1"),
        ("a@sha256:x", ""),
        ("a:1@sha256:x", "1"),
        ("", ""),
    ],
)
def test_image_tags(image: str, tag: str) -> None:
    assert images.tag(image) == tag


def spec(*containers: dict[str, Any], **more: Any) -> PodSpec:
    return codec.from_dict(PodSpec, {"containers": [{"name": "c", **item} for item in containers], **more})


def asks(cpu: str, **limits: str) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}, "limits": limits}}


FULL = {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1Gi"}}}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (spec({}), "BestEffort"),
        (spec(asks("0")), "BestEffort"),
        (spec(asks("1")), "Burstable"),
        (spec(FULL), "Guaranteed"),
        (spec(FULL, {}), "Burstable"),
        (spec(FULL, initContainers=[{"name": "i"}]), "Burstable"),
        (spec({}, resources=FULL["resources"]), "Guaranteed"),
        (spec({"resources": {"limits": {"cpu": "1"}}}), "Burstable"),
    ],
)
def test_quality_of_service(pod: PodSpec, expected: str) -> None:
    assert resources.qos_class(pod) == expected


def test_what_the_scheduler_sets_aside() -> None:
    pod = spec(
        asks("500m"),
        asks("500m"),
        initContainers=[
            {"name": "s", "restartPolicy": "Always", **asks("1")},
            {"name": "i", **asks("3")},
        ],
        overhead={"cpu": "250m"},
    )
    # The init container runs beside the sidecar: 4 is more than the 2 of everything that stays.
    assert resources.pod_requests(pod)["cpu"][0] == 4.25
