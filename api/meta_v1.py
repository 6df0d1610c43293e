"""meta/v1: what all objects share, and the envelopes of the API itself."""

from typing import Annotated

from api.fields import NOTHING, F, Int32, Int64, Json, Nothing, Time, Type, constant, required


class LabelSelectorRequirement(Type):
    key: Annotated[str, F(1)] = required(str)
    operator: Annotated[str, F(2)] = required(str)
    values: Annotated[list[str], F(3, atomic=True)] = []


class LabelSelector(Type):
    match_labels: Annotated[dict[str, str], F(1)] = {}
    match_expressions: Annotated[list[LabelSelectorRequirement], F(2, atomic=True)] = []


class FieldSelectorRequirement(Type):
    key: Annotated[str, F(1)] = required(str)
    operator: Annotated[str, F(2)] = required(str)
    values: Annotated[list[str], F(3, atomic=True)] = []


class Condition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    observed_generation: Annotated[Int64 | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str, F(5)] = required(str)
    message: Annotated[str, F(6)] = required(str)


class ShardInfo(Type):
    selector: Annotated[str, F(1)] = required(str)


class ListMeta(Type):
    self_link: Annotated[str | None, F(1)] = None
    resource_version: Annotated[str | None, F(2)] = None
    continue_: Annotated[str | None, F(3)] = None
    remaining_item_count: Annotated[Int64 | None, F(4, explicit=True)] = None
    shard_info: Annotated[ShardInfo | None, F(5)] = None


class StatusCause(Type):
    reason: Annotated[str | None, F(1)] = None
    message: Annotated[str | None, F(2)] = None
    field: Annotated[str | None, F(3)] = None


class StatusDetails(Type):
    name: Annotated[str | None, F(1)] = None
    group: Annotated[str | None, F(2)] = None
    kind: Annotated[str | None, F(3)] = None
    uid: Annotated[str | None, F(6)] = None
    causes: Annotated[list[StatusCause], F(4, atomic=True)] = []
    retry_after_seconds: Annotated[Int32 | None, F(5)] = None


class Status(Type):
    kind: str = constant("Status")
    api_version: str = constant("v1")
    metadata: Annotated[ListMeta, F(1)] = required(ListMeta)
    status: Annotated[str | None, F(2)] = None
    message: Annotated[str | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    details: Annotated[StatusDetails | None, F(5)] = None
    code: Annotated[Int32 | None, F(6)] = None


class Preconditions(Type):
    uid: Annotated[str | None, F(1, explicit=True)] = None
    resource_version: Annotated[str | None, F(2, explicit=True)] = None


class DeleteOptions(Type):
    kind: str = constant("DeleteOptions")
    api_version: str = constant("v1")
    grace_period_seconds: Annotated[Int64 | None, F(1, explicit=True)] = None
    preconditions: Annotated[Preconditions | None, F(2)] = None
    orphan_dependents: Annotated[bool | None, F(3, explicit=True)] = None
    propagation_policy: Annotated[str | None, F(4, explicit=True)] = None
    dry_run: Annotated[list[str], F(5, atomic=True)] = []
    ignore_store_read_error_with_cluster_breaking_potential: Annotated[bool | None, F(6, explicit=True)] = None


class GroupVersionForDiscovery(Type):
    group_version: Annotated[str, F(1)] = required(str)
    version: Annotated[str, F(2)] = required(str)


class ServerAddressByClientCIDR(Type):
    client_cidr: Annotated[str, F(1)] = required(str)
    server_address: Annotated[str, F(2)] = required(str)


class APIGroup(Type):
    kind: str = constant("APIGroup")
    api_version: str = constant("v1")
    name: Annotated[str, F(1)] = required(str)
    versions: Annotated[list[GroupVersionForDiscovery], F(2, atomic=True)] = required(list)
    preferred_version: Annotated[GroupVersionForDiscovery | None, F(3)] = None
    server_address_by_client_cidrs: Annotated[list[ServerAddressByClientCIDR], F(4, atomic=True)] = []


class APIGroupList(Type):
    kind: str = constant("APIGroupList")
    api_version: str = constant("v1")
    groups: Annotated[list[APIGroup], F(1, atomic=True)] = required(list)


class APIResource(Type):
    name: Annotated[str, F(1)] = required(str)
    singular_name: Annotated[str, F(6)] = required(str)
    namespaced: Annotated[bool, F(2)] = required(bool)
    group: Annotated[str | None, F(8)] = None
    version: Annotated[str | None, F(9)] = None
    kind: Annotated[str, F(3)] = required(str)
    verbs: Annotated[list[str], F(4)] = required(list)
    short_names: Annotated[list[str], F(5, atomic=True)] = []
    categories: Annotated[list[str], F(7, atomic=True)] = []
    storage_version_hash: Annotated[str | None, F(10)] = None


class APIResourceList(Type):
    kind: str = constant("APIResourceList")
    api_version: str = constant("v1")
    group_version: Annotated[str, F(1)] = required(str)
    resources: Annotated[list[APIResource], F(2, atomic=True)] = required(list)


class APIVersions(Type):
    kind: str = constant("APIVersions")
    api_version: str = constant("v1")
    versions: Annotated[list[str], F(1, atomic=True)] = required(list)
    server_address_by_client_cidrs: Annotated[list[ServerAddressByClientCIDR], F(2, atomic=True)] = required(list)


class OwnerReference(Type):
    api_version: Annotated[str, F(5)] = required(str)
    kind: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(3)] = required(str)
    uid: Annotated[str, F(4)] = required(str)
    controller: Annotated[bool | None, F(6, explicit=True)] = None
    block_owner_deletion: Annotated[bool | None, F(7, explicit=True)] = None


