"""pods/proxy, services/proxy and nodes/proxy: the client's request goes to the pod, to a pod behind the service, or to the node's agent.

The rules of access know the method only: who may `get nodes/proxy` gets whatever an agent gives to us, which includes commands in every
container of the node (a WebSocket begins with GET); `create nodes/proxy` likewise. That is upstream's rule too: grant it to administrators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.apiserver import status
from controlplane.apiserver.call import Call, Connected, Result
from controlplane.apiserver.connect.places import locate
from controlplane.apiserver.connect.proxying import proxy
from kit.http.model import Request, Response

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


async def pass_through(call: Call, core: Core) -> Result:
    """Any of the three."""
    if call.query.get("dryRun"):
        raise status.bad_request("dryRun is not supported")
    location = await locate(call.target, core)

    async def run(request: Request) -> Response | None:
        return await proxy(request, call.target, location, core)

    return Connected(run)
