"""Rules for webhooks and policies that admit objects. Their expressions are checked by who evaluates them."""

from typing import Any

from api import choices, kinds, names
from api.admissionregistration_v1 import (
    MatchCondition,
    MatchResources,
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    MutatingWebhook,
    MutatingWebhookConfiguration,
    NamedRuleWithOperations,
    ParamKind,
    ParamRef,
    RuleWithOperations,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
    Validation,
)
from api.kinds import Kind
from api.validation import hooks, metadata
from api.validation.problems import Problems
from api.validation.rules import Rules

_FAILURE = choices.FAILURE_POLICIES
_MATCH = choices.MATCH_POLICIES
_SCOPES = choices.SCOPES
_OPERATIONS = choices.OPERATIONS
_REINVOKE = choices.REINVOCATIONS
_MUTATED = ("*", "CONNECT", "CREATE", "UPDATE")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_BOTH = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers "
    "serves no purpose)"
)
_NOTHING = "validations or auditAnnotations must contain at least one item"


def webhooks(found: Problems, obj: ValidatingWebhookConfiguration | MutatingWebhookConfiguration) -> None:
    """A configuration of webhooks."""
    every: list[ValidatingWebhook | MutatingWebhook] = [*obj.webhooks]
    for index, hook in enumerate(every):
        path = f"webhooks[{index}]"
        _webhook(found, path, hook)
        if hook.name in [other.name for other in every[:index]]:
            found.duplicate(f"{path}.name", hook.name)


def _webhook(found: Problems, path: str, hook: ValidatingWebhook | MutatingWebhook) -> None:
    if not hook.name:
        found.required(f"{path}.name")
    elif names.dns_subdomain(hook.name):
        found.invalid_all(f"{path}.name", hook.name, names.dns_subdomain(hook.name))
    elif hook.name.count(".") < 2:
        found.invalid(f"{path}.name", hook.name, "should be a domain with at least three segments separated by dots")
    _versions(found, f"{path}.admissionReviewVersions", hook.admission_review_versions)
    for index, rule in enumerate(hook.rules):
        _rule(found, f"{path}.rules[{index}]", rule)
    found.optional_one_of(f"{path}.failurePolicy", hook.failure_policy, _FAILURE)
    found.optional_one_of(f"{path}.matchPolicy", hook.match_policy, _MATCH)
    if hook.side_effects is None:
        found.required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun")
    found.optional_one_of(f"{path}.sideEffects", hook.side_effects, ("None", "NoneOnDryRun"))
    if hook.timeout_seconds is not None and not 1 <= hook.timeout_seconds <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        found.invalid(f"{path}.timeoutSeconds", hook.timeout_seconds, detail)
    for field, selector in (("namespaceSelector", hook.namespace_selector), ("objectSelector", hook.object_selector)):
        if selector is not None:
            metadata.label_selector(found, f"{path}.{field}", selector)
    if isinstance(hook, MutatingWebhook):
        found.optional_one_of(f"{path}.reinvocationPolicy", hook.reinvocation_policy, _REINVOKE)
    hooks.client(found, f"{path}.clientConfig", hook.client_config.url, hook.client_config.service)
    _conditions(found, f"{path}.matchConditions", hook.match_conditions)


def _versions(found: Problems, path: str, versions: list[str]) -> None:
    if not versions:
        found.required(path, "must specify one of v1, v1beta1")
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            found.invalid(f"{path}[{index}]", version, "duplicate version")
        found.invalid_all(f"{path}[{index}]", version, names.dns_1035_label(version))
    if not {"v1", "v1beta1"} & set(versions):
        found.invalid(path, versions, "must include at least one of v1, v1beta1")


def _rule(found: Problems, path: str, rule: RuleWithOperations | NamedRuleWithOperations) -> None:
    for field, values, others in (
        ("apiGroups", rule.api_groups, "API groups"),
        ("apiVersions", rule.api_versions, "API versions"),
        ("resources", [r for r in rule.resources if "/" not in r], "resources without subresources"),
        ("operations", rule.operations, "operations"),
    ):
        if not values and (field != "resources" or not rule.resources):
            found.required(f"{path}.{field}")
        elif "*" in values and len(values) > 1:
            found.invalid(f"{path}.{field}", values, f"if '*' is present, must not specify other {others}")
    if "*/*" in rule.resources and len(rule.resources) > 1:
        found.invalid(f"{path}.resources", rule.resources, "if '*/*' is present, must not specify other resources")
    for field, values in (("apiVersions", rule.api_versions), ("resources", rule.resources)):
        for index, value in enumerate(values):
            if not value:
                found.required(f"{path}.{field}[{index}]")
    for index, operation in enumerate(rule.operations):
        found.optional_one_of(f"{path}.operations[{index}]", operation, _OPERATIONS)
    found.optional_one_of(f"{path}.scope", rule.scope, _SCOPES)


