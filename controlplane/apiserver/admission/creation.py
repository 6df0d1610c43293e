"""A PUT or an applied patch to a name that is not there makes the object: who may only update may not do that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from controlplane.apiserver.access.attributes import of_call
from controlplane.apiserver.access.decisions import require
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def require_create(write: Write, core: Core) -> None:
    """Refuse who may not create."""
    call = write.call
    if write.operation == CREATE and call.verb != "create":
        assert call.user is not None
        require(call.user, replace(of_call(call), verb="create"), core)
