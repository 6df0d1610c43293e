"""What a Deployment does next, given what is seen of it and its ReplicaSets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.controllers.deployment import revisions, sizes, status
from controlplane.controllers.deployment.names import REVISION, replica_set_name, template_hash
from controlplane.controllers.deployment.status import Rollout
from controlplane.controllers.seen import SeenDeployment, SeenReplicaSet
from controlplane.controllers.seen.workload import DeploymentStatus


@dataclass(frozen=True, slots=True)
class Create:
    """Make the ReplicaSet of the current template."""

    name: str
    hash: str
    replicas: int
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Update:
    """Write a ReplicaSet's size and annotations."""

    rs: SeenReplicaSet
    replicas: int
    min_ready: int
    annotations: Mapping[str, str]
    """Only those that change."""

    @property
    def message(self) -> str:
        """For the Event, empty if the size stays."""
        if self.replicas == self.rs.replicas:
            return ""
        way = "up" if self.replicas > self.rs.replicas else "down"
        return f"Scaled {way} replica set {self.rs.name} from {self.rs.replicas} to {self.replicas}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one pass does, in this order."""

    create: Create | None = None
    updates: tuple[Update, ...] = ()
    delete: tuple[SeenReplicaSet, ...] = ()
    revision: str = ""
    """What the Deployment's own annotation should say; empty: it does."""
    status: DeploymentStatus | None = None
    wait: float | None = None
    """Seconds after which to look again though nothing happened."""


@dataclass(slots=True)
class _Draft:
    sizes: sizes.Sizes = field(default_factory=dict)
    create: Create | None = None
    cleanup: bool = False
    scaling: bool = False


def find_new(d: SeenDeployment, sets: Sequence[SeenReplicaSet]) -> SeenReplicaSet | None:
    """The oldest ReplicaSet of the current template."""
    return next((rs for rs in sizes.by_age(sets) if rs.template.digest == d.template.digest), None)


def plan_deployment(d: SeenDeployment, sets: Sequence[SeenReplicaSet], old_pods: bool, now: float) -> Plan:
    """One step. `sets` are its own; `old_pods`: pods of ReplicaSets other than the new one still exist, in whatever state."""
    new = find_new(d, sets)
    rollout = Rollout(d, new, sets, now)
    if d.deleting:
        return _finish(rollout, _Draft(scaling=True), status.counted(rollout))
    olds = [rs for rs in sets if new is None or rs.uid != new.uid]
    draft = _draft(d, new, olds, old_pods)
    said = status.with_pause(d, status.counted(rollout), now)
    if not draft.scaling:
        said = status.with_progress(rollout, said)
        said = _announce(rollout, draft, said)
    plan = _finish(rollout, draft, said)
    updates = _updates(d, new, olds, draft)
    return replace(
        plan,
        create=draft.create,
        updates=updates,
        delete=_surplus(d, olds) if draft.cleanup else (),
        revision=_revision(d, new, draft, updates),
    )


def _draft(d: SeenDeployment, new: SeenReplicaSet | None, olds: list[SeenReplicaSet], old_pods: bool) -> _Draft:
    sets = [*olds, *([new] if new else [])]
    if d.paused or sizes.is_scaling(d, sets):
        found = sizes.proportional(d, new, olds)
        return _Draft(sizes=found or {}, scaling=True, cleanup=d.paused)
    complete = status.is_complete(d, d.status)
    if d.recreate:
        wanted = sizes.recreate(d, new, olds, old_pods)
        ready = new is None and not wanted and not old_pods
        return _Draft(wanted, _create(d, olds) if ready else None, cleanup=complete)
    if new is None:
        return _Draft(create=_create(d, olds))
    return _Draft(sizes.roll(d, new, olds), cleanup=complete)


def _create(d: SeenDeployment, olds: list[SeenReplicaSet]) -> Create:
    hashed = template_hash(d.template.digest, d.status.collisions)
    annotations = revisions.inherited(d) | revisions.sizes_noted(d) | {REVISION: str(revisions.next_revision(olds))}
    return Create(replica_set_name(d.name, hashed), hashed, sizes.first_size(d, olds), annotations)


def _updates(
    d: SeenDeployment, new: SeenReplicaSet | None, olds: list[SeenReplicaSet], draft: _Draft
) -> tuple[Update, ...]:
    """What shrinks is written before what grows."""
    updates: list[Update] = []
    for rs in [*olds, *([new] if new else [])]:
        size = draft.sizes.get(rs.name, rs.replicas)
        annotations: dict[str, str] = {}
        if size != rs.replicas or (draft.scaling and rs.name in draft.sizes):
            annotations = {k: v for k, v in revisions.sizes_noted(d).items() if rs.annotations.get(k) != v}
        ready = rs.min_ready
        if rs is new:
            annotations |= revisions.for_new(d, rs, olds)
            ready = d.min_ready
        if size != rs.replicas or annotations or ready != rs.min_ready:
            updates.append(Update(rs, size, ready, annotations))
    return tuple(sorted(updates, key=lambda u: u.replicas - u.rs.replicas))


def _revision(d: SeenDeployment, new: SeenReplicaSet | None, draft: _Draft, updates: Sequence[Update]) -> str:
    if draft.create is not None:
        wanted = draft.create.annotations[REVISION]
    elif new is not None:
        written = next((u.annotations for u in updates if u.rs is new), {})
        wanted = written.get(REVISION) or new.annotations.get(REVISION, "")
    else:
        return ""
    return "" if d.annotations.get(REVISION) == wanted else wanted


def _surplus(d: SeenDeployment, olds: list[SeenReplicaSet]) -> tuple[SeenReplicaSet, ...]:
    """ReplicaSets beyond the history that is kept, oldest revisions first, if nothing is left in them."""
    alive = sorted(
        (rs for rs in olds if not rs.deleting), key=lambda rs: (revisions.revision(rs.annotations), rs.created)
    )
    if d.history_limit is None or len(alive) <= d.history_limit:
        return ()
    return tuple(
        rs
        for rs in alive[: len(alive) - d.history_limit]
        if not rs.replicas and not rs.status.replicas and rs.status.observed_generation >= rs.generation
    )


def _announce(r: Rollout, draft: _Draft, said: DeploymentStatus) -> DeploymentStatus:
    """Progressing, when a ReplicaSet is made, or found where nobody spoke of progress before."""
    if r.deployment.deadline is None:
        return said
    if draft.create is not None:
        reason, message = "NewReplicaSetCreated", f'Created new replica set "{draft.create.name}"'
    elif r.new is not None and status.find(said.conditions, status.PROGRESSING) is None:
        reason, message = "FoundNewReplicaSet", f'Found new replica set "{r.new.name}"'
    else:
        return said
    return replace(said, conditions=status.announced(said.conditions, reason, message, r.now))


def _finish(r: Rollout, draft: _Draft, said: DeploymentStatus) -> Plan:
    d = r.deployment
    changed = None if status.same_status(said, d.status) else said
    wait = None if draft.scaling else status.until_deadline(d, said, r.now)
    return Plan(status=changed, wait=wait)