def _conditions(found: Problems, path: str, conditions: list[MatchCondition]) -> None:
    if len(conditions) > 64:
        found.too_many(path, len(conditions), 64)
    for index, condition in enumerate(conditions):
        where = f"{path}[{index}]"
        if not condition.expression.strip():
            found.required(f"{where}.expression")
        if not condition.name:
            found.required(f"{where}.name")
        else:
            found.invalid_all(f"{where}.name", condition.name, names.label_key(condition.name))
        if condition.name in [other.name for other in conditions[:index]]:
            found.duplicate(f"{where}.name", condition.name)


def validating_policy(found: Problems, obj: ValidatingAdmissionPolicy) -> None:
    """A ValidatingAdmissionPolicy."""
    spec = obj.spec
    _policy(found, obj)
    if not spec.validations and not spec.audit_annotations:
        found.required("spec.validations", _NOTHING)
        found.required("spec.auditAnnotations", _NOTHING)
    for index, validation in enumerate(spec.validations):
        _validation(found, f"spec.validations[{index}]", validation)
    for index, annotation in enumerate(spec.audit_annotations):
        path = f"spec.auditAnnotations[{index}]"
        if obj.metadata.name:
            name = f"{obj.metadata.name}/{annotation.key}"
            found.invalid_all(f"{path}.key", name, names.label_key(name))
        else:
            found.invalid(f"{path}.key", annotation.key, "requires metadata.name be non-empty")
        if not annotation.value_expression.strip():
            found.required(f"{path}.valueExpression", "valueExpression is not specified")
        if annotation.key in [other.key for other in spec.audit_annotations[:index]]:
            found.duplicate(f"{path}.key", annotation.key)


def _status(found: Problems, new: ValidatingAdmissionPolicy, old: ValidatingAdmissionPolicy) -> None:
    checked = new.status.type_checking
    for index, warning in enumerate(checked.expression_warnings if checked is not None else []):
        path = f"status.typeChecking.expressionWarnings[{index}]"
        if not warning.warning:
            found.required(f"{path}.warning")
        if not (warning.field_ref or "").strip():
            found.required(f"{path}.fieldRef")
    metadata.conditions(found, "status.conditions", new.status.conditions)


def mutating_policy(found: Problems, obj: MutatingAdmissionPolicy) -> None:
    """A MutatingAdmissionPolicy."""
    spec = obj.spec
    _policy(found, obj)
    _mutated(found, "spec.matchConstraints", spec.match_constraints)
    found.one_of("spec.reinvocationPolicy", spec.reinvocation_policy, _REINVOKE)
    if not spec.mutations:
        found.required("spec.mutations", "mutations must contain at least one item")
    for index, mutation in enumerate(spec.mutations):
        path = f"spec.mutations[{index}]"
        found.one_of(f"{path}.patchType", mutation.patch_type, choices.PATCH_TYPES)
        if mutation.patch_type not in choices.PATCH_TYPES:
            continue
        parts = {"ApplyConfiguration": mutation.apply_configuration, "JSONPatch": mutation.json_patch}
        for type_, part in parts.items():
            field = "jsonPatch" if type_ == "JSONPatch" else "applyConfiguration"
            if type_ != mutation.patch_type and part is not None:
                detail = f"must not be specified when patchType is {mutation.patch_type}"
                found.invalid(f"{path}.{field}", f"{{{field}}}", detail)
            elif type_ == mutation.patch_type and (part is None or not (part.expression or "").strip()):
                where = f"{path}.{field}" if part is None else f"{path}.{field}.expression"
                found.required(where, f"must be specified when patchType is {type_}" if part is None else "")


def _policy(found: Problems, obj: ValidatingAdmissionPolicy | MutatingAdmissionPolicy) -> None:
    spec = obj.spec
    found.optional_one_of("spec.failurePolicy", spec.failure_policy, _FAILURE)
    if spec.param_kind is not None:
        _param_kind(found, "spec.paramKind", spec.param_kind)
    if spec.match_constraints is None:
        found.required("spec.matchConstraints")
    else:
        _resources(found, "spec.matchConstraints", spec.match_constraints)
        if not spec.match_constraints.resource_rules:
            found.required("spec.matchConstraints.resourceRules")
    _conditions(found, "spec.matchConditions", spec.match_conditions)
    for index, variable in enumerate(spec.variables):
        path = f"spec.variables[{index}]"
        if not variable.name.strip():
            found.required(f"{path}.name", "name is not specified")
        elif not variable.name.isidentifier():
            found.invalid(f"{path}.name", variable.name, "must be a valid CEL identifier")
        if not variable.expression.strip():
            found.required(f"{path}.expression", "expression is not specified")


def _param_kind(found: Problems, path: str, kind: ParamKind) -> None:
    group, _, version = (kind.api_version or "").rpartition("/")
    where = f"{path}.apiVersion"
    if not kind.api_version:
        found.required(where)
    elif group.count("/"):
        found.invalid(where, kind.api_version, f"unexpected GroupVersion string: {kind.api_version}")
    else:
        if group and (problems := names.dns_subdomain(group)):
            found.invalid(where, group, ",".join(problems))
        if not version:
            found.invalid(where, kind.api_version, "version must be specified")
        elif problems := names.dns_1035_label(version):
            found.invalid(where, version, ",".join(problems))
    if not kind.kind:
        found.required(f"{path}.kind")
    elif problems := names.dns_1035_label(kind.kind.lower()):
        detail = f"may have mixed case, but should otherwise match: {','.join(problems)}"
        found.invalid(f"{path}.kind", kind.kind, detail)


