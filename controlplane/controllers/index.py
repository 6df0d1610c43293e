"""Objects of a cache by namespace and by who controls them, so that nobody searches through all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from client import Informer
from controlplane.controllers.seen import Seen, SeenPod, SeenSlice

X = TypeVar("X", bound=Seen)

NOBODY = ""


class OwnerIndex(Generic[X]):
    """Follows one cache."""

    def __init__(self, informer: Informer[X]) -> None:
        self._store = informer.store
        self._keys: dict[str, dict[str, dict[str, None]]] = {}
        informer.subscribe(self._changed)

    def owned(self, namespace: str, uid: str) -> list[X]:
        """Objects whose controller is `uid`; with NOBODY those that have none."""
        keys = self._keys.get(namespace, {}).get(uid, {})
        return [self._store[key] for key in keys]

    def inside(self, namespace: str) -> Iterator[X]:
        """All objects of a namespace."""
        for keys in self._keys.get(namespace, {}).values():
            for key in keys:
                yield self._store[key]

    def _changed(self, key: str, old: X | None, new: X | None) -> None:
        if old is not None and (new is None or _owner(old) != _owner(new)):
            owners = self._keys[old.namespace]
            keys = owners[_owner(old)]
            del keys[key]
            if not keys:
                del owners[_owner(old)]
                if not owners:
                    del self._keys[old.namespace]
        if new is not None:
            self._keys.setdefault(new.namespace, {}).setdefault(_owner(new), {})[key] = None


def _owner(item: Seen) -> str:
    controller = item.controller
    return controller.uid if controller else NOBODY


class NodeIndex:
    """Pods by the node they are bound to."""

    def __init__(self, informer: Informer[SeenPod]) -> None:
        self._store = informer.store
        self._keys: dict[str, dict[str, None]] = {}
        informer.subscribe(self._changed)

    def on(self, node: str) -> list[SeenPod]:
        """The pods of one node."""
        return [self._store[key] for key in self._keys.get(node, {})]

    def _changed(self, key: str, old: SeenPod | None, new: SeenPod | None) -> None:
        before, after = old.node if old else "", new.node if new else ""
        if before == after:
            return
        if before:
            del self._keys[before][key]
            if not self._keys[before]:
                del self._keys[before]
        if after:
            self._keys.setdefault(after, {})[key] = None


class ServiceIndex:
    """Slices by the Service they belong to."""

    def __init__(self, informer: Informer[SeenSlice]) -> None:
        self._store = informer.store
        self._keys: dict[tuple[str, str], dict[str, None]] = {}
        informer.subscribe(self._changed)

    def of(self, namespace: str, service: str) -> list[SeenSlice]:
        """The slices of one Service, oldest first."""
        found = [self._store[key] for key in self._keys.get((namespace, service), {})]
        return sorted(found, key=lambda s: (s.created, s.name))

    def _changed(self, key: str, old: SeenSlice | None, new: SeenSlice | None) -> None:
        if old is not None:
            keys = self._keys[old.namespace, old.service]
            keys.pop(key, None)
            if not keys:
                del self._keys[old.namespace, old.service]
        if new is not None:
            self._keys.setdefault((new.namespace, new.service), {})[key] = None
