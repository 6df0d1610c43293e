"""Keeps the cluster's certificate in every namespace, and puts it back when somebody changes it."""

from __future__ import annotations

from api import kinds
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from client.errors import AlreadyExists, ApiError, NotFound
from controlplane.controllers.controller import Context, namespace_ends
from controlplane.controllers.seen import SeenConfigMap, SeenNamespace
from controlplane.controllers.seen.scope import BUNDLE, ROOT_CA, bundle_digest
from controlplane.recorder import Recorder

DESCRIPTION = "kubernetes.io/description"
WHY = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCertificates:
    """The controller. Its keys are namespaces. Without a certificate it does nothing."""

    name = "rootca"
    workers = 1

    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._data = {BUNDLE: context.settings.ca_pem} if context.settings.ca_pem else {}
        self._digest = bundle_digest(self._data)
        self._namespaces = context.informers.namespaces
        self._maps = context.informers.config_maps
        self.queue = context.queue()
        self.recorder: Recorder | None = None
        self._namespaces.subscribe(self._namespace_changed)
        self._maps.subscribe(self._map_changed)

    def _namespace_changed(self, key: str, _: SeenNamespace | None, new: SeenNamespace | None) -> None:
        if new is not None:
            self.queue.add(key)

    def _map_changed(self, _: str, old: SeenConfigMap | None, new: SeenConfigMap | None) -> None:
        one = new or old
        if one is not None and one.name == ROOT_CA:
            self.queue.add(one.namespace)

    async def reconcile(self, key: str) -> float | None:
        """One look at one namespace."""
        namespace = self._namespaces.store.get(key)
        there = self._maps.store.get(f"{key}/{ROOT_CA}")
        if not self._data or namespace is None or namespace.deleting:
            return None
        if there is not None and (there.bundle == self._digest or there.deleting):
            return None
        metadata = ObjectMeta(name=ROOT_CA, namespace=key, annotations={DESCRIPTION: WHY})
        wanted = ConfigMap(metadata=metadata, data=self._data)
        try:
            if there is None:
                await self._client.create(kinds.CONFIG_MAP, wanted)
            else:
                await self._client.update(kinds.CONFIG_MAP, wanted)
        except (AlreadyExists, NotFound):
            return None  # the cache will tell
        except ApiError as error:
            if not namespace_ends(error):
                raise
        return None
