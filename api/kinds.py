"""The table of kinds: for each its group, version, names, scope, type, verbs, subresources and REST path.

A type is imported when it is first asked for: who handles only Pods does not carry the declarations of all other groups.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from api.fields import Type

if TYPE_CHECKING:
    from api import (
        admissionregistration_v1,
        apiextensions_v1,
        apiregistration_v1,
        apps_sets_v1,
        apps_v1,
        authentication_v1,
        authorization_v1,
        autoscaling_v1,
        autoscaling_v2,
        batch_v1,
        certificates_v1,
        certificates_v1beta1,
        coordination_v1,
        core_limits_v1,
        core_templates_v1,
        core_v1,
        core_volumes_v1,
        discovery_v1,
        events_v1,
        flowcontrol_v1,
        metrics_v1beta1,
        networking_v1,
        node_v1,
        policy_v1,
        rbac_v1,
        resource_v1,
        scheduling_v1,
        storage_v1,
    )

T = TypeVar("T", bound=Type)

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_READ_WRITE = ("get", "patch", "update")
_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")


@dataclass(frozen=True, eq=False, slots=True)
class Subresource:
    """One subresource: what it is called, what may be done with it, and what its bodies say they are."""

    name: str
    verbs: tuple[str, ...]
    group: str
    version: str
    kind: str


@dataclass(frozen=True, eq=False)
class Kind(Generic[T]):
    """One kind of object as the API serves it."""

    group: str
    version: str
    name: str
    plural: str
    module: str  # of api, where its type is declared; its rules have modules of the same name
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    stored_as: Kind[Any] | None = None  # a second view: its objects are kept as those of this kind

    @cached_property
    def type(self) -> builtins.type[T]:
        """The declaration of its objects."""
        declared: builtins.type[T] = getattr(importlib.import_module(f"api.{self.module}"), self.name)
        return declared

    @property
    def singular(self) -> str:
        """`pod`, as people may type it."""
        return self.name.lower()

    @property
    def api_version(self) -> str:
        """`v1` or `apps/v1`, as it stands in objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`pods` or `deployments.apps`, as it stands in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The REST path of the collection, or of one object or its subresource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)

    def __repr__(self) -> str:
        return f"Kind({self.api_version} {self.name})"


def _table(*subresources: Subresource) -> dict[str, Subresource]:
    return {subresource.name: subresource for subresource in subresources}


def _own(
    kind: str, group: str = "", name: str = "status", verbs: tuple[str, ...] = _READ_WRITE, version: str = "v1"
) -> Subresource:
    """A subresource whose bodies are the object itself."""
    return Subresource(name, verbs, group, version, kind)


_SCALE = Subresource("scale", _READ_WRITE, "autoscaling", "v1", "Scale")

