"""Keeps the Endpoints object of every Service that selects pods."""

from __future__ import annotations

from typing import Any

import msgspec

from api import kinds
from client.errors import AlreadyExists, ApiError, NotFound
from controlplane.controllers.controller import Context, namespace_ends
from controlplane.controllers.endpoints.plan import (
    CONTROLLER,
    LAST_CHANGE,
    MANAGED_BY,
    OVER_CAPACITY,
    Desired,
    is_current,
    plan_endpoints,
)
from controlplane.controllers.endpointslice.services import ServiceTriggers
from controlplane.controllers.freshness import SOON, Freshness
from controlplane.controllers.seen import SeenEndpoints, SeenService
from controlplane.recorder import Recorder


class EndpointsObjects:
    """The controller."""

    name = "endpoints"
    workers = 4

    def __init__(self, context: Context) -> None:
        informers = context.informers
        self._client = context.client
        self._services = informers.services
        self._pods = informers.pods_by_owner
        self._endpoints = informers.endpoints
        self._fresh = Freshness(informers.endpoints)
        self.queue = context.queue()
        self.recorder: Recorder | None = None
        self._triggers = ServiceTriggers(informers, self.queue.add)
        informers.endpoints.subscribe(self._endpoints_changed)

    def _endpoints_changed(self, key: str, _: SeenEndpoints | None, new: SeenEndpoints | None) -> None:
        if new is None or new.labels.get(MANAGED_BY) == CONTROLLER or key in self._services.store:
            self.queue.add(key)

    async def reconcile(self, key: str) -> float | None:
        """One look at one Service."""
        service = self._services.store.get(key)
        there = self._endpoints.store.get(key)
        if self._fresh.behind(key):
            return SOON
        if service is None:
            if there is not None and there.labels.get(MANAGED_BY) == CONTROLLER and not there.deleting:
                await self._delete(there)
            return None
        if not service.has_selector or service.external_name or service.deleting:
            return None
        desired = plan_endpoints(service, self._pods.inside(service.namespace))
        if there is None:
            await self._create(service, desired)
        elif not is_current(there, desired):
            await self._replace(there, desired)
        return None

    async def _create(self, service: SeenService, desired: Desired) -> None:
        try:
            data = _body(service.name, service.namespace, {}, desired)
            self._fresh.wrote(service.key, await self._client.create_raw(kinds.ENDPOINTS, data, service.namespace))
        except AlreadyExists:
            return  # the cache will show it and bring us back
        except ApiError as error:
            if not namespace_ends(error):
                raise

    async def _replace(self, there: SeenEndpoints, desired: Desired) -> None:
        data = _body(there.name, there.namespace, {"resourceVersion": str(there.version)}, desired)
        kept = {k: v for k, v in there.annotations.items() if k not in (OVER_CAPACITY, LAST_CHANGE)}
        if kept:
            tree = msgspec.json.decode(data)
            tree["metadata"]["annotations"] = kept | tree["metadata"].get("annotations", {})
            data = msgspec.json.encode(tree)
        answer = await self._client.update_raw(kinds.ENDPOINTS, there.name, data, there.namespace)
        self._fresh.wrote(there.key, answer)

    async def _delete(self, there: SeenEndpoints) -> None:
        try:
            await self._client.delete(kinds.ENDPOINTS, there.name, there.namespace, uid=there.uid)
        except NotFound:
            return


def _body(name: str, namespace: str, meta: dict[str, str], desired: Desired) -> bytes:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, **meta, "labels": desired.labels}
    if desired.truncated:
        metadata["annotations"] = {OVER_CAPACITY: "truncated"}
    body = {"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata, "subsets": msgspec.Raw(desired.subsets)}
    return msgspec.json.encode(body)
