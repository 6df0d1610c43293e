"""Makes the ServiceAccount `default` wherever it is missing."""

from __future__ import annotations

from api import kinds
from api.core_v1 import ServiceAccount
from api.meta_v1 import ObjectMeta
from client.errors import AlreadyExists, ApiError, NotFound
from controlplane.controllers.controller import Context, namespace_ends
from controlplane.controllers.seen import Seen, SeenNamespace
from controlplane.recorder import Recorder

DEFAULT = "default"


class ServiceAccounts:
    """The controller. Its keys are namespaces."""

    name = "serviceaccount"
    workers = 1

    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._namespaces = context.informers.namespaces
        self._accounts = context.informers.service_accounts
        self.queue = context.queue()
        self.recorder: Recorder | None = None
        self._namespaces.subscribe(self._namespace_changed)
        self._accounts.subscribe(self._account_changed)

    def _namespace_changed(self, key: str, _: SeenNamespace | None, new: SeenNamespace | None) -> None:
        if new is not None:
            self.queue.add(key)

    def _account_changed(self, _: str, old: Seen | None, new: Seen | None) -> None:
        if new is None and old is not None and old.name == DEFAULT:
            self.queue.add(old.namespace)

    async def reconcile(self, key: str) -> float | None:
        """One look at one namespace."""
        namespace = self._namespaces.store.get(key)
        if namespace is None or namespace.deleting or f"{key}/{DEFAULT}" in self._accounts.store:
            return None
        account = ServiceAccount(metadata=ObjectMeta(name=DEFAULT, namespace=key))
        try:
            await self._client.create(kinds.SERVICE_ACCOUNT, account)
        except (AlreadyExists, NotFound):
            return None
        except ApiError as error:
            if not namespace_ends(error):
                raise
        return None
