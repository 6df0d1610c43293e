"""Step: what the client should know of its object although it is allowed. Of many equal owners, one stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import warnings
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

_OWNERS = (
    ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may reject "
    "such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {uids}"
)


def warn(write: Write, core: Core) -> None:
    """Note warnings for whoever reads them."""
    if write.call.told:
        write.warnings.extend(warnings.of_object(write.kind, write.new, write.old, write.subresource))


def drop_double_owners(write: Write, meta: Any) -> None:
    """Keep one of equal owner references, and say so."""
    owners = meta.owner_references
    if len(owners) < 2:
        return
    kept, double = [], list[str]()
    for owner in owners:
        if owner in kept:
            double.append(owner.uid)
        else:
            kept.append(owner)
    if double:
        when = " after mutating admission happens" if write.call.verb == "patch" else ""
        write.warnings.append(_OWNERS.format(when=when, uids=", ".join(double)))
        meta.owner_references = kept