# core
BINDING: Kind[core_v1.Binding] = Kind("", "v1", "Binding", "bindings", "core_v1", verbs=("create",))
COMPONENT_STATUS: Kind[core_v1.ComponentStatus] = Kind(
    "",
    "v1",
    "ComponentStatus",
    "componentstatuses",
    "core_v1",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
)
CONFIG_MAP: Kind[core_v1.ConfigMap] = Kind("", "v1", "ConfigMap", "configmaps", "core_v1", short_names=("cm",))
ENDPOINTS: Kind[core_v1.Endpoints] = Kind("", "v1", "Endpoints", "endpoints", "core_v1", short_names=("ep",))
EVENT: Kind[core_v1.Event] = Kind("", "v1", "Event", "events", "core_v1", short_names=("ev",))
LIMIT_RANGE: Kind[core_limits_v1.LimitRange] = Kind(
    "", "v1", "LimitRange", "limitranges", "core_limits_v1", short_names=("limits",)
)
NAMESPACE: Kind[core_v1.Namespace] = Kind(
    "",
    "v1",
    "Namespace",
    "namespaces",
    "core_v1",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=_table(_own("Namespace", name="finalize", verbs=("update",)), _own("Namespace")),
)
NODE: Kind[core_v1.Node] = Kind(
    "",
    "v1",
    "Node",
    "nodes",
    "core_v1",
    namespaced=False,
    short_names=("no",),
    subresources=_table(Subresource("proxy", _PROXY, "", "v1", "NodeProxyOptions"), _own("Node")),
)
PERSISTENT_VOLUME_CLAIM: Kind[core_volumes_v1.PersistentVolumeClaim] = Kind(
    "",
    "v1",
    "PersistentVolumeClaim",
    "persistentvolumeclaims",
    "core_volumes_v1",
    short_names=("pvc",),
    subresources=_table(_own("PersistentVolumeClaim")),
)
PERSISTENT_VOLUME: Kind[core_volumes_v1.PersistentVolume] = Kind(
    "",
    "v1",
    "PersistentVolume",
    "persistentvolumes",
    "core_volumes_v1",
    namespaced=False,
    short_names=("pv",),
    subresources=_table(_own("PersistentVolume")),
)
POD: Kind[core_v1.Pod] = Kind(
    "",
    "v1",
    "Pod",
    "pods",
    "core_v1",
    short_names=("po",),
    categories=("all",),
    subresources=_table(
        Subresource("attach", _CONNECT, "", "v1", "PodAttachOptions"),
        Subresource("binding", ("create",), "", "v1", "Binding"),
        _own("Pod", name="ephemeralcontainers"),
        Subresource("eviction", ("create",), "policy", "v1", "Eviction"),
        Subresource("exec", _CONNECT, "", "v1", "PodExecOptions"),
        Subresource("log", ("get",), "", "v1", "Pod"),
        Subresource("portforward", _CONNECT, "", "v1", "PodPortForwardOptions"),
        Subresource("proxy", _PROXY, "", "v1", "PodProxyOptions"),
        _own("Pod", name="resize"),
        _own("Pod"),
    ),
)
POD_TEMPLATE: Kind[core_templates_v1.PodTemplate] = Kind("", "v1", "PodTemplate", "podtemplates", "core_templates_v1")
REPLICATION_CONTROLLER: Kind[core_templates_v1.ReplicationController] = Kind(
    "",
    "v1",
    "ReplicationController",
    "replicationcontrollers",
    "core_templates_v1",
    short_names=("rc",),
    categories=("all",),
    subresources=_table(_SCALE, _own("ReplicationController")),
)
RESOURCE_QUOTA: Kind[core_limits_v1.ResourceQuota] = Kind(
    "",
    "v1",
    "ResourceQuota",
    "resourcequotas",
    "core_limits_v1",
    short_names=("quota",),
    subresources=_table(_own("ResourceQuota")),
)
SECRET: Kind[core_v1.Secret] = Kind("", "v1", "Secret", "secrets", "core_v1")
SERVICE_ACCOUNT: Kind[core_v1.ServiceAccount] = Kind(
    "",
    "v1",
    "ServiceAccount",
    "serviceaccounts",
    "core_v1",
    short_names=("sa",),
    subresources=_table(Subresource("token", ("create",), "authentication.k8s.io", "v1", "TokenRequest")),
)
SERVICE: Kind[core_v1.Service] = Kind(
    "",
    "v1",
    "Service",
    "services",
    "core_v1",
    short_names=("svc",),
    categories=("all",),
    subresources=_table(Subresource("proxy", _PROXY, "", "v1", "ServiceProxyOptions"), _own("Service")),
)

# apiregistration.k8s.io
API_SERVICE: Kind[apiregistration_v1.APIService] = Kind(
    "apiregistration.k8s.io",
    "v1",
    "APIService",
    "apiservices",
    "apiregistration_v1",
    namespaced=False,
    categories=("api-extensions",),
    subresources=_table(_own("APIService", "apiregistration.k8s.io")),
)

