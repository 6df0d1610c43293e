"""Who gets to devices that others use: administrators, whose namespaces carry a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import codec, kinds
from api.validation import Cause
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from api.resource_v1 import DeviceRequest, ResourceClaim
    from controlplane.apiserver.core import Core

_LABEL = "resource.kubernetes.io/admin-access"
_WHY = f"Forbidden: admin access to devices requires the `{_LABEL}: true` label on the containing namespace"


def refused(write: Write, core: Core) -> list[Cause]:
    """What is wrong with a claim that asks for such an access, or gets it, in a namespace of others."""
    path = _asked_in(write)
    if not path:
        return []
    entry = core.cache.resources[kinds.NAMESPACE].entries.get(write.call.target.namespace)
    labels = codec.decode(kinds.NAMESPACE, entry.data).metadata.labels if entry is not None else {}
    return [] if labels.get(_LABEL) == "true" else [Cause(path, "FieldValueForbidden", _WHY)]


def _asked_in(write: Write) -> str:
    """The place of the first word of such an access that was not there before; upstream names it alike for templates."""
    if write.kind is kinds.RESOURCE_CLAIM and write.subresource == "status":
        if _granted(write.old) is not None:
            return ""
        found = _granted(write.new)
        return "" if found is None else f"status.allocation.devices.results[{found}].adminAccess"
    if write.operation != CREATE or write.kind not in (kinds.RESOURCE_CLAIM, kinds.RESOURCE_CLAIM_TEMPLATE):
        return ""
    spec = write.new.spec if write.kind is kinds.RESOURCE_CLAIM else write.new.spec.spec
    found = next((index for index, request in enumerate(spec.devices.requests) if _wants(request)), None)
    return "" if found is None else f"spec.devices.requests[{found}].adminAccess"


def _wants(request: DeviceRequest) -> bool:
    return request.exactly is not None and bool(request.exactly.admin_access)


def _granted(claim: ResourceClaim) -> int | None:
    allocation = claim.status.allocation
    results = allocation.devices.results if allocation is not None else []
    return next((index for index, result in enumerate(results) if result.admin_access), None)
