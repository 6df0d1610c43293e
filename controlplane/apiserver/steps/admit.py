"""Step: the last word before the store, on the object as it will be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.apiserver.admission import VALIDATING
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def admit(write: Write, core: Core) -> None:
    """Ask each plugin in turn."""
    for plugin in VALIDATING:
        plugin(write, core)
