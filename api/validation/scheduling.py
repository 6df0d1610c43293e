"""Rules for where a pod may run: affinity, tolerations, taints, spreading."""

from collections import Counter

from api import choices, names
from api.core_v1 import (
    Affinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Taint,
    Toleration,
    TopologySpreadConstraint,
)
from api.meta_v1 import LabelSelector
from api.validation.metadata import label_selector
from api.validation.problems import Problems

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_WEIGHT = "must be in the range 1-100"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def affinity(found: Problems, path: str, value: Affinity) -> None:
    """All three sorts of affinity."""
    nodes = value.node_affinity
    if nodes is not None:
        if nodes.required_during_scheduling_ignored_during_execution is not None:
            where = f"{path}.nodeAffinity.{_REQUIRED}"
            node_selector(found, where, nodes.required_during_scheduling_ignored_during_execution)
        for index, term in enumerate(nodes.preferred_during_scheduling_ignored_during_execution):
            where = f"{path}.nodeAffinity.{_PREFERRED}[{index}]"
            _weight(found, where, term.weight)
            _node_term(found, f"{where}.preference", term.preference)
    if value.pod_affinity is not None:
        _pod_affinity(found, f"{path}.podAffinity", value.pod_affinity)
    if value.pod_anti_affinity is not None:
        _pod_affinity(found, f"{path}.podAntiAffinity", value.pod_anti_affinity)


def node_selector(found: Problems, path: str, selector: NodeSelector) -> None:
    """A choice of nodes."""
    if not selector.node_selector_terms:
        found.required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(selector.node_selector_terms):
        _node_term(found, f"{path}.nodeSelectorTerms[{index}]", term)


