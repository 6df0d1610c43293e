"""bindings: the same as pods/binding, with the pod's name in the body alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from api import kinds
from api.core_v1 import Binding
from controlplane.apiserver import status, writes
from controlplane.apiserver.call import Call, Result, Target
from controlplane.apiserver.steps.decode import read_body

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


async def bind(call: Call, core: Core) -> Result:
    """POST of a Binding."""
    body: Any = read_body(call, Binding)
    name = body.metadata.name or ""
    if not name:
        raise status.bad_request("name must be provided")
    target = Target(kinds.POD, call.target.namespace, name, "binding")
    return await writes.create(replace(call, target=target), core)
