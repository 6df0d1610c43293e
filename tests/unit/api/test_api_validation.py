"""What is refused, and in which words. Each case is a good object with one thing wrong."""

from typing import Any

import pytest

from api import kinds, names, validation
from api.core_v1 import Binding, ObjectReference
from tests.samples import CONTAINER, changed


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_good_objects(kind: kinds.Kind[Any]) -> None:
    assert validation.validate_create(kind, changed(kind)) == []
    assert validation.validate_update(kind, changed(kind), changed(kind)) == []
    for subresource in kind.subresources:
        if subresource in ("status", "finalize"):
            assert validation.validate_update(kind, changed(kind), changed(kind), subresource) == []


LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)

REQUIRED, INVALID, FORBIDDEN = "FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden"
UNSUPPORTED, DUPLICATE, TOO_LONG = "FieldValueNotSupported", "FieldValueDuplicate", "FieldValueTooLong"
MISSING, TOO_MANY = "FieldValueNotFound", "FieldValueTooMany"

CREATE: list[tuple[kinds.Kind[Any], dict[str, Any], tuple[str, str, str]]] = [
    (
        kinds.DEPLOYMENT,
        {"spec.selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}},
        (
            "spec.selector",
            INVALID,
            'Invalid value: {"matchExpressions":[{"key":"a","operator":"Near"}]}: invalid label selector',
        ),
    ),
    (
        kinds.DEPLOYMENT,
        {"spec.selector": None},
        (
            "spec.template.metadata.labels",
            INVALID,
            'Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ),
    ),
    (kinds.POD, {"metadata.name": ""}, ("metadata.name", REQUIRED, "Required value: name or generateName is required")),
    (kinds.POD, {"metadata.name": "X"}, ("metadata.name", INVALID, f'Invalid value: "X": {SUBDOMAIN}')),
    (kinds.POD, {"metadata.namespace": ""}, ("metadata.namespace", REQUIRED, "Required value")),
    (kinds.NODE, {"metadata.namespace": "a"}, ("metadata.namespace", FORBIDDEN, "Forbidden: not allowed on this type")),
    (
        kinds.NAMESPACE,
        {"metadata.name": "a.b"},
        ("metadata.name", INVALID, 'Invalid value: "a.b": must not contain dots'),
    ),
    (kinds.NAMESPACE, {"metadata.name": "-"}, ("metadata.name", INVALID, f'Invalid value: "-": {LABEL}')),
    (
        kinds.POD,
        {"metadata.labels": {"a": "b" * 64}},
        ("metadata.labels", INVALID, f'Invalid value: "{"b" * 64}": must be no more than 63 bytes'),
    ),
    (
        kinds.POD,
        {"metadata.labels": {"/a": "b"}},
        ("metadata.labels", INVALID, 'Invalid value: "/a": prefix part must be non-empty'),
    ),
    (
        kinds.POD,
        {"metadata.annotations": {"a": "b" * 262144}},
        ("metadata.annotations", TOO_LONG, "Too long: may not be more than 262144 bytes"),
    ),
    (
        kinds.POD,
        {"metadata.generation": -1},
        ("metadata.generation", INVALID, "Invalid value: -1: must be greater than or equal to 0"),
    ),
    (
        kinds.POD,
        {"metadata.ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "", "uid": "u"}]},
        ("metadata.ownerReferences.name", INVALID, 'Invalid value: "": must not be empty'),
    ),
    (
        kinds.POD,
        {"metadata.finalizers": ["orphan", "foregroundDeletion"]},
        (
            "metadata.finalizers",
            INVALID,
            'Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
        ),
    ),
    (kinds.POD, {"spec.containers": []}, ("spec.containers", REQUIRED, "Required value")),
    (kinds.POD, {"spec.containers.0.image": ""}, ("spec.containers[0].image", REQUIRED, "Required value")),
    (kinds.POD, {"spec.containers.0.name": "C"}, ("spec.containers[0].name", INVALID, f'Invalid value: "C": {LABEL}')),
    (
        kinds.POD,
        {"spec.containers.0.image": " a"},
        ("spec.containers[0].image", INVALID, 'Invalid value: " a": must not have leading or trailing whitespace'),
    ),
    (
        kinds.POD,
        {"spec.containers": [CONTAINER, CONTAINER]},
        ("spec.containers[1].name", DUPLICATE, 'Duplicate value: "c"'),
    ),
    (
        kinds.POD,
        {"spec.initContainers": [CONTAINER]},
        ("spec.initContainers[0].name", DUPLICATE, 'Duplicate value: "c"'),
    ),
    (
        kinds.POD,
        {"spec.initContainers": [{"name": "i", "image": "i", "readinessProbe": {"exec": {"command": ["x"]}}}]},
        (
            "spec.initContainers[0].readinessProbe",
            FORBIDDEN,
            "Forbidden: may not be set for init containers without restartPolicy=Always",
        ),
    ),
    (
        kinds.POD,
        {"spec.restartPolicy": "Sometimes"},
        (
            "spec.restartPolicy",
            UNSUPPORTED,
            'Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.ports": [{"containerPort": 0}]},
        ("spec.containers[0].ports[0].containerPort", REQUIRED, "Required value"),
    ),
    (
        kinds.POD,
        {"spec.containers.0.ports": [{"containerPort": 70000}]},
        (
            "spec.containers[0].ports[0].containerPort",
            INVALID,
            "Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.ports": [{"containerPort": 1, "name": "a--b"}]},
        (
            "spec.containers[0].ports[0].name",
            INVALID,
            'Invalid value: "a--b": must not contain consecutive hyphens',
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]},
        ("spec.containers[0].ports[1].hostPort", DUPLICATE, 'Duplicate value: "TCP//5"'),
    ),
    (
        kinds.POD,
        {"spec.containers.0.env": [{"name": "a=b"}]},
        (
            "spec.containers[0].env[0].name",
            INVALID,
            (
                'Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters '
                "other than '='"
            ),
        ),
    ),
    (
        kinds.POD,
        {
            "spec.containers.0.env": [
                {"name": "a", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
            ]
        },
        (
            "spec.containers[0].env[0].valueFrom",
            INVALID,
            'Invalid value: "": may not be specified when `value` is not empty',
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "spec.what"}}}]},
        (
            "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath",
            INVALID,
            'Invalid value: "spec.what": error converting fieldPath: field label not supported: spec.what',
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
        (
            "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath",
            UNSUPPORTED,
            (
                'Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", '
                '"spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
            ),
        ),
    ),
    (
        kinds.POD,
        {"spec.os": {"name": "plan9"}},
        ("spec.os", UNSUPPORTED, 'Unsupported value: "plan9": supported values: "linux", "windows"'),
    ),
    (
        kinds.POD,
        {"spec.os": {"name": "windows"}, "spec.hostPID": True},
        ("spec.hostPID", FORBIDDEN, "Forbidden: cannot be set for a windows pod"),
    ),
    (
        kinds.POD,
        {"spec.securityContext": {"windowsOptions": {"runAsUserName": ""}}},
        (
            "spec.securityContext.windowsOptions.runAsUserName",
            INVALID,
            'Invalid value: "": runAsUserName cannot be an empty string',
        ),
    ),
    (
        kinds.POD,
        {"spec.securityContext": {"windowsOptions": {"hostProcess": True}}},
        (
            "spec.hostNetwork",
            INVALID,
            "Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
        ),
    ),
    (
        kinds.POD,
        {"spec.securityContext": {"seccompProfile": {}}},
        (
            "spec.securityContext.seccompProfile.type",
            REQUIRED,
            "Required value: type is required when seccompProfile is set",
        ),
    ),
    (
        kinds.POD,
        {"spec.resourceClaims": [{"name": "r"}]},
        (
            "spec.resourceClaims[0]",
            INVALID,
            'Invalid value: {"name":"r"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
        ),
    ),
    (
        kinds.POD,
        {"spec.resources": {"requests": {"example.com/x": "1"}, "limits": {"example.com/x": "1"}}},
        (
            "spec.resources.requests[example.com/x]",
            UNSUPPORTED,
            'Unsupported value: "example.com/x": supported values: "cpu", "memory"',
        ),
    ),
    (
        kinds.POD,
        {"spec.volumes": [{"name": "v", "hostPath": {"path": "/a"}, "downwardAPI": {}}]},
        ("spec.volumes[0].downwarAPI", FORBIDDEN, "Forbidden: may not specify more than 1 volume type"),
    ),
    (
        kinds.POD,
        {"spec.volumes": [{"name": "v", "ephemeral": {}}]},
        ("spec.volumes[0].ephemeral.volumeClaimTemplate", REQUIRED, "Required value"),
    ),
    (
        kinds.POD,
        {"spec.volumes": [{"name": "v", "iscsi": {"targetPortal": "p", "iqn": "x", "lun": 1}}]},
        (
            "spec.volumes[0].iscsi.iqn",
            INVALID,
            'Invalid value: "x": must be valid format starting with iqn, eui, or naa',
        ),
    ),
    (
        kinds.POD,
        {"metadata.finalizers": ["mine"]},
        (
            "metadata.finalizers[0]",
            INVALID,
            'Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.volumeMounts": [{"name": "v", "mountPath": "/a"}]},
        ("spec.containers[0].volumeMounts[0].name", MISSING, 'Not found: "v"'),
    ),
    (
        kinds.POD,
        {
            "spec.volumes": [{"name": "v"}],
            "spec.containers.0.volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "../b"}],
        },
        ("spec.containers[0].volumeMounts.subPath", INVALID, "Invalid value: \"../b\": must not contain '..'"),
    ),
    (
        kinds.POD,
        {"spec.volumes": [{"name": "v", "secret": {"secretName": "a"}, "emptyDir": {}}]},
        ("spec.volumes[0].secret", FORBIDDEN, "Forbidden: may not specify more than 1 volume type"),
    ),
    (
        kinds.POD,
        {"spec.volumes": [{"name": "v", "configMap": {"name": "a", "defaultMode": 512}}]},
        (
            "spec.volumes[0].configMap.defaultMode",
            INVALID,
            "Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
        (
            "spec.containers[0].resources.requests",
            INVALID,
            'Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.resources": {"limits": {"cpu": "-1"}, "requests": {"cpu": "-1"}}},
        (
            "spec.containers[0].resources.limits[cpu]",
            INVALID,
            'Invalid value: "-1": must be greater than or equal to 0',
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.resources": {"requests": {"x.io/gpu": "1"}}},
        (
            "spec.containers[0].resources.limits",
            REQUIRED,
            "Required value: Limit must be set for non overcommitable resources",
        ),
    ),
    (
        kinds.POD,
        {"spec.containers.0.livenessProbe": {}},
        ("spec.containers[0].livenessProbe", REQUIRED, "Required value: must specify a handler type"),
    ),
    (
        kinds.POD,
        {"spec.containers.0.livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}},
        ("spec.containers[0].livenessProbe.successThreshold", INVALID, "Invalid value: 2: must be 1"),
    ),
    (
        kinds.POD,
        {"spec.containers.0.securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
        (
            "spec.containers[0].securityContext",
            INVALID,
            (
                'Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` '
                "to false and `privileged` to true"
            ),
        ),
    ),
    (
        kinds.POD,
        {"spec.tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        (
            "spec.tolerations[0].operator",
            INVALID,
            "Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
        ),
    ),
    (
        kinds.POD,
        {"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}},
        (
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
            REQUIRED,
            "Required value: must have at least one node selector term",
        ),
    ),
    (
        kinds.POD,
        {"spec.dnsPolicy": "None"},
        ("spec.dnsConfig", REQUIRED, "Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
    ),
    (
        kinds.POD,
        {"spec.hostUsers": False, "spec.hostPID": True},
        ("spec.HostPID", FORBIDDEN, "Forbidden: when `hostUsers` is false"),
    ),
    (kinds.SERVICE, {"spec.ports": []}, ("spec.ports", REQUIRED, "Required value")),
    (
        kinds.SERVICE,
        {"metadata.name": "a.b"},
        ("metadata.name", INVALID, 'Invalid value: "a.b": must not contain dots'),
    ),
    (
        kinds.SERVICE,
        {"spec.ports": [{"port": 80, "name": "a"}, {"port": 81}]},
        ("spec.ports[1].name", REQUIRED, "Required value"),
    ),
    (
        kinds.SERVICE,
        {"spec.ports": [{"port": 80, "nodePort": 30000}]},
        ("spec.ports[0].nodePort", FORBIDDEN, "Forbidden: may not be used when `type` is 'ClusterIP'"),
    ),
    (
        kinds.SERVICE,
        {"spec.ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
        ("spec.ports[1]", DUPLICATE, 'Duplicate value: {"protocol":"TCP","port":80}'),
    ),
    (
        kinds.SERVICE,
        {"spec.type": "Magic"},
        (
            "spec.type",
            UNSUPPORTED,
            'Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
        ),
    ),
    (
        kinds.SERVICE,
        {"spec.clusterIP": "10.0.0.300", "spec.clusterIPs": ["10.0.0.300"]},
        (
            "spec.clusterIPs[0]",
            INVALID,
            'Invalid value: "10.0.0.300": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
    ),
    (
        kinds.SERVICE,
        {"spec.externalIPs": ["127.0.0.1"]},
        (
            "spec.externalIPs[0]",
            INVALID,
            'Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        ),
    ),
    (
        kinds.SERVICE,
        {"spec.type": "ExternalName", "spec.ports": []},
        ("spec.externalName", REQUIRED, "Required value"),
    ),
    (
        kinds.SERVICE,
        {"spec.externalTrafficPolicy": "Local"},
        (
            "spec.externalTrafficPolicy",
            INVALID,
            'Invalid value: "Local": may only be set for externally-accessible services',
        ),
    ),
    (kinds.DEPLOYMENT, {"spec.selector": None}, ("spec.selector", REQUIRED, "Required value")),
    (
        kinds.DEPLOYMENT,
        {"spec.template.metadata.labels": {"x": "y"}},
        (
            "spec.template.metadata.labels",
            INVALID,
            'Invalid value: {"x":"y"}: `selector` does not match template `labels`',
        ),
    ),
    (
        kinds.DEPLOYMENT,
        {"spec.replicas": -1},
        ("spec.replicas", INVALID, "Invalid value: -1: must be greater than or equal to 0"),
    ),
    (
        kinds.DEPLOYMENT,
        {"spec.strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}},
        (
            "spec.strategy.rollingUpdate.maxUnavailable",
            INVALID,
            "Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
    ),
    (
        kinds.DEPLOYMENT,
        {"spec.strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
        (
            "spec.strategy.rollingUpdate.maxUnavailable",
            INVALID,
            'Invalid value: "101%": must not be greater than 100%',
        ),
    ),
    (
        kinds.DEPLOYMENT,
        {"spec.strategy": {"type": "Recreate", "rollingUpdate": {}}},
        (
            "spec.strategy.rollingUpdate",
            FORBIDDEN,
            "Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
    ),
    (
        kinds.DEPLOYMENT,
        {"spec.progressDeadlineSeconds": 5, "spec.minReadySeconds": 5},
        ("spec.progressDeadlineSeconds", INVALID, "Invalid value: 5: must be greater than minReadySeconds"),
    ),
    (
        kinds.REPLICA_SET,
        {"spec.template.spec.restartPolicy": "Never"},
        (
            "spec.template.spec.restartPolicy",
            UNSUPPORTED,
            'Unsupported value: "Never": supported values: "Always"',
        ),
    ),
    (kinds.ENDPOINT_SLICE, {"addressType": ""}, ("addressType", REQUIRED, "Required value")),
    (
        kinds.ENDPOINT_SLICE,
        {"endpoints": [{"addresses": []}]},
        ("endpoints[0].addresses", REQUIRED, "Required value: must contain at least 1 address"),
    ),
    (
        kinds.ENDPOINT_SLICE,
        {"endpoints": [{"addresses": ["fd00::1"]}]},
        ("endpoints[0].addresses", INVALID, 'Invalid value: "fd00::1": must be an IPv4 address'),
    ),
    (
        kinds.ENDPOINT_SLICE,
        {"endpoints": [{"addresses": [f"10.0.{i // 250}.{i % 250 + 1}"]} for i in range(1001)]},
        ("endpoints", TOO_MANY, "Too many: 1001: must have at most 1000 items"),
    ),
    (
        kinds.ENDPOINTS,
        {"subsets": [{}]},
        ("subsets[0]", REQUIRED, "Required value: must specify `addresses` or `notReadyAddresses`"),
    ),
    (
        kinds.CONFIG_MAP,
        {"data": {"a": "x"}, "binaryData": {"a": "aGk="}},
        ("data[a]", INVALID, 'Invalid value: "a": duplicate of key present in binaryData'),
    ),
    (
        kinds.CONFIG_MAP,
        {"data": {"..a": "x"}},
        ("data[..a]", INVALID, "Invalid value: \"..a\": must not start with '..'"),
    ),
    (kinds.CONFIG_MAP, {"data": {"a": "x" * 1048577}}, ("", TOO_LONG, "Too long: may not be more than 1048576 bytes")),
    (
        kinds.SECRET,
        {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}},
        ("data[tls.key]", REQUIRED, "Required value"),
    ),
    (
        kinds.SECRET,
        {"type": "kubernetes.io/service-account-token"},
        ("metadata.annotations[kubernetes.io/service-account.name]", REQUIRED, "Required value"),
    ),
    (
        kinds.NAMESPACE,
        {"spec.finalizers": ["mine"]},
        (
            "spec.finalizers",
            INVALID,
            'Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
        ),
    ),
    (
        kinds.NODE,
        {"spec.taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]},
        (
            "metadata.taints[1]",
            DUPLICATE,
            'Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be unique by key and effect pair',
        ),
    ),
    (
        kinds.NODE,
        {"spec.podCIDRs": ["10.0.0.0"]},
        (
            "spec.podCIDRs[0]",
            INVALID,
            'Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        ),
    ),
    (
        kinds.LEASE,
        {"spec.leaseDurationSeconds": 0},
        ("spec.leaseDurationSeconds", INVALID, "Invalid value: 0: must be greater than 0"),
    ),
    (
        kinds.EVENT,
        {"involvedObject.namespace": "other"},
        ("involvedObject.namespace", INVALID, 'Invalid value: "other": does not match event.namespace'),
    ),
]


@pytest.mark.parametrize(("kind", "change", "cause"), CREATE, ids=lambda value: getattr(value, "name", None) or "")
def test_create(kind: kinds.Kind[Any], change: dict[str, Any], cause: tuple[str, str, str]) -> None:
    assert cause in validation.validate_create(kind, changed(kind, change))


def test_binding() -> None:
    assert validation.validate_binding(Binding(target=ObjectReference(kind="Node", name="n"))) == []
    causes = validation.validate_binding(Binding(target=ObjectReference(kind="Pod")))
    assert causes == [
        ("target.kind", UNSUPPORTED, 'Unsupported value: "Pod": supported values: "Node", "<empty>"'),
        ("target.name", REQUIRED, "Required value"),
    ]


def test_summary() -> None:
    first = validation.Cause("a", REQUIRED, "Required value")
    assert validation.summary([first]) == "a: Required value"
    assert validation.summary([first, first, validation.Cause("b", FORBIDDEN, "Forbidden: no")]) == (
        "[a: Required value, b: Forbidden: no]"
    )


def test_generated_names() -> None:
    import random

    for prefix in ("web-", "x" * 80):
        name = names.generate(prefix, random.Random(1))
        assert names.dns_label(name) == []
        assert name.startswith(prefix[:58])
    assert names.generate("a-", random.Random(1)) != names.generate("a-", random.Random(2))
    assert validation.validate_create(kinds.POD, changed(kinds.POD, {"metadata.generateName": "web-"})) == []
