"""What of an object may change, and in which words a change is refused."""

from typing import Any

import pytest

from api import kinds, validation
from tests.samples import CONTAINER, changed
from tests.unit.api.test_api_validation import FORBIDDEN, INVALID

IMMUTABLE = "field is immutable"
UPDATE: list[tuple[kinds.Kind[Any], str, dict[str, Any], dict[str, Any], tuple[str, str, str]]] = [
    *(
        (
            kind,
            "",
            {},
            {"metadata.finalizers": ["mine"]},
            (
                "metadata.finalizers[0]",
                INVALID,
                'Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
            ),
        )
        for kind in (kinds.CONFIG_MAP, kinds.PERSISTENT_VOLUME, kinds.RESOURCE_CLAIM)
    ),
    (
        kinds.LEASE,
        "",
        {},
        {"metadata.finalizers": ["orphan", "foregroundDeletion"]},
        (
            "metadata.finalizers",
            INVALID,
            'Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
        ),
    ),
    (kinds.POD, "", {}, {"metadata.uid": "v"}, ("metadata.uid", INVALID, f'Invalid value: "v": {IMMUTABLE}')),
    (
        kinds.POD,
        "",
        {},
        {"metadata.resourceVersion": ""},
        ("metadata.resourceVersion", INVALID, 'Invalid value: "": must be specified for an update'),
    ),
    (
        kinds.POD,
        "",
        {"metadata.deletionTimestamp": "2026-01-01T00:00:00Z"},
        {"metadata.deletionTimestamp": "2026-01-01T00:00:00Z", "metadata.finalizers": ["a/b"]},
        (
            "metadata.finalizers",
            FORBIDDEN,
            (
                "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
                '[]string{"a/b"}'
            ),
        ),
    ),
    (
        kinds.POD,
        "",
        {},
        {"spec.containers": [CONTAINER, {"name": "d", "image": "d"}]},
        ("spec.containers", FORBIDDEN, "Forbidden: pod updates may not add or remove containers"),
    ),
    (
        kinds.POD,
        "",
        {"spec.tolerations": [{"key": "a", "operator": "Exists"}]},
        {},
        (
            "spec.tolerations",
            FORBIDDEN,
            "Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
    ),
    (
        kinds.POD,
        "status",
        {"status.qosClass": "BestEffort"},
        {"status.qosClass": "Guaranteed"},
        ("status.qosClass", INVALID, f'Invalid value: "Guaranteed": {IMMUTABLE}'),
    ),
    (
        kinds.POD,
        "status",
        {
            "spec.restartPolicy": "Never",
            "status.containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0}}}],
        },
        {"spec.restartPolicy": "Never", "status.containerStatuses": [{"name": "c", "state": {"running": {}}}]},
        (
            "status.containerStatuses[0].state",
            FORBIDDEN,
            "Forbidden: may not be transitioned to non-terminated state",
        ),
    ),
    (
        kinds.DEPLOYMENT,
        "",
        {},
        {"spec.selector": {"matchLabels": {"c": "d"}}, "spec.template.metadata.labels": {"c": "d"}},
        ("spec.selector", INVALID, f'Invalid value: {{"matchLabels":{{"c":"d"}}}}: {IMMUTABLE}'),
    ),
    (
        kinds.DEPLOYMENT,
        "status",
        {},
        {"status.replicas": 1, "status.readyReplicas": 2},
        ("status.readyReplicas", INVALID, "Invalid value: 2: cannot be greater than status.replicas"),
    ),
    (
        kinds.SERVICE,
        "",
        {"spec.clusterIP": "10.0.0.1", "spec.clusterIPs": ["10.0.0.1"]},
        {"spec.clusterIP": "10.0.0.2", "spec.clusterIPs": ["10.0.0.2"]},
        ("spec.clusterIPs[0]", INVALID, 'Invalid value: ["10.0.0.2"]: may not change once set'),
    ),
    (
        kinds.SERVICE,
        "status",
        {},
        {"status.loadBalancer": {"ingress": [{"ip": "1.2.3.4", "ipMode": "VIP"}]}},
        (
            "status.loadBalancer.ingress",
            FORBIDDEN,
            "Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
        ),
    ),
    (
        kinds.CONFIG_MAP,
        "",
        {"immutable": True, "data": {"a": "1"}},
        {"immutable": True, "data": {"a": "2"}},
        ("data", FORBIDDEN, "Forbidden: field is immutable when `immutable` is set"),
    ),
    (kinds.SECRET, "", {}, {"type": "a/b"}, ("type", INVALID, f'Invalid value: "a/b": {IMMUTABLE}')),
    (
        kinds.ENDPOINT_SLICE,
        "",
        {},
        {"addressType": "IPv6"},
        ("addressType", INVALID, f'Invalid value: "IPv6": {IMMUTABLE}'),
    ),
    (
        kinds.NODE,
        "",
        {"spec.podCIDRs": ["10.0.0.0/24"]},
        {"spec.podCIDRs": ["10.0.1.0/24"]},
        ("spec.podCIDRs", FORBIDDEN, 'Forbidden: node updates may not change podCIDR except from "" to valid'),
    ),
    (
        kinds.NAMESPACE,
        "status",
        {},
        {"status.phase": "Terminating"},
        (
            "status.Phase",
            INVALID,
            "Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty",
        ),
    ),
    (
        kinds.NAMESPACE,
        "finalize",
        {},
        {"spec.finalizers": ["mine"]},
        (
            "spec.finalizers[0]",
            INVALID,
            'Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
        ),
    ),
]


@pytest.mark.parametrize(
    ("kind", "subresource", "old", "new", "cause"), UPDATE, ids=lambda value: getattr(value, "name", None) or ""
)
def test_update(
    kind: kinds.Kind[Any], subresource: str, old: dict[str, Any], new: dict[str, Any], cause: tuple[str, str, str]
) -> None:
    assert cause in validation.validate_update(kind, changed(kind, new), changed(kind, old), subresource)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"spec.containers.0.image": "demo:2"}),
        ({}, {"spec.activeDeadlineSeconds": 5}),
        ({}, {"spec.tolerations": [{"key": "a", "operator": "Exists"}]}),
        ({"spec.schedulingGates": [{"name": "a"}]}, {"spec.schedulingGates": []}),
        ({}, {"spec.hostNetwork": False, "spec.nodeName": ""}),
        ({"spec.schedulingGates": [{"name": "a"}]}, {"spec.nodeSelector": {"a": "b"}}),
    ],
)
def test_what_of_a_pod_may_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert validation.validate_update(kinds.POD, changed(kinds.POD, new), changed(kinds.POD, old)) == []


@pytest.mark.parametrize(
    "new",
    [
        {"spec.nodeName": "n"},
        {"spec.containers.0.command": ["x"]},
        {"spec.hostNetwork": True},
        {"spec.nodeSelector": {"a": "b"}},
        {"spec.terminationGracePeriodSeconds": 1},
    ],
)
def test_what_of_a_pod_may_not_change(new: dict[str, Any]) -> None:
    causes = validation.validate_update(kinds.POD, changed(kinds.POD, new), changed(kinds.POD))
    assert [cause.field for cause in causes] == ["spec"]
    assert causes[0].message.startswith(
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    )
