"""Walks every Deployment from template to template, one step a pass.

Steps are decided on caches (see freshness for why that is safe) and every write names the version it was decided on, so that a decision
on something that has changed meanwhile is refused and made anew.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from api import kinds
from client.client import PatchType
from client.errors import AlreadyExists, ApiError, NotFound, Unavailable
from controlplane.controllers.controller import Context, namespace_ends, subject
from controlplane.controllers.deployment import bodies
from controlplane.controllers.deployment.names import REVISION
from controlplane.controllers.deployment.plan import Create, Plan, Update, find_new, plan_deployment
from controlplane.controllers.deployment.status import announced
from controlplane.controllers.freshness import SOON, Freshness
from controlplane.controllers.index import NOBODY
from controlplane.controllers.replicaset.bodies import adoption, release
from controlplane.controllers.seen import SeenDeployment, SeenPod, SeenReplicaSet, seen
from controlplane.controllers.seen.workload import DeploymentStatus, replica_set
from controlplane.recorder import EventType


class Deployments:
    """The controller."""

    name = "deployment"
    workers = 5

    def __init__(self, context: Context) -> None:
        informers = context.informers
        self._clock = context.clock
        self._client = context.client
        self._deployments = informers.deployments
        self._by_namespace = informers.deployments_by_owner
        self._sets = informers.replica_sets_by_owner
        self._set_store = informers.replica_sets.store
        self._pods = informers.pods_by_owner
        self._seen_sets = Freshness(informers.replica_sets)
        self._seen_self = Freshness(informers.deployments)
        self.queue = context.queue()
        self.recorder = context.recorder("deployment-controller")
        informers.deployments.subscribe(self._deployment_changed)
        informers.replica_sets.subscribe(self._set_changed)
        informers.pods.subscribe(self._pod_changed)

    def _deployment_changed(self, key: str, old: SeenDeployment | None, new: SeenDeployment | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._seen_sets.forget(old.uid)
            self._seen_self.forget(old.uid)
        self.queue.add(key)

    def _set_changed(self, _: str, old: SeenReplicaSet | None, new: SeenReplicaSet | None) -> None:
        for rs in (old, new):
            if rs is not None:
                self._wake_owner(rs)
        if new is not None and new.controller is None:
            for d in self._by_namespace.inside(new.namespace):
                if d.selector.matches(new.labels):
                    self.queue.add(d.key)

    def _pod_changed(self, _: str, old: SeenPod | None, new: SeenPod | None) -> None:
        """Recreate waits for the last old pod."""
        if old is None or (new is not None and not new.finished):
            return
        owner = old.controller
        rs = self._set_store.get(f"{old.namespace}/{owner.name}") if owner and owner.kind == "ReplicaSet" else None
        if rs is not None:
            self._wake_owner(rs)

    def _wake_owner(self, rs: SeenReplicaSet) -> None:
        owner = rs.controller
        if owner is not None and owner.kind == "Deployment":
            self.queue.add(f"{rs.namespace}/{owner.name}")

    async def reconcile(self, key: str) -> float | None:
        """One step of one Deployment."""
        d = self._deployments.store.get(key)
        if d is None:
            return None
        await self._seen_sets.resolve(self._client, d.uid)
        if self._seen_sets.behind(d.uid) or self._seen_self.behind(d.uid):
            return SOON
        if d.selector.empty:
            message = "This deployment is selecting all pods. A non-empty selector is required."
            self._tell(d, "Warning", "SelectingAll", message)
            await self._write_status(d, replace(d.status, observed_generation=d.generation))
            return None
        sets = self._sets.owned(d.namespace, d.uid)
        if await self._claim(d, sets):
            return SOON
        plan = plan_deployment(d, sets, self._old_pods(d, sets), self._clock.now())
        try:
            return await self._act(d, plan)
        except NotFound:
            return SOON  # gone, or a ReplicaSet of it: the cache will tell

    def _old_pods(self, d: SeenDeployment, sets: list[SeenReplicaSet]) -> bool:
        if not d.recreate:
            return False
        new = find_new(d, sets)
        olds = [rs for rs in sets if new is None or rs.uid != new.uid]
        return any(not pod.finished for rs in olds for pod in self._pods.owned(d.namespace, rs.uid))

    async def _claim(self, d: SeenDeployment, sets: list[SeenReplicaSet]) -> bool:
        """Take ReplicaSets that match and have nobody, let go those that match no more; answers whether any did."""
        if d.deleting:
            return False
        orphans = self._sets.owned(d.namespace, NOBODY)
        adopt = [rs for rs in orphans if not rs.deleting and d.selector.matches(rs.labels)]
        let_go = [rs for rs in sets if not rs.deleting and not d.selector.matches(rs.labels)]
        if adopt:
            live = seen(await self._client.get_raw(kinds.DEPLOYMENT, d.name, d.namespace))
            if live.uid != d.uid or live.deleting:
                return True
        for rs in adopt:
            await self._patch_set(d, rs, adoption("apps/v1", "Deployment", d, rs), "strategic")
        for rs in let_go:
            await self._patch_set(d, rs, release(d, rs), "strategic")
        return bool(adopt or let_go)

    async def _act(self, d: SeenDeployment, plan: Plan) -> float | None:
        if plan.create is not None and not await self._create(d, plan.create):
            return SOON
        for update in plan.updates:
            await self._update(d, update)
        for rs in plan.delete:
            await self._delete(d, rs)
        if plan.status is not None:
            await self._write_status(d, plan.status)
        if plan.revision:
            await self._write_revision(d, plan.revision)
        return plan.wait

    async def _create(self, d: SeenDeployment, create: Create) -> bool:
        """Answers whether the ReplicaSet was made; if not, why is already dealt with."""
        try:
            answer = await self._client.create_raw(kinds.REPLICA_SET, bodies.replica_set_body(d, create), d.namespace)
        except AlreadyExists:
            await self._collide(d, create)
            return False
        except ApiError as error:
            if isinstance(error, Unavailable):
                self._seen_sets.unsure(d.uid, d.namespace, create.name)
            elif not namespace_ends(error):
                await self._report_failure(d, create, error)
            if namespace_ends(error):
                return False
            raise
        self._seen_sets.wrote(d.uid, answer)
        if create.replicas:
            message = f"Scaled up replica set {create.name} from 0 to {create.replicas}"
            self._tell(d, "Normal", "ScalingReplicaSet", message)
        return True

    async def _collide(self, d: SeenDeployment, create: Create) -> None:
        """The name is taken: by our own ReplicaSet that the cache does not show yet, or by another, then take another name."""
        answer = await self._client.get_raw(kinds.REPLICA_SET, create.name, d.namespace)
        there = replica_set(answer)
        owner = there.controller
        if owner is not None and owner.uid == d.uid and there.template.digest == d.template.digest:
            self._seen_sets.wrote(d.uid, answer)
            return
        await self._write_status(d, replace(d.status, collisions=(d.status.collisions or 0) + 1))

    async def _report_failure(self, d: SeenDeployment, create: Create, error: ApiError) -> None:
        message = f'Failed to create new replica set "{create.name}": {error}'
        self._tell(d, "Warning", "ReplicaSetCreateError", message)
        if d.deadline is not None:
            conditions = announced(
                d.status.conditions, "ReplicaSetCreateError", message, self._clock.now(), status="False"
            )
            if conditions != d.status.conditions:
                await self._write_status(d, replace(d.status, conditions=conditions))

    async def _update(self, d: SeenDeployment, update: Update) -> None:
        await self._patch_set(d, update.rs, bodies.update_patch(update), "merge")
        if update.message:
            self._tell(d, "Normal", "ScalingReplicaSet", update.message)

    async def _patch_set(self, d: SeenDeployment, rs: SeenReplicaSet, patch: bytes, kind: PatchType) -> None:
        try:
            answer = await self._client.patch_raw(kinds.REPLICA_SET, rs.name, patch, rs.namespace, type=kind)
        except Unavailable:
            self._seen_sets.unsure(d.uid, rs.namespace, rs.name)
            raise
        self._seen_sets.wrote(d.uid, answer)

    async def _delete(self, d: SeenDeployment, rs: SeenReplicaSet) -> None:
        try:
            await self._client.delete(kinds.REPLICA_SET, rs.name, rs.namespace, uid=rs.uid)
        except NotFound:
            pass
        self._seen_sets.deleted(d.uid, rs)

    async def _write_status(self, d: SeenDeployment, status: DeploymentStatus) -> None:
        if status == d.status:
            return
        answer = await self._client.patch_raw(
            kinds.DEPLOYMENT, d.name, bodies.status_patch(d, status), d.namespace, type="merge", subresource="status"
        )
        self._seen_self.wrote(d.uid, answer)

    async def _write_revision(self, d: SeenDeployment, revision: str) -> None:
        # Through the status: a write to the Deployment itself would count as a new generation.
        patch = msgspec.json.encode({"metadata": {"annotations": {REVISION: revision}}})
        answer = await self._client.patch_raw(
            kinds.DEPLOYMENT, d.name, patch, d.namespace, type="merge", subresource="status"
        )
        self._seen_self.wrote(d.uid, answer)

    def _tell(self, d: SeenDeployment, kind: EventType, reason: str, message: str) -> None:
        self.recorder.record(subject(kinds.DEPLOYMENT, d), kind, reason, message)
