"""What is refused in the groups beyond core and Deployments, and in which words. Each case is a good object with one thing wrong."""

from typing import Any

import pytest

from api import kinds, validation
from tests.causes import build
from tests.samples import CLAIM, WEBHOOK

REQUIRED, INVALID, FORBIDDEN = "FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden"
UNSUPPORTED, DUPLICATE, TOO_MANY = "FieldValueNotSupported", "FieldValueDuplicate", "FieldValueTooMany"
Change = dict[str, Any]
Expected = tuple[str, str, str]


CREATE: list[tuple[kinds.Kind[Any], Change, Expected]] = [
    (kinds.PERSISTENT_VOLUME, {"spec/accessModes": []}, ("spec.accessModes", REQUIRED, "Required value")),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]},
        ("spec.accessModes", FORBIDDEN, "Forbidden: may not use ReadWriteOncePod with other access modes"),
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/capacity": {"storage": "0"}},
        ("spec.capacity[storage]", INVALID, 'Invalid value: "0": must be greater than zero'),
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/nfs": {"server": "s", "path": "/p"}},
        ("spec.nfs", FORBIDDEN, "Forbidden: may not specify more than 1 volume type"),
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/hostPath": None},
        ("spec", REQUIRED, "Required value: must specify a volume type"),
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/hostPath": None, "spec/local": {"path": "/d"}},
        ("spec.nodeAffinity", REQUIRED, "Required value: Local volume requires node affinity"),
    ),
    (
        kinds.PERSISTENT_VOLUME,
        {"spec/persistentVolumeReclaimPolicy": "Keep"},
        (
            "spec.persistentVolumeReclaimPolicy",
            UNSUPPORTED,
            'Unsupported value: "Keep": supported values: "Delete", "Recycle", "Retain"',
        ),
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/accessModes": []},
        ("spec.accessModes", REQUIRED, "Required value: at least 1 access mode is required"),
    ),
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec/resources": {}},
        ("spec.resources[storage]", REQUIRED, "Required value"),
    ),
    (
        kinds.LIMIT_RANGE,
        {
            "spec/limits": [
                {"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}
            ]
        },
        ("spec.limits[0].min[cpu]", INVALID, 'Invalid value: "2": min value 2 is greater than max value 1'),
    ),
    (
        kinds.LIMIT_RANGE,
        {"spec/limits": [{"type": "Pod", "default": {"cpu": "1"}}]},
        ("spec.limits[0].default", FORBIDDEN, "Forbidden: may not be specified when `type` is 'Pod'"),
    ),
    (
        kinds.RESOURCE_QUOTA,
        {"spec/hard": {"nonsense": "1"}},
        ("spec.hard[nonsense]", INVALID, 'Invalid value: "nonsense": must be a standard resource for quota'),
    ),
    (
        kinds.RESOURCE_QUOTA,
        {"spec/scopes": ["BestEffort", "NotBestEffort"]},
        ("spec.scopes", INVALID, 'Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'),
    ),
    (kinds.REPLICATION_CONTROLLER, {"spec/template": None}, ("spec.template", REQUIRED, "Required value")),
    (
        kinds.REPLICATION_CONTROLLER,
        {"spec/selector": {"x": "y"}},
        (
            "spec.template.metadata.labels",
            INVALID,
            'Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ),
    ),
    (
        kinds.DAEMON_SET,
        {"spec/updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}},
        (
            "spec.updateStrategy.rollingUpdate.maxUnavailable",
            REQUIRED,
            "Required value: cannot be 0 when maxSurge is 0",
        ),
    ),
    (
        kinds.DAEMON_SET,
        {"spec/template/spec/restartPolicy": "Never"},
        ("spec.template.spec.restartPolicy", UNSUPPORTED, 'Unsupported value: "Never": supported values: "Always"'),
    ),
    (
        kinds.STATEFUL_SET,
        {"spec/podManagementPolicy": "Random"},
        ("spec.podManagementPolicy", INVALID, "Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"),
    ),
    (
        kinds.STATEFUL_SET,
        {"spec/volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {**CLAIM, "accessModes": []}}]},
        (
            "spec.volumeClaimTemplates[0].spec.accessModes",
            REQUIRED,
            "Required value: at least 1 access mode is required",
        ),
    ),
    (
        kinds.CONTROLLER_REVISION,
        {"data": [1]},
        ("data", REQUIRED, "Required value: data must be a valid JSON object"),
    ),
    (
        kinds.JOB,
        {"spec/template/spec/restartPolicy": "Always"},
        ("spec.template.spec.restartPolicy", REQUIRED, 'Required value: valid values: "OnFailure", "Never"'),
    ),
    (
        kinds.JOB,
        {"spec/completionMode": "Indexed", "spec/parallelism": 1},
        ("spec.completions", REQUIRED, "Required value: when completion mode is Indexed"),
    ),
    (
        kinds.JOB,
        {"spec/manualSelector": False},
        ("spec.selector", INVALID, 'Invalid value: {"matchLabels":{"a":"b"}}: `selector` not auto-generated'),
    ),
    (
        kinds.JOB,
        {"spec/podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}]}},
        (
            "spec.podFailurePolicy.rules[0].onExitCodes.values[0]",
            INVALID,
            "Invalid value: 0: must not be 0 for the In operator",
        ),
    ),
    (
        kinds.JOB,
        {
            "spec/completionMode": "Indexed",
            "spec/completions": 3,
            "spec/successPolicy": {"rules": [{"succeededIndexes": "0-4"}]},
        },
        (
            "spec.successPolicy.rules[0].succeededIndexes",
            INVALID,
            'Invalid value: "0-4": error parsing succeededIndexes: too large index: "4"',
        ),
    ),
    (
        kinds.CRON_JOB,
        {"spec/schedule": "often"},
        ("spec.schedule", INVALID, 'Invalid value: "often": expected exactly 5 fields, found 1: [often]'),
    ),
    (
        kinds.CRON_JOB,
        {"spec/schedule": "60 * * * *"},
        ("spec.schedule", INVALID, 'Invalid value: "60 * * * *": end of range (60) above maximum (59): 60'),
    ),
    (
        kinds.CRON_JOB,
        {"spec/schedule": "TZ=UTC 0 * * * *"},
        (
            "spec.schedule",
            INVALID,
            'Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
        ),
    ),
    (
        kinds.CRON_JOB,
        {"metadata/name": "x" * 53},
        ("metadata.name", INVALID, f'Invalid value: "{"x" * 53}": must be no more than 52 characters'),
    ),
    (
        kinds.INGRESS,
        {"spec/defaultBackend": None},
        ("spec", INVALID, "Invalid value: []: either `defaultBackend` or `rules` must be specified"),
    ),
    (
        kinds.INGRESS,
        {"spec/rules": [{"http": {"paths": [{"path": "a", "pathType": "Prefix", "backend": {}}]}}]},
        ("spec.rules[0].http.paths[0].path", INVALID, 'Invalid value: "a": must be an absolute path'),
    ),
    (
        kinds.INGRESS,
        {"spec/rules": [{"host": "10.0.0.1"}]},
        ("spec.rules[0].host", INVALID, 'Invalid value: "10.0.0.1": must be a DNS name, not an IP address'),
    ),
    (
        kinds.INGRESS_CLASS,
        {"spec/controller": "nginx"},
        (
            "spec.controller",
            INVALID,
            'Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
    ),
    (
        kinds.NETWORK_POLICY,
        {"spec/ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]},
        (
            "spec.ingress[0].from[0].ipBlock.except[0]",
            INVALID,
            'Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
        ),
    ),
    (
        kinds.NETWORK_POLICY,
        {"spec/egress": [{"ports": [{"port": 10, "endPort": 5}]}]},
        ("spec.egress[0].ports[0].endPort", INVALID, "Invalid value: 10: must be greater than or equal to `port`"),
    ),
    (kinds.IP_ADDRESS, {"spec/parentRef": None}, ("spec.parentRef", REQUIRED, "Required value")),
    (
        kinds.SERVICE_CIDR,
        {"spec/cidrs": []},
        ("spec.cidrs", REQUIRED, "Required value: at least one CIDR required"),
    ),
    (
        kinds.POD_DISRUPTION_BUDGET,
        {"spec/minAvailable": "120%"},
        ("spec.minAvailable", INVALID, 'Invalid value: "120%": must not be greater than 100%'),
    ),
    (
        kinds.ROLE,
        {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
        (
            "rules[0].nonResourceURLs",
            INVALID,
            'Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
        ),
    ),
    (kinds.ROLE, {"metadata/name": "a/b"}, ("metadata.name", INVALID, "Invalid value: \"a/b\": may not contain '/'")),
    (
        kinds.CLUSTER_ROLE_BINDING,
        {"roleRef": {"kind": "Role", "name": "r"}},
        ("roleRef.kind", UNSUPPORTED, 'Unsupported value: "Role": supported values: "ClusterRole"'),
    ),
    (
        kinds.CLUSTER_ROLE_BINDING,
        {"subjects": [{"kind": "ServiceAccount", "name": "s"}]},
        ("subjects[0].namespace", REQUIRED, "Required value"),
    ),
    (kinds.STORAGE_CLASS, {"provisioner": ""}, ("provisioner", REQUIRED, "Required value")),
    (
        kinds.VOLUME_ATTACHMENT,
        {"spec/source": {}},
        (
            "spec.source",
            REQUIRED,
            "Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ),
    ),
    (
        kinds.CSI_NODE,
        {"spec/drivers": [{"name": "a", "nodeID": "1"}, {"name": "a", "nodeID": "2"}]},
        ("spec.drivers[1].name", DUPLICATE, 'Duplicate value: "a"'),
    ),
    (
        kinds.VOLUME_ATTRIBUTES_CLASS,
        {"parameters": {}},
        ("parameters", REQUIRED, "Required value: must contain at least one key/value pair"),
    ),
    (
        kinds.PRIORITY_CLASS,
        {"value": 1_000_000_001},
        ("value", FORBIDDEN, "Forbidden: maximum allowed value of a user defined priority is 1000000000"),
    ),
    (
        kinds.PRIORITY_CLASS,
        {"metadata/name": "system-mine"},
        (
            "metadata.name",
            FORBIDDEN,
            (
                "Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is "
                "not a known system priority class"
            ),
        ),
    ),
    (kinds.RUNTIME_CLASS, {"handler": ""}, ("handler", REQUIRED, "Required value")),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec/minReplicas": 5},
        ("spec.maxReplicas", INVALID, "Invalid value: 3: must be greater than or equal to `minReplicas`"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec/metrics": [{"type": "Pods"}]},
        ("spec.metrics[0].pods", REQUIRED, "Required value: must populate information for the given metric source"),
    ),
    (
        kinds.CERTIFICATE_SIGNING_REQUEST,
        {"spec/signerName": "signer"},
        (
            "spec.signerName",
            INVALID,
            "Invalid value: \"signer\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
        ),
    ),
    (
        kinds.CERTIFICATE_SIGNING_REQUEST,
        {"spec/expirationSeconds": 60},
        (
            "spec.expirationSeconds",
            INVALID,
            "Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)",
        ),
    ),
    (
        kinds.VALIDATING_WEBHOOK_CONFIGURATION,
        {"webhooks": [{**WEBHOOK, "timeoutSeconds": 31}]},
        (
            "webhooks[0].timeoutSeconds",
            INVALID,
            "Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
    ),
    (
        kinds.MUTATING_WEBHOOK_CONFIGURATION,
        {"webhooks": [{**WEBHOOK, "clientConfig": {}}]},
        (
            "webhooks[0].clientConfig",
            REQUIRED,
            "Required value: exactly one of url or service is required",
        ),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/matchConstraints": None},
        ("spec.matchConstraints", REQUIRED, "Required value"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY_BINDING,
        {"spec/validationActions": []},
        ("spec.validationActions", REQUIRED, "Required value: at least one validation action is required"),
    ),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {"metadata/name": "other.example.com"},
        (
            "metadata.name",
            INVALID,
            'Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group',
        ),
    ),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {"spec/versions/0/storage": False},
        ("spec.versions", INVALID, "Invalid value: must have exactly one version marked as storage version"),
    ),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {"spec/versions/0/schema": None},
        ("spec.versions[0].schema.openAPIV3Schema", REQUIRED, "Required value"),
    ),
    (
        kinds.API_SERVICE,
        {"metadata/name": "x"},
        (
            "metadata.name",
            INVALID,
            'Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.example.com"',
        ),
    ),
    (
        kinds.FLOW_SCHEMA,
        {"spec/matchingPrecedence": 1},
        (
            "spec.matchingPrecedence",
            INVALID,
            "Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
        ),
    ),
    (
        kinds.PRIORITY_LEVEL_CONFIGURATION,
        {"spec": {"type": "Limited"}},
        ("spec.limited", REQUIRED, "Required value: must not be empty when type is Limited"),
    ),
    (
        kinds.RESOURCE_CLAIM,
        {"spec/devices": {"requests": [{"name": "r"}]}},
        (
            "spec.devices.requests[0]",
            REQUIRED,
            "Required value: exactly one of `exactly` or `firstAvailable` is required",
        ),
    ),
    (
        kinds.RESOURCE_SLICE,
        {"spec/devices": [{"name": "d"}] * 129},
        ("spec.devices", TOO_MANY, "Too many: 129: must have at most 128 items"),
    ),
]

# What changes, and what may not: the path of the cause, its reason, and the beginning of its message.
UPDATE: list[tuple[kinds.Kind[Any], str, Change, Expected]] = [
    (
        kinds.PERSISTENT_VOLUME_CLAIM,
        "",
        {"spec/volumeName": "pv", "spec/accessModes": ["ReadWriteMany"]},
        ("spec", FORBIDDEN, "Forbidden: spec is immutable after creation"),
    ),
    (
        kinds.PERSISTENT_VOLUME,
        "",
        {"spec/hostPath/path": "/other"},
        ("spec.persistentvolumesource", FORBIDDEN, "Forbidden: spec.persistentvolumesource is immutable"),
    ),
    (
        kinds.RESOURCE_QUOTA,
        "",
        {"spec/scopes": ["NotTerminating"]},
        ("spec.scopes", INVALID, 'Invalid value: ["NotTerminating"]: field is immutable'),
    ),
    (
        kinds.STATEFUL_SET,
        "",
        {"spec/serviceName": "y"},
        ("spec", FORBIDDEN, "Forbidden: updates to statefulset spec for fields other than 'replicas'"),
    ),
    (
        kinds.STATEFUL_SET,
        "status",
        {"status/replicas": 1, "status/readyReplicas": 2},
        ("status.readyReplicas", INVALID, "Invalid value: 2: cannot be greater than status.replicas"),
    ),
    (
        kinds.JOB,
        "",
        {"spec/completions": 5},
        ("spec.completions", INVALID, "Invalid value: 5: field is immutable"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": [{"type": "Complete", "status": "True"}], "status/startTime": "2026-01-01T00:00:00Z"},
        ("status.completionTime", REQUIRED, "Required value: completionTime is required for Complete jobs"),
    ),
    (
        kinds.INGRESS_CLASS,
        "",
        {"spec/controller": "example.com/other"},
        ("spec.controller", INVALID, 'Invalid value: "example.com/other": field is immutable'),
    ),
    (
        kinds.POD_DISRUPTION_BUDGET,
        "status",
        {"status/disruptionsAllowed": -1},
        ("status.disruptionsAllowed", INVALID, "Invalid value: -1: must be greater than or equal to 0"),
    ),
    (
        kinds.ROLE_BINDING,
        "",
        {"roleRef/name": "other"},
        ("roleRef", INVALID, "Invalid value: "),
    ),
    (
        kinds.STORAGE_CLASS,
        "",
        {"parameters": {"a": "b"}},
        ("parameters", INVALID, 'Invalid value: {"a":"b"}: field is immutable'),
    ),
    (kinds.PRIORITY_CLASS, "", {"value": 7}, ("value", FORBIDDEN, "Forbidden: may not be changed in an update.")),
    (
        kinds.CERTIFICATE_SIGNING_REQUEST,
        "status",
        {"status/conditions": [{"type": "Approved", "status": "True"}]},
        ("status.conditions", FORBIDDEN, 'Forbidden: updates may not add a condition of type "Approved"'),
    ),
    (
        kinds.RESOURCE_CLAIM,
        "",
        {"spec/devices": {"requests": []}},
        ("spec", INVALID, "Invalid value: "),
    ),
]


@pytest.mark.parametrize(("kind", "change", "expected"), CREATE, ids=lambda value: getattr(value, "name", ""))
def test_create(kind: kinds.Kind[Any], change: Change, expected: Expected) -> None:
    assert expected in validation.validate_create(kind, build(kind, change))


@pytest.mark.parametrize(
    ("kind", "subresource", "change", "expected"), UPDATE, ids=lambda value: getattr(value, "name", "")
)
def test_update(kind: kinds.Kind[Any], subresource: str, change: Change, expected: Expected) -> None:
    causes = validation.validate_update(kind, build(kind, change), build(kind, {}), subresource)
    field, reason, message = expected
    assert any((c.field, c.reason) == (field, reason) and c.message.startswith(message) for c in causes), causes
