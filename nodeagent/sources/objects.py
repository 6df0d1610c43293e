"""The ConfigMaps and Secrets that pods refer to, each watched by itself, and the Services for variables.

A node may only read what its own pods refer to, one object at a time, so there is one small informer an object, held as
long as any pod needs it, and that of the API server's certificates, which nearly every pod has, a while longer. When one
changes, the pods that refer to it are woken. Bundles of certificates are chosen by labels, so all of the cluster are watched
as one.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from api import codec, kinds
from api.core_v1 import ConfigMap, Pod, Secret, Service
from client.client import Client
from client.informer import Informer
from kit.clock import Clock, deadline
from nodeagent.model.origin import is_static
from nodeagent.model.spec import ROOT_CA
from nodeagent.render.references import BUNDLES, CONFIG_MAP, Reference
from nodeagent.render.settings import Bundle, ConfigProblem, ServiceLink, Sources
from nodeagent.volumes.trust import certificates_of

PATIENCE = 10.0  # how long a container's start waits for what it refers to
LINGER = 60.0  # how long the next pod of a namespace finds the certificates already here

Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(slots=True)
class _Watched:
    informer: Informer[Any]
    task: asyncio.Task[None]
    users: set[str] = field(default_factory=set)


class Objects:
    """See the module. `changed(uid)` is called for each pod whose objects changed."""

    def __init__(self, client: Client, clock: Clock, changed: Callable[[str], object]) -> None:
        self._client = client
        self._clock = clock
        self._changed = changed
        self._watched: dict[Key, _Watched] = {}
        self._services: Informer[ServiceLink | None] | None = None
        self._services_task: asyncio.Task[None] | None = None

    def hold(self, pod: Pod, references: Iterable[Reference]) -> None:
        """Begin to watch what a pod refers to, and Services."""
        namespace, uid = pod.metadata.namespace or "", pod.metadata.uid or ""
        if self._services is None:
            self._services = Informer(self._client, kinds.SERVICE, _service_link, clock=self._clock)
            self._services_task = asyncio.create_task(self._services.run(), name="services")
        for kind, name in references:
            key = _key(kind, namespace, name)
            if key not in self._watched:
                self._watched[key] = self._watch(key)
            self._watched[key].users.add(uid)

    def release(self, uid: str) -> None:
        """A pod needs nothing any more."""
        for key, watched in list(self._watched.items()):
            if uid not in watched.users:
                continue
            watched.users.discard(uid)
            if key[0] == CONFIG_MAP and key[2] == ROOT_CA:
                self._clock.call_later(LINGER, partial(self._drop, key))
            else:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        watched = self._watched.get(key)
        if watched is not None and not watched.users:
            watched.task.cancel()
            del self._watched[key]

    def watches(self, key: Key) -> bool:
        """Whether we would hear of a change of this object."""
        watched = self._watched.get(key)
        return watched is not None and not (watched.task.done() or watched.task.cancelling())

    async def sources(self, pod: Pod, references: Iterable[Reference]) -> Sources:
        """These objects as far as they exist, and the Services; waits until all that is known."""
        namespace = pod.metadata.namespace or ""
        maps: dict[str, ConfigMap] = {}
        secrets: dict[str, Secret] = {}
        bundles: dict[str, Bundle] = {}
        references = list(references)
        self.hold(pod, references)  # also what another pod has made us watch: that one may go while we wait
        for (kind, name), watched in [(one, self._watched[_key(one[0], namespace, one[1])]) for one in references]:
            informer = watched.informer
            await self._known(informer, f"{kind.lower()} {namespace}/{name}")
            if kind == BUNDLES:
                bundles = dict(informer.store)
                continue
            found = informer.store.get(f"{namespace}/{name}")
            if found is not None:
                if found.immutable:
                    watched.task.cancel()  # it will never say anything new
                (maps if kind == CONFIG_MAP else secrets)[name] = found
        assert self._services is not None
        if not is_static(pod):  # those start without an API server
            await self._known(self._services, "services")
        services = tuple(link for link in self._services.store.values() if link is not None)
        return Sources(maps, secrets, services, bundles=bundles)

    async def close(self) -> None:
        """End all watches."""
        tasks = [watched.task for watched in self._watched.values()]
        tasks += [self._services_task] if self._services_task else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _known(self, informer: Informer[Any], what: str) -> None:
        if informer.synced.is_set():
            return
        try:
            async with deadline(self._clock, PATIENCE):
                await informer.synced.wait()
        except TimeoutError:
            raise ConfigProblem(f"cannot read {what}: the API server did not answer in time") from None

    def _watch(self, key: Key) -> _Watched:
        kind, namespace, name = key
        chosen: Any = kinds.CONFIG_MAP if kind == CONFIG_MAP else kinds.SECRET
        informer: Informer[Any]
        if kind == BUNDLES:
            informer = Informer(self._client, kinds.CLUSTER_TRUST_BUNDLE, _bundle, clock=self._clock)
        else:
            informer = Informer(
                self._client,
                chosen,
                lambda data: codec.decode(chosen, data),
                namespace,
                fields=f"metadata.name={name}",
                clock=self._clock,
            )
        informer.subscribe(lambda _key, _old, _new: self._tell(key))
        return _Watched(informer, asyncio.create_task(informer.run(), name=f"{kind} {namespace}/{name}"))

    def _tell(self, key: Key) -> None:
        watched = self._watched.get(key)
        for uid in tuple(watched.users) if watched is not None and watched.informer.synced.is_set() else ():
            self._changed(uid)


def _key(kind: str, namespace: str, name: str) -> Key:
    return kind, "" if kind == BUNDLES else namespace, name


def _bundle(data: bytes) -> Bundle:
    found = codec.decode(kinds.CLUSTER_TRUST_BUNDLE, data)
    labels = dict(found.metadata.labels)
    return Bundle(found.spec.signer_name or "", labels, certificates_of(found.spec.trust_bundle))


def _service_link(data: bytes) -> ServiceLink | None:
    service = codec.decode(Service, data)
    address = service.spec.cluster_ip
    if not address or address == "None":
        return None
    ports = tuple((port.name or "", port.port, port.protocol or "TCP") for port in service.spec.ports)
    return ServiceLink(service.metadata.namespace or "", service.metadata.name or "", address, ports)
