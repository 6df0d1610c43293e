"""One small good object of every kind."""

import copy
from typing import Any

import msgspec

from api import codec, defaults, kinds

META = {"name": "x", "namespace": "default", "resourceVersion": "1"}
CLUSTER_META = {"name": "x", "resourceVersion": "1"}
CONTAINER = {"name": "c", "image": "demo:1"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
ONCE = {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
SELECTOR = {"matchLabels": {"a": "b"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
SUBJECT = {"kind": "User", "name": "jane"}
RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
WEBHOOK = {
    "name": "check.example.com",
    "clientConfig": {"url": "https://example.com/check"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
ADMITTED = {"operations": ["CREATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
DEVICES = {"devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": "x"}}]}}
BUNDLE = """\
-----BEGIN CERTIFICATE-----
MIIBYzCCAQqgAwIBAgIUM3gb5sX+DsmZqBGjEEBMJgQnmykwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFdHJ1c3QwHhcNMjYxMTIxMjEwOTU4WhcNMzYxMTE4MjExNDU4
WjAQMQ4wDAYDVQQDDAV0cnVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLTs
XW0h2UT004OynH9TiAqENK+84YCGtSd9pdrStNBN3UEUxtPJKv8QReLydviHKzjU
W4MCcqy+kOd4PgqkulWjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQD
AgGGMB0GA1UdDgQWBBSOZ25IYBO53fSqk3CVRCsDkfE4JzAKBggqhkjOPQQDAgNH
ADBEAiAOqT478QjrGIQ1CEuiiaMN84wW/onRdbt8kNeAdf9l9AIgQV84BIHtdMM4
08K2opxKPTZv2X0ymkXDyjM93fOJSpA=
-----END CERTIFICATE-----
"""
CSR = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=="
CRD = {
    "group": "example.com",
    "names": {"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"},
    "scope": "Namespaced",
    "versions": [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
    ],
}

_BODIES: dict[str, dict[str, Any]] = {
    "v1 Endpoints": {},
    "v1 ConfigMap": {},
    "v1 Event": {"involvedObject": {"namespace": "default"}},
    "v1 LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    "v1 Namespace": {},
    "v1 Node": {},
    "v1 PersistentVolumeClaim": {"spec": CLAIM},
    "v1 PersistentVolume": {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}
    },
    "v1 Pod": {"spec": {"containers": [CONTAINER]}},
    "v1 PodTemplate": {"template": TEMPLATE},
    "v1 ReplicationController": {"spec": {"template": TEMPLATE}},
    "v1 ResourceQuota": {"spec": {"hard": {"pods": "10", "requests.cpu": "1"}}},
    "v1 Secret": {},
    "v1 ServiceAccount": {},
    "v1 Service": {"spec": {"ports": [{"port": 80}]}},
    "apiregistration.k8s.io/v1 APIService": {
        "metadata": {"name": "v1.example.com", "resourceVersion": "1"},
        "spec": {
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": "default", "name": "toys"},
        },
    },
    "apps/v1 ControllerRevision": {"data": {"spec": {}}, "revision": 1},
    "apps/v1 DaemonSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "apps/v1 Deployment": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "apps/v1 ReplicaSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "apps/v1 StatefulSet": {
        "spec": {
            "selector": SELECTOR,
            "template": TEMPLATE,
            "serviceName": "x",
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}],
        }
    },
    "autoscaling/v2 HorizontalPodAutoscaler": {
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3}
    },
    "batch/v1 CronJob": {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": ONCE}}}},
    "batch/v1 Job": {"spec": {"template": ONCE, "manualSelector": True, "selector": SELECTOR}},
    "certificates.k8s.io/v1 CertificateSigningRequest": {
        "spec": {"request": CSR, "signerName": "example.com/signer", "usages": ["client auth"]}
    },
    "certificates.k8s.io/v1beta1 ClusterTrustBundle": {"spec": {"trustBundle": BUNDLE}},
    "networking.k8s.io/v1 IngressClass": {"spec": {"controller": "example.com/ingress"}},
    "networking.k8s.io/v1 Ingress": {"spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}},
    "networking.k8s.io/v1 IPAddress": {
        "metadata": {"name": "192.0.2.1", "resourceVersion": "1"},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}},
    },
    "networking.k8s.io/v1 NetworkPolicy": {"spec": {"podSelector": {}}},
    "networking.k8s.io/v1 ServiceCIDR": {"spec": {"cidrs": ["192.0.2.0/24"]}},
    "policy/v1 PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "rbac.authorization.k8s.io/v1 ClusterRoleBinding": {
        "subjects": [SUBJECT],
        "roleRef": {"kind": "ClusterRole", "name": "reader"},
    },
    "rbac.authorization.k8s.io/v1 ClusterRole": {"rules": [RULE]},
    "rbac.authorization.k8s.io/v1 RoleBinding": {
        "subjects": [SUBJECT],
        "roleRef": {"kind": "Role", "name": "reader"},
    },
    "rbac.authorization.k8s.io/v1 Role": {"rules": [RULE]},
    "storage.k8s.io/v1 CSIDriver": {"spec": {}},
    "storage.k8s.io/v1 CSINode": {"spec": {"drivers": [{"name": "csi.example.com", "nodeID": "x"}]}},
    "storage.k8s.io/v1 CSIStorageCapacity": {"storageClassName": "fast", "capacity": "1Gi"},
    "storage.k8s.io/v1 StorageClass": {"provisioner": "csi.example.com"},
    "storage.k8s.io/v1 VolumeAttachment": {
        "spec": {"attacher": "csi.example.com", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}
    },
    "storage.k8s.io/v1 VolumeAttributesClass": {"driverName": "csi.example.com", "parameters": {"iops": "100"}},
    "admissionregistration.k8s.io/v1 MutatingAdmissionPolicy": {
        "spec": {
            "matchConstraints": {"resourceRules": [ADMITTED]},
            "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "JSONPatch", "jsonPatch": {"expression": '[JSONPatch{op: "test", path: "/spec"}]'}}
            ],
        }
    },
    "admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding": {"spec": {"policyName": "x"}},
    "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy": {
        "spec": {
            "matchConstraints": {"resourceRules": [ADMITTED]},
            "validations": [{"expression": "object.spec.replicas <= 5"}],
        }
    },
    "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding": {
        "spec": {"policyName": "x", "validationActions": ["Deny"]}
    },
    "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "apiextensions.k8s.io/v1 CustomResourceDefinition": {
        "metadata": {"name": "toys.example.com", "resourceVersion": "1"},
        "spec": CRD,
    },
    "scheduling.k8s.io/v1 PriorityClass": {"value": 1000},
    "coordination.k8s.io/v1 Lease": {},
    "node.k8s.io/v1 RuntimeClass": {"handler": "runsc"},
    "discovery.k8s.io/v1 EndpointSlice": {"addressType": "IPv4"},
    "flowcontrol.apiserver.k8s.io/v1 FlowSchema": {
        "spec": {
            "priorityLevelConfiguration": {"name": "low"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "jane"}}],
                    "resourceRules": [
                        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["default"]}
                    ],
                }
            ],
        }
    },
    "flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration": {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    },
    "resource.k8s.io/v1 DeviceClass": {"spec": {}},
    "resource.k8s.io/v1 ResourceClaim": {"spec": DEVICES},
    "resource.k8s.io/v1 ResourceClaimTemplate": {"spec": {"spec": DEVICES}},
    "resource.k8s.io/v1 ResourceSlice": {
        "spec": {
            "driver": "dra.example.com",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "nodeName": "n",
            "devices": [{"name": "d"}],
        }
    },
}


def _sample(kind: kinds.Kind[Any]) -> dict[str, Any]:
    return {"metadata": META if kind.namespaced else CLUSTER_META, **_BODIES[f"{kind.api_version} {kind.name}"]}


GOOD: dict[kinds.Kind[Any], dict[str, Any]] = {kind: _sample(kind) for kind in kinds.ALL}


def changed(kind: kinds.Kind[Any], *changes: dict[str, Any], separator: str = ".") -> Any:
    """The good object of a kind with the fields at some paths set to other values, and then the defaults."""
    document = copy.deepcopy(GOOD[kind])
    for change in changes:
        for path, value in change.items():
            *outer, last = path.split(separator)
            place: Any = document
            for step in outer:
                place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
            place[last] = value
    obj = codec.decode(kind, msgspec.json.encode(document))
    defaults.apply(kind, obj)
    return obj
