"""Forgets the past: what was replaced more than five minutes ago can no longer be listed or watched from, as upstream has it."""

from __future__ import annotations

from controlplane.apiserver.cache import Cache
from controlplane.store.interface import Store, StoreError
from kit import log
from kit.clock import Clock

KEEP_SECONDS = 300.0

_log = log.get("apiserver.compaction")


async def compact_for_ever(store: Store, cache: Cache, clock: Clock) -> None:
    """Every five minutes, forget up to the revision of five minutes ago, in the store and in the cache's rings."""
    before = store.revision
    while True:
        await clock.sleep(KEEP_SECONDS)
        now = store.revision
        cache.forget(before)
        if before:
            try:
                await store.compact(before)
            except StoreError as error:
                _log.warning("cannot compact, will try again", revision=before, error=error)
        before = now
