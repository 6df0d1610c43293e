"""Defaults of webhooks and policies that admit objects."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.admissionregistration_v1 import (
    MatchResources,
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    MutatingWebhook,
    MutatingWebhookConfiguration,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
)
from api.kinds import Kind
from api.meta_v1 import LabelSelector

HTTPS = 443
_SECONDS = 10


def webhooks(obj: ValidatingWebhookConfiguration | MutatingWebhookConfiguration) -> None:
    """Defaults of a configuration of webhooks."""
    hooks: list[ValidatingWebhook | MutatingWebhook] = [*obj.webhooks]
    for hook in hooks:
        if hook.failure_policy is None:
            hook.failure_policy = "Fail"
        if hook.timeout_seconds is None:
            hook.timeout_seconds = _SECONDS
        _matching(hook)
        for rule in hook.rules:
            if rule.scope is None:
                rule.scope = "*"
        service = hook.client_config.service
        if service is not None and service.port is None:
            service.port = HTTPS
        if isinstance(hook, MutatingWebhook) and hook.reinvocation_policy is None:
            hook.reinvocation_policy = "Never"


def _matching(obj: ValidatingWebhook | MutatingWebhook | MatchResources) -> None:
    if obj.match_policy is None:
        obj.match_policy = "Equivalent"
    if obj.namespace_selector is None:
        obj.namespace_selector = LabelSelector()
    if obj.object_selector is None:
        obj.object_selector = LabelSelector()


def policy(obj: ValidatingAdmissionPolicy | MutatingAdmissionPolicy) -> None:
    """Defaults of a policy."""
    if obj.spec.failure_policy is None:
        obj.spec.failure_policy = "Fail"
    _resources(obj.spec.match_constraints)


def binding(obj: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding) -> None:
    """Defaults of the binding of a policy."""
    _resources(obj.spec.match_resources)


def _resources(match: MatchResources | None) -> None:
    if match is not None:
        _matching(match)
        for rule in (*match.resource_rules, *match.exclude_resource_rules):
            if rule.scope is None:
                rule.scope = "*"


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.VALIDATING_WEBHOOK_CONFIGURATION: webhooks,
    kinds.MUTATING_WEBHOOK_CONFIGURATION: webhooks,
    kinds.VALIDATING_ADMISSION_POLICY: policy,
    kinds.MUTATING_ADMISSION_POLICY: policy,
    kinds.VALIDATING_ADMISSION_POLICY_BINDING: binding,
    kinds.MUTATING_ADMISSION_POLICY_BINDING: binding,
}
