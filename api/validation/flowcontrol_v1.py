"""Rules for FlowSchemas and priority levels."""

import math
from typing import Any

from api import kinds, names
from api.flowcontrol_v1 import (
    FlowSchema,
    LimitResponse,
    NonResourcePolicyRule,
    PolicyRulesWithSubjects,
    PriorityLevelConfiguration,
    QueuingConfiguration,
    ResourcePolicyRule,
    ServiceAccountSubject,
    Subject,
)
from api.kinds import Kind
from api.validation.problems import Problems
from api.validation.rules import Rules

_MOST_BITS = 60  # of a hash, of which a hand of queues is dealt
_MOST_QUEUES = 10_000_000
_EXEMPT = "exempt"
_VERBS = frozenset(
    (
        "get",
        "list",
        "create",
        "update",
        "delete",
        "deletecollection",
        "patch",
        "watch",
        "proxy",
        "*",
    )
)
_NAMED = sorted(_VERBS - {"*"})
_METHODS = frozenset(("get", "head", "post", "put", "patch", "delete", "options", "connect", "*"))
_SUBJECTS = {"Group": "group", "ServiceAccount": "service_account", "User": "user"}


def flow_schema(found: Problems, obj: FlowSchema) -> None:
    """A FlowSchema."""
    spec, path = obj.spec, "spec.matchingPrecedence"
    if spec.matching_precedence <= 0:
        found.invalid(path, spec.matching_precedence, "must be a positive value")
    if spec.matching_precedence > 10_000:
        found.invalid(path, spec.matching_precedence, "must not be greater than 10000")
    if spec.matching_precedence == 1 and obj.metadata.name != _EXEMPT:
        detail = "only the schema named 'exempt' may have matchingPrecedence 1"
        found.invalid(path, spec.matching_precedence, detail)
    if spec.distinguisher_method is not None:
        types = ("ByNamespace", "ByUser")
        found.optional_one_of("spec.distinguisherMethod.type", spec.distinguisher_method.type, types)
    level = spec.priority_level_configuration.name
    if not level:
        found.required("spec.priorityLevelConfiguration.name", "must reference a priority level")
    else:
        found.invalid_all("spec.priorityLevelConfiguration.name", level, names.dns_subdomain(level))
    for index, rules in enumerate(spec.rules):
        _rules(found, f"spec.rules[{index}]", rules)


def _rules(found: Problems, path: str, rules: PolicyRulesWithSubjects) -> None:
    if not rules.subjects:
        found.required(f"{path}.subjects", "subjects must contain at least one value")
    for index, subject in enumerate(rules.subjects):
        _subject(found, f"{path}.subjects[{index}]", subject)
    if not rules.resource_rules and not rules.non_resource_rules:
        found.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for index, rule in enumerate(rules.resource_rules):
        _resource_rule(found, f"{path}.resourceRules[{index}]", rule)
    for index, other in enumerate(rules.non_resource_rules):
        _non_resource_rule(found, f"{path}.nonResourceRules[{index}]", other)


def _subject(found: Problems, path: str, subject: Subject) -> None:
    if subject.kind not in _SUBJECTS:
        found.not_supported(f"{path}.kind", subject.kind, tuple(_SUBJECTS))
        return
    json = dict(zip(subject.__struct_fields__, subject.__struct_encode_fields__, strict=True))
    for kind, name in _SUBJECTS.items():
        part, field = getattr(subject, name), json[name]
        if kind != subject.kind:
            if part is not None:
                found.forbidden(f"{path}.{field}", f"{field} is forbidden when subject kind is not '{kind}'")
        elif part is None:
            found.required(f"{path}.{field}", f"{field} is required when subject kind is '{kind}'")
        else:
            if not part.name:
                found.required(f"{path}.{field}.name")
            if name == "service_account":
                _account(found, f"{path}.{field}", part)


def _account(found: Problems, path: str, account: ServiceAccountSubject) -> None:
    if account.name and account.name != "*":
        found.invalid_all(f"{path}.name", account.name, names.dns_subdomain(account.name))
    if not account.namespace:
        found.required(f"{path}.namespace", "must specify namespace for service account")
    else:
        found.invalid_all(f"{path}.namespace", account.namespace, names.dns_label(account.namespace))


def _alone(found: Problems, path: str, values: list[str], none: str, others: str) -> None:
    """Some values, of which `*` stands alone."""
    if not values:
        found.required(path, none)
    elif "*" in values and len(values) > 1:
        found.invalid(path, values, f"if '*' is present, must not specify other {others}")


def _resource_rule(found: Problems, path: str, rule: ResourcePolicyRule) -> None:
    _alone(found, f"{path}.verbs", rule.verbs, "verbs must contain at least one value", "verbs")
    if not set(rule.verbs) <= _VERBS:
        found.not_supported(f"{path}.verbs", rule.verbs, _NAMED)
    one = "resource rules must supply at least one"
    _alone(found, f"{path}.apiGroups", rule.api_groups, f"{one} api group", "api groups")
    _alone(found, f"{path}.resources", rule.resources, f"{one} resource", "resources")
    if not rule.namespaces and not rule.cluster_scope:
        detail = "resource rules that are not cluster scoped must supply at least one namespace"
        found.required(f"{path}.namespaces", detail)
    elif rule.namespaces:
        _alone(found, f"{path}.namespaces", rule.namespaces, "", "namespaces")
        for index, namespace in enumerate(rule.namespaces):
            if namespace != "*":
                for text in names.dns_label(namespace):
                    detail = f"each member of this list must be '*' or a DNS-1123 label; {text}"
                    found.invalid(f"{path}.namespaces[{index}]", namespace, detail)


