"""The table of kinds: for each its group, version, names, scope, type, verbs, subresources and REST path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from api import apps_v1, autoscaling_v1, coordination_v1, core_v1, discovery_v1
from api.fields import Type

T = TypeVar("T", bound=Type)

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_READ_WRITE = ("get", "patch", "update")


@dataclass(frozen=True, eq=False, slots=True)
class Subresource:
    """One subresource: what it is called, what may be done with it, and the type of its bodies (None: not an object)."""

    name: str
    verbs: tuple[str, ...]
    type: type[Type] | None
    group: str
    version: str
    kind: str


@dataclass(frozen=True, eq=False, slots=True)
class Kind(Generic[T]):
    """One kind of object as the API serves it."""

    group: str
    version: str
    name: str
    plural: str
    singular: str
    type: type[T]
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: Mapping[str, Subresource] = field(default_factory=dict)

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


def _own(name: str, type_: type[Type], verbs: tuple[str, ...] = _READ_WRITE, group: str = "") -> Subresource:
    """A subresource whose bodies are the object itself."""
    return Subresource(name, verbs, type_, group, "v1", type_.__name__)


def _table(*subresources: Subresource) -> dict[str, Subresource]:
    return {subresource.name: subresource for subresource in subresources}


_SCALE = Subresource("scale", _READ_WRITE, autoscaling_v1.Scale, "autoscaling", "v1", "Scale")

NAMESPACE = Kind(
    "",
    "v1",
    "Namespace",
    "namespaces",
    "namespace",
    core_v1.Namespace,
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=_table(_own("finalize", core_v1.Namespace, ("update",)), _own("status", core_v1.Namespace)),
)
NODE = Kind(
    "",
    "v1",
    "Node",
    "nodes",
    "node",
    core_v1.Node,
    namespaced=False,
    short_names=("no",),
    subresources=_table(_own("status", core_v1.Node)),
)
POD = Kind(
    "",
    "v1",
    "Pod",
    "pods",
    "pod",
    core_v1.Pod,
    short_names=("po",),
    categories=("all",),
    subresources=_table(
        Subresource("binding", ("create",), core_v1.Binding, "", "v1", "Binding"),
        Subresource("log", ("get",), None, "", "v1", "Pod"),
        _own("status", core_v1.Pod),
    ),
)
SERVICE = Kind(
    "",
    "v1",
    "Service",
    "services",
    "service",
    core_v1.Service,
    short_names=("svc",),
    categories=("all",),
    subresources=_table(_own("status", core_v1.Service)),
)
ENDPOINTS = Kind("", "v1", "Endpoints", "endpoints", "endpoints", core_v1.Endpoints, short_names=("ep",))
SERVICE_ACCOUNT = Kind(
    "", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", core_v1.ServiceAccount, short_names=("sa",)
)
SECRET = Kind("", "v1", "Secret", "secrets", "secret", core_v1.Secret)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", "configmap", core_v1.ConfigMap, short_names=("cm",))
EVENT = Kind("", "v1", "Event", "events", "event", core_v1.Event, short_names=("ev",))
DEPLOYMENT = Kind(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    "deployment",
    apps_v1.Deployment,
    short_names=("deploy",),
    categories=("all",),
    subresources=_table(_SCALE, _own("status", apps_v1.Deployment, group="apps")),
)
REPLICA_SET = Kind(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    "replicaset",
    apps_v1.ReplicaSet,
    short_names=("rs",),
    categories=("all",),
    subresources=_table(_SCALE, _own("status", apps_v1.ReplicaSet, group="apps")),
)
ENDPOINT_SLICE = Kind(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice", discovery_v1.EndpointSlice
)
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases", "lease", coordination_v1.Lease)

ALL: tuple[Kind[Any], ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE,
    DEPLOYMENT,
    REPLICA_SET,
    LEASE,
    ENDPOINT_SLICE,
)

_BY_PLURAL = {(kind.group, kind.version, kind.plural): kind for kind in ALL}
_BY_NAME = {(kind.api_version, kind.name): kind for kind in ALL}


def by_plural(group: str, version: str, plural: str) -> Kind[Any] | None:
    """The kind behind a REST path, or None."""
    return _BY_PLURAL.get((group, version, plural))


def by_name(api_version: str, name: str) -> Kind[Any] | None:
    """The kind an object says it is, or None."""
    return _BY_NAME.get((api_version, name))
