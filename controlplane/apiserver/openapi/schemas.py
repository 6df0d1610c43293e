"""The schemas of types, read off their declarations: fields, formats, which fields must be there, how lists and structs merge.

A reference is `{"$ref": name}`, perhaps with a description beside it; each version of OpenAPI writes that in its own way.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from api import meta_v1
from api.apply.schema import ATOMIC, GRANULAR
from api.fields import DURATION, MICRO_TIME, QUANTITY, TIME, Field, IntOrString, Json, Type, fields_of
from api.kinds import Kind
from controlplane.apiserver.openapi import descriptions

Schema = dict[str, Any]
T = TypeVar("T")

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
GVK = "x-kubernetes-group-version-kind"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
PATCH, STATUS, DELETE_OPTIONS = f"{META}.Patch", f"{META}.Status", f"{META}.DeleteOptions"
QUANTITY_NAME = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_RAW, _FIELDS, _EVENT = "io.k8s.apimachinery.pkg.runtime.RawExtension", f"{META}.FieldsV1", f"{META}.WatchEvent"
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
    TIME: (f"{META}.Time", {"description": "A time, to the second.", "type": "string", "format": "date-time"}),
    MICRO_TIME: (
        f"{META}.MicroTime",
        {"description": "A time, to the microsecond.", "type": "string", "format": "date-time"},
    ),
    QUANTITY: (
        QUANTITY_NAME,
        {"description": "An amount, perhaps with a unit: 500m, 1.5, 2Gi, 1e3.", "type": "string"},
    ),
    IntOrString: (
        INT_OR_STRING,
        {"description": "A whole number, or text.", "type": "string", "format": "int-or-string"},
    ),
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
_KIND = frozenset({"kind", "api_version"})
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
    "AllocationResult": "devices",
    "CSINodeDriver": "topologyKeys",
    "ClusterRole": "rules",
    "Container": "resources",
    "ContainerImage": "names",
    "ContainerStatus": "lastState state",
    "CustomResourceDefinitionStatus": "acceptedNames conditions storedVersions",
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
    "core.Event": "metadata",
    "Counter": "value",
    "CounterSet": "counters",
    "DaemonSetSpec": "selector",
    "DeploymentSpec": "selector",
    "DeviceCapacity": "value",
    "DeviceCounterConsumption": "counters",
    "events.Event": "eventTime",
    "events.EventSeries": "lastObservedTime",
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
_SAID_GRANULAR = frozenset({("PersistentVolumeClaimStatus", "allocatedResourceStatuses")})
# Of what only one part may be there: the field that says which, and the parts by what it then says.
_UNIONS: dict[str, tuple[str, str]] = {
    "AppArmorProfile": ("type", "localhostProfile"),
    "LimitResponse": ("type", "queuing"),
    "PodSchedulingGroup": ("", "podGroupName"),
    "PriorityLevelConfigurationSpec": ("type", "exempt limited"),
    "SeccompProfile": ("type", "localhostProfile"),
    "flowcontrol.Subject": ("kind", "group serviceAccount user"),
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
            properties: dict[str, Schema] = {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"$ref": self.add(meta_v1.ListMeta)},
                "items": {"type": "array", "items": {"$ref": item}},
            }
            for field, schema in properties.items():
                schema["description"] = descriptions.of_everywhere("List", field)
            described = f"A list of objects of the kind {kind.name}."
            self.found[name] = {
                "description": described,
                "type": "object",
                "required": ["items"],
                "properties": properties,
            }
            self.mark(name, kind.group, kind.version, f"{kind.name}List")
        return name

    def shared(self, kinds: Iterable[Kind[Any]]) -> None:
        """Add what operations on any kind need, and the frame of watches; some are there in every group."""
        self.add(meta_v1.Status)
        self.add(meta_v1.DeleteOptions)
        self.found[PATCH] = {"description": "Changes to an object, in one of the forms of patches.", "type": "object"}
        self.found[_EVENT] = {
            "description": "Something that happened to an object that is watched.",
            "type": "object",
            "required": ["type", "object"],
            "properties": {"type": {"type": "string"}, "object": {"$ref": self._raw()}},
        }
        places = {(kind.group, kind.version) for kind in kinds}
        for group, version in sorted(places | {("", "v1")}):
            self.mark(DELETE_OPTIONS, group, version, "DeleteOptions")
            self.mark(_EVENT, group, version, "WatchEvent")

    def add(self, cls: type[Type]) -> str:
        """Add a type; its name."""
        name = _name(cls)
        if name in self.found:
            return name
        schema: Schema = {"type": "object"}
        self.found[name] = schema  # before its fields: types may contain themselves
        if described := descriptions.of_type(cls):
            schema["description"] = described
        if properties := self._properties(cls):
            schema["properties"] = properties
        if (union := _named(_UNIONS, cls)) is not None:
            schema["x-kubernetes-unions"] = [_union(*union)]
        if (declared := _declared(cls)) is not None:
            self.mark(name, *declared)
        if needed := _needed(cls):
            schema["required"] = needed
        if cls in ATOMIC:
            schema["x-kubernetes-map-type"] = "atomic"
        return name

    def _properties(self, cls: type[Type]) -> dict[str, Schema]:
        widths = typing.get_type_hints(cls, include_extras=True)
        described = descriptions.of_fields(cls)
        properties = {}
        for json, field in fields_of(cls).items():
            properties[json] = schema = self._property(field, _is_wide(widths[field.name]))
            if (cls, json) in GRANULAR or (cls.__name__, json) in _SAID_GRANULAR:
                schema["x-kubernetes-map-type"] = "granular"
            if text := described.get(field.name) or descriptions.of_everywhere(cls.__name__, json):
                schema["description"] = text
        return properties

    def _property(self, field: Field, wide: bool) -> Schema:
        item = self._item(field, wide)
        facts = field.facts
        merging: Schema = {}
        if facts is not None and facts.replaced:
            merging["x-kubernetes-patch-strategy"] = "replace"
        elif facts is not None and (strategy := _strategy(facts.merge, facts.retain_keys)):
            merging["x-kubernetes-patch-strategy"] = strategy
            if isinstance(facts.merge, str):
                merging["x-kubernetes-patch-merge-key"] = facts.merge
        if field.shape == "map":
            mapped: Schema = {"type": "object", "additionalProperties": item}
            return mapped | ({"x-kubernetes-map-type": "atomic"} if facts is not None and facts.atomic else {})
        if field.shape == "list":
            return {"type": "array", "items": item} | _list_type(field) | merging
        if field.item is bytes and facts is not None and facts.atomic:
            merging["x-kubernetes-list-type"] = "atomic"
        return item | merging

    def _item(self, field: Field, wide: bool) -> Schema:
        if field.facts is not None and field.facts.either:
            name = _EITHER[field.facts.either]
            self.found[name] = {"description": "A schema, or something in its place."}  # it has no one type
            return {"$ref": name}
        if field.struct is not None:
            return {"$ref": self.add(field.struct)}
        if field.item is int:
            return {"type": "integer", "format": "int64" if wide else "int32"}
        if shared := _SHARED.get(field.item):
            self.found[shared[0]] = shared[1]
            return {"$ref": shared[0]}
        if field.item is Json:
            return {"$ref": self._raw(_FIELDS if field.json == "fieldsV1" else _RAW)}
        if typing.get_origin(field.item) is list:
            return {"type": "array", "items": dict(_SCALARS[typing.get_args(field.item)[0]])}
        scalar = dict(_SCALARS.get(field.item, {"type": "object"}))
        if field.facts is not None and field.facts.among:
            scalar["enum"] = list(field.facts.among)
        return scalar

    def _raw(self, name: str = _RAW) -> str:
        said = "An object of any kind." if name == _RAW else "Fields, as a tree of their names."
        self.found[name] = {"description": said, "type": "object"}
        return name


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
    name, fields = cls.__name__, fields_of(cls)
    left_out = set(_NOT_NEEDED.get(name, "").split())
    if {"kind", "metadata"} <= fields.keys():
        left_out |= _OF_OBJECTS - ({"spec"} if name in _WITH_SPEC else set())
    if _declared(cls) is not None:
        left_out |= {"kind", "apiVersion"}
    always = {
        field.encode_name
        for field in msgspec.structs.fields(cls)
        if field.default_factory not in (msgspec.NODEFAULT, list, dict)
    }
    needed = always - left_out | set((_named(_NEEDED, cls) or "").split())
    return [json for json in fields if json in needed]


def _named(table: dict[str, T], cls: type[Type]) -> T | None:
    """What a table says of a type, by its name, or by its group and name where several have the name."""
    group = cls.__module__.rpartition(".")[2].partition("_")[0]
    return table.get(f"{group}.{cls.__name__}") or table.get(cls.__name__)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return None if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _declared(cls: type[Type]) -> tuple[str, str, str] | None:
    """Group, version and kind of a type whose objects always say them."""
    made = {field.name: _default(field) for field in msgspec.structs.fields(cls) if field.name in _KIND}
    if len(made) < 2 or not all(made.values()):
        return None
    group, _, version = made["api_version"].rpartition("/")
    return group, version, made["kind"]


def _union(discriminator: str, parts: str) -> Schema:
    said = {part: part[0].upper() + part[1:] for part in parts.split()}
    named = {"discriminator": discriminator} if discriminator else {}
    return {**named, "fields-to-discriminateBy": said}


def _strategy(merge: str | bool, retain_keys: bool) -> str:
    return ",".join(name for name, holds in (("merge", bool(merge)), ("retainKeys", retain_keys)) if holds)


def _list_type(field: Field) -> Schema:
    facts = field.facts
    if facts is None or facts.atomic:
        return {"x-kubernetes-list-type": "atomic"} if facts is not None else {}
    keys = list(facts.keys) or ([facts.merge] if isinstance(facts.merge, str) else [])
    if keys and field.struct is not None:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
    return {"x-kubernetes-list-type": "set"} if facts.unique or facts.merge is True else {}
