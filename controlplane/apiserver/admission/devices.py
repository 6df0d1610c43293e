"""Devices: since when they are tainted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import kinds
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def date_taints(write: Write, core: Core) -> None:
    """A taint that does not say since when it is there is there from now on."""
    if write.kind is not kinds.RESOURCE_SLICE:
        return
    for device in write.new.spec.devices:
        for taint in device.taints:
            taint.time_added = taint.time_added or write.now
