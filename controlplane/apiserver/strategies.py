"""What each kind does to its objects between request and store, apart from defaults and validation.

Metadata that only the server may set is handled for all kinds in `steps/mutate.py`; here is what differs: which part a write may touch
(a write to the object leaves `status` alone and the other way round), what a new object starts with, and when `generation` rises.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from api import kinds
from api.apiregistration_v1 import APIServiceCondition
from api.core_v1 import NamespaceStatus, PodCondition, PodStatus
from api.fields import Type
from api.kinds import Kind
from api.meta_v1 import LabelSelector, LabelSelectorRequirement
from api.quantity import QuantityError
from api.resources import qos_class

SYSTEM_FINALIZER = "kubernetes"
LONGEST_GRACE = 2**31 - 1  # later than any time that can be written
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_DECISIONS = ("Approved", "Denied")
_CONTROLLER_UID = "batch.kubernetes.io/controller-uid"


class Strategy:
    """The rules of a kind without spec and status."""

    def __init__(
        self, *, create_on_update: bool = False, unconditional_update: bool = True, returns_deleted: bool = False
    ) -> None:
        self.create_on_update = create_on_update  # a PUT to a name that is not there creates it
        self.unconditional_update = unconditional_update  # a PUT need not say which revision it replaces
        self.returns_deleted = returns_deleted  # a DELETE is answered with the object, not with a Status

    def prepare_create(self, new: Any) -> None:
        """Clear and set what a client may not choose."""

    def prepare_update(self, new: Any, old: Any) -> None:
        """Keep what a write to the object may not change."""

    def prepare_status(self, new: Any, old: Any) -> None:
        """Keep what a write to the status may not change."""

    def prepare_approval(self, new: Any, old: Any) -> None:
        """Keep what a decision may not change."""

    def prepare_part(self, part: str, new: Any, old: Any) -> None:
        """Keep all but what the subresource `part` is there to change."""

    def grace(self, obj: Any, asked: int | None) -> int | None:
        """Seconds that an object lives on after DELETE; None for kinds that go at once."""
        return None


class WithStatus(Strategy):
    """Spec for people, status for controllers: a write to one leaves the other alone."""

    def prepare_create(self, new: Any) -> None:
        """A fresh status."""
        new.status = type(new.status)()

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old status."""
        new.status = old.status

    def prepare_status(self, new: Any, old: Any) -> None:
        """The old spec."""
        new.spec = old.spec


class Counted(Strategy):
    """A generation that counts changes of anything but metadata."""

    def prepare_create(self, new: Any) -> None:
        """The first generation."""
        new.metadata.generation = 1

    def prepare_update(self, new: Any, old: Any) -> None:
        """A new generation if something changed."""
        if self._changed(new, old):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def _changed(self, new: Any, old: Any) -> bool:
        return _without_metadata(new) != _without_metadata(old)


class FirstGeneration(Strategy):
    """A generation that never rises: what counts cannot be changed."""

    def prepare_create(self, new: Any) -> None:
        """The first generation."""
        new.metadata.generation = 1