# apps
CONTROLLER_REVISION: Kind[apps_sets_v1.ControllerRevision] = Kind(
    "apps", "v1", "ControllerRevision", "controllerrevisions", "apps_sets_v1"
)
DAEMON_SET: Kind[apps_sets_v1.DaemonSet] = Kind(
    "apps",
    "v1",
    "DaemonSet",
    "daemonsets",
    "apps_sets_v1",
    short_names=("ds",),
    categories=("all",),
    subresources=_table(_own("DaemonSet", "apps")),
)
DEPLOYMENT: Kind[apps_v1.Deployment] = Kind(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    "apps_v1",
    short_names=("deploy",),
    categories=("all",),
    subresources=_table(_SCALE, _own("Deployment", "apps")),
)
REPLICA_SET: Kind[apps_v1.ReplicaSet] = Kind(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    "apps_v1",
    short_names=("rs",),
    categories=("all",),
    subresources=_table(_SCALE, _own("ReplicaSet", "apps")),
)
STATEFUL_SET: Kind[apps_sets_v1.StatefulSet] = Kind(
    "apps",
    "v1",
    "StatefulSet",
    "statefulsets",
    "apps_sets_v1",
    short_names=("sts",),
    categories=("all",),
    subresources=_table(_SCALE, _own("StatefulSet", "apps")),
)

# autoscaling
HORIZONTAL_POD_AUTOSCALER: Kind[autoscaling_v2.HorizontalPodAutoscaler] = Kind(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "autoscaling_v2",
    short_names=("hpa",),
    categories=("all",),
    subresources=_table(_own("HorizontalPodAutoscaler", "autoscaling", version="v2")),
)

HORIZONTAL_POD_AUTOSCALER_V1: Kind[autoscaling_v1.HorizontalPodAutoscaler] = Kind(
    "autoscaling",
    "v1",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "autoscaling_v1",
    short_names=("hpa",),
    categories=("all",),
    subresources=_table(_own("HorizontalPodAutoscaler", "autoscaling")),
    stored_as=HORIZONTAL_POD_AUTOSCALER,
)

# events.k8s.io
EVENTS_EVENT: Kind[events_v1.Event] = Kind(
    "events.k8s.io", "v1", "Event", "events", "events_v1", short_names=("ev",), stored_as=EVENT
)

# batch
CRON_JOB: Kind[batch_v1.CronJob] = Kind(
    "batch",
    "v1",
    "CronJob",
    "cronjobs",
    "batch_v1",
    short_names=("cj",),
    categories=("all",),
    subresources=_table(_own("CronJob", "batch")),
)
JOB: Kind[batch_v1.Job] = Kind(
    "batch", "v1", "Job", "jobs", "batch_v1", categories=("all",), subresources=_table(_own("Job", "batch"))
)

# certificates.k8s.io
CERTIFICATE_SIGNING_REQUEST: Kind[certificates_v1.CertificateSigningRequest] = Kind(
    "certificates.k8s.io",
    "v1",
    "CertificateSigningRequest",
    "certificatesigningrequests",
    "certificates_v1",
    namespaced=False,
    short_names=("csr",),
    subresources=_table(
        _own("CertificateSigningRequest", "certificates.k8s.io", "approval"),
        _own("CertificateSigningRequest", "certificates.k8s.io"),
    ),
)

CLUSTER_TRUST_BUNDLE: Kind[certificates_v1beta1.ClusterTrustBundle] = Kind(
    "certificates.k8s.io",
    "v1beta1",
    "ClusterTrustBundle",
    "clustertrustbundles",
    "certificates_v1beta1",
    namespaced=False,
)

# networking.k8s.io
INGRESS_CLASS: Kind[networking_v1.IngressClass] = Kind(
    "networking.k8s.io", "v1", "IngressClass", "ingressclasses", "networking_v1", namespaced=False
)
INGRESS: Kind[networking_v1.Ingress] = Kind(
    "networking.k8s.io",
    "v1",
    "Ingress",
    "ingresses",
    "networking_v1",
    short_names=("ing",),
    subresources=_table(_own("Ingress", "networking.k8s.io")),
)
IP_ADDRESS: Kind[networking_v1.IPAddress] = Kind(
    "networking.k8s.io", "v1", "IPAddress", "ipaddresses", "networking_v1", namespaced=False, short_names=("ip",)
)
NETWORK_POLICY: Kind[networking_v1.NetworkPolicy] = Kind(
    "networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "networking_v1", short_names=("netpol",)
)
SERVICE_CIDR: Kind[networking_v1.ServiceCIDR] = Kind(
    "networking.k8s.io",
    "v1",
    "ServiceCIDR",
    "servicecidrs",
    "networking_v1",
    namespaced=False,
    subresources=_table(_own("ServiceCIDR", "networking.k8s.io")),
)

