"""When the old tokens, which stand in Secrets and never end, were last used: a label of the Secret says the day.

By it an administrator, or the controller that cleans up, sees which of them nobody needs. It is written once a day, beside the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from api import kinds, times
from client.client import Client
from client.errors import ApiError
from controlplane.store.interface import StoreError
from kit import log
from kit.clock import Clock

LAST_USED = "kubernetes.io/legacy-token-last-used"
MOST_WAITING = 1000
_DAY = 86400.0
_log = log.get("apiserver.tokens")


class _Secret(NamedTuple):
    namespace: str
    name: str
    uid: str


class LegacyUse:
    """What is to be written down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[_Secret, None] = {}
        self._news = asyncio.Event()

    def used(self, namespace: str, name: str, uid: str, labels: Mapping[str, str]) -> None:
        """The token in a Secret with these labels is used now. What does not fit in is noted at its next use."""
        now = self._clock.now()
        if labels.get(LAST_USED) in (_day(now), _day(now + _DAY)):  # another server's clock may be ahead
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting[_Secret(namespace, name, uid)] = None
            self._news.set()

    async def run(self, client: Client) -> None:
        """Write, for ever."""
        while await self._news.wait():
            self._news.clear()
            while self._waiting:
                await self._write(client, next(iter(self._waiting)))

    async def _write(self, client: Client, secret: _Secret) -> None:
        change = {"metadata": {"uid": secret.uid, "labels": {LAST_USED: _day(self._clock.now())}}}
        try:
            await client.patch(kinds.SECRET, secret.name, change, secret.namespace, type="merge")
        except (ApiError, StoreError) as error:
            place = f"{secret.namespace}/{secret.name}"
            _log.warning("cannot note when a token was last used", secret=place, error=error)
        finally:
            self._waiting.pop(secret, None)


def _day(at: float) -> str:
    return times.format_time(at)[:10]
