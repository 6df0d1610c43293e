"""Seeing what other API servers wrote.

When the store is shared, the cache may be behind by what others wrote a moment ago. Who asks for the present state (no resourceVersion, or
one that has not come here yet) waits until the cache has everything that was written before the request; so does who changes something,
who would otherwise miss an object that another server just made. One question to the store serves all who wait. With a store of our own
the cache is never behind, and nobody waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.apiserver import status
from controlplane.apiserver.call import Call
from controlplane.store.interface import StoreError
from kit.clock import deadline

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

LIMIT_SECONDS = 10.0
_READS = ("get", "list", "watch")


def behind(call: Call, core: Core) -> bool:
    """Whether the call must wait for the cache."""
    if not core.store.shared:
        return False
    asked = call.query.get("resourceVersion", "") if call.verb in _READS and call.query else ""
    return not (asked.isascii() and asked.isdigit() and len(asked) < 20 and int(asked) <= core.cache.revision)


async def fresh(core: Core) -> None:
    """Return when the cache has everything that was written before the call. Raises StatusError."""
    try:
        async with deadline(core.clock, LIMIT_SECONDS):
            await core.cache.fresh()
    except StoreError as error:
        raise status.unavailable(str(error)) from None
    except TimeoutError:
        raise status.unavailable(f"the store's changes are not here after {LIMIT_SECONDS:g} s") from None
