"""The node's storage drivers in the API server: the CSINode object, and what drivers say of where the node is."""

import json
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from api import codec, kinds
from client.client import Client
from client.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from nodeagent.csi.driver import Driver

NODE_ID = "csi.volume.kubernetes.io/nodeid"


class CsiNodeReporter:
    """Writes what is registered; does nothing if that is there already."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node

    async def tell(self, drivers: Mapping[str, "Driver"], gone: Set[str] = frozenset()) -> None:
        """Make the objects show these drivers and not those that are gone; others may register yet. Raises ApiError."""
        node = await self._client.get(kinds.NODE, self._node)
        await self._mark(node, drivers, gone)
        fresh = {driver.name: entry(driver) for driver in drivers.values()}
        try:
            found = await self._client.get(kinds.CSI_NODE, self._node)
        except NotFound:
            await self._create(node, list(fresh.values()))
            return
        body = codec.to_dict(found)
        shown = {one["name"]: one for one in body.get("spec", {}).get("drivers", [])}
        wanted = {name: one for name, one in (shown | fresh).items() if name in fresh or name not in gone}
        if wanted != shown:
            body["spec"] = {"drivers": list(wanted.values())}
            await self._client.update(kinds.CSI_NODE, codec.from_dict(kinds.CSI_NODE, body))

    async def _create(self, node: Any, wanted: list[dict[str, Any]]) -> None:
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": node.metadata.uid}
        body = {"metadata": {"name": self._node, "ownerReferences": [owner]}, "spec": {"drivers": wanted}}
        try:
            await self._client.create(kinds.CSI_NODE, codec.from_dict(kinds.CSI_NODE, body))
        except AlreadyExists:
            pass  # by an agent before us, a moment ago

    async def _mark(self, node: Any, drivers: Mapping[str, "Driver"], gone: Set[str]) -> None:
        """Drivers find the node by an annotation, and schedulers by labels."""
        fresh = {name: driver.info.node_id for name, driver in drivers.items()}
        before = {name: one for name, one in _ids(node).items() if name not in gone}
        ids = dict(sorted((before | fresh).items()))
        labels = {k: v for d in drivers.values() for k, v in d.info.accessible_topology.segments.items()}
        meta = node.metadata
        change: dict[str, Any] = {}
        known = meta.annotations.get(NODE_ID)
        text = json.dumps(ids, separators=(",", ":")) if ids else None
        if known != text:
            change["annotations"] = {NODE_ID: text}
        if missing := {key: value for key, value in labels.items() if meta.labels.get(key) != value}:
            change["labels"] = missing
        if change:
            await self._client.patch(kinds.NODE, self._node, {"metadata": change}, type="merge")


def _ids(node: Any) -> dict[str, str]:
    try:
        found = json.loads(node.metadata.annotations.get(NODE_ID) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def entry(driver: "Driver") -> dict[str, Any]:
    """One driver as a CSINode shows it."""
    info = driver.info
    shown: dict[str, Any] = {"name": driver.name, "nodeID": info.node_id}
    if keys := sorted(info.accessible_topology.segments):
        shown["topologyKeys"] = keys
    if info.max_volumes_per_node > 0:
        shown["allocatable"] = {"count": min(info.max_volumes_per_node, 2**31 - 1)}
    return shown
