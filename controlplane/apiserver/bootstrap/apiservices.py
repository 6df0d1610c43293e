"""An APIService for every group and version that is served here, with upstream's priorities.

They are brought up to date once a start; those of groups that an earlier version served go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api import kinds
from api.apiregistration_v1 import APIService, APIServiceSpec
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from controlplane.apiserver.bootstrap.ensure import Ensurer, Wanted

MANAGED = {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
_GROUPS = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
}
_OTHER_GROUP, _OTHER_VERSION = 100, 100
_VERSION = 15
_VERSIONS = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("certificates.k8s.io", "v1beta1"): 9,
    ("resource.k8s.io", "v1"): 21,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
}


def wanted(served: Iterable[Kind[Any]]) -> list[Wanted]:
    """One for each group and version."""
    versions = dict.fromkeys((kind.group, kind.version) for kind in served)
    versions.pop(("apiregistration.k8s.io", "v1"), None)  # who registers is not registered
    return [Wanted(kinds.API_SERVICE, _service(group, version), reconcile) for group, version in versions]


def reconcile(found: Any, wanted: Any) -> Any:
    """Back to what it was, unless somebody took it over."""
    if MANAGED.items() <= found.metadata.labels.items() and found.spec != wanted.spec:
        found.spec = wanted.spec
        return found
    return None


async def drop_others(ensurer: Ensurer, wanted: Iterable[Wanted]) -> None:
    """Delete those of ours that are wanted no more."""
    names = {one.obj.metadata.name for one in wanted}
    for found in ensurer.all(kinds.API_SERVICE):
        meta = found.metadata
        if MANAGED.items() <= meta.labels.items() and meta.name not in names:
            await ensurer.client.delete(kinds.API_SERVICE, meta.name, uid=meta.uid)


def _service(group: str, version: str) -> APIService:
    known = group in _GROUPS
    spec = APIServiceSpec(
        group=group or None,
        version=version,
        group_priority_minimum=_GROUPS.get(group, _OTHER_GROUP),
        version_priority=_VERSIONS.get((group, version), _VERSION if known else _OTHER_VERSION),
    )
    return APIService(metadata=ObjectMeta(name=f"{version}.{group}", labels=dict(MANAGED)), spec=spec)
