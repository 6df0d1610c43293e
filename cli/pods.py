"""Stopping this node's pods through the container runtime, when the agent is stopped already."""

import asyncio

from cli.errors import CliError
from cli.machine import Machine

AT_ONCE = 8
REMEDY = "See 'wherry status'; 'wherry reset' also works without containerd"


def stop_all(machine: Machine, *, grace: int, remove: bool) -> int:
    """Stop every pod, its containers first; with `remove` also forget them. How many there were."""
    return asyncio.run(_stop_all(machine, grace, remove))


async def _stop_all(machine: Machine, grace: int, remove: bool) -> int:
    from nodeagent.cri.client import GrpcRuntime
    from nodeagent.cri.errors import RuntimeFault

    runtime = GrpcRuntime(f"unix://{machine.layout.containerd_socket}")
    turns = asyncio.Semaphore(AT_ONCE)

    async def stop_container(ident: str) -> None:
        async with turns:
            await runtime.stop_container(ident, grace)

    async def stop_sandbox(ident: str) -> None:
        async with turns:
            await runtime.stop_sandbox(ident)
            if remove:
                await runtime.remove_sandbox(ident)

    try:
        containers = [one.thing.id for one in await runtime.containers()]
        sandboxes = [one.thing.id for one in await runtime.sandboxes()]
        results = await asyncio.gather(*map(stop_container, containers), return_exceptions=True)
        results += await asyncio.gather(*map(stop_sandbox, sandboxes), return_exceptions=True)
    except RuntimeFault as error:
        raise CliError("stop the pods", error, REMEDY) from error
    finally:
        await runtime.close()
    for result in results:
        if isinstance(result, BaseException):
            raise CliError("stop all pods", result, REMEDY) from result
    return len(sandboxes)