# policy
POD_DISRUPTION_BUDGET: Kind[policy_v1.PodDisruptionBudget] = Kind(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    "policy_v1",
    short_names=("pdb",),
    subresources=_table(_own("PodDisruptionBudget", "policy")),
)

# rbac.authorization.k8s.io
CLUSTER_ROLE_BINDING: Kind[rbac_v1.ClusterRoleBinding] = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", "rbac_v1", namespaced=False
)
CLUSTER_ROLE: Kind[rbac_v1.ClusterRole] = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "rbac_v1", namespaced=False
)
ROLE_BINDING: Kind[rbac_v1.RoleBinding] = Kind(
    "rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "rbac_v1"
)
ROLE: Kind[rbac_v1.Role] = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles", "rbac_v1")

# storage.k8s.io
CSI_DRIVER: Kind[storage_v1.CSIDriver] = Kind(
    "storage.k8s.io", "v1", "CSIDriver", "csidrivers", "storage_v1", namespaced=False
)
CSI_NODE: Kind[storage_v1.CSINode] = Kind("storage.k8s.io", "v1", "CSINode", "csinodes", "storage_v1", namespaced=False)
CSI_STORAGE_CAPACITY: Kind[storage_v1.CSIStorageCapacity] = Kind(
    "storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities", "storage_v1"
)
STORAGE_CLASS: Kind[storage_v1.StorageClass] = Kind(
    "storage.k8s.io", "v1", "StorageClass", "storageclasses", "storage_v1", namespaced=False, short_names=("sc",)
)
VOLUME_ATTACHMENT: Kind[storage_v1.VolumeAttachment] = Kind(
    "storage.k8s.io",
    "v1",
    "VolumeAttachment",
    "volumeattachments",
    "storage_v1",
    namespaced=False,
    subresources=_table(_own("VolumeAttachment", "storage.k8s.io")),
)
VOLUME_ATTRIBUTES_CLASS: Kind[storage_v1.VolumeAttributesClass] = Kind(
    "storage.k8s.io",
    "v1",
    "VolumeAttributesClass",
    "volumeattributesclasses",
    "storage_v1",
    namespaced=False,
    short_names=("vac",),
)

# admissionregistration.k8s.io
MUTATING_ADMISSION_POLICY: Kind[admissionregistration_v1.MutatingAdmissionPolicy] = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingAdmissionPolicy",
    "mutatingadmissionpolicies",
    "admissionregistration_v1",
    namespaced=False,
    categories=("api-extensions",),
)
MUTATING_ADMISSION_POLICY_BINDING: Kind[admissionregistration_v1.MutatingAdmissionPolicyBinding] = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingAdmissionPolicyBinding",
    "mutatingadmissionpolicybindings",
    "admissionregistration_v1",
    namespaced=False,
    categories=("api-extensions",),
)
MUTATING_WEBHOOK_CONFIGURATION: Kind[admissionregistration_v1.MutatingWebhookConfiguration] = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    "admissionregistration_v1",
    namespaced=False,
    categories=("api-extensions",),
)
VALIDATING_ADMISSION_POLICY: Kind[admissionregistration_v1.ValidatingAdmissionPolicy] = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
    "admissionregistration_v1",
    namespaced=False,
    categories=("api-extensions",),
    subresources=_table(_own("ValidatingAdmissionPolicy", "admissionregistration.k8s.io")),
)
VALIDATING_ADMISSION_POLICY_BINDING: Kind[admissionregistration_v1.ValidatingAdmissionPolicyBinding] = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    "admissionregistration_v1",
    namespaced=False,
    categories=("api-extensions",),
)
VALIDATING_WEBHOOK_CONFIGURATION: Kind[admissionregistration_v1.ValidatingWebhookConfiguration] = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    "admissionregistration_v1",
    namespaced=False,
    categories=("api-extensions",),
)

