"""The schemas of types, read off their declarations: fields, formats, which fields must be there, how lists and structs merge.

A reference is `{"$ref": name}`; each version of OpenAPI writes it in its own way. There are no descriptions: the declarations carry none.
"""

from __future__ import annotations

import typing
from typing import Any

import msgspec

from api import meta_v1
from api.apply.schema import ATOMIC
from api.fields import DURATION, MICRO_TIME, QUANTITY, TIME, Field, IntOrString, Json, Type, fields_of
from api.kinds import Kind

Schema = dict[str, Any]

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
GVK = "x-kubernetes-group-version-kind"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
PATCH, STATUS, DELETE_OPTIONS = f"{META}.Patch", f"{META}.Status", f"{META}.DeleteOptions"
QUANTITY_NAME = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_ROOTS = {
    "meta": "io.k8s.apimachinery.pkg.apis",
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis",
    "metrics": "io.k8s.metrics.pkg.apis",
}
_EITHER = {
    what: f"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.{name}"
    for what, name in (
        ("JSON", "JSON"),
        ("bool", "JSONSchemaPropsOrBool"),
        ("array", "JSONSchemaPropsOrArray"),
        ("strings", "JSONSchemaPropsOrStringArray"),
    )
}
_SHARED: dict[Any, tuple[str, Schema]] = {
    TIME: (f"{META}.Time", {"type": "string", "format": "date-time"}),
    MICRO_TIME: (f"{META}.MicroTime", {"type": "string", "format": "date-time"}),
    QUANTITY: (QUANTITY_NAME, {"type": "string"}),
    IntOrString: (INT_OR_STRING, {"type": "string", "format": "int-or-string"}),
}
_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    float: {"type": "number", "format": "double"},
    bytes: {"type": "string", "format": "byte"},
    DURATION: {"type": "string"},
}
# The fields that every object of a kind may leave out, and the kinds that must have a spec.
_OF_OBJECTS = frozenset({"kind", "apiVersion", "metadata", "spec", "status"})
_WITH_SPEC = frozenset(
    {
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "CronJob",
        "CustomResourceDefinition",
        "DeviceClass",
        "HorizontalPodAutoscaler",
        "IPAddress",
        "LocalSubjectAccessReview",
        "ResourceClaim",
        "ResourceClaimTemplate",
        "ResourceSlice",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
        "TokenReview",
        "ValidatingAdmissionPolicyBinding",
        "VolumeAttachment",
    }
)
# What is always written need not be given by clients here, and must be there although it is not always written.
_NOT_NEEDED = {
    "AllocatedDeviceStatus": "conditions",
    "CSINodeDriver": "topologyKeys",
    "ClusterRole": "rules",
    "Container": "resources",
    "ContainerImage": "names",
    "ContainerStatus": "lastState state",
    "CustomResourceDefinitionStatus": "acceptedNames conditions storedVersions",
    "DeleteOptions": "kind apiVersion",
    "DeviceClaim": "requests",
    "Endpoint": "conditions",
    "EndpointSlice": "endpoints ports",
    "EphemeralContainer": "resources",
    "Event": "reportingComponent reportingInstance regarding",
    "FlowSchemaSpec": "matchingPrecedence",
    "HorizontalPodAutoscalerStatus": "currentMetrics",
    "IngressStatus": "loadBalancer",
    "JobTemplateSpec": "metadata spec",
    "NetworkPolicySpec": "podSelector",
    "NodeDaemonEndpoints": "kubeletEndpoint",
    "NodeRuntimeHandler": "name",
    "NodeStatus": "daemonEndpoints nodeInfo",
    "PersistentVolumeClaimSpec": "resources",
    "PodDisruptionBudgetStatus": "currentHealthy desiredHealthy disruptionsAllowed expectedPods",
    "PodFailurePolicyOnPodConditionsPattern": "status",
    "PodTemplate": "template",
    "PodTemplateSpec": "metadata spec",
    "PriorityClass": "value",
    "ProjectedVolumeSource": "sources",
    "QueuingConfiguration": "handSize queueLengthLimit queues",
    "ReplicaSetSpec": "template",
    "ResourceClaimSpec": "devices",
    "ResourceClaimTemplateSpec": "metadata",
    "ResourcePolicyRule": "namespaces",
    "Role": "rules",
    "RoleRef": "apiGroup",
    "SelfSubjectReviewStatus": "userInfo",
    "ServiceStatus": "loadBalancer",
    "StatefulSetOrdinals": "start",
    "StatefulSetSpec": "serviceName",
    "StatefulSetStatus": "availableReplicas",
    "TokenRequestSpec": "audiences boundObjectRef",
    "TokenRequestStatus": "token",
    "TokenReviewStatus": "user",
}
_NEEDED = {
    "CapacityRequestPolicyRange": "min",
    "Condition": "lastTransitionTime",
    "Counter": "value",
    "CounterSet": "counters",
    "DaemonSetSpec": "selector",
    "DeploymentSpec": "selector",
    "DeviceCapacity": "value",
    "DeviceCounterConsumption": "counters",
    "HTTPIngressPath": "pathType",
    "IPAddressSpec": "parentRef",
    "MutatingWebhook": "sideEffects",
    "OpaqueDeviceConfiguration": "parameters",
    "ParentReference": "name resource",
    "ReplicaSetSpec": "selector",
    "ScaleIOPersistentVolumeSource": "secretRef",
    "StatefulSetSpec": "selector",
    "TokenReviewSpec": "token",
    "ValidatingAdmissionPolicyBindingSpec": "policyName validationActions",
    "ValidatingWebhook": "sideEffects",
}


