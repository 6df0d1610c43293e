"""Rules that were found by changing one field after the other beside an upstream server; each row is one of its answers."""

from typing import Any

import pytest

from api import codec, kinds, validation
from tests.causes import DUPLICATE, FORBIDDEN, INVALID, NOT_SUPPORTED, REQUIRED, Change, Expected, build, told

NOW = "2026-01-01T00:00:00Z"
TERM = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution"
AFFINITY = TERM.replace(".", "/")
METRIC = {"type": "Utilization", "averageUtilization": 50}
OBJECT = {
    "describedObject": {"kind": "K", "name": "n"},
    "metric": {"name": "m"},
    "target": {"type": "Value", "value": "1"},
}
INDEXED = {"spec/completionMode": "Indexed", "spec/completions": 3, "spec/backoffLimitPerIndex": 1}
HOOK = {"name": "s", "namespace": "n"}


DEFAULTED: list[tuple[kinds.Kind[Any], Change, str, Any]] = [
    (kinds.NODE, {"spec/podCIDR": "10.1.0.0/24"}, "spec/podCIDRs", ["10.1.0.0/24"]),
    (kinds.NODE, {"spec/podCIDRs": ["10.1.0.0/24"]}, "spec/podCIDR", "10.1.0.0/24"),
    (
        kinds.NODE,
        {"spec/podCIDR": "10.2.0.0/24", "spec/podCIDRs": ["10.1.0.0/24", "fd00::/64"]},
        "spec/podCIDRs",
        ["10.2.0.0/24"],
    ),
    (kinds.POD, {"spec/containers/0/image": "Not_A_Name"}, "spec/containers/0/imagePullPolicy", "IfNotPresent"),
    (kinds.POD, {"spec/containers/0/image": "a" * 256}, "spec/containers/0/imagePullPolicy", "IfNotPresent"),
    (kinds.POD, {"spec/containers/0/image": "h.io:1/a__b/c"}, "spec/containers/0/imagePullPolicy", "Always"),
    (
        kinds.POD,
        {"spec/containers/0/env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
        "spec/containers/0/env/0/valueFrom/resourceFieldRef/divisor",
        "0",
    ),
    (
        kinds.POD,
        {
            "spec/volumes": [
                {
                    "name": "v",
                    "downwardAPI": {"items": [{"path": "p", "resourceFieldRef": {"resource": "limits.cpu"}}]},
                }
            ]
        },
        "spec/volumes/0/downwardAPI/items/0/resourceFieldRef/divisor",
        "0",
    ),
    (
        kinds.DAEMON_SET,
        {"spec/updateStrategy": {"type": "OnDelete", "rollingUpdate": {"maxUnavailable": 2}}},
        "spec/updateStrategy/rollingUpdate/maxSurge",
        0,
    ),
    (
        kinds.STATEFUL_SET,
        {"spec/volumeClaimTemplates/0/kind": "Other"},
        "spec/volumeClaimTemplates/0/kind",
        "PersistentVolumeClaim",
    ),
    (kinds.JOB, {}, "metadata/labels", {"a": "b"}),
    (kinds.POD, {"spec/terminationGracePeriodSeconds": -1}, "spec/terminationGracePeriodSeconds", 1),
    (kinds.POD_DISRUPTION_BUDGET, {"status/disruptedPods": {"p": None, "q": NOW}}, "status/disruptedPods", {"q": NOW}),
]


def metrics(**metric: Any) -> Change:
    return {"spec/metrics": [metric]}


CREATE: list[tuple[kinds.Kind[Any], Change, Expected]] = [
    # nodes
    (kinds.NODE, {"spec/podCIDR": "x"}, ("spec.podCIDRs[0]", INVALID, "must be a valid CIDR value")),
    (
        kinds.NODE,
        {"spec/podCIDRs": ["10.1.0.0/24", "x"]},
        ("spec.podCIDRs", INVALID, "may specify no more than one CIDR for each IP family"),
    ),
    (
        kinds.NODE,
        {"status/declaredFeatures": ["lower"]},
        ("status.declaredFeatures[0]", INVALID, "must start with an UpperCamelCase segment"),
    ),
    (
        kinds.NODE,
        {"status/declaredFeatures": ["A" * 254]},
        ("status.declaredFeatures[0]", INVALID, "must be no more than 253 characters"),
    ),
    (kinds.NODE, {"status/declaredFeatures": ["B", "A"]}, ("status.declaredFeatures[1]", INVALID, "sorted")),
    (kinds.NODE, {"status/declaredFeatures": ["A", "A"]}, ("status.declaredFeatures[1]", DUPLICATE, '"A"')),
    # pods
    (
        kinds.POD,
        {"spec/hostUsers": False, "spec/containers/0/volumeDevices": [{"name": "v", "devicePath": "/d"}]},
        ("spec.containers[0].volumeDevices", FORBIDDEN, "when `hostUsers` is false"),
    ),
    (
        kinds.POD,
        {"spec/hostNetwork": True, "spec/securityContext": {"sysctls": [{"name": "net/ipv4.x", "value": "1"}]}},
        ("spec.securityContext.sysctls[0].name", INVALID, "may not be specified when 'hostNetwork' is true"),
    ),
    (
        kinds.POD,
        {"spec/hostIPC": True, "spec/securityContext": {"sysctls": [{"name": "kernel.shmmax", "value": "1"}]}},
        ("spec.securityContext.sysctls[0].name", INVALID, "may not be specified when 'hostIPC' is true"),
    ),
    (
        kinds.POD,
        {"spec/tolerations": [{"key": "a", "operator": "Gt", "value": "1"}]},
        ("spec.tolerations[0].operator", NOT_SUPPORTED, '"Equal", "Exists", "Lt", "Gt"'),
    ),
    (
        kinds.POD,
        {f"{AFFINITY}": [{"topologyKey": "z", "matchLabelKeys": ["a"]}]},
        (f"{TERM}[0].matchLabelKeys", FORBIDDEN, "must not be specified when labelSelector is not set"),
    ),
    (
        kinds.POD,
        {f"{AFFINITY}": [{"topologyKey": "z", "labelSelector": {}, "mismatchLabelKeys": ["-"]}]},
        (f"{TERM}[0].mismatchLabelKeys[0]", INVALID, "name part must consist of"),
    ),
    (
        kinds.POD,
        {
            f"{AFFINITY}": [
                {"topologyKey": "z", "labelSelector": {}, "matchLabelKeys": ["a"], "mismatchLabelKeys": ["a"]}
            ]
        },
        (f"{TERM}[0].matchLabelKeys[0]", INVALID, "exists in both matchLabelKeys and mismatchLabelKeys"),
    ),
    (
        kinds.POD,
        {
            "spec/topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "z",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {
                        "matchLabels": {"a": "b"},
                        "matchExpressions": [{"key": "a", "operator": "Exists"}],
                    },
                    "matchLabelKeys": ["a"],
                }
            ]
        },
        ("spec.topologySpreadConstraints[0][0]", INVALID, "exists in both matchLabelKeys and labelSelector"),
    ),
    (
        kinds.POD,
        {"spec/volumes": [{"name": "v", "image": {}}]},
        ("spec.volumes[0].image.reference", REQUIRED, "Required value"),
    ),
    # workloads
    (
        kinds.DEPLOYMENT,
        {"spec/strategy": {"rollingUpdate": {"maxSurge": ""}}},
        ("spec.strategy.rollingUpdate.maxSurge", INVALID, "a valid percent string"),
    ),
    (
        kinds.STATEFUL_SET,
        {"spec/serviceName": "a.b"},
        ("spec.serviceName", INVALID, "must not contain dots"),
    ),
    (
        kinds.JOB,
        {"spec/manualSelector": False},
        ("spec.template.metadata.labels[controller-uid]", REQUIRED, "must be ''"),
    ),
    (
        kinds.JOB,
        {**INDEXED, "spec/successPolicy": {"rules": [{"succeededIndexes": "1-2-3"}]}},
        ("spec.successPolicy.rules[0].succeededIndexes", INVALID, 'the fragment "1-2-3" violates'),
    ),
    # autoscalers
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec/scaleTargetRef/apiVersion": "v1"},
        ("spec.scaleTargetRef.apiVersion", INVALID, "apiVersion must specify API group"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec/scaleTargetRef/apiVersion": "a/b/c"},
        ("spec.scaleTargetRef.apiVersion", INVALID, "unexpected GroupVersion string: a/b/c"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec/maxReplicas": 0},
        ("spec.maxReplicas", REQUIRED, "must be set and greater than 0"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec/minReplicas": 0},
        ("spec.metrics", FORBIDDEN, "must specify at least one Object or External metric"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        metrics(type="", resource={"name": "cpu", "target": METRIC}),
        ("spec.metrics[0].type", NOT_SUPPORTED, '"ContainerResource"'),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        metrics(type="None", object={**OBJECT, "target": {}}),
        ("spec.metrics[0].object.target.type", INVALID, "must be either Utilization, Value, or AverageValue"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        metrics(type="Object", object={**OBJECT, "metric": {"name": "a/b"}}),
        ("spec.metrics[0].object.metric.name", INVALID, "may not contain '/'"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        metrics(type="Object", object=OBJECT, resource={"name": "cpu", "target": METRIC}),
        ("spec.metrics[0].resource", FORBIDDEN, "must populate the given metric source only"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        metrics(type="ContainerResource", containerResource={"name": "x", "container": "c", "target": METRIC}),
        ("spec.metrics[0].containerResource.name", INVALID, "must be a standard resource for containers"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        metrics(type="ContainerResource", containerResource={"name": "cpu", "container": "a.b", "target": METRIC}),
        ("spec.metrics[0].containerResource.container", INVALID, "must not contain dots"),
    ),
    (
        kinds.HORIZONTAL_POD_AUTOSCALER,
        {"spec/behavior": {"scaleUp": {"tolerance": "-1"}}},
        ("spec.behavior.scaleUp.tolerance", INVALID, "must be greater than or equal to 0"),
    ),
    # services and their endpoints
    (
        kinds.SERVICE,
        {
            "metadata/annotations": {
                "service.kubernetes.io/topology-mode": "a",
                "service.kubernetes.io/topology-aware-hints": "b",
            }
        },
        ("metadata.annotations[service.kubernetes.io/topology-mode]", INVALID, "when both are specified"),
    ),
    (
        kinds.SERVICE,
        {"metadata/annotations": {"service.beta.kubernetes.io/load-balancer-source-ranges": "x"}},
        (
            "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]",
            INVALID,
            "must be a valid CIDR value",
        ),
    ),
    (
        kinds.SERVICE,
        {"metadata/annotations": {"service.beta.kubernetes.io/load-balancer-source-ranges": ""}},
        (
            "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]",
            FORBIDDEN,
            "may only be used when `type` is 'LoadBalancer'",
        ),
    ),
    (
        kinds.SERVICE,
        {"spec/clusterIP": "None", "spec/clusterIPs": ["None", "x"]},
        ("spec.clusterIPs[1]", INVALID, "must be a valid IP address"),
    ),
    (
        kinds.ENDPOINT_SLICE,
        {"addressType": "FQDN", "endpoints": [{"addresses": ["one"]}]},
        ("endpoints[0].addresses[0]", INVALID, "should be a domain with at least two segments separated by dots"),
    ),
    (
        kinds.ENDPOINT_SLICE,
        {"addressType": "FQDN", "endpoints": [{"addresses": [""]}]},
        ("endpoints[0].addresses[0]", REQUIRED, "Required value"),
    ),
    (kinds.ENDPOINT_SLICE, {"ports": [{"protocol": ""}]}, ("ports[0].protocol", NOT_SUPPORTED, '"SCTP"')),
    # events
    (kinds.EVENT, {"metadata/labels": {"-": "b"}}, ("metadata.labels", INVALID, "name part must consist of")),
    # access
    (
        kinds.CLUSTER_ROLE,
        {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"-": "b"}}]}},
        ("aggregationRule.clusterRoleSelectors[0]", INVALID, "invalid label selector."),
    ),
    (kinds.PRIORITY_CLASS, {"preemptionPolicy": ""}, ("preemptionPolicy", REQUIRED, "Required value")),
    # flows
    (
        kinds.FLOW_SCHEMA,
        {"spec/rules/0/subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": "-", "namespace": "a"}}]},
        ("spec.rules[0].subjects[0].serviceAccount.name", INVALID, "a lowercase RFC 1123 subdomain"),
    ),
    (
        kinds.FLOW_SCHEMA,
        {"spec/rules/0/subjects": [{"kind": "ServiceAccount", "serviceAccount": {}}]},
        ("spec.rules[0].subjects[0].serviceAccount.namespace", REQUIRED, "must specify namespace"),
    ),
    (
        kinds.FLOW_SCHEMA,
        {"spec/rules/0/subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "a.b"}}]},
        ("spec.rules[0].subjects[0].serviceAccount.namespace", INVALID, "must not contain dots"),
    ),
    (
        kinds.FLOW_SCHEMA,
        {"spec/rules/0/nonResourceRules": [{"verbs": ["x"], "nonResourceURLs": ["/a"]}]},
        ("spec.rules[0].nonResourceRules[0].verbs", NOT_SUPPORTED, 'values: "create", "delete", "deletecollection"'),
    ),
    (
        kinds.PRIORITY_LEVEL_CONFIGURATION,
        {
            "spec/limited/limitResponse": {
                "type": "Queue",
                "queuing": {"queues": 70_000, "handSize": 6, "queueLengthLimit": 1},
            }
        },
        ("spec.limited.limitResponse.queuing.handSize", INVALID, "should not be greater than 60"),
    ),
    # what extends the API
    (
        kinds.API_SERVICE,
        {"spec/group": "", "spec/version": "v2"},
        ("spec.group", REQUIRED, "only v1 may have an empty group"),
    ),
    (kinds.API_SERVICE, {"spec/version": ""}, ("spec.version", INVALID, "a DNS-1035 label")),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {"spec/versions/0/name": "-"},
        ("spec.version", INVALID, "a DNS-1035 label"),
    ),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {"spec/versions/0/schema/openAPIV3Schema/type": "string"},
        ("spec.validation.openAPIV3Schema.type", INVALID, "must be object at the root"),
    ),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {
            "spec/conversion": {
                "strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"service": {**HOOK, "path": "/A"}}},
            }
        },
        ("spec.conversion.webhookClientConfig.service.path", INVALID, "segment[0]: a lowercase RFC 1123 subdomain"),
    ),
    (
        kinds.CUSTOM_RESOURCE_DEFINITION,
        {
            "spec/preserveUnknownFields": True,
            "spec/conversion": {
                "strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"service": HOOK}},
            },
        },
        ("spec.conversion.strategy", INVALID, "must be None if spec.preserveUnknownFields is true"),
    ),
    # webhooks and policies
    (
        kinds.VALIDATING_WEBHOOK_CONFIGURATION,
        {"webhooks/0/clientConfig": {"service": {**HOOK, "path": "//"}}},
        ("webhooks[0].clientConfig.service.path", INVALID, "segment[0] may not be empty"),
    ),
    (
        kinds.VALIDATING_WEBHOOK_CONFIGURATION,
        {"webhooks/0/clientConfig": {"service": {**HOOK, "path": "a//b"}}},
        ("webhooks[0].clientConfig.service.path", INVALID, "segment[0] may not be empty"),
    ),
    (
        kinds.VALIDATING_WEBHOOK_CONFIGURATION,
        {"webhooks/0/clientConfig/url": "50%"},
        ("webhooks[0].clientConfig.url", REQUIRED, 'invalid URL escape "%"'),
    ),
    (
        kinds.VALIDATING_WEBHOOK_CONFIGURATION,
        {"webhooks/0/failurePolicy": ""},
        ("webhooks[0].failurePolicy", NOT_SUPPORTED, '"Fail", "Ignore"'),
    ),
    (
        kinds.MUTATING_WEBHOOK_CONFIGURATION,
        {"webhooks/0/reinvocationPolicy": ""},
        ("webhooks[0].reinvocationPolicy", NOT_SUPPORTED, '"IfNeeded", "Never"'),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/paramKind": {"apiVersion": "a/b/c", "kind": "K"}},
        ("spec.paramKind.apiVersion", INVALID, "unexpected GroupVersion string"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/paramKind": {"apiVersion": "-/v1", "kind": "K"}},
        ("spec.paramKind.apiVersion", INVALID, "a lowercase RFC 1123 subdomain"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/paramKind": {"apiVersion": "a.b/", "kind": "K"}},
        ("spec.paramKind.apiVersion", INVALID, "version must be specified"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/paramKind": {"apiVersion": "-", "kind": "K"}},
        ("spec.paramKind.apiVersion", INVALID, "a DNS-1035 label"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/paramKind": {"apiVersion": "v1", "kind": "a_b"}},
        ("spec.paramKind.kind", INVALID, "may have mixed case, but should otherwise match"),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/validations/0/reason": "Unauthorized"},
        ("spec.validations[0].reason", NOT_SUPPORTED, '"RequestEntityTooLarge"'),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"spec/auditAnnotations": [{"key": "-", "valueExpression": "'a'"}]},
        ("spec.auditAnnotations[0].key", INVALID, 'Invalid value: "x/-": name part'),
    ),
    (
        kinds.VALIDATING_ADMISSION_POLICY,
        {"metadata/name": "", "spec/auditAnnotations": [{"key": "k", "valueExpression": "'a'"}]},
        ("spec.auditAnnotations[0].key", INVALID, "requires metadata.name be non-empty"),
    ),
    (
        kinds.MUTATING_ADMISSION_POLICY,
        {"spec/matchConstraints/resourceRules/0/operations": ["DELETE"]},
        ("spec.matchConstraints.resourceRules.operations", NOT_SUPPORTED, '"*", "CONNECT", "CREATE", "UPDATE"'),
    ),
    (
        kinds.MUTATING_ADMISSION_POLICY,
        {"spec/mutations/0/applyConfiguration": {"expression": "Object{}"}},
        ("spec.mutations[0].applyConfiguration", INVALID, '"{applyConfiguration}": must not be specified'),
    ),
    (
        kinds.MUTATING_ADMISSION_POLICY_BINDING,
        {
            "spec/matchResources": {
                "resourceRules": [
                    {"operations": ["DELETE"], "apiGroups": ["a"], "apiVersions": ["v1"], "resources": ["b"]}
                ]
            }
        },
        ("spec.matchResources.resourceRules.operations", NOT_SUPPORTED, '"*", "CONNECT", "CREATE", "UPDATE"'),
    ),
]

GOOD: list[tuple[kinds.Kind[Any], Change]] = [
    (kinds.LEASE, {"spec": {"strategy": "Anything", "preferredHolder": "me"}}),
    (kinds.POD_DISRUPTION_BUDGET, {"metadata/name": "Any_Name"}),
    (kinds.VALIDATING_WEBHOOK_CONFIGURATION, {"webhooks/0/clientConfig": {"service": {**HOOK, "path": ""}}}),
    (kinds.HORIZONTAL_POD_AUTOSCALER, {"spec/scaleTargetRef": {"kind": "ReplicationController", "name": "a"}}),
]

SILENT: list[tuple[kinds.Kind[Any], Change, int]] = [
    (kinds.ENDPOINT_SLICE, {"addressType": "X", "endpoints": [{"addresses": ["-"]}]}, 1),
    (kinds.NETWORK_POLICY, {"spec/policyTypes": ["Ingress", "Egress", "X"]}, 1),
    (
        kinds.NETWORK_POLICY,
        {"spec/ingress": [{"from": [{"ipBlock": {"cidr": "x", "except": ["y"]}}]}]},
        1,
    ),
    (kinds.PRIORITY_LEVEL_CONFIGURATION, {"spec/type": "X", "spec/limited/limitResponse/type": "Y"}, 1),
    (kinds.MUTATING_ADMISSION_POLICY, {"spec/mutations/0/patchType": "X"}, 1),
    (kinds.SERVICE_CIDR, {"spec/cidrs": ["x", "y", "z"]}, 1),
    (kinds.DAEMON_SET, {"spec/selector": None, "spec/template/metadata/labels": {}}, 1),
]


@pytest.mark.parametrize(("kind", "change", "expected"), CREATE, ids=lambda value: getattr(value, "name", ""))
def test_new_objects(kind: kinds.Kind[Any], change: Change, expected: Expected) -> None:
    causes = validation.validate_create(kind, build(kind, change))
    assert told(causes, expected), causes


@pytest.mark.parametrize(("kind", "change"), GOOD, ids=lambda value: getattr(value, "name", ""))
def test_what_is_let_through(kind: kinds.Kind[Any], change: Change) -> None:
    assert validation.validate_create(kind, build(kind, change)) == []


@pytest.mark.parametrize(("kind", "change", "count"), SILENT, ids=lambda value: getattr(value, "name", ""))
def test_what_is_not_told_in_addition(kind: kinds.Kind[Any], change: Change, count: int) -> None:
    causes = validation.validate_create(kind, build(kind, change))
    assert len(causes) == count, causes


@pytest.mark.parametrize(("kind", "change", "path", "value"), DEFAULTED, ids=lambda value: getattr(value, "name", ""))
def test_defaults(kind: kinds.Kind[Any], change: Change, path: str, value: Any) -> None:
    place: Any = codec.to_dict(build(kind, change))
    for step in path.split("/"):
        place = place[int(step)] if isinstance(place, list) else place[step]
    assert place == value
