"""Rules for DaemonSets, StatefulSets and ControllerRevisions."""

from typing import Any

import msgspec

from api import choices, kinds, names
from api.apps_sets_v1 import (
    ControllerRevision,
    DaemonSet,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
    StatefulSet,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from api.core_v1 import PersistentVolumeClaimVolumeSource, Volume
from api.fields import NOTHING, Json
from api.kinds import Kind
from api.validation import replicas
from api.validation.core_claims import claim_spec
from api.validation.portions import at_most_all, given, is_nothing, portion
from api.validation.problems import Problems
from api.validation.rules import Rules

_FREE = (
    "replicas",
    "template",
    "update_strategy",
    "min_ready_seconds",
    "ordinals",
    "revision_history_limit",
    "persistent_volume_claim_retention_policy",
)


def daemon_set(found: Problems, obj: DaemonSet) -> None:
    """A DaemonSet."""
    spec = obj.spec
    replicas.selector(found, "spec", spec.selector, spec.template, "daemonset")
    replicas.template(found, "spec.template", spec.template, "DaemonSet")
    found.not_negative("spec.minReadySeconds", spec.min_ready_seconds)
    _daemon_strategy(found, "spec.updateStrategy", spec.update_strategy or DaemonSetUpdateStrategy())
    found.not_negative("spec.revisionHistoryLimit", spec.revision_history_limit)


def _daemon_strategy(found: Problems, path: str, strategy: DaemonSetUpdateStrategy) -> None:
    if strategy.type == "OnDelete":
        return
    if strategy.type != "RollingUpdate":
        found.not_supported(path, strategy, ("RollingUpdate", "OnDelete"))
        return
    rolling = strategy.rolling_update or RollingUpdateDaemonSet()
    unavailable, surge = given(rolling.max_unavailable), given(rolling.max_surge)
    for field, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        portion(found, f"{path}.rollingUpdate.{field}", value)
        at_most_all(found, f"{path}.rollingUpdate.{field}", value)
    if not is_nothing(unavailable) and not is_nothing(surge):
        detail = "may not be set when maxUnavailable is non-zero"
        found.invalid(f"{path}.rollingUpdate.maxSurge", surge, detail)
    elif is_nothing(unavailable) and is_nothing(surge):
        found.required(f"{path}.rollingUpdate.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _daemon_set_changed(found: Problems, new: DaemonSet, old: DaemonSet) -> None:
    found.immutable("spec.selector", new.spec.selector, old.spec.selector)


def _counts(found: Problems, new: DaemonSet, old: DaemonSet) -> None:
    replicas.status(found, new.status)
    replicas.collisions(found, new.status.collision_count, old.status.collision_count)


def stateful_set(found: Problems, obj: StatefulSet) -> None:
    """A StatefulSet."""
    spec = obj.spec
    if spec.pod_management_policy not in choices.POD_MANAGEMENT:
        found.invalid("spec.podManagementPolicy", spec.pod_management_policy, "must be 'OrderedReady' or 'Parallel'")
    _stateful_strategy(found, "spec.updateStrategy", spec.update_strategy or StatefulSetUpdateStrategy())
    retention = spec.persistent_volume_claim_retention_policy
    if retention is not None:
        for field, policy in (("whenDeleted", retention.when_deleted), ("whenScaled", retention.when_scaled)):
            path = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
            found.optional_one_of(path, policy, ("Retain", "Delete"))
    found.not_negative("spec.replicas", spec.replicas)
    found.not_negative("spec.minReadySeconds", spec.min_ready_seconds)
    if spec.ordinals is not None:
        found.not_negative("spec.ordinals.start", spec.ordinals.start)
    if replicas.selector(found, "spec", spec.selector, spec.template, "statefulset"):
        _stateful_template(found, spec)
    else:
        replicas.always(found, "spec.template.spec", spec.template.spec, "StatefulSet")


def _new_stateful_set(found: Problems, obj: StatefulSet) -> None:
    """What cannot be changed is judged when it is new."""
    for index, template in enumerate(obj.spec.volume_claim_templates):
        claim_spec(found, f"spec.volumeClaimTemplates[{index}].spec", template.spec)
    if obj.spec.service_name:
        found.invalid_all("spec.serviceName", obj.spec.service_name, names.dns_label(obj.spec.service_name))


def _stateful_template(found: Problems, spec: StatefulSetSpec) -> None:
    """The template as its pods will be: with the volumes that the claims become."""
    template, pod = spec.template, spec.template.spec
    claimed = dict.fromkeys(item.metadata.name or "" for item in spec.volume_claim_templates)
    added = [
        Volume(name=name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=name))
        for name in claimed
    ]
    own = [volume for volume in pod.volumes if volume.name not in claimed]
    seen = msgspec.structs.replace(pod, volumes=[*added, *own], subdomain=None, hostname=None)
    replicas.template(found, "spec.template", msgspec.structs.replace(template, spec=seen), "StatefulSet")


def _stateful_strategy(found: Problems, path: str, strategy: StatefulSetUpdateStrategy) -> None:
    rolling = strategy.rolling_update
    if strategy.type == "OnDelete":
        if rolling is not None:
            found.invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")
    elif strategy.type != "RollingUpdate":
        found.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None:
        found.not_negative(f"{path}.rollingUpdate.partition", rolling.partition)
        if rolling.max_unavailable is not None:
            where = f"{path}.rollingUpdate.maxUnavailable"
            portion(found, where, rolling.max_unavailable)
            if is_nothing(rolling.max_unavailable):
                found.invalid(where, rolling.max_unavailable, "cannot be 0")
            at_most_all(found, where, rolling.max_unavailable)


def _stateful_set_changed(found: Problems, new: StatefulSet, old: StatefulSet) -> None:
    fixed = [name for name in new.spec.__struct_fields__ if name not in _FREE]
    if any(getattr(new.spec, name) != getattr(old.spec, name) for name in fixed):
        detail = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        found.forbidden("spec", detail)


def _stateful_set_status(found: Problems, new: StatefulSet, old: StatefulSet) -> None:
    replicas.status(found, new.status, "status.readyReplicas")
    replicas.collisions(found, new.status.collision_count, old.status.collision_count)


def revision(found: Problems, obj: ControllerRevision) -> None:
    """A ControllerRevision."""
    found.not_negative("revision", obj.revision)


def _new_revision(found: Problems, obj: ControllerRevision) -> None:
    text = b"" if obj.data is NOTHING else bytes(obj.data).strip()
    if text in (b"", b"null"):
        found.required("data", "data is mandatory")
    elif not text.startswith(b"{"):
        found.required("data", "data must be a valid JSON object")


def _revision_changed(found: Problems, new: ControllerRevision, old: ControllerRevision) -> None:
    before, after = (msgspec.json.decode(one.data) if isinstance(one.data, Json) else None for one in (old, new))
    if before != after:
        found.invalid("data", after, "field is immutable")


RULES: dict[Kind[Any], Rules] = {
    kinds.DAEMON_SET: Rules(daemon_set, _daemon_set_changed, {"status": _counts}),
    kinds.STATEFUL_SET: Rules(
        stateful_set,
        _stateful_set_changed,
        {"status": _stateful_set_status},
        name=names.dns_label,
        fresh=_new_stateful_set,
    ),
    kinds.CONTROLLER_REVISION: Rules(revision, _revision_changed, fresh=_new_revision),
}
