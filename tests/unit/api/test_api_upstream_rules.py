"""Rules that were found by changing one field after the other beside an upstream server; each row is one of its answers."""

from typing import Any

import pytest

from api import kinds, validation
from tests import samples

Change = dict[str, Any]
Expected = tuple[str, str, str]

REQUIRED, INVALID = "FieldValueRequired", "FieldValueInvalid"
FORBIDDEN, DUPLICATE, NOT_SUPPORTED = "FieldValueForbidden", "FieldValueDuplicate", "FieldValueNotSupported"
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
TERM = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution"
AFFINITY = TERM.replace(".", "/")
METRIC = {"type": "Utilization", "averageUtilization": 50}
OBJECT = {
    "describedObject": {"kind": "K", "name": "n"},
    "metric": {"name": "m"},
    "target": {"type": "Value", "value": "1"},
}
INDEXED = {"spec/completionMode": "Indexed", "spec/completions": 3, "spec/backoffLimitPerIndex": 1}
DONE = [{"type": "Complete", "status": "True"}, {"type": "SuccessCriteriaMet", "status": "True"}]
FAILED = [{"type": "Failed", "status": "True"}, {"type": "FailureTarget", "status": "True"}]
HOOK = {"name": "s", "namespace": "n"}


def build(kind: kinds.Kind[Any], change: Change) -> Any:
    """The good object with some fields changed; steps are parted by slashes, for labels have dots."""
    return samples.changed(kind, change, separator="/")


def metrics(**metric: Any) -> Change:
    return {"spec/metrics": [metric]}


def told(causes: list[validation.Cause], expected: Expected) -> bool:
    field, reason, message = expected
    return any((one.field, one.reason) == (field, reason) and message in one.message for one in causes)


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
    # jobs
    (
        kinds.JOB,
        "",
        {"spec/suspend": True},
        {"spec/suspend": True, "spec/template/spec/hostname": "x"},
        ("spec.template.spec", INVALID, "field is immutable"),
    ),
    (
        kinds.JOB,
        "",
        {"spec/suspend": True, "status/startTime": NOW},
        {"spec/suspend": True, "spec/template/spec/nodeSelector": {"a": "b"}},
        ("spec.template", INVALID, "field is immutable"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/failed": 2},
        {"status/failed": 1},
        ("status.failed", INVALID, "cannot decrease the failed counter"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/succeeded": 2},
        {"status/succeeded": 1},
        ("status.succeeded", INVALID, "cannot decrease the succeeded counter"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
        ("status.uncountedTerminatedPods.failed[0]", DUPLICATE, '"a"'),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/uncountedTerminatedPods": {"succeeded": [""]}},
        ("status.uncountedTerminatedPods.succeeded[0]", INVALID, "must not be empty"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED, "status/uncountedTerminatedPods": {"failed": ["a"]}},
        ("status.uncountedTerminatedPods", INVALID, "must be empty for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": [*DONE, *FAILED]},
        ("status.conditions", INVALID, "cannot set Complete=True and Failed=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": [*DONE, *FAILED]},
        ("status.conditions", INVALID, "cannot set Complete=True and FailureTarget=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": [*DONE, *FAILED]},
        ("status.conditions", INVALID, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED[:1]},
        ("status.conditions", INVALID, "cannot set Failed=True condition without the FailureTarget=true condition"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": DONE[:1]},
        ("status.conditions", INVALID, "cannot set Complete=True condition without the SuccessCriteriaMet=true"),
    ),
    (
        kinds.JOB,
        "status",
        {**INDEXED, "spec/successPolicy": {"rules": [{"succeededCount": 1}]}},
        {**INDEXED, "spec/successPolicy": {"rules": [{"succeededCount": 1}]}, "status/conditions": DONE[:1]},
        ("status.conditions", INVALID, "with SuccessPolicy unless SuccessCriteriaMet=True"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": FAILED},
        {},
        ("status.conditions", INVALID, "cannot disable the terminal Failed=True condition"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": DONE},
        {},
        ("status.conditions", INVALID, "cannot disable the SuccessCriteriaMet=True condition"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": DONE[:1]},
        {"status/conditions": DONE},
        ("status.conditions", INVALID, "already has Complete=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/completionTime": NOW},
        ("status.completionTime", INVALID, "when there is no Complete=True condition"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/startTime": LATER, "status/completionTime": NOW},
        ("status.completionTime", INVALID, "must be equal to or after `startTime`"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/completionTime": NOW},
        {"status/completionTime": LATER},
        ("status.completionTime", INVALID, "field is immutable"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/startTime": NOW},
        {"status/startTime": LATER},
        ("status.startTime", INVALID, "field is immutable for unsuspended job once set"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED},
        ("status.startTime", REQUIRED, "startTime is required for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED, "status/active": 1},
        ("status.active", INVALID, "active>0 is invalid for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED, "status/terminating": 1},
        ("status.terminating", INVALID, "terminating>0 is invalid for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/ready": 1},
        ("status.ready", INVALID, "cannot set more ready pods than active"),
    ),
    (
        kinds.JOB,
        "status",
        INDEXED,
        {**INDEXED, "status/completedIndexes": "9"},
        ("status.completedIndexes", INVALID, 'error parsing completedIndexes: too large index: "9"'),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/completedIndexes": "1"},
        ("status.completedIndexes", INVALID, "when non-indexed completion mode"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/failedIndexes": "1"},
        ("status.failedIndexes", INVALID, "when backoffLimitPerIndex is null"),
    ),
    (
        kinds.JOB,
        "status",
        INDEXED,
        {**INDEXED, "status/failedIndexes": "x"},
        ("status.failedIndexes", INVALID, "error parsing failedIndexes"),
    ),
    (
        kinds.JOB,
        "status",
        INDEXED,
        {**INDEXED, "status/completedIndexes": "0-1", "status/failedIndexes": "1"},
        ("status.failedIndexes", INVALID, "failedIndexes and completedIndexes overlap at index: 1"),
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


@pytest.mark.parametrize(
    ("kind", "subresource", "old", "new", "expected"), UPDATE, ids=lambda value: getattr(value, "name", "")
)
def test_changes(kind: kinds.Kind[Any], subresource: str, old: Change, new: Change, expected: Expected) -> None:
    causes = validation.validate_update(kind, build(kind, new), build(kind, old), subresource)
    assert told(causes, expected), causes


@pytest.mark.parametrize(("kind", "subresource", "old", "new"), ALLOWED, ids=lambda value: getattr(value, "name", ""))
def test_what_may_change(kind: kinds.Kind[Any], subresource: str, old: Change, new: Change) -> None:
    assert validation.validate_update(kind, build(kind, new), build(kind, old), subresource) == []
