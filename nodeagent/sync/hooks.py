"""Lifecycle hooks: what runs right after a container's start and right before its end."""

from api.core_v1 import LifecycleHandler
from nodeagent.probes.checks import Outcome, Target, check_exec, check_http, check_tcp
from nodeagent.sync.doors import Doors

ALWAYS = 3600.0  # hooks have no limit of their own; what bounds them is the grace period


async def run_hook(doors: Doors, handler: LifecycleHandler, target: Target, limit: float = ALWAYS) -> Outcome:
    """Run a hook to its end, `limit` seconds at most."""
    if handler.exec is not None:
        return await check_exec(doors.runtime, target, handler.exec.command, limit)
    if handler.http_get is not None:
        return await check_http(doors.clock, target, handler.http_get, limit)
    if handler.tcp_socket is not None:
        return await check_tcp(doors.clock, target, handler.tcp_socket, limit)
    if handler.sleep is not None:
        await doors.clock.sleep(min(float(handler.sleep.seconds), limit))
        return Outcome(True)
    return Outcome(False, "the hook has no handler")
