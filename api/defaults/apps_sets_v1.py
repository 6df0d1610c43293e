"""Defaults of DaemonSets and StatefulSets."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.apps_sets_v1 import (
    DaemonSet,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from api.defaults.core_volumes_v1 import claim
from api.defaults.pods import pod_spec
from api.kinds import Kind


def daemon_set(obj: DaemonSet) -> None:
    """Defaults of a DaemonSet."""
    spec = obj.spec
    strategy = spec.update_strategy = spec.update_strategy or DaemonSetUpdateStrategy()
    strategy.type = strategy.type or "RollingUpdate"
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update = strategy.rolling_update or RollingUpdateDaemonSet()
        if rolling.max_unavailable is None:
            rolling.max_unavailable = 1
    given = strategy.rolling_update  # also of another type, where it says nothing
    if given is not None:
        given.max_unavailable = 0 if given.max_unavailable is None else given.max_unavailable
        given.max_surge = 0 if given.max_surge is None else given.max_surge
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10
    pod_spec(spec.template.spec)


def stateful_set(obj: StatefulSet) -> None:
    """Defaults of a StatefulSet."""
    spec = obj.spec
    spec.pod_management_policy = spec.pod_management_policy or "OrderedReady"
    _update_strategy(spec)
    retention = spec.persistent_volume_claim_retention_policy or StatefulSetPersistentVolumeClaimRetentionPolicy()
    retention.when_deleted = retention.when_deleted or "Retain"
    retention.when_scaled = retention.when_scaled or "Retain"
    spec.persistent_volume_claim_retention_policy = retention
    if spec.replicas is None:
        spec.replicas = 1
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10
    for template in spec.volume_claim_templates:
        claim(template)
        template.kind, template.api_version = "PersistentVolumeClaim", "v1"
    pod_spec(spec.template.spec)


def _update_strategy(spec: StatefulSetSpec) -> None:
    strategy = spec.update_strategy = spec.update_strategy or StatefulSetUpdateStrategy()
    if not strategy.type:
        strategy.type = "RollingUpdate"
        strategy.rolling_update = strategy.rolling_update or RollingUpdateStatefulSetStrategy()
    rolling = strategy.rolling_update
    if strategy.type == "RollingUpdate" and rolling is not None and rolling.partition is None:
        rolling.partition = 0


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.DAEMON_SET: daemon_set,
    kinds.STATEFUL_SET: stateful_set,
}
