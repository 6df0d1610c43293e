"""authorization.k8s.io/v1: who may do what."""

from typing import Annotated

from api.fields import F, Type, constant, required
from api.meta_v1 import FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta


class FieldSelectorAttributes(Type):
    """A selection by fields, as part of what somebody would like to do."""

    raw_selector: Annotated[str | None, F(1)] = None
    requirements: Annotated[list[FieldSelectorRequirement], F(2, atomic=True)] = []


class LabelSelectorAttributes(Type):
    """A selection by labels, as part of what somebody would like to do."""

    raw_selector: Annotated[str | None, F(1)] = None
    requirements: Annotated[list[LabelSelectorRequirement], F(2, atomic=True)] = []


class ResourceAttributes(Type):
    """What somebody would like to do with a resource."""

    namespace: Annotated[str | None, F(1)] = None
    verb: Annotated[str | None, F(2)] = None
    group: Annotated[str | None, F(3)] = None
    version: Annotated[str | None, F(4)] = None
    resource: Annotated[str | None, F(5)] = None
    subresource: Annotated[str | None, F(6)] = None
    name: Annotated[str | None, F(7)] = None
    field_selector: Annotated[FieldSelectorAttributes | None, F(8)] = None
    label_selector: Annotated[LabelSelectorAttributes | None, F(9)] = None


class NonResourceAttributes(Type):
    """What somebody would like to do with a path that is no resource."""

    path: Annotated[str | None, F(1)] = None
    verb: Annotated[str | None, F(2)] = None


class SubjectAccessReviewSpec(Type):
    """A user, and what he would like to do."""

    resource_attributes: Annotated[ResourceAttributes | None, F(1)] = None
    non_resource_attributes: Annotated[NonResourceAttributes | None, F(2)] = None
    user: Annotated[str | None, F(3)] = None
    groups: Annotated[list[str], F(4, atomic=True)] = []
    extra: Annotated[dict[str, list[str]], F(5)] = {}
    uid: Annotated[str | None, F(6)] = None


class SubjectAccessReviewStatus(Type):
    """Whether it is allowed, and why."""

    allowed: Annotated[bool, F(1)] = required(bool)
    denied: Annotated[bool | None, F(4)] = None
    reason: Annotated[str | None, F(2)] = None
    evaluation_error: Annotated[str | None, F(3)] = None


class SubjectAccessReview(Type):
    """Asks whether a user may do something."""

    kind: str = constant("SubjectAccessReview")
    api_version: str = constant("authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[SubjectAccessReviewSpec, F(2)] = required(SubjectAccessReviewSpec)
    status: Annotated[SubjectAccessReviewStatus, F(3)] = required(SubjectAccessReviewStatus)


class SelfSubjectAccessReviewSpec(Type):
    """What the asking user would like to do."""

    resource_attributes: Annotated[ResourceAttributes | None, F(1)] = None
    non_resource_attributes: Annotated[NonResourceAttributes | None, F(2)] = None


class SelfSubjectAccessReview(Type):
    """Asks whether the asking user may do something."""

    kind: str = constant("SelfSubjectAccessReview")
    api_version: str = constant("authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[SelfSubjectAccessReviewSpec, F(2)] = required(SelfSubjectAccessReviewSpec)
    status: Annotated[SubjectAccessReviewStatus, F(3)] = required(SubjectAccessReviewStatus)


class LocalSubjectAccessReview(Type):
    """Asks whether a user may do something in one namespace."""

    kind: str = constant("LocalSubjectAccessReview")
    api_version: str = constant("authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[SubjectAccessReviewSpec, F(2)] = required(SubjectAccessReviewSpec)
    status: Annotated[SubjectAccessReviewStatus, F(3)] = required(SubjectAccessReviewStatus)


class SelfSubjectRulesReviewSpec(Type):
    """The namespace that is asked about."""

    namespace: Annotated[str | None, F(1)] = None


class ResourceRule(Type):
    """Something that may be done with resources."""

    verbs: Annotated[list[str], F(1, atomic=True)] = required(list)
    api_groups: Annotated[list[str], F(2, atomic=True)] = []
    resources: Annotated[list[str], F(3, atomic=True)] = []
    resource_names: Annotated[list[str], F(4, atomic=True)] = []


class NonResourceRule(Type):
    """Something that may be done with paths that are no resources."""

    verbs: Annotated[list[str], F(1, atomic=True)] = required(list)
    non_resource_urls: Annotated[list[str], F(2, atomic=True)] = []


class SubjectRulesReviewStatus(Type):
    """What the user may do, as far as it can be told."""

    resource_rules: Annotated[list[ResourceRule], F(1, atomic=True)] = required(list)
    non_resource_rules: Annotated[list[NonResourceRule], F(2, atomic=True)] = required(list)
    incomplete: Annotated[bool, F(3)] = required(bool)
    evaluation_error: Annotated[str | None, F(4)] = None


class SelfSubjectRulesReview(Type):
    """Asks for all that the asking user may do in a namespace."""

    kind: str = constant("SelfSubjectRulesReview")
    api_version: str = constant("authorization.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[SelfSubjectRulesReviewSpec, F(2)] = required(SelfSubjectRulesReviewSpec)
    status: Annotated[SubjectRulesReviewStatus, F(3)] = required(SubjectRulesReviewStatus)
