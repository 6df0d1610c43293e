"""apidiscovery.k8s.io/v2: all groups and resources of the API in one document."""

from api.fields import Type, constant, required
from api.meta_v1 import ListMeta, ObjectMeta


class GroupVersionKind(Type):
    group: str = required(str)
    version: str = required(str)
    kind: str = required(str)


class APISubresourceDiscovery(Type):
    subresource: str = required(str)
    response_kind: GroupVersionKind | None = None
    accepted_types: list[GroupVersionKind] = []
    verbs: list[str] = required(list)


class APIResourceDiscovery(Type):
    resource: str = required(str)
    response_kind: GroupVersionKind | None = None
    scope: str = required(str)
    singular_resource: str = required(str)
    verbs: list[str] = required(list)
    short_names: list[str] = []
    categories: list[str] = []
    subresources: list[APISubresourceDiscovery] = []


class APIVersionDiscovery(Type):
    version: str = required(str)
    resources: list[APIResourceDiscovery] = []
    freshness: str | None = None


class APIGroupDiscovery(Type):
    metadata: ObjectMeta = required(ObjectMeta)
    versions: list[APIVersionDiscovery] = []


class APIGroupDiscoveryList(Type):
    kind: str = constant("APIGroupDiscoveryList")
    api_version: str = constant("apidiscovery.k8s.io/v2")
    metadata: ListMeta = required(ListMeta)
    items: list[APIGroupDiscovery] = required(list)
