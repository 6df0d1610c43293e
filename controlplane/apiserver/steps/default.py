"""Step: fill in what the API says a missing field means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import defaults
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def default(write: Write, core: Core) -> None:
    """Apply the kind's defaults to the new object."""
    defaults.apply(write.kind, write.new)