# apiextensions.k8s.io
CUSTOM_RESOURCE_DEFINITION: Kind[apiextensions_v1.CustomResourceDefinition] = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    "apiextensions_v1",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=_table(_own("CustomResourceDefinition", "apiextensions.k8s.io")),
)

# scheduling.k8s.io
PRIORITY_CLASS: Kind[scheduling_v1.PriorityClass] = Kind(
    "scheduling.k8s.io",
    "v1",
    "PriorityClass",
    "priorityclasses",
    "scheduling_v1",
    namespaced=False,
    short_names=("pc",),
)

# coordination.k8s.io
LEASE: Kind[coordination_v1.Lease] = Kind("coordination.k8s.io", "v1", "Lease", "leases", "coordination_v1")

# node.k8s.io
RUNTIME_CLASS: Kind[node_v1.RuntimeClass] = Kind(
    "node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", "node_v1", namespaced=False
)

# discovery.k8s.io
ENDPOINT_SLICE: Kind[discovery_v1.EndpointSlice] = Kind(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "discovery_v1"
)

# flowcontrol.apiserver.k8s.io
FLOW_SCHEMA: Kind[flowcontrol_v1.FlowSchema] = Kind(
    "flowcontrol.apiserver.k8s.io",
    "v1",
    "FlowSchema",
    "flowschemas",
    "flowcontrol_v1",
    namespaced=False,
    subresources=_table(_own("FlowSchema", "flowcontrol.apiserver.k8s.io")),
)
PRIORITY_LEVEL_CONFIGURATION: Kind[flowcontrol_v1.PriorityLevelConfiguration] = Kind(
    "flowcontrol.apiserver.k8s.io",
    "v1",
    "PriorityLevelConfiguration",
    "prioritylevelconfigurations",
    "flowcontrol_v1",
    namespaced=False,
    subresources=_table(_own("PriorityLevelConfiguration", "flowcontrol.apiserver.k8s.io")),
)

# resource.k8s.io
DEVICE_CLASS: Kind[resource_v1.DeviceClass] = Kind(
    "resource.k8s.io", "v1", "DeviceClass", "deviceclasses", "resource_v1", namespaced=False
)
RESOURCE_CLAIM: Kind[resource_v1.ResourceClaim] = Kind(
    "resource.k8s.io",
    "v1",
    "ResourceClaim",
    "resourceclaims",
    "resource_v1",
    subresources=_table(_own("ResourceClaim", "resource.k8s.io")),
)
RESOURCE_CLAIM_TEMPLATE: Kind[resource_v1.ResourceClaimTemplate] = Kind(
    "resource.k8s.io", "v1", "ResourceClaimTemplate", "resourceclaimtemplates", "resource_v1"
)
RESOURCE_SLICE: Kind[resource_v1.ResourceSlice] = Kind(
    "resource.k8s.io", "v1", "ResourceSlice", "resourceslices", "resource_v1", namespaced=False
)

# authentication.k8s.io
_ASKED = ("create",)
SELF_SUBJECT_REVIEW: Kind[authentication_v1.SelfSubjectReview] = Kind(
    "authentication.k8s.io",
    "v1",
    "SelfSubjectReview",
    "selfsubjectreviews",
    "authentication_v1",
    namespaced=False,
    verbs=_ASKED,
)
TOKEN_REVIEW: Kind[authentication_v1.TokenReview] = Kind(
    "authentication.k8s.io",
    "v1",
    "TokenReview",
    "tokenreviews",
    "authentication_v1",
    namespaced=False,
    verbs=_ASKED,
)

