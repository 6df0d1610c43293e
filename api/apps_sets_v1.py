"""apps/v1: DaemonSets, StatefulSets and the ControllerRevisions that they keep."""

from typing import Annotated

from api import choices
from api.core_v1 import PodTemplateSpec
from api.core_volumes_v1 import PersistentVolumeClaim
from api.fields import NOTHING, F, Int32, Int64, IntOrString, Json, Nothing, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class RollingUpdateDaemonSet(Type):
    """How many pods of a DaemonSet may be missing, or there twice, while they are replaced."""

    max_unavailable: Annotated[IntOrString | None, F(1, explicit=True)] = None
    max_surge: Annotated[IntOrString | None, F(2, explicit=True)] = None


class DaemonSetUpdateStrategy(Type):
    """How the pods of a DaemonSet are replaced when its template changes."""

    type: Annotated[str | None, F(1, among=choices.SET_UPDATES)] = None
    rolling_update: Annotated[RollingUpdateDaemonSet | None, F(2)] = None


class DaemonSetSpec(Type):
    """Which pods a DaemonSet runs, and how it replaces them.

    selector: the labels that its pods have; it cannot be changed
    template: what its pods look like
    update_strategy: how pods are replaced when the template changes
    min_ready_seconds: how long a new pod must have been ready before it counts as available; 0 by default
    revision_history_limit: how many past states are kept to go back to; 10 by default
    """

    selector: Annotated[LabelSelector | None, F(1)] = None
    template: Annotated[PodTemplateSpec, F(2)] = required(PodTemplateSpec)
    update_strategy: Annotated[DaemonSetUpdateStrategy | None, F(3)] = None
    min_ready_seconds: Annotated[Int32 | None, F(4)] = None
    revision_history_limit: Annotated[Int32 | None, F(6, explicit=True)] = None


