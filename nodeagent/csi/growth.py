"""Volumes that have become larger: when a driver has to be asked to let the node see it, and what a claim then says. Pure.

Whoever makes a volume larger writes the size into the PersistentVolume, and leaves the claim's old size for us to change once the
file system has grown too. It also writes into the claim how large it was to become and that the node is awaited; then it hears there
how it went, and may try another size. Those of long ago do not, and need no more than the new size.
"""

from dataclasses import dataclass
from typing import Any

from api import quantity

STORAGE = "storage"
NODE_PENDING, NODE_BUSY, NODE_INFEASIBLE = "NodeResizePending", "NodeResizeInProgress", "NodeResizeInfeasible"
ERROR = "NodeResizeError"
NOT_ON_NODES = "volume.kubernetes.io/node-expansion-not-required"
_CONDITIONS = ("FileSystemResizePending", "Resizing", "ControllerResizeError", ERROR)

Patch = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Growth:
    """A volume that is larger than its file system was, as far as this node knows."""

    size: str
    ask: bool = True  # the driver, else the node has nothing to do
    careful: bool = False  # the claim says how far it has come
    told: bool = False  # the claim shows this size already: another node was faster
    doubtful: bool = False  # it failed, and something else is wished by now


def plan_growth(claim: Any, volume: Any, known: int, failed: bool) -> Growth | None:
    """What is to be done; `known` is the size that this node has seen, `failed` whether a driver refused before."""
    wanted = volume.spec.capacity.get(STORAGE, "0")
    if quantity.ceil(wanted) <= known:
        return None
    status = claim.status
    stage = status.allocated_resource_statuses.get(STORAGE, "")
    if not stage and not status.allocated_resources:
        return Growth(wanted, told=shown_size(claim) >= quantity.ceil(wanted))
    size = status.allocated_resources.get(STORAGE, "0")
    told = not stage and shown_size(claim) >= quantity.ceil(size)
    everywhere = told and "ReadWriteMany" in claim.spec.access_modes and NOT_ON_NODES not in claim.metadata.annotations
    ask = everywhere or stage in (NODE_PENDING, NODE_BUSY)
    if not ask and not told:
        return None
    request = claim.spec.resources.requests.get(STORAGE, "0") if claim.spec.resources is not None else "0"
    doubtful = failed and quantity.ceil(request) != quantity.ceil(size)
    return Growth(size, ask, careful=True, told=told, doubtful=doubtful)


def shown_size(claim: Any) -> int:
    """The size that a claim shows."""
    return quantity.ceil(claim.status.capacity.get(STORAGE, "0"))


def begun(claim: Any) -> Patch | None:
    """What the claim says while the driver is at work; None if it says so already."""
    if claim.status.allocated_resource_statuses.get(STORAGE) == NODE_BUSY:
        return None
    return {**_unchanged(claim), "status": {"allocatedResourceStatuses": {STORAGE: NODE_BUSY}}}


def finished(claim: Any, size: str) -> Patch:
    """What it says once all is done."""
    known = [{"$patch": "delete", "type": c.type} for c in claim.status.conditions if c.type in _CONDITIONS]
    status: Patch = {"capacity": {STORAGE: size}}
    if STORAGE in claim.status.allocated_resource_statuses:
        status["allocatedResourceStatuses"] = {STORAGE: None}
    return {**_unchanged(claim), "status": {**status, **({"conditions": known} if known else {})}}


def refused(claim: Any, reason: str, now: str, *, infeasible: bool) -> Patch | None:
    """What it says when the driver cannot; None if it says so already."""
    status: Patch = {}
    if infeasible:
        status["allocatedResourceStatuses"] = {STORAGE: NODE_INFEASIBLE}
    if not any(one.type == ERROR and one.status == "True" for one in claim.status.conditions):
        message = f"failed to expand pvc with {reason}"
        status["conditions"] = [{"type": ERROR, "status": "True", "lastTransitionTime": now, "message": message}]
    return {"status": status} if status else None


def _unchanged(claim: Any) -> Patch:
    """Others may write at the same time: then we look again."""
    return {"metadata": {"resourceVersion": claim.metadata.resource_version}}
