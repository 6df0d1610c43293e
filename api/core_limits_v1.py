"""core/v1: what namespaces and the objects in them may use."""

from typing import Annotated

from api import choices
from api.fields import F, Quantity, Type, constant, required
from api.meta_v1 import ObjectMeta


class ScopedResourceSelectorRequirement(Type):
    """One thing that pods and claims must have for a quota to be for them."""

    scope_name: Annotated[str, F(1, among=choices.QUOTA_SCOPES)] = required(str)
    operator: Annotated[str, F(2, among=choices.SCOPE_OPERATORS)] = required(str)
    values: Annotated[list[str], F(3, atomic=True)] = []


class ScopeSelector(Type):
    """Which pods and claims a quota is for."""

    match_expressions: Annotated[list[ScopedResourceSelectorRequirement], F(1, atomic=True)] = []


class ResourceQuotaSpec(Type):
    """The most of each resource, perhaps for some pods only."""

    hard: Annotated[dict[str, Quantity], F(1)] = {}
    scopes: Annotated[list[str], F(2, atomic=True, among=choices.QUOTA_SCOPES)] = []
    scope_selector: Annotated[ScopeSelector | None, F(3)] = None


class ResourceQuotaStatus(Type):
    """The most of each resource, and what is used of it."""

    hard: Annotated[dict[str, Quantity], F(1)] = {}
    used: Annotated[dict[str, Quantity], F(2)] = {}


class ResourceQuota(Type):
    """How much a namespace may use in all."""

    kind: str = constant("ResourceQuota")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ResourceQuotaSpec, F(2)] = required(ResourceQuotaSpec)
    status: Annotated[ResourceQuotaStatus, F(3)] = required(ResourceQuotaStatus)


class LimitRangeItem(Type):
    """The limits for pods, containers or claims."""

    type: Annotated[str, F(1)] = required(str)
    max: Annotated[dict[str, Quantity], F(2)] = {}
    min: Annotated[dict[str, Quantity], F(3)] = {}
    default: Annotated[dict[str, Quantity], F(4)] = {}
    default_request: Annotated[dict[str, Quantity], F(5)] = {}
    max_limit_request_ratio: Annotated[dict[str, Quantity], F(6)] = {}


class LimitRangeSpec(Type):
    """The limits, by what they are for."""

    limits: Annotated[list[LimitRangeItem], F(1, atomic=True)] = required(list)


class LimitRange(Type):
    """Least, most and default amounts of resources for pods and containers of a namespace."""

    kind: str = constant("LimitRange")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[LimitRangeSpec, F(2)] = required(LimitRangeSpec)
