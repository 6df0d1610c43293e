"""Keeps the slices of every Service that selects pods."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from api import kinds
from client.errors import ApiError, Conflict, NotFound, Unavailable
from controlplane.controllers.controller import Context, namespace_ends
from controlplane.controllers.endpointslice.plan import CONTROLLER, Create, Update, labels_for, plan_slices
from controlplane.controllers.endpointslice.services import ServiceTriggers
from controlplane.controllers.endpointslice.trigger import ANNOTATION, trigger_time
from controlplane.controllers.freshness import SOON, Freshness
from controlplane.controllers.names import child_name, prefix
from controlplane.controllers.replicaset.bodies import owner_reference
from controlplane.controllers.seen import SeenNode, SeenService, SeenSlice
from controlplane.controllers.seen.service import Endpoint, SlicePort
from controlplane.recorder import Recorder


class EndpointSlices:
    """The controller."""

    name = "endpointslice"
    workers = 4

    def __init__(self, context: Context) -> None:
        informers = context.informers
        self._client = context.client
        self._rng: random.Random = context.rng
        self._services = informers.services
        self._pods = informers.pods_by_owner
        self._nodes = informers.nodes
        self._slices = informers.slices_by_service
        self._fresh = Freshness(informers.slices)
        self.queue = context.queue()
        self.recorder: Recorder | None = None
        self._triggers = ServiceTriggers(informers, self.queue.add)
        informers.slices.subscribe(self._slice_changed)
        informers.nodes.subscribe(self._node_changed)

    def _slice_changed(self, _: str, old: SeenSlice | None, new: SeenSlice | None) -> None:
        for item in (old, new):
            if item is not None and item.service and item.managed_by == CONTROLLER:
                self.queue.add(f"{item.namespace}/{item.service}")

    def _node_changed(self, _: str, old: SeenNode | None, new: SeenNode | None) -> None:
        """The zone stands in every endpoint."""
        if (old.zone if old else "") != (new.zone if new else ""):
            for key in self._services.store:
                self.queue.add(key)

    async def reconcile(self, key: str) -> float | None:
        """One look at one Service."""
        namespace, _, name = key.partition("/")
        slices = [s for s in self._slices.of(namespace, name) if s.managed_by == CONTROLLER and not s.deleting]
        service = self._services.store.get(key)
        if service is None:
            self._fresh.forget(key)
            for orphan in slices:
                await self._delete(key, orphan)
            return None
        if not service.has_selector or service.external_name or service.deleting:
            return None
        await self._fresh.resolve(self._client, key)
        if self._fresh.behind(key):
            return SOON
        zones = {node.name: node.zone for node in self._nodes.store.values() if node.zone}
        plan = plan_slices(service, self._pods.inside(namespace), slices, zones)
        for create in plan.create:
            await self._create(key, service, create)
        for update in plan.update:
            await self._update(key, service, update)
        for gone in plan.delete:
            await self._delete(key, gone)
        return None

    async def _create(self, key: str, service: SeenService, create: Create) -> None:
        name = child_name(service.name, self._rng)
        metadata = {
            "name": name,
            "generateName": prefix(service.name),
            "namespace": service.namespace,
            "labels": labels_for(service),
            "ownerReferences": [owner_reference("v1", "Service", service)],
            "annotations": {ANNOTATION: trigger_time(service, (), create.endpoints)},
        }
        head = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata}
        body = head | {"addressType": create.family} | _content(service.namespace, create.endpoints, create.ports)
        try:
            data = msgspec.json.encode(body)
            self._fresh.wrote(key, await self._client.create_raw(kinds.ENDPOINT_SLICE, data, service.namespace))
        except Unavailable:
            self._fresh.unsure(key, service.namespace, name)
            raise
        except ApiError as error:
            if not namespace_ends(error):
                raise

    async def _update(self, key: str, service: SeenService, update: Update) -> None:
        old = update.slice
        wanted = labels_for(service)
        labels = {label: None for label in old.labels if label not in wanted} | wanted
        annotations = {ANNOTATION: trigger_time(service, old.endpoints, update.endpoints)}
        metadata = {"resourceVersion": str(old.version), "labels": labels, "annotations": annotations}
        body = {"metadata": metadata} | _content(service.namespace, update.endpoints, update.ports)
        try:
            data = msgspec.json.encode(body)
            answer = await self._client.patch_raw(kinds.ENDPOINT_SLICE, old.name, data, old.namespace, type="merge")
        except Unavailable:
            self._fresh.unsure(key, old.namespace, old.name)
            raise
        self._fresh.wrote(key, answer)

    async def _delete(self, key: str, item: SeenSlice) -> None:
        try:
            await self._client.delete(kinds.ENDPOINT_SLICE, item.name, item.namespace, uid=item.uid)
        except (NotFound, Conflict):
            pass
        self._fresh.deleted(key, item)


def _content(namespace: str, endpoints: tuple[Endpoint, ...], ports: tuple[SlicePort, ...]) -> dict[str, Any]:
    return {"endpoints": [_endpoint(namespace, e) for e in endpoints], "ports": [_port(p) for p in ports]}


def _endpoint(namespace: str, e: Endpoint) -> dict[str, Any]:
    written: dict[str, Any] = {
        "addresses": [e.address],
        "conditions": {"ready": e.ready, "serving": e.serving, "terminating": e.terminating},
    }
    if e.hostname:
        written["hostname"] = e.hostname
    written["targetRef"] = {"kind": "Pod", "namespace": namespace, "name": e.pod, "uid": e.pod_uid}
    if e.node:
        written["nodeName"] = e.node
    if e.zone:
        written["zone"] = e.zone
    return written


def _port(p: SlicePort) -> dict[str, Any]:
    written: dict[str, Any] = {"name": p.name, "protocol": p.protocol, "port": p.port}
    if p.app_protocol:
        written["appProtocol"] = p.app_protocol
    return written
