"""meta/v1: what all objects share, and the envelopes of the API itself."""

from typing import Annotated

from api.fields import NOTHING, F, Int32, Int64, Json, Nothing, Time, Type, constant, required


class LabelSelectorRequirement(Type):
    """One thing that must be true of a label.

    key: the label
    operator: In, NotIn, Exists or DoesNotExist
    values: the values, for In and NotIn
    """

    key: Annotated[str, F(1)] = required(str)
    operator: Annotated[str, F(2)] = required(str)
    values: Annotated[list[str], F(3, atomic=True)] = []


class LabelSelector(Type):
    """A selection of objects by their labels; all of its parts must hold.

    match_labels: labels and the values they must have
    match_expressions: other things that must be true of labels
    """

    match_labels: Annotated[dict[str, str], F(1)] = {}
    match_expressions: Annotated[list[LabelSelectorRequirement], F(2, atomic=True)] = []


class FieldSelectorRequirement(Type):
    """One thing that must be true of a field."""

    key: Annotated[str, F(1)] = required(str)
    operator: Annotated[str, F(2)] = required(str)
    values: Annotated[list[str], F(3, atomic=True)] = []


class Condition(Type):
    """One thing that is, or is not, the case with an object."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    observed_generation: Annotated[Int64 | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str, F(5)] = required(str)
    message: Annotated[str, F(6)] = required(str)


class ShardInfo(Type):
    """Which part of all objects a list is of."""

    selector: Annotated[str, F(1)] = required(str)


class ListMeta(Type):
    """What all lists have: the version of the whole, and where it goes on.

    continue_: where the list goes on, if this is not all of it
    remaining_item_count: how many objects follow
    resource_version: the version of the whole list
    """

    self_link: Annotated[str | None, F(1)] = None
    resource_version: Annotated[str | None, F(2)] = None
    continue_: Annotated[str | None, F(3)] = None
    remaining_item_count: Annotated[Int64 | None, F(4, explicit=True)] = None
    shard_info: Annotated[ShardInfo | None, F(5)] = None


class StatusCause(Type):
    """One of the reasons why a request failed."""

    reason: Annotated[str | None, F(1)] = None
    message: Annotated[str | None, F(2)] = None
    field: Annotated[str | None, F(3)] = None


class StatusDetails(Type):
    """More about why a request failed."""

    name: Annotated[str | None, F(1)] = None
    group: Annotated[str | None, F(2)] = None
    kind: Annotated[str | None, F(3)] = None
    uid: Annotated[str | None, F(6)] = None
    causes: Annotated[list[StatusCause], F(4, atomic=True)] = []
    retry_after_seconds: Annotated[Int32 | None, F(5)] = None


class Status(Type):
    """How a request ended: with success, or why not.

    status: Success or Failure
    message: what happened, for people
    reason: why, in one word
    details: more about it
    code: the status of HTTP
    """

    kind: str = constant("Status")
    api_version: str = constant("v1")
    metadata: Annotated[ListMeta, F(1)] = required(ListMeta)
    status: Annotated[str | None, F(2)] = None
    message: Annotated[str | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    details: Annotated[StatusDetails | None, F(5)] = None
    code: Annotated[Int32 | None, F(6)] = None


class Preconditions(Type):
    """What must be true of the object, else nothing is done."""

    uid: Annotated[str | None, F(1, explicit=True)] = None
    resource_version: Annotated[str | None, F(2, explicit=True)] = None


class DeleteOptions(Type):
    """How to delete: at once or later, and what becomes of what belongs to the object.

    grace_period_seconds: how long it may take to end; 0 for at once
    preconditions: what must be true of the object, else nothing is done
    orphan_dependents: the older name of propagationPolicy
    propagation_policy: what becomes of what belongs to the object: Orphan, Background or Foreground
    dry_run: All, to see what would happen
    """

    kind: str = constant("DeleteOptions")
    api_version: str = constant("v1")
    grace_period_seconds: Annotated[Int64 | None, F(1, explicit=True)] = None
    preconditions: Annotated[Preconditions | None, F(2)] = None
    orphan_dependents: Annotated[bool | None, F(3, explicit=True)] = None
    propagation_policy: Annotated[str | None, F(4, explicit=True)] = None
    dry_run: Annotated[list[str], F(5, atomic=True)] = []
    ignore_store_read_error_with_cluster_breaking_potential: Annotated[bool | None, F(6, explicit=True)] = None


class GroupVersionForDiscovery(Type):
    """A group and version, together and apart."""

    group_version: Annotated[str, F(1)] = required(str)
    version: Annotated[str, F(2)] = required(str)


class ServerAddressByClientCIDR(Type):
    """The address of the server for clients of a network."""

    client_cidr: Annotated[str, F(1)] = required(str)
    server_address: Annotated[str, F(2)] = required(str)


class APIGroup(Type):
    """A group of the API and its versions."""

    kind: str = constant("APIGroup")
    api_version: str = constant("v1")
    name: Annotated[str, F(1)] = required(str)
    versions: Annotated[list[GroupVersionForDiscovery], F(2, atomic=True)] = required(list)
    preferred_version: Annotated[GroupVersionForDiscovery | None, F(3)] = None
    server_address_by_client_cidrs: Annotated[list[ServerAddressByClientCIDR], F(4, atomic=True)] = []


class APIGroupList(Type):
    """All groups of the API."""

    kind: str = constant("APIGroupList")
    api_version: str = constant("v1")
    groups: Annotated[list[APIGroup], F(1, atomic=True)] = required(list)


class APIResource(Type):
    """A resource of the API: its names, and what can be done with it."""

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
    """All resources of a group and version."""

    kind: str = constant("APIResourceList")
    api_version: str = constant("v1")
    group_version: Annotated[str, F(1)] = required(str)
    resources: Annotated[list[APIResource], F(2, atomic=True)] = required(list)


class APIVersions(Type):
    """The versions of the group without a name."""

    kind: str = constant("APIVersions")
    api_version: str = constant("v1")
    versions: Annotated[list[str], F(1, atomic=True)] = required(list)
    server_address_by_client_cidrs: Annotated[list[ServerAddressByClientCIDR], F(2, atomic=True)] = required(list)


class OwnerReference(Type):
    """An object that this one belongs to.

    kind: the owner's kind
    name: the owner's name
    uid: the owner, and none after it of that name
    api_version: the group and version of the owner's kind
    controller: whether it is the one that sees to this object
    block_owner_deletion: whether the owner waits until this object is gone, if it is deleted in the foreground
    """

    api_version: Annotated[str, F(5)] = required(str)
    kind: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(3)] = required(str)
    uid: Annotated[str, F(4)] = required(str)
    controller: Annotated[bool | None, F(6, explicit=True)] = None
    block_owner_deletion: Annotated[bool | None, F(7, explicit=True)] = None


class ManagedFieldsEntry(Type):
    """The fields that somebody has set, and when."""

    manager: Annotated[str | None, F(1)] = None
    operation: Annotated[str | None, F(2)] = None
    api_version: Annotated[str | None, F(3)] = None
    time: Annotated[Time | None, F(4)] = None
    fields_type: Annotated[str | None, F(6)] = None
    fields_v1: Annotated[Json | Nothing, F(7)] = NOTHING
    subresource: Annotated[str | None, F(8)] = None


class ObjectMeta(Type):
    """What all objects have: name, namespace, labels, annotations, and what the server keeps account of.

    name: what the object is called; it is the only one of its kind and namespace with that name
    generate_name: the beginning of a name whose rest the server makes up
    namespace: the namespace that the object lies in
    uid: tells the object from all others that are, were or will be; made by the server
    resource_version: the version of the object that this is; to be given back as it is when the object is changed
    generation: how often what is wanted has changed
    creation_timestamp: when the object was created
    deletion_timestamp: when the object is to be gone; set when somebody deletes it
    deletion_grace_period_seconds: how long it may take to end; set when somebody deletes it
    labels: names and values by which objects are selected
    annotations: names and values for people and tools; nothing is selected by them
    owner_references: the objects that this one belongs to; it is deleted when they are all gone
    finalizers: who still has work to do before the object may go
    managed_fields: who has set which fields, and when
    """

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
    """An object without all but its metadata."""

    kind: str = constant("PartialObjectMetadata")
    api_version: str = constant("meta.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)


class TableColumnDefinition(Type):
    """A column of a table."""

    name: str = required(str)
    type: str = required(str)
    format: str = required(str)
    description: str = required(str)
    priority: int = required(int)


class TableRowCondition(Type):
    """One thing that is the case with a row."""

    type: str = required(str)
    status: str = required(str)
    reason: str | None = None
    message: str | None = None


class TableRow(Type):
    """A row of a table, for one object."""

    cells: list[str | int | bool | None] = required(list)
    conditions: list[TableRowCondition] = []
    object: Json | Nothing = NOTHING


class Table(Type):
    """Objects as rows and columns, for people."""

    kind: str = constant("Table")
    api_version: str = constant("meta.k8s.io/v1")
    metadata: ListMeta = required(ListMeta)
    column_definitions: list[TableColumnDefinition] = required(list)
    rows: list[TableRow] = required(list)
