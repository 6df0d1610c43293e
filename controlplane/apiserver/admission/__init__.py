"""Admission: what a write needs from the rest of the cluster. The order stands here.

A plugin is a function of the write and the server's core; it changes `write.new` or raises a StatusError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from controlplane.apiserver.admission import (
    accounts,
    certificates,
    classes,
    creation,
    devices,
    namespaces,
    nodes,
    pods,
    priorities,
    roles,
    services,
)
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

Plugin = Callable[[Write, "Core"], None]

# Of a changed object, what is complete again before it is compared with the old one: that is no change.
COMPLETING: tuple[Plugin, ...] = (priorities.set_priority, pods.add_tolerations)
# Before validation: refuse what has nowhere to go, complete what is missing, reserve what can be had only once.
MUTATING: tuple[Plugin, ...] = (
    creation.require_create,
    namespaces.require_namespace,
    accounts.act_as,
    accounts.limit_ephemeral,
    nodes.taint_new_node,
    priorities.set_priority,
    pods.add_tolerations,
    classes.default_storage_class,
    classes.apply_runtime_class,
    classes.default_ingress_class,
    certificates.set_requester,
    roles.restrict_roles,
    devices.date_taints,
    services.complete,
    services.reserve,
)
# After validation: refuse.
VALIDATING: tuple[Plugin, ...] = (
    nodes.restrict_nodes,
    priorities.one_default,
    classes.limit_growth,
    certificates.restrict_subject,
    certificates.restrict_signers,
    certificates.restrict_trust,
)