class ManagedFieldsEntry(Type):
    manager: Annotated[str | None, F(1)] = None
    operation: Annotated[str | None, F(2)] = None
    api_version: Annotated[str | None, F(3)] = None
    time: Annotated[Time | None, F(4)] = None
    fields_type: Annotated[str | None, F(6)] = None
    fields_v1: Annotated[Json | Nothing, F(7)] = NOTHING
    subresource: Annotated[str | None, F(8)] = None


class ObjectMeta(Type):
    name: Annotated[str | None, F(1)] = None
    generate_name: Annotated[str | None, F(2)] = None
    namespace: Annotated[str | None, F(3)] = None
    self_link: Annotated[str | None, F(4)] = None
    uid: Annotated[str | None, F(5)] = None
    resource_version: Annotated[str | None, F(6)] = None
    generation: Annotated[Int64 | None, F(7)] = None
    creation_timestamp: Annotated[Time | None, F(8)] = None
    deletion_timestamp: Annotated[Time | None, F(9)] = None
    deletion_grace_period_seconds: Annotated[Int64 | None, F(10, explicit=True)] = None
    labels: Annotated[dict[str, str], F(11)] = {}
    annotations: Annotated[dict[str, str], F(12)] = {}
    owner_references: Annotated[list[OwnerReference], F(13, merge="uid")] = []
    finalizers: Annotated[list[str], F(14, merge=True)] = []
    managed_fields: Annotated[list[ManagedFieldsEntry], F(17, atomic=True)] = []


class PartialObjectMetadata(Type):
    kind: str = constant("PartialObjectMetadata")
    api_version: str = constant("meta.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)


class TableColumnDefinition(Type):
    name: str = required(str)
    type: str = required(str)
    format: str = required(str)
    description: str = required(str)
    priority: int = required(int)


class TableRowCondition(Type):
    type: str = required(str)
    status: str = required(str)
    reason: str | None = None
    message: str | None = None


class TableRow(Type):
    cells: list[str | int | bool | None] = required(list)
    conditions: list[TableRowCondition] = []
    object: Json | Nothing = NOTHING


class Table(Type):
    kind: str = constant("Table")
    api_version: str = constant("meta.k8s.io/v1")
    metadata: ListMeta = required(ListMeta)
    column_definitions: list[TableColumnDefinition] = required(list)
    rows: list[TableRow] = required(list)
