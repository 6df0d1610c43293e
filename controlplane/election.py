"""Of several control planes on one store, one at a time runs the scheduler and the controllers.

All of them serve the API. The one that holds the lease leads, and renews it; who loses it ends the program, since what its controllers have
begun cannot be called back otherwise, and is started again by whoever started it. An orderly end gives the lease back at once.
"""

from __future__ import annotations

import platform
import uuid
from collections.abc import Awaitable, Callable

from client.client import Client
from client.errors import ApiError
from client.leases import LeaseClaim
from kit import log
from kit.clock import Clock, deadline

LEASE, NAMESPACE = "wherry-control-plane", "kube-system"
LEASE_SECONDS = 15
DEADLINE_SECONDS = 10.0
RETRY_SECONDS = 2.0
ASK_SECONDS = 4.0

_log = log.get("election")


class LeadershipLost(Exception):
    """Another control plane leads now, or may."""


async def lead(client: Client, clock: Clock, start: Callable[[], Awaitable[None]]) -> None:
    """Wait for the lease, call `start`, keep the lease. Raises LeadershipLost."""
    holder = f"{platform.node()}_{uuid.uuid4()}"
    claim = LeaseClaim(client, LEASE, NAMESPACE, holder, seconds=LEASE_SECONDS, clock=clock)
    while not await _renew(claim, clock):
        await clock.sleep(RETRY_SECONDS)
    _log.info("leads now", holder=holder)
    renewed = clock.monotonic()
    try:
        await start()
        while True:
            await clock.sleep(RETRY_SECONDS)
            held = await _renew(claim, clock)
            if held:
                renewed = clock.monotonic()
            elif held is False or clock.monotonic() - renewed > DEADLINE_SECONDS:
                raise LeadershipLost(f"cannot go on leading: the lease {NAMESPACE}/{LEASE} is lost")
    finally:
        try:
            await claim.release()
        except ApiError as error:
            _log.warning("cannot give the lease back, it runs out", error=error)


async def _renew(claim: LeaseClaim, clock: Clock) -> bool | None:
    """Whether the lease is held; None when nobody can say."""
    try:
        async with deadline(clock, ASK_SECONDS):
            return await claim.renew()
    except (ApiError, TimeoutError) as error:
        _log.warning("cannot renew the lease", error=error)
        return None
