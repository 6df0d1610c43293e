"""The controllers as a program: which there are, and how they are started."""

from __future__ import annotations

import random

from client import Client
from controlplane.controllers.controller import Context, Controller, Factory, start
from controlplane.controllers.deployment.controller import Deployments
from controlplane.controllers.endpoints.controller import EndpointsObjects
from controlplane.controllers.endpointslice.controller import EndpointSlices
from controlplane.controllers.garbagecollector.controller import GarbageCollector
from controlplane.controllers.informers import Informers
from controlplane.controllers.namespace.controller import Namespaces
from controlplane.controllers.nodeipam.controller import NodeRanges
from controlplane.controllers.nodelifecycle.controller import NodeLifecycle
from controlplane.controllers.podgc.controller import PodCollector
from controlplane.controllers.replicaset.controller import ReplicaSets
from controlplane.controllers.rootca.controller import RootCertificates
from controlplane.controllers.serviceaccount.controller import ServiceAccounts
from controlplane.controllers.servicecidrs.controller import ServiceRanges
from controlplane.controllers.settings import Settings
from kit.clock import Clock
from kit.supervisor import Supervisor

CONTROLLERS: tuple[Factory, ...] = (
    Namespaces,
    ServiceAccounts,
    RootCertificates,
    NodeRanges,
    NodeLifecycle,
    PodCollector,
    GarbageCollector,
    EndpointSlices,
    EndpointsObjects,
    ReplicaSets,
    Deployments,
    ServiceRanges,
)


async def run(
    client: Client,
    clock: Clock,
    supervisor: Supervisor,
    settings: Settings | None = None,
    *,
    factories: tuple[Factory, ...] = CONTROLLERS,
    rng: random.Random | None = None,
) -> None:
    """Start the controllers; returns at once. They begin to work when all caches are complete."""
    rng = rng or random.Random()
    informers = Informers(client, clock, rng)
    context = Context(client, clock, informers, settings or Settings(), rng)
    controllers = [make(context) for make in factories]
    informers.start(supervisor)
    supervisor.spawn("controllers", lambda: _begin(informers, controllers, supervisor))


async def _begin(informers: Informers, controllers: list[Controller], supervisor: Supervisor) -> None:
    await informers.synced()
    for controller in controllers:
        start(controller, supervisor)