def _non_resource_rule(found: Problems, path: str, rule: NonResourcePolicyRule) -> None:
    _alone(found, f"{path}.verbs", rule.verbs, "verbs must contain at least one value", "verbs")
    if not set(rule.verbs) <= _METHODS:
        found.not_supported(f"{path}.verbs", rule.verbs, _NAMED)  # upstream names the verbs here as well
    urls, where = rule.non_resource_urls, f"{path}.nonResourceURLs"
    _alone(found, where, urls, "nonResourceURLs must contain at least one value", "non-resource URLs")
    for index, url in enumerate(urls if "*" not in urls else []):
        if not url:
            found.invalid(f"{where}[{index}]", url, "must not be empty")
        elif not url.startswith("/"):
            found.invalid(f"{where}[{index}]", url, "must start with slash")
        elif " " in url:
            found.invalid(f"{where}[{index}]", url, "must not contain white-space")
        elif "//" in url:
            found.invalid(f"{where}[{index}]", url, "must not contain double slash")
        elif "*" in url[:-1] or (url.endswith("*") and not url.endswith("/*")):
            found.invalid(f"{where}[{index}]", url, "wildcard can only do suffix matching")


def priority_level(found: Problems, obj: PriorityLevelConfiguration) -> None:
    """A PriorityLevelConfiguration."""
    spec = obj.spec
    if (obj.metadata.name == _EXEMPT) != (spec.type == "Exempt"):
        found.invalid("spec.type", spec.type, "must be 'Exempt' if and only if `name` is 'exempt'")
    if spec.type not in ("Exempt", "Limited"):
        found.not_supported("spec.type", spec.type, ("Exempt", "Limited"))
        return
    if spec.type == "Exempt":
        if spec.limited is not None:
            found.forbidden("spec.limited", "must be nil if the type is not Limited")
    elif spec.exempt is not None:
        found.forbidden("spec.exempt", "must be nil if the type is Limited")
    elif spec.limited is None:
        found.required("spec.limited", "must not be empty when type is Limited")
    for field, part in (("limited", spec.limited), ("exempt", spec.exempt)):
        if part is None:
            continue
        if (part.nominal_concurrency_shares or 0) < 0:
            where = f"spec.{field}.nominalConcurrencyShares"
            found.invalid(where, part.nominal_concurrency_shares, "must be a non-negative integer")
        if not 0 <= (part.lendable_percent or 0) <= 100:
            where = f"spec.{field}.lendablePercent"
            found.invalid(where, part.lendable_percent, "must be between 0 and 100, inclusive")
    if spec.limited is not None:
        borrowed = spec.limited.borrowing_limit_percent
        if borrowed is not None and borrowed < 0:
            detail = "if specified, must be a non-negative integer"
            found.invalid("spec.limited.borrowingLimitPercent", borrowed, detail)
        _response(found, "spec.limited.limitResponse", spec.limited.limit_response or LimitResponse())


def _response(found: Problems, path: str, response: LimitResponse) -> None:
    if response.type == "Reject":
        if response.queuing is not None:
            found.forbidden(f"{path}.queuing", "must be nil if limited.limitResponse.type is not Limited")
    elif response.type != "Queue":
        found.not_supported(f"{path}.type", response.type, ("Queue", "Reject"))
    elif response.queuing is None:
        found.required(f"{path}.queuing", "must not be empty if limited.limitResponse.type is Limited")
    else:
        _queuing(found, f"{path}.queuing", response.queuing)


def _queuing(found: Problems, path: str, queuing: QueuingConfiguration) -> None:
    for field, value in (
        ("queueLengthLimit", queuing.queue_length_limit),
        ("queues", queuing.queues),
        ("handSize", queuing.hand_size),
    ):
        if value <= 0:
            found.invalid(f"{path}.{field}", value, "must be positive")
    if queuing.queues > _MOST_QUEUES:
        found.invalid(f"{path}.queues", queuing.queues, f"must not be greater than {_MOST_QUEUES}")
    if queuing.hand_size > queuing.queues:
        detail = f"should not be greater than queues ({queuing.queues})"
        found.invalid(f"{path}.handSize", queuing.hand_size, detail)
    elif queuing.queues > 0 and math.ceil(math.log2(queuing.queues) * queuing.hand_size) > _MOST_BITS:
        needed = f"required entropy bits of deckSize {queuing.queues} and handSize {queuing.hand_size}"
        found.invalid(f"{path}.handSize", queuing.hand_size, f"{needed} should not be greater than {_MOST_BITS}")


def _status(
    found: Problems, new: FlowSchema | PriorityLevelConfiguration, old: FlowSchema | PriorityLevelConfiguration
) -> None:
    types = [condition.type for condition in new.status.conditions]
    for index, type_ in enumerate(types):
        where = f"status.conditions[{index}].type"
        if type_ in types[:index]:
            found.duplicate(where, type_ or "")
        if not type_:
            found.required(where)


RULES: dict[Kind[Any], Rules] = {
    kinds.FLOW_SCHEMA: Rules(flow_schema, parts={"status": _status}),
    kinds.PRIORITY_LEVEL_CONFIGURATION: Rules(priority_level, parts={"status": _status}),
}