def _mutated(found: Problems, path: str, match: MatchResources | None) -> None:
    """What is deleted is not changed before."""
    for rule in match.resource_rules if match is not None else []:
        for operation in rule.operations:
            if operation not in _MUTATED:
                found.not_supported(f"{path}.resourceRules.operations", operation, _MUTATED)


def _resources(found: Problems, path: str, match: MatchResources) -> None:
    found.optional_one_of(f"{path}.matchPolicy", match.match_policy, _MATCH)
    for field, selector in (("namespaceSelector", match.namespace_selector), ("objectSelector", match.object_selector)):
        if selector is not None:
            metadata.label_selector(found, f"{path}.{field}", selector)
    for field, rules in (
        ("resourceRules", match.resource_rules),
        ("excludeResourceRules", match.exclude_resource_rules),
    ):
        for index, rule in enumerate(rules):
            where = f"{path}.{field}[{index}]"
            _rule(found, where, rule)
            for place, name in enumerate(rule.resource_names):
                found.invalid_all(f"{where}.resourceNames[{place}]", name, names.path_segment(name))
                if name in rule.resource_names[:place]:
                    found.duplicate(f"{where}.resourceNames[{place}]", name)


def _validation(found: Problems, path: str, validation: Validation) -> None:
    message = validation.message or ""
    if not validation.expression.strip():
        found.required(f"{path}.expression", "expression is not specified")
    if validation.message_expression and not validation.message_expression.strip():
        found.invalid(f"{path}.messageExpression", validation.message_expression, "must be non-empty if specified")
    if message and not message.strip():
        found.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        found.invalid(f"{path}.message", message, "must not contain line breaks")
    elif "\n" in validation.expression.strip() and not message.strip():
        found.required(f"{path}.message", "message must be specified if expression contains line breaks")
    found.optional_one_of(f"{path}.reason", validation.reason, _REASONS)


def validating_binding(found: Problems, obj: ValidatingAdmissionPolicyBinding) -> None:
    """A ValidatingAdmissionPolicyBinding."""
    _binding(found, obj)
    actions, path = obj.spec.validation_actions, "spec.validationActions"
    for index, action in enumerate(actions):
        found.optional_one_of(f"{path}[{index}]", action, choices.VALIDATION_ACTIONS)
        if action in actions[:index]:
            found.duplicate(f"{path}[{index}]", action)
    if {"Deny", "Warn"} <= set(actions):
        found.invalid(path, actions, _BOTH)
    if not actions:
        found.required(path, "at least one validation action is required")


def mutating_binding(found: Problems, obj: MutatingAdmissionPolicyBinding) -> None:
    """A MutatingAdmissionPolicyBinding."""
    _binding(found, obj)
    _mutated(found, "spec.matchResources", obj.spec.match_resources)


def _binding(found: Problems, obj: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding) -> None:
    spec = obj.spec
    if not spec.policy_name:
        found.required("spec.policyName")
    else:
        found.invalid_all("spec.policyName", spec.policy_name, names.dns_subdomain(spec.policy_name))
    if spec.param_ref is not None:
        _parameters(found, "spec.paramRef", spec.param_ref)
    if spec.match_resources is not None:
        _resources(found, "spec.matchResources", spec.match_resources)


def _parameters(found: Problems, path: str, reference: ParamRef) -> None:
    if reference.name and reference.selector is not None:
        found.forbidden(f"{path}.name", "name and selector are mutually exclusive")
        found.forbidden(f"{path}.selector", "name and selector are mutually exclusive")
    elif not reference.name and reference.selector is None:
        found.required(path, "one of name or selector must be specified")
    if reference.name:
        found.invalid_all(f"{path}.name", reference.name, names.path_segment(reference.name))
    if reference.selector is not None:
        metadata.label_selector(found, f"{path}.selector", reference.selector)
    found.one_of(f"{path}.parameterNotFoundAction", reference.parameter_not_found_action, ("Deny", "Allow"))


RULES: dict[Kind[Any], Rules] = {
    kinds.VALIDATING_WEBHOOK_CONFIGURATION: Rules(webhooks),
    kinds.MUTATING_WEBHOOK_CONFIGURATION: Rules(webhooks),
    kinds.VALIDATING_ADMISSION_POLICY: Rules(validating_policy, parts={"status": _status}),
    kinds.MUTATING_ADMISSION_POLICY: Rules(mutating_policy),
    kinds.VALIDATING_ADMISSION_POLICY_BINDING: Rules(validating_binding),
    kinds.MUTATING_ADMISSION_POLICY_BINDING: Rules(mutating_binding),
}
