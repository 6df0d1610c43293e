"""What every cluster has from its first moment, and what a server keeps right. A file per subject; the order is here."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from api import kinds
from client.client import Client
from client.errors import Conflict, NotFound
from controlplane.apiserver.bootstrap import apiservices, flowcontrol, namespaces, priorities, rbac, trust
from controlplane.apiserver.bootstrap.ensure import Ensurer
from controlplane.apiserver.bootstrap.hooks import Hook, Hooks
from controlplane.apiserver.bootstrap.kubernetes import KubernetesService
from controlplane.apiserver.bootstrap.presence import Presence, place
from controlplane.apiserver.bootstrap.ranges import DefaultRange
from controlplane.apiserver.bootstrap.upkeep import Upkeep
from controlplane.apiserver.repair import EVERY_SECONDS as REPAIR_SECONDS
from controlplane.apiserver.repair import Repair
from kit.supervisor import Supervisor

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

OFTEN, SELDOM, RARELY = 10.0, 60.0, 3600.0  # seconds, as upstream has it


class Bootstrap:
    """The hooks of one server, which nodes and pods reach at `address` and `port`."""

    def __init__(
        self, core: Core, client: Client, address: str, port: int, trusted: trust.Trusted = trust.NOBODY
    ) -> None:
        self._core, self._trusted = core, trusted
        self._ensurer = ensurer = Ensurer(client, core.cache)
        self._service = KubernetesService(ensurer, core.store, address, port, core.numbers.first)
        self._presence = presence = Presence(ensurer, core.clock, place(address, port))
        self._repair = Repair(core, client)
        self._upkeep = (
            Upkeep(core.cache, core.clock, (kinds.CLUSTER_ROLE,), self._aggregation),
            Upkeep(core.cache, core.clock, (kinds.FLOW_SCHEMA, kinds.PRIORITY_LEVEL_CONFIGURATION), self._dangling),
        )
        ranges = DefaultRange(ensurer, core.numbers.cidrs, core.clock)
        self.hooks = Hooks(
            core.clock,
            (
                Hook("start-system-namespaces-controller", self._namespaces, SELDOM),
                Hook("start-kubernetes-service-cidr-controller", ranges.sync, OFTEN),
            ),
            (
                Hook("bootstrap-controller", self._service.sync, OFTEN),
                Hook("scheduling/bootstrap-system-priority-classes", self._priorities),
                Hook("rbac/bootstrap-roles", self._roles),
                Hook("priority-and-fairness-config-producer", self._flow, SELDOM),
                Hook("apiservice-registration-controller", self._apiservices),
                Hook("start-cluster-authentication-info-controller", self._trust, SELDOM),
                Hook("start-kube-apiserver-identity-lease-controller", presence.renew, OFTEN),
                Hook("start-kube-apiserver-identity-lease-garbage-collector", presence.collect, RARELY),
                Hook("start-service-ip-repair-controllers", self._repair.once, REPAIR_SECONDS),
            ),
        )

    def begin(self, supervisor: Supervisor) -> None:
        """Start; `hooks.finished` tells when everything has been done once."""
        for recorder in self._repair.recorders:
            supervisor.spawn("apiserver-events", recorder.run, restart=True)
        supervisor.defer("apiserver-leave", self._leave)
        supervisor.spawn("apiserver-hooks", self._run, restart=True)
        supervisor.spawn("apiserver-repair", self._repair.watch, restart=True)
        for upkeep in self._upkeep:
            supervisor.spawn("apiserver-upkeep", partial(self._keep_up, upkeep), restart=True)

    async def _run(self) -> None:
        await self.hooks.first()
        await self.hooks.repeat()

    async def _keep_up(self, upkeep: Upkeep) -> None:
        """Not before all is there: what follows from a part of it would be written, and then be wrong."""
        await self.hooks.finished()
        await upkeep.run()

    async def _leave(self) -> None:
        """Others need not find out that this server is gone."""
        await self._service.leave()
        await self._presence.leave()

    async def _namespaces(self) -> None:
        await self._ensurer.ensure(namespaces.wanted())

    async def _priorities(self) -> None:
        await self._ensurer.ensure(priorities.wanted())

    async def _roles(self) -> None:
        await self._ensurer.ensure(rbac.wanted())

    async def _apiservices(self) -> None:
        wanted = apiservices.wanted(kinds.SERVED)
        await self._ensurer.ensure(wanted)
        await apiservices.drop_others(self._ensurer, wanted)

    async def _trust(self) -> None:
        await self._ensurer.ensure(trust.wanted(self._trusted, self._core.clock.now()))

    async def _aggregation(self) -> None:
        """The rules of aggregated ClusterRoles are the union of those of the roles they select."""
        for role, rules in rbac.aggregated(self._ensurer.all(kinds.CLUSTER_ROLE)):
            role.rules = rules
            await self._ensurer.client.update(kinds.CLUSTER_ROLE, role)

    async def _flow(self) -> None:
        await self._ensurer.ensure(flowcontrol.wanted())
        await self._dangling()

    async def _dangling(self) -> None:
        """FlowSchemas say whether their priority level is there."""
        ensurer = self._ensurer
        levels = set(ensurer.cache.resources[kinds.PRIORITY_LEVEL_CONFIGURATION].entries)
        for schema in ensurer.all(kinds.FLOW_SCHEMA):
            if (new := flowcontrol.dangling(schema, levels, self._core.clock.now())) is not None:
                with suppress(Conflict, NotFound):  # another server says it, or there is nothing to say
                    await ensurer.client.update(kinds.FLOW_SCHEMA, new, subresource="status")
