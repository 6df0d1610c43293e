"""flowcontrol.apiserver.k8s.io/v1: priority levels and what flows through them."""

from typing import Annotated

from api.fields import F, Int32, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class PriorityLevelConfigurationReference(Type):
    """A priority level, by its name."""

    name: Annotated[str, F(1)] = required(str)


class FlowDistinguisherMethod(Type):
    """By what requests are told apart: by user or by namespace."""

    type: Annotated[str, F(1)] = required(str)


class UserSubject(Type):
    """A user, by name."""

    name: Annotated[str, F(1)] = required(str)


class GroupSubject(Type):
    """A group of users, by name."""

    name: Annotated[str, F(1)] = required(str)


class ServiceAccountSubject(Type):
    """A service account, by name and namespace."""

    namespace: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)


class Subject(Type):
    """A user, a group or a service account."""

    kind: Annotated[str, F(1)] = required(str)
    user: Annotated[UserSubject | None, F(2)] = None
    group: Annotated[GroupSubject | None, F(3)] = None
    service_account: Annotated[ServiceAccountSubject | None, F(4)] = None


class ResourcePolicyRule(Type):
    """Requests for resources."""

    verbs: Annotated[list[str], F(1, unique=True)] = required(list)
    api_groups: Annotated[list[str], F(2, unique=True)] = required(list)
    resources: Annotated[list[str], F(3, unique=True)] = required(list)
    cluster_scope: Annotated[bool | None, F(4)] = None
    namespaces: Annotated[list[str], F(5, unique=True)] = required(list)


class NonResourcePolicyRule(Type):
    """Requests for paths that are no resources."""

    verbs: Annotated[list[str], F(1, unique=True)] = required(list)
    non_resource_urls: Annotated[list[str], F(6, unique=True)] = required(list)


class PolicyRulesWithSubjects(Type):
    """Who asks, and what for."""

    subjects: Annotated[list[Subject], F(1, atomic=True)] = required(list)
    resource_rules: Annotated[list[ResourcePolicyRule], F(2, atomic=True)] = []
    non_resource_rules: Annotated[list[NonResourcePolicyRule], F(3, atomic=True)] = []


class FlowSchemaSpec(Type):
    """The requests, their priority level, and how they are told apart there."""

    priority_level_configuration: Annotated[PriorityLevelConfigurationReference, F(1)] = required(
        PriorityLevelConfigurationReference
    )
    matching_precedence: Annotated[Int32, F(2)] = required(int)
    distinguisher_method: Annotated[FlowDistinguisherMethod | None, F(3)] = None
    rules: Annotated[list[PolicyRulesWithSubjects], F(4, atomic=True)] = []


class FlowSchemaCondition(Type):
    """One thing that is, or is not, the case with a FlowSchema."""

    type: Annotated[str | None, F(1)] = None
    status: Annotated[str | None, F(2)] = None
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class FlowSchemaStatus(Type):
    """Whether there is something wrong with a FlowSchema."""

    conditions: Annotated[list[FlowSchemaCondition], F(1, merge="type")] = []


class FlowSchema(Type):
    """Which requests to the API server belong to which priority level."""

    kind: str = constant("FlowSchema")
    api_version: str = constant("flowcontrol.apiserver.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[FlowSchemaSpec, F(2)] = required(FlowSchemaSpec)
    status: Annotated[FlowSchemaStatus, F(3)] = required(FlowSchemaStatus)


class QueuingConfiguration(Type):
    """How many requests wait, in how many queues."""

    queues: Annotated[Int32, F(1)] = required(int)
    hand_size: Annotated[Int32, F(2)] = required(int)
    queue_length_limit: Annotated[Int32, F(3)] = required(int)


class LimitResponse(Type):
    """What happens to requests that are too many: they wait, or are refused."""

    type: Annotated[str, F(1)] = required(str)
    queuing: Annotated[QueuingConfiguration | None, F(2)] = None


class LimitedPriorityLevelConfiguration(Type):
    """How large the share of a level is, and what happens when it is used up."""

    nominal_concurrency_shares: Annotated[Int32 | None, F(1, explicit=True)] = None
    limit_response: Annotated[LimitResponse | None, F(2)] = None
    lendable_percent: Annotated[Int32 | None, F(3, explicit=True)] = None
    borrowing_limit_percent: Annotated[Int32 | None, F(4, explicit=True)] = None


class ExemptPriorityLevelConfiguration(Type):
    """The share of a level that has no limits."""

    nominal_concurrency_shares: Annotated[Int32 | None, F(1, explicit=True)] = None
    lendable_percent: Annotated[Int32 | None, F(2, explicit=True)] = None


class PriorityLevelConfigurationSpec(Type):
    """Whether the level is limited, and how."""

    type: Annotated[str, F(1)] = required(str)
    limited: Annotated[LimitedPriorityLevelConfiguration | None, F(2)] = None
    exempt: Annotated[ExemptPriorityLevelConfiguration | None, F(3)] = None


class PriorityLevelConfigurationCondition(Type):
    """One thing that is, or is not, the case with a priority level."""

    type: Annotated[str | None, F(1)] = None
    status: Annotated[str | None, F(2)] = None
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class PriorityLevelConfigurationStatus(Type):
    """Whether there is something wrong with a priority level."""

    conditions: Annotated[list[PriorityLevelConfigurationCondition], F(1, merge="type")] = []


class PriorityLevelConfiguration(Type):
    """A share of what the API server can do at a time, for some of the requests."""

    kind: str = constant("PriorityLevelConfiguration")
    api_version: str = constant("flowcontrol.apiserver.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PriorityLevelConfigurationSpec, F(2)] = required(PriorityLevelConfigurationSpec)
    status: Annotated[PriorityLevelConfigurationStatus, F(3)] = required(PriorityLevelConfigurationStatus)
