"""apidiscovery.k8s.io/v2: all groups and resources of the API in one document."""

from typing import Annotated

from api.fields import F, Type, constant, required
from api.meta_v1 import ListMeta, ObjectMeta


class GroupVersionKind(Type):
    """A kind, by group, version and name."""

    group: Annotated[str, F(1)] = required(str)
    version: Annotated[str, F(2)] = required(str)
    kind: Annotated[str, F(3)] = required(str)


class APISubresourceDiscovery(Type):
    """A part of a resource that is written or read apart, and what can be done with it."""

    subresource: Annotated[str, F(1)] = required(str)
    response_kind: Annotated[GroupVersionKind | None, F(2)] = None
    accepted_types: Annotated[list[GroupVersionKind], F(3)] = []
    verbs: Annotated[list[str], F(4)] = required(list)


class APIResourceDiscovery(Type):
    """A resource of the API: its names, and what can be done with it."""

    resource: Annotated[str, F(1)] = required(str)
    response_kind: Annotated[GroupVersionKind | None, F(2)] = None
    scope: Annotated[str, F(3)] = required(str)
    singular_resource: Annotated[str, F(4)] = required(str)
    verbs: Annotated[list[str], F(5)] = required(list)
    short_names: Annotated[list[str], F(6)] = []
    categories: Annotated[list[str], F(7)] = []
    subresources: Annotated[list[APISubresourceDiscovery], F(8)] = []


class APIVersionDiscovery(Type):
    """A version of a group, and its resources."""

    version: Annotated[str, F(1)] = required(str)
    resources: Annotated[list[APIResourceDiscovery], F(2)] = []
    freshness: Annotated[str | None, F(3)] = None


class APIGroupDiscovery(Type):
    """A group of the API, and its versions."""

    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    versions: Annotated[list[APIVersionDiscovery], F(2)] = []


class APIGroupDiscoveryList(Type):
    """All groups of the API, with all that is in them."""

    kind: str = constant("APIGroupDiscoveryList")
    api_version: str = constant("apidiscovery.k8s.io/v2")
    metadata: Annotated[ListMeta, F(1)] = required(ListMeta)
    items: Annotated[list[APIGroupDiscovery], F(2)] = required(list)
