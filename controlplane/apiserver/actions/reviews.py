"""Reviews: whose a token is, who one is oneself, what somebody may do. Asked and answered, never kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from api.authentication_v1 import SelfSubjectReview, SelfSubjectReviewStatus, TokenReview, TokenReviewStatus, UserInfo
from api.authorization_v1 import (
    FieldSelectorAttributes,
    LocalSubjectAccessReview,
    NonResourceAttributes,
    NonResourceRule,
    ResourceAttributes,
    ResourceRule,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
    SubjectRulesReviewStatus,
)
from api.selectors import SelectorError, parse_fields, parse_labels
from api.validation import authorization_v1 as rules
from api.validation.problems import Problems
from controlplane.apiserver import status
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.decisions import decide, joined, rules_for
from controlplane.apiserver.actions import asked
from controlplane.apiserver.call import Call, Found, User
from controlplane.apiserver.identity.users import info

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

_GROUP = "authorization.k8s.io"
_PATH = "spec.resourceAttributes"
_SELECTED = {"In": "=", "NotIn": "!="}


def token_review(call: Call, core: Core) -> Found:
    """Whose token this is."""
    review = asked.read(call, TokenReview)
    spec = review.spec
    if not spec.token:
        raise status.bad_request("token is required for TokenReview in authentication")
    verdict = core.tokens.review(spec.token, tuple(spec.audiences))
    if verdict.warning:
        call.warnings.append(verdict.warning)
    review.status = TokenReviewStatus(error=verdict.error or None)
    if verdict.user is not None:
        found = TokenReviewStatus(authenticated=True, user=_info(verdict.user), audiences=list(verdict.audiences))
        review.status = found
    return asked.answer(call, review)


def self_subject_review(call: Call, core: Core) -> Found:
    """Who asks."""
    review = asked.read(call, SelfSubjectReview)
    assert call.user is not None
    review.metadata.creation_timestamp = asked.now(core)
    review.status = SelfSubjectReviewStatus(user_info=_info(call.user))
    return asked.answer(call, review)


def subject_access_review(call: Call, core: Core) -> Found:
    """Whether somebody may do something."""
    review = asked.read(call, SubjectAccessReview)
    found = Problems()
    rules.subject_access_review(found, review)
    asked.refuse("SubjectAccessReview", _GROUP, found)
    review.status = _status(
        _user(review.spec), review.spec.resource_attributes, review.spec.non_resource_attributes, core
    )
    return asked.answer(call, review)


def local_subject_access_review(call: Call, core: Core) -> Found:
    """The same, for who may ask about one namespace."""
    review = asked.read(call, LocalSubjectAccessReview)
    here = call.target.namespace
    if (review.metadata.namespace or here) != here:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    review.metadata.namespace = here
    found = Problems()
    rules.local_subject_access_review(found, review)
    asked.refuse("LocalSubjectAccessReview", _GROUP, found)
    review.status = _status(_user(review.spec), review.spec.resource_attributes, None, core)
    return asked.answer(call, review)


def self_subject_access_review(call: Call, core: Core) -> Found:
    """Whether who asks may do something."""
    review = asked.read(call, SelfSubjectAccessReview)
    found = Problems()
    rules.self_subject_access_review(found, review)
    asked.refuse("SelfSubjectAccessReview", _GROUP, found)
    assert call.user is not None
    review.status = _status(call.user, review.spec.resource_attributes, review.spec.non_resource_attributes, core)
    return asked.answer(call, review)


def self_subject_rules_review(call: Call, core: Core) -> Found:
    """All that who asks may do in a namespace."""
    review = asked.read(call, SelfSubjectRulesReview)
    namespace = review.spec.namespace
    if not namespace:
        raise status.bad_request("no namespace on request")
    assert call.user is not None
    found, errors, incomplete = rules_for(call.user, namespace, core)
    answer = SelfSubjectRulesReview()
    answer.status = SubjectRulesReviewStatus(
        resource_rules=[
            ResourceRule(
                verbs=rule.verbs,
                api_groups=rule.api_groups,
                resources=rule.resources,
                resource_names=rule.resource_names,
            )
            for rule in found
            if rule.resources
        ],
        non_resource_rules=[
            NonResourceRule(verbs=rule.verbs, non_resource_urls=rule.non_resource_urls)
            for rule in found
            if rule.non_resource_urls
        ],
        incomplete=incomplete,
        evaluation_error=joined(errors) if errors else None,
    )
    return asked.answer(call, answer)


def _status(
    user: User, resource: ResourceAttributes | None, plain: NonResourceAttributes | None, core: Core
) -> SubjectAccessReviewStatus:
    errors: list[str] = []
    if resource is not None:
        wanted = _wanted(resource, errors)
    else:
        assert plain is not None
        wanted = Attributes(plain.verb or "", path=plain.path or "/")
    decision = decide(user, wanted, core)
    return SubjectAccessReviewStatus(
        allowed=decision.allowed, reason=decision.reason or None, evaluation_error="; ".join(errors) or None
    )


def _wanted(asked_for: ResourceAttributes, errors: list[str]) -> Attributes:
    fields = _fields(asked_for.field_selector, errors) if asked_for.field_selector is not None else ""
    labels = asked_for.label_selector
    if labels is not None and labels.raw_selector:
        try:
            parse_labels(labels.raw_selector)
        except SelectorError:
            errors.append(f"{_PATH}.labelSelector ignored due to parse error")
    return Attributes(
        asked_for.verb or "",
        asked_for.group or "",
        asked_for.resource or "",
        asked_for.subresource or "",
        asked_for.namespace or "",
        asked_for.name or "",
        fields=fields,
        version=asked_for.version or "*",
    )


def _fields(selector: FieldSelectorAttributes, errors: list[str]) -> str:
    """The selector as text. What cannot be read is left out, which asks for more, so nothing is allowed by it."""
    if selector.raw_selector:
        try:
            parse_fields(selector.raw_selector)
        except SelectorError:
            errors.append(f"{_PATH}.fieldSelector ignored due to parse error")
            return ""
        return selector.raw_selector
    read = [
        f"{one.key}{_SELECTED[one.operator]}{one.values[0]}"
        for one in selector.requirements
        if one.operator in _SELECTED and len(one.values) == 1
    ]
    if len(read) < len(selector.requirements):
        errors.append(f"{_PATH}.fieldSelector {'partially ' if read else ''}ignored due to parse error")
    return ",".join(read)


def _user(spec: SubjectAccessReviewSpec) -> User:
    return User(spec.user or "", tuple(spec.groups), spec.uid or "", _extra(spec.extra.items()))


def _extra(items: Iterable[tuple[str, list[str]]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((key, tuple(values)) for key, values in sorted(items))


def _info(user: User) -> UserInfo:
    return msgspec.convert({key: value for key, value in info(user).items() if value}, UserInfo)
