"""What is filled in, kind by kind, in the groups beyond core and Deployments."""

import json
from typing import Any

import pytest

from api import codec, defaults, kinds
from tests.samples import GOOD, changed

LABELS = {"a": "b"}
SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}


def at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document.get(step)
    return document


def defaulted(kind: kinds.Kind[Any], change: dict[str, Any]) -> Any:
    obj = changed(kind, change)
    before = codec.encode(obj)
    defaults.apply(kind, obj)
    assert codec.encode(obj) == before, "applying twice must equal once"
    return codec.to_dict(obj)


CASES: list[tuple[kinds.Kind[Any], dict[str, Any], dict[str, Any]]] = [
    (
        kinds.PERSISTENT_VOLUME,
        {},
        {
            "status.phase": "Pending",
            "spec.persistentVolumeReclaimPolicy": "Retain",
            "spec.volumeMode": "Filesystem",
            "spec.hostPath.type": "",
        },
    ),
    (kinds.PERSISTENT_VOLUME_CLAIM, {}, {"status.phase": "Pending", "spec.volumeMode": "Filesystem"}),
    (
        kinds.LIMIT_RANGE,
        {"spec.limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}]},
        {
            "spec.limits.0.default": {"cpu": "2"},
            "spec.limits.0.defaultRequest": {"cpu": "2", "memory": "1Mi"},
        },
    ),
    (kinds.LIMIT_RANGE, {"spec.limits": [{"type": "Pod", "max": {"cpu": "2"}}]}, {"spec.limits.0.default": None}),
    (
        kinds.REPLICATION_CONTROLLER,
        {},
        {"spec.replicas": 1, "spec.selector": LABELS, "metadata.labels": LABELS},
    ),
    (kinds.POD_TEMPLATE, {}, {"template.spec.restartPolicy": "Always"}),
    (
        kinds.DAEMON_SET,
        {},
        {
            "spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "spec.revisionHistoryLimit": 10,
        },
    ),
    (kinds.DAEMON_SET, {"spec.updateStrategy": {"type": "OnDelete"}}, {"spec.updateStrategy": {"type": "OnDelete"}}),
    (
        kinds.STATEFUL_SET,
        {},
        {
            "spec.replicas": 1,
            "spec.podManagementPolicy": "OrderedReady",
            "spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "spec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "spec.revisionHistoryLimit": 10,
            "spec.volumeClaimTemplates.0.status.phase": "Pending",
            "spec.volumeClaimTemplates.0.spec.volumeMode": "Filesystem",
        },
    ),
    (
        kinds.JOB,
        {},
        {
            "spec.completions": 1,
            "spec.parallelism": 1,
            "spec.backoffLimit": 6,
            "spec.completionMode": "NonIndexed",
            "spec.suspend": False,
            "spec.podReplacementPolicy": "TerminatingOrFailed",
            "metadata.labels": LABELS,
        },
    ),
    (kinds.JOB, {"spec.parallelism": 3}, {"spec.completions": None, "spec.parallelism": 3}),
    (kinds.JOB, {"spec.backoffLimitPerIndex": 1}, {"spec.backoffLimit": 2**31 - 1}),
    (
        kinds.JOB,
        {"spec.podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "X"}]}]}},
        {
            "spec.podReplacementPolicy": "Failed",
            "spec.podFailurePolicy.rules.0.onPodConditions.0.status": "True",
        },
    ),
    (
        kinds.CRON_JOB,
        {},
        {
            "spec.concurrencyPolicy": "Allow",
            "spec.suspend": False,
            "spec.successfulJobsHistoryLimit": 3,
            "spec.failedJobsHistoryLimit": 1,
            "spec.jobTemplate.spec.template.spec.dnsPolicy": "ClusterFirst",
            "spec.jobTemplate.spec.backoffLimit": None,
        },
    ),
    (kinds.NETWORK_POLICY, {}, {"spec.policyTypes": ["Ingress"]}),
    (
        kinds.NETWORK_POLICY,
        {"spec.egress": [{"ports": [{"port": 53}]}]},
        {"spec.policyTypes": ["Ingress", "Egress"], "spec.egress.0.ports.0.protocol": "TCP"},
    ),
    (kinds.INGRESS_CLASS, {"spec.parameters": {"kind": "K", "name": "n"}}, {"spec.parameters.scope": "Cluster"}),
    (
        kinds.ROLE_BINDING,
        {"subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}]},
        {
            "roleRef.apiGroup": "rbac.authorization.k8s.io",
            "subjects.0.apiGroup": "rbac.authorization.k8s.io",
            "subjects.1.apiGroup": None,
        },
    ),
    (kinds.STORAGE_CLASS, {}, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
    (
        kinds.CSI_DRIVER,
        {},
        {
            "spec.attachRequired": True,
            "spec.podInfoOnMount": False,
            "spec.storageCapacity": False,
            "spec.fsGroupPolicy": "ReadWriteOnceWithFSType",
            "spec.volumeLifecycleModes": ["Persistent"],
            "spec.requiresRepublish": False,
            "spec.seLinuxMount": False,
        },
    ),
    (kinds.PRIORITY_CLASS, {}, {"preemptionPolicy": "PreemptLowerPriority"}),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec.behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}},
        {
            "spec.minReplicas": 1,
            "spec.metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
            "spec.behavior.scaleUp": SCALE_UP,
            "spec.behavior.scaleDown.stabilizationWindowSeconds": 60,
            "spec.behavior.scaleDown.policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
    ),
    (
        kinds.MUTATING_WEBHOOK_CONFIGURATION,
        {"webhooks.0.rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]},
        {
            "webhooks.0.failurePolicy": "Fail",
            "webhooks.0.matchPolicy": "Equivalent",
            "webhooks.0.namespaceSelector": {},
            "webhooks.0.objectSelector": {},
            "webhooks.0.timeoutSeconds": 10,
            "webhooks.0.reinvocationPolicy": "Never",
            "webhooks.0.rules.0.scope": "*",
        },
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {},
        {
            "spec.failurePolicy": "Fail",
            "spec.matchConstraints.matchPolicy": "Equivalent",
            "spec.matchConstraints.resourceRules.0.scope": "*",
        },
    ),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {"spec.names": {"plural": "toys", "kind": "Toy"}},
        {
            "spec.names.singular": "toy",
            "spec.names.listKind": "ToyList",
            "spec.conversion": {"strategy": "None"},
            "status.storedVersions": ["v1"],
        },
    ),
    (kinds.API_SERVICE, {}, {"spec.service.port": 443}),
    (kinds.FLOW_SCHEMA, {}, {"spec.matchingPrecedence": 1000}),
    (
        kinds.PRIORITY_LEVEL_CONFIGURATION,
        {"spec.limited": {"limitResponse": {"type": "Queue", "queuing": {}}}},
        {
            "spec.limited.nominalConcurrencyShares": 30,
            "spec.limited.lendablePercent": 0,
            "spec.limited.limitResponse.queuing": {"queues": 64, "handSize": 8, "queueLengthLimit": 50},
        },
    ),
    (
        kinds.RESOURCE_CLAIM,
        {},
        {
            "spec.devices.requests.0.exactly.allocationMode": "ExactCount",
            "spec.devices.requests.0.exactly.count": 1,
        },
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"status": {"allocation": {"devices": {"results": [{"tolerations": [{"key": "a"}]}]}}}},
        {"status.allocation.devices.results.0.tolerations.0.operator": "Equal"},
    ),
    (
        kinds.RESOURCE_SLICE,
        {
            "spec": {
                "devices": [
                    {"capacity": {"memory": {}}, "consumesCounters": [{"counters": {"a": {}}}]},
                ],
                "sharedCounters": [{"counters": {"b": {}}}],
            }
        },
        {
            "spec.devices.0.capacity.memory.value": "0",
            "spec.devices.0.consumesCounters.0.counters.a.value": "0",
            "spec.sharedCounters.0.counters.b.value": "0",
        },
    ),
]


@pytest.mark.parametrize(("kind", "change", "expected"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_defaults(kind: kinds.Kind[Any], change: dict[str, Any], expected: dict[str, Any]) -> None:
    got = defaulted(kind, change)
    assert {path: at(got, path) for path in expected} == expected


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.resource)
def test_samples_are_left_as_they_are_meant(kind: kinds.Kind[Any]) -> None:
    """Defaults add; they do not change what was said."""

    def kept(said: Any, got: Any, path: str) -> None:
        if isinstance(said, dict):
            for key, value in said.items():
                kept(value, got.get(key), f"{path}.{key}")
        elif isinstance(said, list):
            for index, value in enumerate(said):
                kept(value, got[index], f"{path}[{index}]")
        else:
            assert got == said, path

    kept(json.loads(json.dumps(GOOD[kind])), defaulted(kind, {}), kind.name)
