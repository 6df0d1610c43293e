"""Warnings about objects: what is said, and where."""

from __future__ import annotations

from typing import Any

import pytest

from api import codec, kinds, warnings
from api.defaults import apply
from api.kinds import Kind
from api.warnings import addresses
from kit import pki
from tests import samples

NO_POD = "a null labelSelector results in matching no pod"


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "c", "image": "i", **fields}])


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}], **spec}}


def claim(amount: str) -> dict[str, Any]:
    return {"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": amount}}}}


def annotated(key: str, name: str = "a") -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": {key: "x"}}}


CASES: list[tuple[Kind[Any], dict[str, Any], list[str]]] = [
    (kinds.POD, pod(), []),
    (
        kinds.POD,
        {**pod(), "metadata": {"name": "a.b"}},
        [
            (
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: "
                "[must not contain dots]"
            )
        ],
    ),
    (
        kinds.POD,
        pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
        [
            'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        ],
    ),
    (
        kinds.POD,
        pod(topologySpreadConstraints=[{"topologyKey": "a", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]),
        [f"spec.topologySpreadConstraints[0].labelSelector: {NO_POD}"],
    ),
    (
        kinds.POD,
        pod(volumes=[{"name": "v", "gitRepo": {"repository": "r"}}]),
        ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"],
    ),
    (
        kinds.POD,
        pod(
            volumes=[
                {
                    "name": "v",
                    "configMap": {"name": "m", "items": [{"key": "a", "path": "p"}, {"key": "b", "path": "p/q"}]},
                }
            ]
        ),
        ['volume "v" (ConfigMap "m"): overlapping paths: "p/q" with "p"'],
    ),
    (
        kinds.POD,
        pod(imagePullSecrets=[{"name": "a"}, {"name": "a"}, {"name": ""}]),
        [
            'spec.imagePullSecrets[1].name: duplicate name "a"',
            'spec.imagePullSecrets[2].name: invalid empty name ""',
        ],
    ),
    (
        kinds.POD,
        container(resources={"limits": {"memory": "100m"}, "requests": {"memory": "0"}}),
        ['spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer'],
    ),
    (
        kinds.POD,
        container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "A", "value": "$(A)3"}]),
        ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
    ),
    (
        kinds.POD,
        container(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 80, "hostPort": 81, "name": "b"}]),
        ["spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]"],
    ),
    (
        kinds.POD,
        container(ports=[{"containerPort": 80, "hostIP": "127.0.0.1", "protocol": "TCP"}]),
        [
            (
                "spec.containers[0].ports[0]: hostIP set without hostPort: "
                "{Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:127.0.0.1}"
            )
        ],
    ),
    (
        kinds.POD,
        pod(hostAliases=[{"ip": "010.0.0.1"}, {"ip": "FE80::1"}]),
        [
            'spec.hostAliases[0].ip: non-standard IP address "010.0.0.1" is invalid: use "10.0.0.1"',
            'spec.hostAliases[1].ip: IPv6 address "FE80::1" should be in RFC 5952 canonical format ("fe80::1")',
        ],
    ),
    (
        kinds.DEPLOYMENT,
        {
            "metadata": {"name": "d"},
            "spec": {"template": {**pod(terminationGracePeriodSeconds=-1), "metadata": {}}, "selector": {}},
        },
        [
            "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ],
    ),
    (
        kinds.SERVICE,
        service(externalIPs=["1.2.3.4"]),
        ["spec.externalIPs is deprecated and may no longer be implemented in some clusters"],
    ),
    (
        kinds.SERVICE,
        service(clusterIP="None", loadBalancerIP="1.2.3.4", sessionAffinity="ClientIP"),
        [
            "spec.loadBalancerIP is ignored for headless services",
            "spec.SessionAffinity is ignored for headless services",
        ],
    ),
    (
        kinds.SERVICE,
        service(trafficDistribution="PreferClose"),
        ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
    ),
    (
        kinds.INGRESS,
        annotated("kubernetes.io/ingress.class"),
        ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"],
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        claim("0.5"),
        ['spec.resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer'],
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"metadata": {"name": "v"}, "spec": {"persistentVolumeReclaimPolicy": "Recycle"}},
        [
            (
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is "
                "to use dynamic provisioning."
            )
        ],
    ),
    (
        kinds.NODE,
        {"metadata": {"name": "n"}, "spec": {"externalID": "x", "podCIDRs": ["10.0.0.1/24"]}},
        [
            "spec.externalID: this field is deprecated, and is unused by Kubernetes",
            'spec.podCIDRs[0]: CIDR value "10.0.0.1/24" is ambiguous in this context (should be "10.0.0.0/24" or "10.0.0.1/32"?)',
        ],
    ),
    (
        kinds.RESOURCE_QUOTA,
        {"metadata": {"name": "q"}, "spec": {"hard": {"cpu": "2", "limits.cpu": "1"}}},
        ["ResourceQuota cpu (2) should be less than limits.cpu (1)"],
    ),
    (
        kinds.SERVICE_ACCOUNT,
        annotated("kubernetes.io/enforce-mountable-secrets"),
        [
            (
                "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to "
                "isolate access to mounted secrets"
            )
        ],
    ),
    (
        kinds.SECRET,
        {"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}},
        ["tls: failed to find any PEM data in certificate input"],
    ),
]


@pytest.mark.parametrize(("kind", "document", "wanted"), CASES)
def test_a_new_object(kind: Kind[Any], document: dict[str, Any], wanted: list[str]) -> None:
    obj = codec.from_dict(kind, document)
    apply(kind, obj)
    assert warnings.of_object(kind, obj, None) == wanted


@pytest.mark.parametrize("kind", samples.GOOD, ids=lambda kind: kind.name)
def test_every_kind_can_be_looked_at(kind: Kind[Any]) -> None:
    obj = codec.from_dict(kind, samples.GOOD[kind])
    for subresource in ("", "status"):
        for old in (None, obj):
            assert all(isinstance(text, str) for text in warnings.of_object(kind, obj, old, subresource))


def test_a_key_that_belongs_to_another_certificate() -> None:
    ca = pki.make_ca("test")
    one, other = (pki.issue(ca, name, server=True) for name in ("a", "b"))
    secret = codec.from_dict(kinds.SECRET, {"metadata": {"name": "s"}, "type": "kubernetes.io/tls"})
    for key, wanted in ((one.key, []), (other.key, ["tls: private key does not match public key"])):
        secret.data = {"tls.crt": one.cert, "tls.key": key}
        assert warnings.of_object(kinds.SECRET, secret, None) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("10.0.0.0/8", []),
        ("fd00::/8", []),
        ("nonsense", []),
        ("10.0.0.0/08", ['f: non-standard CIDR value "10.0.0.0/08" is invalid: use "10.0.0.0/8"']),
        ("FD00::/8", ['f: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format ("fd00::/8")']),
        ("::ffff:10.0.0.0/104", ['f: non-standard CIDR value "::ffff:10.0.0.0/104" is invalid: use "10.0.0.0/8"']),
    ],
)
def test_networks(value: str, wanted: list[str]) -> None:
    assert addresses.of_cidr("f", value) == wanted
