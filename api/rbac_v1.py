"""rbac.authorization.k8s.io/v1: roles and who has them."""

from typing import Annotated

from api.fields import F, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class PolicyRule(Type):
    """Resources or paths, and what may be done with them.

    verbs: what may be done
    api_groups: the groups of the resources
    resources: the resources; * for all
    resource_names: the objects, by name; all by default
    non_resource_urls: paths that are no resources
    """

    verbs: Annotated[list[str], F(1, atomic=True)] = required(list)
    api_groups: Annotated[list[str], F(2, atomic=True)] = []
    resources: Annotated[list[str], F(3, atomic=True)] = []
    resource_names: Annotated[list[str], F(4, atomic=True)] = []
    non_resource_urls: Annotated[list[str], F(5, atomic=True)] = []


class Role(Type):
    """What may be done in one namespace.

    rules: what may be done
    """

    kind: str = constant("Role")
    api_version: str = constant("rbac.authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    rules: Annotated[list[PolicyRule], F(2, atomic=True)] = required(list)


class Subject(Type):
    """A user, a group or a service account."""

    kind: Annotated[str, F(1)] = required(str)
    api_group: Annotated[str | None, F(2)] = None
    name: Annotated[str, F(3)] = required(str)
    namespace: Annotated[str | None, F(4)] = None


class RoleRef(Type):
    """The role that is given."""

    api_group: Annotated[str, F(1)] = required(str)
    kind: Annotated[str, F(2)] = required(str)
    name: Annotated[str, F(3)] = required(str)


class RoleBinding(Type):
    """Gives a role to users, in one namespace.

    subjects: who gets the role
    role_ref: the role; it cannot be changed
    """

    kind: str = constant("RoleBinding")
    api_version: str = constant("rbac.authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    subjects: Annotated[list[Subject], F(2, atomic=True)] = []
    role_ref: Annotated[RoleRef, F(3)] = required(RoleRef)


class AggregationRule(Type):
    """Which other cluster roles a cluster role is put together from."""

    cluster_role_selectors: Annotated[list[LabelSelector], F(1, atomic=True)] = []


class ClusterRole(Type):
    """What may be done, in the whole cluster or wherever it is given.

    rules: what may be done
    aggregation_rule: the other cluster roles that it is put together from
    """

    kind: str = constant("ClusterRole")
    api_version: str = constant("rbac.authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    rules: Annotated[list[PolicyRule], F(2, atomic=True)] = required(list)
    aggregation_rule: Annotated[AggregationRule | None, F(3)] = None


class ClusterRoleBinding(Type):
    """Gives a cluster role to users, in the whole cluster.

    subjects: who gets the role
    role_ref: the role; it cannot be changed
    """

    kind: str = constant("ClusterRoleBinding")
    api_version: str = constant("rbac.authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    subjects: Annotated[list[Subject], F(2, atomic=True)] = []
    role_ref: Annotated[RoleRef, F(3)] = required(RoleRef)
