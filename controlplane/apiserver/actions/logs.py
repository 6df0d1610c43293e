"""pods/log: what a container wrote, from the agent of its node."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from controlplane.apiserver import logs, status
from controlplane.apiserver.call import Call, Result

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def log(call: Call, core: Core) -> Result | Awaitable[Result]:
    """GET of a log."""
    target = call.target
    kind = target.kind
    assert kind is not None
    if target.key not in core.cache.resources[kind].entries:
        raise status.not_found(status.subject(kind, target.name))
    return logs.open_log(call, core)
