"""Rules for Namespaces, Nodes and Leases."""

import re

from api import names
from api.coordination_v1 import Lease
from api.core_v1 import Namespace, Node
from api.validation import addresses, metadata, resources, scheduling
from api.validation.finalizers import known
from api.validation.problems import Problems

_LONGEST_FEATURE = 253
_FEATURE = (
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' "
    "(e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
)
_is_feature = re.compile(r"[A-Z][a-zA-Z0-9]*(/[a-zA-Z][a-zA-Z0-9]*)*").fullmatch


def create_namespace(found: Problems, obj: Namespace) -> None:
    """A new Namespace."""
    metadata.metadata(found, obj.metadata, False, names.dns_label)
    for finalizer in obj.spec.finalizers:
        _finalizer(found, "spec.finalizers", finalizer)


def update_namespace(found: Problems, new: Namespace, old: Namespace) -> None:
    """A changed Namespace."""
    metadata.metadata_update(found, new.metadata, old.metadata)


def update_namespace_status(found: Problems, new: Namespace, old: Namespace) -> None:
    """A changed status of a Namespace."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    # Upstream writes this one field with a capital.
    if new.metadata.deletion_timestamp is None:
        if new.status.phase != "Active":
            detail = "may only be 'Active' if `deletionTimestamp` is empty"
            found.invalid("status.Phase", new.status.phase, detail)
    elif new.status.phase != "Terminating":
        detail = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        found.invalid("status.Phase", new.status.phase, detail)


def finalize_namespace(found: Problems, new: Namespace, old: Namespace) -> None:
    """Changed finalizers of a Namespace."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    for index, finalizer in enumerate(new.spec.finalizers):
        _finalizer(found, f"spec.finalizers[{index}]", finalizer)


def _finalizer(found: Problems, path: str, finalizer: str) -> None:
    found.invalid_all(path, finalizer, names.label_key(finalizer))
    known(found, path, finalizer)


def create_node(found: Problems, obj: Node) -> None:
    """A new Node."""
    metadata.metadata(found, obj.metadata, False, names.dns_subdomain)
    _node(found, obj)


def update_node(found: Problems, new: Node, old: Node) -> None:
    """A changed Node, or its status."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _node(found, new)
    seen: set[tuple[str, str]] = set()
    for index, address in enumerate(new.status.addresses):
        if (address.type, address.address) in seen:
            found.duplicate(f"status.addresses[{index}]", address)
        seen.add((address.type, address.address))
    for field, before, after, name in (
        ("podCIDRs", old.spec.pod_cidrs, new.spec.pod_cidrs, "podCIDR"),
        ("providerID", old.spec.provider_id, new.spec.provider_id, "providerID"),
    ):
        if before and before != after:
            found.forbidden(f"spec.{field}", f'node updates may not change {name} except from "" to valid')
    if (new.spec.external_id or "") != (old.spec.external_id or ""):
        found.forbidden("spec.externalID", "may not be updated")


def _node(found: Problems, obj: Node) -> None:
    # Upstream names taints as if they were in the metadata.
    scheduling.taints(found, "metadata.taints", obj.spec.taints)
    _features(found, "status.declaredFeatures", obj.status.declared_features)
    networks = obj.spec.pod_cidrs
    before = len(found.causes)
    for index, network in enumerate(networks):
        addresses.cidr(found, f"spec.podCIDRs[{index}]", network)
    good = len(found.causes) == before
    if len(networks) > 1 and not (good and addresses.one_of_each_family(networks)):
        found.invalid("spec.podCIDRs", networks, "may specify no more than one CIDR for each IP family")
    for field, amounts in (("capacity", obj.status.capacity), ("allocatable", obj.status.allocatable)):
        for name, text in amounts.items():
            resources.amount(found, f"status.{field}.{name}", name, text)


def _features(found: Problems, path: str, features: list[str]) -> None:
    """What an agent says it can do: a sorted list of names."""
    for index, feature in enumerate(features):
        where = f"{path}[{index}]"
        if len(feature) > _LONGEST_FEATURE:
            detail = f'invalid feature name "{feature}": must be no more than {_LONGEST_FEATURE} characters'
            found.invalid(where, feature, detail)
        elif not _is_feature(feature):
            found.invalid(where, feature, f'invalid feature name "{feature}": {_FEATURE}')
        if index and feature == features[index - 1]:
            found.duplicate(where, feature)
        elif index and feature < features[index - 1]:
            found.invalid(where, feature, "list must be sorted alphabetically")


def create_lease(found: Problems, obj: Lease) -> None:
    """A new Lease."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _lease(found, obj)


def update_lease(found: Problems, new: Lease, old: Lease) -> None:
    """A renewed or taken Lease."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _lease(found, new)


def _lease(found: Problems, obj: Lease) -> None:
    spec = obj.spec
    if spec.lease_duration_seconds is not None and spec.lease_duration_seconds <= 0:
        found.invalid("spec.leaseDurationSeconds", spec.lease_duration_seconds, "must be greater than 0")
    found.not_negative("spec.leaseTransitions", spec.lease_transitions)
    if spec.preferred_holder and not spec.strategy:
        found.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")