class Schemas:
    """Schemas by their names; a type brings all it is made of along."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def kind(self, kind: Kind[Any]) -> str:
        """Add a kind's type; its name."""
        name = self.add(kind.type)
        self.mark(name, kind.group, kind.version, kind.name)
        return name

    def mark(self, name: str, group: str, version: str, kind: str) -> None:
        """Say which kind a schema is of."""
        marks = self.found[name].setdefault(GVK, [])
        if (mark := {"group": group, "version": version, "kind": kind}) not in marks:
            marks.append(mark)

    def listing(self, kind: Kind[Any]) -> str:
        """Add the list of a kind; its name."""
        item = self.kind(kind)
        name = f"{item}List"
        if name not in self.found:
            text = {"type": "string"}
            properties = {
                "apiVersion": text,
                "kind": text,
                "metadata": {"$ref": self.add(meta_v1.ListMeta)},
                "items": {"type": "array", "items": {"$ref": item}},
            }
            self.found[name] = {"type": "object", "required": ["items"], "properties": properties}
            self.mark(name, kind.group, kind.version, f"{kind.name}List")
        return name

    def shared(self) -> None:
        """Add what operations on any kind need."""
        self.mark(self.add(meta_v1.Status), "", "v1", "Status")
        self.mark(self.add(meta_v1.DeleteOptions), "", "v1", "DeleteOptions")
        self.found[PATCH] = {"type": "object"}

    def add(self, cls: type[Type]) -> str:
        """Add a type; its name."""
        name = _name(cls)
        if name in self.found:
            return name
        schema: Schema = {"type": "object"}
        self.found[name] = schema  # before its fields: types may contain themselves
        widths = typing.get_type_hints(cls, include_extras=True)
        schema["properties"] = {
            json: self._property(field, _is_wide(widths[field.name])) for json, field in fields_of(cls).items()
        }
        if needed := _needed(cls):
            schema["required"] = needed
        if cls in ATOMIC:
            schema["x-kubernetes-map-type"] = "atomic"
        return name

    def _property(self, field: Field, wide: bool) -> Schema:
        item = self._item(field, wide)
        facts = field.facts
        merging: Schema = {}
        if facts is not None and (strategy := _strategy(facts.merge, facts.retain_keys)):
            merging["x-kubernetes-patch-strategy"] = strategy
            if isinstance(facts.merge, str):
                merging["x-kubernetes-patch-merge-key"] = facts.merge
        if field.shape == "map":
            mapped: Schema = {"type": "object", "additionalProperties": item}
            return mapped | ({"x-kubernetes-map-type": "atomic"} if facts is not None and facts.atomic else {})
        if field.shape == "list":
            return {"type": "array", "items": item} | _list_type(field) | merging
        return item | merging

    def _item(self, field: Field, wide: bool) -> Schema:
        if field.facts is not None and field.facts.either:
            name = _EITHER[field.facts.either]
            self.found[name] = {}  # anything: it has no one type
            return {"$ref": name}
        if field.struct is not None:
            return {"$ref": self.add(field.struct)}
        if field.item is int:
            return {"type": "integer", "format": "int64" if wide else "int32"}
        if shared := _SHARED.get(field.item):
            self.found[shared[0]] = shared[1]
            return {"$ref": shared[0]}
        if field.item is Json:
            return {"type": "object"}
        return dict(_SCALARS.get(field.item, {"type": "object"}))


def _name(cls: type[Type]) -> str:
    """`api.core_volumes_v1` is a part of core/v1."""
    module, _, version = cls.__module__.rpartition(".")[2].rpartition("_")
    package = module.partition("_")[0]
    return f"{_ROOTS.get(package, 'io.k8s.api')}.{package}.{version}.{cls.__name__}"


def _is_wide(hint: Any) -> bool:
    """Whether the numbers of a declaration have 64 bits."""
    if typing.get_origin(hint) is typing.Annotated:
        bounds = [extra.ge for extra in hint.__metadata__ if isinstance(extra, msgspec.Meta) and extra.ge is not None]
        return min(bounds, default=0) < -(2**31) or _is_wide(hint.__origin__)
    return any(_is_wide(part) for part in typing.get_args(hint))


def _needed(cls: type[Type]) -> list[str]:
    """The fields that an object of the type must have: those that are always written, with the exceptions above."""
    name = cls.__name__
    left_out = set(_NOT_NEEDED.get(name, "").split())
    if {"kind", "metadata"} <= fields_of(cls).keys():
        left_out |= _OF_OBJECTS - ({"spec"} if name in _WITH_SPEC else set())
    always = {
        field.encode_name
        for field in msgspec.structs.fields(cls)
        if field.default_factory not in (msgspec.NODEFAULT, list, dict)
    }
    return sorted(always - left_out | set(_NEEDED.get(name, "").split()))


def _strategy(merge: str | bool, retain_keys: bool) -> str:
    return ",".join(name for name, holds in (("merge", bool(merge)), ("retainKeys", retain_keys)) if holds)


def _list_type(field: Field) -> Schema:
    facts = field.facts
    if facts is None or facts.atomic:
        return {"x-kubernetes-list-type": "atomic"} if facts is not None else {}
    keys = list(facts.keys) or ([facts.merge] if isinstance(facts.merge, str) else [])
    if keys and field.struct is not None:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
    return {"x-kubernetes-list-type": "set"} if facts.unique else {}
