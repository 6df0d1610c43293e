"""Step: hold the object against the rules of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import kinds, validation
from controlplane.apiserver import device_access, status, zones
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def validate(write: Write, core: Core) -> None:
    """Raise Invalid with one cause per broken rule."""
    if write.operation == CREATE:
        causes = validation.validate_create(write.asked, write.new)
    elif write.subresource == "binding":
        causes = []  # the binding itself was checked when it was read
    else:
        part = "" if write.subresource == "scale" else write.subresource
        causes = validation.validate_update(write.asked, write.new, write.old, part)
    if write.kind is kinds.CRON_JOB and not write.subresource:
        causes = [*causes, *zones.unknown(write.new)]
    causes = [*device_access.refused(write, core), *causes]
    if causes:
        raise status.invalid(write.kind, write.new.metadata.name or "", causes)