class Workload(WithStatus):
    """The same, with a generation that counts changes of the spec."""

    def prepare_create(self, new: Any) -> None:
        """A fresh status."""
        super().prepare_create(new)
        new.metadata.generation = 1

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old status; a new generation if the spec changed."""
        super().prepare_update(new, old)
        if self._changed(new, old):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def _changed(self, new: Any, old: Any) -> bool:
        return bool(new.spec != old.spec)


class Deployments(Workload):
    """Annotations go on to replica sets, so they count as well."""

    def prepare_status(self, new: Any, old: Any) -> None:
        """The old spec and labels."""
        super().prepare_status(new, old)
        new.metadata.labels = old.metadata.labels

    def _changed(self, new: Any, old: Any) -> bool:
        return super()._changed(new, old) or bool(new.metadata.annotations != old.metadata.annotations)


class Pods(Workload):
    """Pods are deleted with grace, and know their class of service from the start."""

    def prepare_create(self, new: Any) -> None:
        """Pending."""
        new.metadata.generation = 1
        new.status = PodStatus(phase="Pending")
        with suppress(QuantityError):  # validation, which comes later, says what is wrong with it
            new.status.qos_class = qos_class(new.spec)
        if new.spec.scheduling_gates:
            new.status.conditions = [
                PodCondition(
                    type="PodScheduled",
                    status="False",
                    reason="SchedulingGated",
                    message="Scheduling is blocked due to non-empty scheduling gates",
                    last_transition_time=new.metadata.creation_timestamp,
                )
            ]
        _merge_label_keys(new)

    def prepare_status(self, new: Any, old: Any) -> None:
        """Neither spec nor owners nor a deletion can be changed through the status, nor an observed generation cleared."""
        super().prepare_status(new, old)
        new.metadata.owner_references = old.metadata.owner_references
        new.status.qos_class = new.status.qos_class or old.status.qos_class
        new.status.observed_generation = new.status.observed_generation or old.status.observed_generation
        before = list(old.status.conditions)
        for condition in new.status.conditions:
            known = next((c for c in before if c.type == condition.type), None)
            if known is not None:
                before.remove(known)
                condition.observed_generation = condition.observed_generation or known.observed_generation

    def prepare_part(self, part: str, new: Any, old: Any) -> None:
        """Only ephemeral containers, or only the resources of the containers that are there; a new generation if that changed."""
        spec, known = new.spec, old.spec
        if part == "ephemeralcontainers":
            new.spec = replace(known, ephemeral_containers=spec.ephemeral_containers)
        elif not _same_names(spec, known):
            return  # validation says so
        else:
            new.spec = replace(
                known,
                resources=spec.resources,
                containers=_with_resources(spec.containers, known.containers),
                init_containers=_with_resources(spec.init_containers, known.init_containers),
            )
        new.status = old.status
        for field in ("labels", "annotations", "finalizers", "owner_references"):
            setattr(new.metadata, field, getattr(old.metadata, field))
        if self._changed(new, old):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def grace(self, obj: Any, asked: int | None) -> int | None:
        """What was asked or specified; none for a pod that never ran or no longer does."""
        period = asked if asked is not None else obj.spec.termination_grace_period_seconds or 0
        if not obj.spec.node_name or obj.status.phase in ("Failed", "Succeeded"):
            return 0
        return 1 if period < 0 else min(int(period), LONGEST_GRACE)


class Namespaces(Strategy):
    """A namespace is held by a finalizer in its spec until it is empty."""

    def prepare_create(self, new: Any) -> None:
        """Active, and held."""
        new.status = NamespaceStatus(phase="Active")
        if SYSTEM_FINALIZER not in new.spec.finalizers:
            new.spec.finalizers = [*new.spec.finalizers, SYSTEM_FINALIZER]
        self._label(new)

    def prepare_update(self, new: Any, old: Any) -> None:
        """Only metadata can be changed."""
        new.spec.finalizers = old.spec.finalizers
        new.status = old.status
        self._label(new)

    def prepare_status(self, new: Any, old: Any) -> None:
        """The old spec."""
        new.spec = old.spec

    def _label(self, new: Any) -> None:
        new.metadata.labels = {**new.metadata.labels, NAMESPACE_LABEL: new.metadata.name}


class Nodes(WithStatus):
    """Agents register nodes with their status."""

    def prepare_create(self, new: Any) -> None:
        """The status that it came with."""


class EndpointSlices(Counted):
    """Labels count as well: proxies go by them."""

    def _changed(self, new: Any, old: Any) -> bool:
        return super()._changed(new, old) or bool(new.metadata.labels != old.metadata.labels)


class Jobs(Workload):
    """Unless it says that it knows better, a Job selects its pods by its own uid."""

    def prepare_create(self, new: Any) -> None:
        """Labels for the pods, and a selector of them."""
        super().prepare_create(new)
        if new.spec.manual_selector:
            return
        name, uid = new.metadata.name or "", new.metadata.uid
        made = {"job-name": name, "controller-uid": uid}
        made |= {f"batch.kubernetes.io/{key}": value for key, value in made.items()}
        labels = new.spec.template.metadata.labels
        new.spec.template.metadata.labels = made | labels
        new.spec.selector = new.spec.selector or LabelSelector()
        new.spec.selector.match_labels = {_CONTROLLER_UID: uid} | new.spec.selector.match_labels


class Volumes(WithStatus):
    """Volumes and claims to them wait for each other at first."""

    def prepare_create(self, new: Any) -> None:
        """Pending."""
        new.status = type(new.status)(phase="Pending")


class PersistentVolumes(Volumes):
    """It is known since when a volume is what it is."""

    def prepare_create(self, new: Any) -> None:
        """Pending from now on."""
        super().prepare_create(new)
        new.status.last_phase_transition_time = new.metadata.creation_timestamp


class Definitions(Workload):
    """A definition knows from the start in which version its objects are stored."""

    def prepare_create(self, new: Any) -> None:
        """A fresh status but for that."""
        super().prepare_create(new)
        new.status.stored_versions = [version.name for version in new.spec.versions if version.storage][:1]


class CertificateRequests(WithStatus):
    """What is asked for never changes; who decides and who signs write different parts of the status."""

    def prepare_update(self, new: Any, old: Any) -> None:
        """Only metadata can be changed."""
        new.spec, new.status = old.spec, old.status

    def prepare_status(self, new: Any, old: Any) -> None:
        """The old request, and the decision as it is."""
        new.spec = old.spec
        decided = [condition for condition in old.status.conditions if condition.type in _DECISIONS]
        others = [condition for condition in new.status.conditions if condition.type not in _DECISIONS]
        new.status.conditions = [*decided, *others]

    def prepare_approval(self, new: Any, old: Any) -> None:
        """Everything as it was but for the conditions."""
        conditions = new.status.conditions
        new.spec, new.status = old.spec, old.status
        new.status.conditions = conditions


class ApiServices(WithStatus):
    """What this server serves itself is there from the start."""

    def prepare_create(self, new: Any) -> None:
        """A fresh status, and available if nobody else serves it."""
        super().prepare_create(new)
        if new.spec.service is None:
            local = APIServiceCondition(
                type="Available",
                status="True",
                reason="Local",
                message="Local APIServices are always available",
                last_transition_time=new.metadata.creation_timestamp,
            )
            new.status.conditions = [local]


_PLAIN = Strategy()
_TABLE: dict[Kind[Any], Strategy] = {
    kinds.POD: Pods(returns_deleted=True),
    kinds.NAMESPACE: Namespaces(returns_deleted=True),
    kinds.NODE: Nodes(),
    kinds.SERVICE: WithStatus(create_on_update=True, returns_deleted=True),  # numbers: `admission/services.py`
    kinds.ENDPOINTS: Strategy(create_on_update=True),
    kinds.EVENT: Strategy(create_on_update=True),
    kinds.SERVICE_ACCOUNT: Strategy(returns_deleted=True),
    kinds.LIMIT_RANGE: Strategy(create_on_update=True),
    kinds.RESOURCE_QUOTA: WithStatus(returns_deleted=True),
    kinds.PERSISTENT_VOLUME: PersistentVolumes(returns_deleted=True),
    kinds.PERSISTENT_VOLUME_CLAIM: Volumes(returns_deleted=True),
    kinds.POD_TEMPLATE: Counted(returns_deleted=True),
    kinds.REPLICATION_CONTROLLER: Workload(),
    kinds.DEPLOYMENT: Deployments(),
    kinds.REPLICA_SET: Workload(),
    kinds.DAEMON_SET: Workload(),
    kinds.STATEFUL_SET: Workload(),
    kinds.JOB: Jobs(),
    kinds.CRON_JOB: Workload(),
    kinds.INGRESS: Workload(),
    kinds.INGRESS_CLASS: Counted(),
    kinds.NETWORK_POLICY: Counted(),
    kinds.SERVICE_CIDR: WithStatus(),
    kinds.POD_DISRUPTION_BUDGET: Workload(unconditional_update=False),
    kinds.ROLE: Strategy(create_on_update=True),
    kinds.ROLE_BINDING: Strategy(create_on_update=True),
    kinds.CLUSTER_ROLE: Strategy(create_on_update=True),
    kinds.CLUSTER_ROLE_BINDING: Strategy(create_on_update=True),
    kinds.STORAGE_CLASS: Strategy(returns_deleted=True),
    kinds.VOLUME_ATTACHMENT: WithStatus(unconditional_update=False, returns_deleted=True),
    kinds.VOLUME_ATTRIBUTES_CLASS: Strategy(returns_deleted=True),
    kinds.CSI_DRIVER: Counted(unconditional_update=False, returns_deleted=True),
    kinds.CSI_NODE: Strategy(unconditional_update=False, returns_deleted=True),
    kinds.CSI_STORAGE_CAPACITY: Strategy(unconditional_update=False),
    kinds.PRIORITY_CLASS: FirstGeneration(),
    kinds.RUNTIME_CLASS: Strategy(create_on_update=True, unconditional_update=False),
    kinds.HORIZONTAL_POD_AUTOSCALER: WithStatus(),
    kinds.CERTIFICATE_SIGNING_REQUEST: CertificateRequests(),
    kinds.VALIDATING_WEBHOOK_CONFIGURATION: Counted(unconditional_update=False),
    kinds.MUTATING_WEBHOOK_CONFIGURATION: Counted(unconditional_update=False),
    kinds.VALIDATING_ADMISSION_POLICY: Workload(unconditional_update=False),
    kinds.VALIDATING_ADMISSION_POLICY_BINDING: Counted(unconditional_update=False),
    kinds.MUTATING_ADMISSION_POLICY: Counted(unconditional_update=False),
    kinds.MUTATING_ADMISSION_POLICY_BINDING: Counted(unconditional_update=False),
    kinds.CUSTOM_RESOURCE_DEFINITION: Definitions(unconditional_update=False),
    kinds.API_SERVICE: ApiServices(unconditional_update=False),
    kinds.FLOW_SCHEMA: Workload(),
    kinds.PRIORITY_LEVEL_CONFIGURATION: Workload(),
    kinds.DEVICE_CLASS: Counted(returns_deleted=True),
    kinds.RESOURCE_CLAIM: WithStatus(returns_deleted=True),
    kinds.RESOURCE_CLAIM_TEMPLATE: Strategy(returns_deleted=True),
    kinds.RESOURCE_SLICE: Counted(returns_deleted=True),
    kinds.LEASE: Strategy(create_on_update=True, unconditional_update=False),
    kinds.ENDPOINT_SLICE: EndpointSlices(),
}


def _same_names(new: Any, old: Any) -> bool:
    return all(
        [one.name for one in getattr(new, field)] == [one.name for one in getattr(old, field)]
        for field in ("containers", "init_containers")
    )


def _with_resources(new: list[Any], old: list[Any]) -> list[Any]:
    pairs = zip(new, old, strict=True)
    return [replace(known, resources=one.resources, resize_policy=one.resize_policy) for one, known in pairs]


def _merge_label_keys(pod: Any) -> None:
    """Write the values that the pod itself has for `matchLabelKeys` into the selectors beside them, for the scheduler."""
    labels, affinity = pod.metadata.labels, pod.spec.affinity
    for constraint in pod.spec.topology_spread_constraints:
        _select(constraint.label_selector, constraint.match_label_keys, "In", labels)
    for terms in (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity is not None else ():
        if terms is None:
            continue
        preferred = [term.pod_affinity_term for term in terms.preferred_during_scheduling_ignored_during_execution]
        for term in (*preferred, *terms.required_during_scheduling_ignored_during_execution):
            _select(term.label_selector, term.match_label_keys, "In", labels)
            _select(term.label_selector, term.mismatch_label_keys, "NotIn", labels)


def _select(selector: Any, keys: list[str], operator: str, labels: dict[str, str]) -> None:
    if selector is not None:
        selector.match_expressions = [
            *selector.match_expressions,
            *(LabelSelectorRequirement(key, operator, [labels[key]]) for key in keys if key in labels),
        ]


def strategy(kind: Kind[Any]) -> Strategy:
    """The rules of `kind`."""
    return _TABLE.get(kind, _PLAIN)


def _without_metadata(obj: Type) -> list[Any]:
    return [getattr(obj, name) for name in obj.__struct_fields__ if name != "metadata"]