class DaemonSetCondition(Type):
    """One thing that is, or is not, the case with a DaemonSet."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class DaemonSetStatus(Type):
    """How many pods of a DaemonSet there are, should be, and are ready.

    current_number_scheduled: how many nodes have the pod and should
    number_misscheduled: how many nodes have the pod and should not
    desired_number_scheduled: how many nodes should have the pod
    number_ready: how many nodes have a ready pod
    updated_number_scheduled: how many nodes have a pod of the newest template
    number_available: how many nodes have had a ready pod for long enough
    number_unavailable: how many nodes have none
    """

    current_number_scheduled: Annotated[Int32, F(1)] = required(int)
    number_misscheduled: Annotated[Int32, F(2)] = required(int)
    desired_number_scheduled: Annotated[Int32, F(3)] = required(int)
    number_ready: Annotated[Int32, F(4)] = required(int)
    observed_generation: Annotated[Int64 | None, F(5)] = None
    updated_number_scheduled: Annotated[Int32 | None, F(6)] = None
    number_available: Annotated[Int32 | None, F(7)] = None
    number_unavailable: Annotated[Int32 | None, F(8)] = None
    collision_count: Annotated[Int32 | None, F(9, explicit=True)] = None
    conditions: Annotated[list[DaemonSetCondition], F(10, merge="type")] = []


class DaemonSet(Type):
    """A pod on every node, or on every node that fits."""

    kind: str = constant("DaemonSet")
    api_version: str = constant("apps/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[DaemonSetSpec, F(2)] = required(DaemonSetSpec)
    status: Annotated[DaemonSetStatus, F(3)] = required(DaemonSetStatus)


class RollingUpdateStatefulSetStrategy(Type):
    """From which pod on a StatefulSet replaces pods, and how many may be missing meanwhile."""

    partition: Annotated[Int32 | None, F(1, explicit=True)] = None
    max_unavailable: Annotated[IntOrString | None, F(2, explicit=True)] = None


class StatefulSetUpdateStrategy(Type):
    """How the pods of a StatefulSet are replaced when its template changes."""

    type: Annotated[str | None, F(1, among=choices.SET_UPDATES)] = None
    rolling_update: Annotated[RollingUpdateStatefulSetStrategy | None, F(2)] = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(Type):
    """What becomes of the claims of a StatefulSet when it is deleted or made smaller."""

    when_deleted: Annotated[str | None, F(1)] = None
    when_scaled: Annotated[str | None, F(2)] = None


class StatefulSetOrdinals(Type):
    """From which number on the pods of a StatefulSet are counted."""

    start: Annotated[Int32, F(1)] = required(int)


class StatefulSetSpec(Type):
    """How many pods a StatefulSet has, what they look like, and how it replaces them.

    replicas: how many pods there should be; 1 by default
    selector: the labels that its pods have; it cannot be changed
    template: what its pods look like
    volume_claim_templates: claims to volumes that every pod gets for itself
    service_name: the headless service by which its pods have names in DNS
    pod_management_policy: whether pods are started and stopped one after the other or all at once
    update_strategy: how pods are replaced when the template changes
    revision_history_limit: how many past states are kept to go back to; 10 by default
    min_ready_seconds: how long a new pod must have been ready before it counts as available; 0 by default
    persistent_volume_claim_retention_policy: what becomes of the claims when pods are no longer wanted
    ordinals: from which number on the pods are counted
    """

    replicas: Annotated[Int32 | None, F(1, explicit=True)] = None
    selector: Annotated[LabelSelector | None, F(2)] = None
    template: Annotated[PodTemplateSpec, F(3)] = required(PodTemplateSpec)
    volume_claim_templates: Annotated[list[PersistentVolumeClaim], F(4, atomic=True)] = []
    service_name: Annotated[str, F(5)] = required(str)
    pod_management_policy: Annotated[str | None, F(6, among=choices.POD_MANAGEMENT)] = None
    update_strategy: Annotated[StatefulSetUpdateStrategy | None, F(7)] = None
    revision_history_limit: Annotated[Int32 | None, F(8, explicit=True)] = None
    min_ready_seconds: Annotated[Int32 | None, F(9)] = None
    persistent_volume_claim_retention_policy: Annotated[
        StatefulSetPersistentVolumeClaimRetentionPolicy | None, F(10)
    ] = None
    ordinals: Annotated[StatefulSetOrdinals | None, F(11)] = None


class StatefulSetCondition(Type):
    """One thing that is, or is not, the case with a StatefulSet."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class StatefulSetStatus(Type):
    """How many pods of a StatefulSet there are, are ready, and are of which revision.

    current_revision: the revision that pods had before
    update_revision: the revision that pods are to have
    """

    observed_generation: Annotated[Int64 | None, F(1)] = None
    replicas: Annotated[Int32, F(2)] = required(int)
    ready_replicas: Annotated[Int32 | None, F(3)] = None
    current_replicas: Annotated[Int32 | None, F(4)] = None
    updated_replicas: Annotated[Int32 | None, F(5)] = None
    current_revision: Annotated[str | None, F(6)] = None
    update_revision: Annotated[str | None, F(7)] = None
    collision_count: Annotated[Int32 | None, F(9, explicit=True)] = None
    conditions: Annotated[list[StatefulSetCondition], F(10, merge="type")] = []
    available_replicas: Annotated[Int32, F(11)] = required(int)


class StatefulSet(Type):
    """Pods with lasting names and volumes, numbered and started in order."""

    kind: str = constant("StatefulSet")
    api_version: str = constant("apps/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[StatefulSetSpec, F(2)] = required(StatefulSetSpec)
    status: Annotated[StatefulSetStatus, F(3)] = required(StatefulSetStatus)


class ControllerRevision(Type):
    """A past state of a DaemonSet or StatefulSet, kept to go back to."""

    kind: str = constant("ControllerRevision")
    api_version: str = constant("apps/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    data: Annotated[Json | Nothing, F(2, atomic=True)] = NOTHING
    revision: Annotated[Int64, F(3)] = required(int)