def _node_term(found: Problems, path: str, term: NodeSelectorTerm) -> None:
    for index, expression in enumerate(term.match_expressions):
        _node_expression(found, f"{path}.matchExpressions[{index}]", expression)
    for index, expression in enumerate(term.match_fields):
        where = f"{path}.matchFields[{index}]"
        if expression.operator not in ("In", "NotIn"):
            found.invalid(f"{where}.operator", expression.operator, "not a valid selector operator")
        elif len(expression.values) != 1:
            found.required(
                f"{where}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            )
        if expression.key != "metadata.name":
            found.invalid(f"{where}.key", expression.key, "not a valid field selector key")
            continue
        for place, name in enumerate(expression.values):
            found.invalid_all(f"{where}.values[{place}]", name, names.dns_subdomain(name))


def _node_expression(found: Problems, path: str, expression: NodeSelectorRequirement) -> None:
    match expression.operator:
        case "In" | "NotIn":
            if not expression.values:
                found.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if expression.values:
                found.forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        case "Gt" | "Lt":
            if len(expression.values) != 1:
                found.required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        case _:
            found.invalid(f"{path}.operator", expression.operator, "not a valid selector operator")
    found.invalid_all(f"{path}.key", expression.key, names.label_key(expression.key))
    for index, value in enumerate(expression.values):
        found.invalid_all(f"{path}.values[{index}]", value, names.label_value(value))


def _pod_affinity(found: Problems, path: str, value: PodAffinity | PodAntiAffinity) -> None:
    for index, term in enumerate(value.required_during_scheduling_ignored_during_execution):
        _pod_term(found, f"{path}.{_REQUIRED}[{index}]", term)
    for index, weighted in enumerate(value.preferred_during_scheduling_ignored_during_execution):
        where = f"{path}.{_PREFERRED}[{index}]"
        _weight(found, where, weighted.weight)
        _pod_term(found, f"{where}.podAffinityTerm", weighted.pod_affinity_term)


def _pod_term(found: Problems, path: str, term: PodAffinityTerm) -> None:
    if term.label_selector is not None:
        label_selector(found, f"{path}.labelSelector", term.label_selector)
    if term.namespace_selector is not None:
        label_selector(found, f"{path}.namespaceSelector", term.namespace_selector)
    for namespace in term.namespaces:
        found.invalid_all(f"{path}.namespace", namespace, names.dns_label(namespace))
    if not term.topology_key:
        found.required(f"{path}.topologyKey", "can not be empty")
    found.invalid_all(f"{path}.topologyKey", term.topology_key, names.label_key(term.topology_key))
    _label_keys(found, path, term.match_label_keys, term.mismatch_label_keys, term.label_selector)


def _label_keys(found: Problems, path: str, keys: list[str], others: list[str], selector: LabelSelector | None) -> None:
    """Labels whose values a pod's own labels add to a selector: `others` are those that must differ."""
    for field, names_ in (("matchLabelKeys", keys), ("mismatchLabelKeys", others)):
        if names_ and selector is None:
            found.forbidden(f"{path}.{field}", "must not be specified when labelSelector is not set")
        elif selector is not None:
            for index, key in enumerate(names_):
                found.invalid_all(f"{path}.{field}[{index}]", key, names.label_key(key))
    places = {key: index for index, key in enumerate(keys)}
    taken = set(selector.match_labels) if selector is not None else set()
    for expression in selector.match_expressions if selector is not None else []:
        # Upstream forgets the field in this path.
        if expression.key in places and expression.key in taken:
            detail = "exists in both matchLabelKeys and labelSelector"
            found.invalid(f"{path}[{places[expression.key]}]", expression.key, detail)
        taken.add(expression.key)
    for index, key in enumerate(keys):
        if key in others:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            found.invalid(f"{path}.matchLabelKeys[{index}]", key, detail)


def _weight(found: Problems, path: str, weight: int) -> None:
    if not 1 <= weight <= 100:
        found.invalid(f"{path}.weight", weight, _WEIGHT)


def tolerations(found: Problems, path: str, items: list[Toleration]) -> None:
    """The taints a pod puts up with."""
    for index, toleration in enumerate(items):
        _toleration(found, f"{path}[{index}]", toleration)


def _toleration(found: Problems, path: str, toleration: Toleration) -> None:
    operator = toleration.operator or ""
    if toleration.key:
        found.invalid_all(f"{path}.key", toleration.key, names.label_key(toleration.key))
    elif operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        found.invalid(f"{path}.operator", operator, detail)
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        found.invalid(f"{path}.effect", toleration.effect or "", detail)
    if operator in ("", "Equal"):
        problems = names.label_value(toleration.value or "")
        if problems:
            found.invalid(f"{path}.operator", toleration.value, ";".join(problems))
    elif operator == "Exists":
        if toleration.value:
            detail = "value must be empty when `operator` is 'Exists'"
            found.invalid(f"{path}.operator", toleration.value, detail)
    else:
        # Upstream knows the other two, and does not allow them yet.
        others = ("Lt", "Gt") if operator in ("Lt", "Gt") else ()
        found.not_supported(f"{path}.operator", operator, ("Equal", "Exists", *others))
    if toleration.effect:
        found.optional_one_of(f"{path}.effect", toleration.effect, _EFFECTS)


def taints(found: Problems, path: str, items: list[Taint]) -> None:
    """The taints of a node."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(items):
        where = f"{path}[{index}]"
        found.invalid_all(f"{where}.key", taint.key, names.label_key(taint.key))
        problems = names.label_value(taint.value or "")
        if problems:
            found.invalid(f"{where}.value", taint.value, ";".join(problems))
        found.one_of(f"{where}.effect", taint.effect, _EFFECTS)
        if (taint.effect, taint.key) in seen:
            found.duplicate(where, taint, "taints must be unique by key and effect pair")
        seen.add((taint.effect, taint.key))


def spread(found: Problems, path: str, items: list[TopologySpreadConstraint]) -> None:
    """How evenly pods spread."""
    left = Counter((item.topology_key, item.when_unsatisfiable) for item in items)
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if item.max_skew <= 0:
            found.invalid(f"{where}.maxSkew", item.max_skew, "must be greater than zero")
        if not item.topology_key:
            found.required(f"{where}.topologyKey", "can not be empty")
        actions = choices.UNSATISFIABLE
        found.optional_one_of(f"{where}.whenUnsatisfiable", item.when_unsatisfiable, actions)
        left[item.topology_key, item.when_unsatisfiable] -= 1
        if left[item.topology_key, item.when_unsatisfiable]:
            pair = f"{{{item.topology_key}, {item.when_unsatisfiable}}}"
            found.duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", pair)
        if item.min_domains is not None:
            if item.min_domains <= 0:
                found.invalid(f"{where}.minDomains", item.min_domains, "must be greater than zero")
            if item.when_unsatisfiable != "DoNotSchedule":
                action = item.when_unsatisfiable
                detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                found.invalid(f"{where}.minDomains", item.min_domains, detail)
        for name, policy in (
            ("nodeAffinityPolicy", item.node_affinity_policy),
            ("nodeTaintsPolicy", item.node_taints_policy),
        ):
            found.optional_one_of(f"{where}.{name}", policy, choices.SPREAD_INCLUSION)
        if item.label_selector is not None:
            label_selector(found, f"{where}.labelSelector", item.label_selector)
        _label_keys(found, where, item.match_label_keys, [], item.label_selector)