# authorization.k8s.io
LOCAL_SUBJECT_ACCESS_REVIEW: Kind[authorization_v1.LocalSubjectAccessReview] = Kind(
    "authorization.k8s.io",
    "v1",
    "LocalSubjectAccessReview",
    "localsubjectaccessreviews",
    "authorization_v1",
    verbs=_ASKED,
)
SELF_SUBJECT_ACCESS_REVIEW: Kind[authorization_v1.SelfSubjectAccessReview] = Kind(
    "authorization.k8s.io",
    "v1",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreviews",
    "authorization_v1",
    namespaced=False,
    verbs=_ASKED,
)
SELF_SUBJECT_RULES_REVIEW: Kind[authorization_v1.SelfSubjectRulesReview] = Kind(
    "authorization.k8s.io",
    "v1",
    "SelfSubjectRulesReview",
    "selfsubjectrulesreviews",
    "authorization_v1",
    namespaced=False,
    verbs=_ASKED,
)
SUBJECT_ACCESS_REVIEW: Kind[authorization_v1.SubjectAccessReview] = Kind(
    "authorization.k8s.io",
    "v1",
    "SubjectAccessReview",
    "subjectaccessreviews",
    "authorization_v1",
    namespaced=False,
    verbs=_ASKED,
)

ALL: tuple[Kind[Any], ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    LIMIT_RANGE,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    PERSISTENT_VOLUME,
    POD,
    POD_TEMPLATE,
    REPLICATION_CONTROLLER,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE,
    API_SERVICE,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    HORIZONTAL_POD_AUTOSCALER,
    CRON_JOB,
    JOB,
    CERTIFICATE_SIGNING_REQUEST,
    CLUSTER_TRUST_BUNDLE,
    INGRESS_CLASS,
    INGRESS,
    IP_ADDRESS,
    NETWORK_POLICY,
    SERVICE_CIDR,
    POD_DISRUPTION_BUDGET,
    CLUSTER_ROLE_BINDING,
    CLUSTER_ROLE,
    ROLE_BINDING,
    ROLE,
    CSI_DRIVER,
    CSI_NODE,
    CSI_STORAGE_CAPACITY,
    STORAGE_CLASS,
    VOLUME_ATTACHMENT,
    VOLUME_ATTRIBUTES_CLASS,
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    VALIDATING_WEBHOOK_CONFIGURATION,
    CUSTOM_RESOURCE_DEFINITION,
    PRIORITY_CLASS,
    LEASE,
    RUNTIME_CLASS,
    ENDPOINT_SLICE,
    FLOW_SCHEMA,
    PRIORITY_LEVEL_CONFIGURATION,
    DEVICE_CLASS,
    RESOURCE_CLAIM,
    RESOURCE_CLAIM_TEMPLATE,
    RESOURCE_SLICE,
)

# metrics.k8s.io
NODE_METRICS: Kind[metrics_v1beta1.NodeMetrics] = Kind(
    "metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", "metrics_v1beta1", namespaced=False, verbs=("get", "list")
)
POD_METRICS: Kind[metrics_v1beta1.PodMetrics] = Kind(
    "metrics.k8s.io", "v1beta1", "PodMetrics", "pods", "metrics_v1beta1", verbs=("get", "list")
)

# Second views of what other kinds keep.
VIEWS: tuple[Kind[Any], ...] = (EVENTS_EVENT, HORIZONTAL_POD_AUTOSCALER_V1)

# Asked and answered, never kept: reviews and what is measured at the moment.
ANSWERED: tuple[Kind[Any], ...] = (
    SELF_SUBJECT_REVIEW,
    TOKEN_REVIEW,
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_RULES_REVIEW,
    SUBJECT_ACCESS_REVIEW,
    BINDING,
    COMPONENT_STATUS,
    NODE_METRICS,
    POD_METRICS,
)

SERVED = (*ALL, *VIEWS, *ANSWERED)

_BY_PLURAL = {(kind.group, kind.version, kind.plural): kind for kind in SERVED}
_BY_NAME = {(kind.api_version, kind.name): kind for kind in SERVED}


def by_plural(group: str, version: str, plural: str) -> Kind[Any] | None:
    """The kind behind a REST path, or None."""
    return _BY_PLURAL.get((group, version, plural))


def by_name(api_version: str, name: str) -> Kind[Any] | None:
    """The kind an object says it is, or None."""
    return _BY_NAME.get((api_version, name))
