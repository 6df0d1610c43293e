"""Matching node selector terms."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.scheduler.model import Node, Requirement, Term


def matches_any(terms: Iterable[Term], node: Node) -> bool:
    """Terms are alternatives; no terms match nothing."""
    return any(matches(term, node) for term in terms)


def matches(term: Term, node: Node) -> bool:
    """All requirements of a term must hold; a term without any matches nothing."""
    if not term.labels and not term.fields:
        return False
    return all(_holds(r, node.labels.get(r.key)) for r in term.labels) and all(
        r.key == "metadata.name" and _holds(r, node.name) for r in term.fields
    )


def _holds(requirement: Requirement, value: str | None) -> bool:
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(requirement, value)
    return False


def _compares(requirement: Requirement, value: str | None) -> bool:
    try:
        seen, limit = int(value or ""), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return seen > limit if requirement.operator == "Gt" else seen < limit
