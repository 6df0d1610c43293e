"""What is wrong with an object: nothing is stored that upstream would refuse.

Rules run on objects with defaults applied and with names, namespaces and addresses already given. They return causes
as they stand in a Status, in upstream's words; an empty list means that all is well.
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from api import kinds
from api.core_v1 import Binding
from api.fields import Type
from api.kinds import Kind
from api.validation import (
    cluster,
    config,
    endpoints,
    events,
    finalizers,
    pod_resize,
    pod_updates,
    pods,
    services,
    workloads,
)
from api.validation.problems import Cause, Problems, summary
from api.validation.rules import Rules

__all__ = ["Cause", "summary", "validate_binding", "validate_create", "validate_update"]

_CREATE: dict[Kind[Any], Callable[[Problems, Any], None]] = {
    kinds.NAMESPACE: cluster.create_namespace,
    kinds.NODE: cluster.create_node,
    kinds.LEASE: cluster.create_lease,
    kinds.POD: pods.create,
    kinds.DEPLOYMENT: workloads.create_deployment,
    kinds.REPLICA_SET: workloads.create_replica_set,
    kinds.SERVICE: services.create,
    kinds.ENDPOINTS: endpoints.create_endpoints,
    kinds.ENDPOINT_SLICE: endpoints.create_slice,
    kinds.CONFIG_MAP: config.create_config_map,
    kinds.SECRET: config.create_secret,
    kinds.SERVICE_ACCOUNT: config.create_service_account,
    kinds.EVENT: events.create_leniently,
    kinds.EVENTS_EVENT: events.create_strictly,
}

_UPDATE: dict[tuple[Kind[Any], str], Callable[[Problems, Any, Any], None]] = {
    (kinds.NAMESPACE, ""): cluster.update_namespace,
    (kinds.NAMESPACE, "status"): cluster.update_namespace_status,
    (kinds.NAMESPACE, "finalize"): cluster.finalize_namespace,
    (kinds.NODE, ""): cluster.update_node,
    (kinds.NODE, "status"): cluster.update_node,
    (kinds.LEASE, ""): cluster.update_lease,
    (kinds.POD, ""): pod_updates.update,
    (kinds.POD, "status"): pod_updates.update_status,
    (kinds.POD, "ephemeralcontainers"): pod_updates.update_ephemeral_containers,
    (kinds.POD, "resize"): pod_resize.update_resize,
    (kinds.DEPLOYMENT, ""): workloads.update_deployment,
    (kinds.DEPLOYMENT, "status"): workloads.update_deployment_status,
    (kinds.REPLICA_SET, ""): workloads.update_replica_set,
    (kinds.REPLICA_SET, "status"): workloads.update_replica_set_status,
    (kinds.SERVICE, ""): services.update,
    (kinds.SERVICE, "status"): services.update_status,
    (kinds.ENDPOINTS, ""): endpoints.update_endpoints,
    (kinds.ENDPOINT_SLICE, ""): endpoints.update_slice,
    (kinds.CONFIG_MAP, ""): config.update_config_map,
    (kinds.SECRET, ""): config.update_secret,
    (kinds.SERVICE_ACCOUNT, ""): config.update_service_account,
    (kinds.EVENT, ""): events.update,
    (kinds.EVENTS_EVENT, ""): events.update_strictly,
}


def validate_create(kind: Kind[Any], obj: Type) -> list[Cause]:
    """What is wrong with a new object. Of a second view, `obj` is as it is kept."""
    found = Problems()
    if check := _CREATE.get(kind):
        check(found, obj)
    else:
        kind = kind.stored_as or kind
        _rules(kind).create(found, kind, obj)
    finalizers.of_object(found, kind, obj)
    return found.causes


def validate_update(kind: Kind[Any], new: Type, old: Type, subresource: str = "") -> list[Cause]:
    """What is wrong with a changed object, or with what was changed through a subresource."""
    found = Problems()
    if check := _UPDATE.get((kind, subresource)):
        check(found, new, old)
    else:
        _rules(kind.stored_as or kind).update(found, new, old, subresource)
    finalizers.of_object(found, kind, new)
    return found.causes


def validate_binding(binding: Binding) -> list[Cause]:
    """What is wrong with the scheduler's choice of a node."""
    found = Problems()
    pods.binding(found, binding)
    return found.causes


@functools.cache
def _rules(kind: Kind[Any]) -> Rules:
    """The rules of a kind that few clusters use: imported with its type, when its first object comes."""
    rules: Rules = importlib.import_module(f"api.validation.{kind.module}").RULES[kind]
    return rules
