"""What of objects and their statuses may change; each row is an answer of an upstream server."""

from typing import Any

import pytest

from api import kinds, validation
from tests import samples
from tests.causes import DUPLICATE, FORBIDDEN, INVALID, NOT_SUPPORTED, REQUIRED, Change, Expected, build, told

FAILED = [{"type": "Failed", "status": "True"}, {"type": "FailureTarget", "status": "True"}]


# kind, subresource, the old object, the new one
UPDATE: list[tuple[kinds.Kind[Any], str, Change, Change, Expected]] = [
    (
        kinds.NODE,
        "",
        {"spec/podCIDR": "10.1.0.0/24"},
        {"spec/podCIDR": "10.2.0.0/24"},
        ("spec.podCIDRs", FORBIDDEN, "node updates may not change podCIDR"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        "status",
        {},
        {"status/currentReplicas": -1},
        ("status.currentReplicas", INVALID, "must be greater than or equal to 0"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        "status",
        {},
        {"status/desiredReplicas": -1},
        ("status.desiredReplicas", INVALID, "must be greater than or equal to 0"),
    ),
    (
        kinds.DEPLOYMENT,
        "status",
        {},
        {"status/readyReplicas": 1},
        ("status.readyReplicas", INVALID, "cannot be greater than status.replicas"),
    ),
    (
        kinds.SERVICE_CIDR,
        "",
        {},
        {"spec/cidrs": ["192.0.2.0/24", "x"]},
        ("spec.cidrs[1]", INVALID, "must be a valid CIDR value"),
    ),
    (
        kinds.FLOW_SCHEMA,
        "status",
        {},
        {"status/conditions": [{"type": "A"}, {"type": "A"}]},
        ("status.conditions[1].type", DUPLICATE, '"A"'),
    ),
    (
        kinds.PRIORITY_LEVEL_CONFIGURATION,
        "status",
        {},
        {"status/conditions": [{}]},
        ("status.conditions[0].type", REQUIRED, "Required value"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        "status",
        {},
        {"status/typeChecking": {"expressionWarnings": [{"fieldRef": "a"}]}},
        ("status.typeChecking.expressionWarnings[0].warning", REQUIRED, "Required value"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        "status",
        {},
        {"status/typeChecking": {"expressionWarnings": [{"warning": "a"}]}},
        ("status.typeChecking.expressionWarnings[0].fieldRef", REQUIRED, "Required value"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        "status",
        {},
        {"status/conditions": [{"type": "A", "status": "Maybe"}]},
        ("status.conditions[0].status", NOT_SUPPORTED, '"False", "True", "Unknown"'),
    ),
    # pods
    (
        kinds.POD,
        "",
        {},
        {"metadata/annotations": {"kubernetes.io/config.mirror": "x"}},
        ("metadata.annotations[kubernetes.io/config.mirror]", FORBIDDEN, "may not add mirror pod annotation"),
    ),
    (
        kinds.POD,
        "",
        {"metadata/annotations": {"container.apparmor.security.beta.kubernetes.io/c": "x"}},
        {},
        (
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]",
            FORBIDDEN,
            "may not remove or update AppArmor annotations",
        ),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/conditions": [{"type": "Ready", "status": "True", "observedGeneration": -1}]},
        ("status.conditions[0].observedGeneration", INVALID, "must be a non-negative integer"),
    ),
    (
        kinds.POD,
        "status",
        {"spec/nodeName": "n"},
        {"spec/nodeName": "n", "status/nominatedNodeName": "m"},
        ("status.nominatedNodeName", FORBIDDEN, "may not be set on pods that are already bound to a node"),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/podIPs": [{"ip": "10.0.0.1"}, {"ip": "x"}]},
        ("status.podIPs", INVALID, "may specify no more than one IP for each IP family"),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/resourceClaimStatuses": [{"name": "a"}]},
        ("status.resourceClaimStatuses[0].name", INVALID, "must match the name of an entry in `spec.resourceClaims`"),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/resourceClaimStatuses": [{"name": "a"}, {"name": "a", "resourceClaimName": "-"}]},
        ("status.resourceClaimStatuses[1].resourceClaimName", INVALID, "a lowercase RFC 1123 subdomain"),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/extendedResourceClaimStatus": {"requestMappings": [], "resourceClaimName": "-"}},
        ("status.extendedResourceClaimStatus.requestMappings", REQUIRED, "at least one request mapping is required"),
    ),
    (
        kinds.POD,
        "status",
        {},
        {
            "status/extendedResourceClaimStatus": {
                "requestMappings": [{"containerName": "x", "resourceName": "y", "requestName": "-"}],
                "resourceClaimName": "",
            }
        },
        (
            "status.extendedResourceClaimStatus.requestMappings[0].containerName",
            INVALID,
            "must match the name of an entry in spec.initContainers.name or spec.containers.name",
        ),
    ),
    (
        kinds.POD,
        "status",
        {},
        {
            "status/extendedResourceClaimStatus": {
                "requestMappings": [{"containerName": "c", "resourceName": "y", "requestName": "r"}] * 2,
                "resourceClaimName": "x",
            }
        },
        ("status.extendedResourceClaimStatus.requestMappings[1].requestName", DUPLICATE, '"r"'),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/ephemeralContainerStatuses": [{"name": "e", "allocatedResourcesStatus": [{"name": "x"}]}]},
        (
            "status.ephemeralContainerStatuses[0].allocatedResourcesStatus",
            FORBIDDEN,
            "must not be specified in container status",
        ),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/containerStatuses": [{"name": "c", "allocatedResourcesStatus": [{"name": "claim:x"}]}]},
        (
            "status.containerStatuses[0].allocatedResourcesStatus[0].name",
            INVALID,
            "must match one of the container's resource claims in a format",
        ),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/containerStatuses": [{"name": "c", "allocatedResourcesStatus": [{"name": "x"}]}]},
        (
            "status.containerStatuses[0].allocatedResourcesStatus[0].name",
            INVALID,
            "must match one of the container's resource requests",
        ),
    ),
    (
        kinds.POD,
        "status",
        {},
        {
            "status/containerStatuses": [
                {
                    "name": "c",
                    "allocatedResourcesStatus": [
                        {"name": "x", "resources": [{"resourceID": "a", "health": "Odd", "message": ""}]}
                    ],
                }
            ]
        },
        (
            "status.containerStatuses[0].allocatedResourcesStatus[0].resources[0].health",
            NOT_SUPPORTED,
            '"Healthy", "Unhealthy", "Unknown"',
        ),
    ),
    (
        kinds.POD,
        "status",
        {},
        {"status/containerStatuses": [{"name": "c", "user": {"linux": {"uid": -1, "gid": 0}}}]},
        ("status.containerStatuses[0].user.linux.uid", INVALID, "must be between 0 and 2147483647"),
    ),
    (
        kinds.POD,
        "status",
        {},
        {
            "spec/os": {"name": "windows"},
            "status/initContainerStatuses": [{"name": "i", "user": {"linux": {"uid": 1, "gid": 0}}}],
        },
        ("status.initContainerStatuses[0].user.linux", FORBIDDEN, "cannot be set for a windows pod"),
    ),
    (
        kinds.POD,
        "status",
        {
            "spec/restartPolicy": "Never",
            "spec/initContainers": [samples.CONTAINER],
            "status/initContainerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0}}}],
        },
        {
            "spec/restartPolicy": "Never",
            "spec/initContainers": [samples.CONTAINER],
            "status/initContainerStatuses": [{"name": "c"}],
        },
        ("status.initContainerStatuses[0].state", FORBIDDEN, "may not be transitioned to non-terminated state"),
    ),
    (
        kinds.POD,
        "status",
        {"status/ephemeralContainerStatuses": [{"name": "e", "state": {"terminated": {"exitCode": 1}}}]},
        {"status/ephemeralContainerStatuses": [{"name": "e"}]},
        ("status.ephemeralContainerStatuses[0].state", FORBIDDEN, "may not be transitioned to non-terminated state"),
    ),
]

# what may change, or is not judged again
ALLOWED: list[tuple[kinds.Kind[Any], str, Change, Change]] = [
    (kinds.NODE, "", {"spec/podCIDR": "10.1.0.0/24"}, {"spec/podCIDRs": ["10.1.0.0/24"]}),
    (kinds.JOB, "", {"spec/suspend": True}, {"spec/suspend": True, "spec/template/spec/nodeSelector": {"a": "b"}}),
    (
        kinds.JOB,
        "",
        {"spec/suspend": True},
        {"spec/suspend": True, "spec/template/spec/containers/0/resources": {"requests": {"cpu": "1"}}},
    ),
    (
        kinds.JOB,
        "",
        {"spec/suspend": True},
        {"spec/suspend": True, "spec/template/spec/affinity": {"nodeAffinity": {}}},
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": FAILED[:1], "status/ready": 1},
        {"status/conditions": FAILED[:1], "status/ready": 1},
    ),
    (kinds.CONTROLLER_REVISION, "", {"data": None}, {"data": None}),
    (kinds.STATEFUL_SET, "", {"spec/serviceName": "a.b"}, {"spec/serviceName": "a.b", "spec/replicas": 3}),
    (kinds.SERVICE_CIDR, "", {"spec/cidrs": ["x"]}, {"spec/cidrs": ["x"]}),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        "",
        {"spec/scaleTargetRef/apiVersion": "v1"},
        {"spec/scaleTargetRef/apiVersion": "v1"},
    ),
    (
        kinds.POD,
        "status",
        {"status/containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}}]},
        {"status/containerStatuses": [{"name": "c"}]},
    ),
    (
        kinds.POD,
        "status",
        {
            "spec/restartPolicy": "Never",
            "spec/containers/0/restartPolicy": "Never",
            "spec/containers/0/restartPolicyRules": [
                {"action": "Restart", "exitCodes": {"operator": "In", "values": [7]}}
            ],
            "status/containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 7}}}],
        },
        {
            "spec/restartPolicy": "Never",
            "spec/containers/0/restartPolicy": "Never",
            "spec/containers/0/restartPolicyRules": [
                {"action": "Restart", "exitCodes": {"operator": "In", "values": [7]}}
            ],
            "status/containerStatuses": [{"name": "c"}],
        },
    ),
]


@pytest.mark.parametrize(
    ("kind", "subresource", "old", "new", "expected"), UPDATE, ids=lambda value: getattr(value, "name", "")
)
def test_changes(kind: kinds.Kind[Any], subresource: str, old: Change, new: Change, expected: Expected) -> None:
    causes = validation.validate_update(kind, build(kind, new), build(kind, old), subresource)
    assert told(causes, expected), causes


@pytest.mark.parametrize(("kind", "subresource", "old", "new"), ALLOWED, ids=lambda value: getattr(value, "name", ""))
def test_what_may_change(kind: kinds.Kind[Any], subresource: str, old: Change, new: Change) -> None:
    assert validation.validate_update(kind, build(kind, new), build(kind, old), subresource) == []
