"""Rules for finalizers: those of the system are known by name, those of others tell whose they are."""

from typing import Any

from api import kinds
from api.kinds import Kind
from api.validation.problems import Problems

_STANDARD = ("foregroundDeletion", "kubernetes", "orphan")
# Kinds that upstream does not look at so closely.
_ANY: frozenset[Kind[Any]] = frozenset(
    (
        kinds.API_SERVICE,
        kinds.CUSTOM_RESOURCE_DEFINITION,
        kinds.LEASE,
        kinds.MUTATING_ADMISSION_POLICY,
        kinds.MUTATING_ADMISSION_POLICY_BINDING,
        kinds.MUTATING_WEBHOOK_CONFIGURATION,
        kinds.POD_DISRUPTION_BUDGET,
        kinds.RUNTIME_CLASS,
        kinds.VALIDATING_ADMISSION_POLICY,
        kinds.VALIDATING_ADMISSION_POLICY_BINDING,
        kinds.VALIDATING_WEBHOOK_CONFIGURATION,
    )
)


def of_object(found: Problems, kind: Kind[Any], obj: Any) -> None:
    """The finalizers in the metadata of an object."""
    if kind in _ANY:
        return
    for index, name in enumerate(obj.metadata.finalizers):
        known(found, f"metadata.finalizers[{index}]", name)


def known(found: Problems, path: str, name: str) -> None:
    """One that is the system's, or in someone's domain."""
    if "/" not in name and name not in _STANDARD:
        found.invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")
