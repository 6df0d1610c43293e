"""The tokens that pods prove themselves with, asked for pod by pod and kept in memory only.

A token is bound to its pod and lives for as long as the volume says. When four fifths of its life are over, or after a
day, the pod is told (`changed`), asks again and gets a new one, which is written over the old; nothing is restarted.
Should the API server not answer then, the old one serves as long as it is valid, and soon there is another try. All
tokens of a pod are asked for at once, and each only once, however many ask for it meanwhile.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from api import codec, kinds, times
from api.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from api.core_v1 import Pod
from client.client import Client
from client.errors import ApiError
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, Timer
from nodeagent.render.references import token_wishes
from nodeagent.render.settings import Token, TokenWish

OLDEST = 24 * 3600.0  # a token is renewed once a day at least
RENEWED_AT = 0.8  # of its life
MAX_JITTER = 10.0  # so that not all pods ask at once
RETRY = Backoff(base=5.0, cap=60.0, jitter=0.3)
_log = log.get("tokens")


class _Key(NamedTuple):
    """Whose token it is, and which."""

    uid: str
    namespace: str
    account: str
    wish: TokenWish


@dataclass(slots=True)
class _Kept:
    text: str
    expires: float
    renew_at: float
    timer: Timer | None = None
    failures: int = 0


class Tokens:
    """See the module. `changed(uid)` is called for each pod that should fetch again."""

    def __init__(
        self, client: Client, clock: Clock, changed: Callable[[str], object], rng: random.Random | None = None
    ) -> None:
        self._client = client
        self._clock = clock
        self._changed = changed
        self._rng = rng or random.Random()
        self._kept: dict[_Key, _Kept] = {}
        self._asked: dict[_Key, asyncio.Task[_Kept]] = {}

    async def fetch(self, pod: Pod, more: tuple[TokenWish, ...] = ()) -> dict[TokenWish, Token]:
        """The tokens of a pod's volumes, and more of them, or why there are none."""
        wishes = sorted({*token_wishes(pod), *more}, key=lambda wish: (wish.audience, wish.seconds))
        tokens = await asyncio.gather(*(self._token(pod, wish) for wish in wishes))
        return dict(zip(wishes, tokens, strict=True))

    def release(self, uid: str) -> None:
        """Forget the tokens of a pod."""
        for key in [key for key in self._kept if key.uid == uid]:
            if (timer := self._kept.pop(key).timer) is not None:
                timer.cancel()
        for key in [key for key in self._asked if key.uid == uid]:
            self._asked.pop(key).cancel()

    async def close(self) -> None:
        """Forget them all."""
        for uid in {key.uid for key in (*self._kept, *self._asked)}:
            self.release(uid)

    async def _token(self, pod: Pod, wish: TokenWish) -> Token:
        meta = pod.metadata
        key = _Key(meta.uid or "", meta.namespace or "", pod.spec.service_account_name or "default", wish)
        kept = self._kept.get(key)
        now = self._clock.now()
        if kept is not None and now < kept.renew_at:
            return _shown(kept)
        try:
            return _shown(await self._request(key, meta.name or ""))
        except ApiError as error:
            if kept is None or self._clock.now() >= kept.expires:
                return Token(problem=f"failed to fetch token: {error}")
            _log.warning("cannot renew a token; the old one is still valid", pod=meta.name, error=error)
            kept.failures += 1
            self._remind(key, kept, RETRY.delay(kept.failures))
            return _shown(kept)

    async def _request(self, key: _Key, pod: str) -> _Kept:
        """Ask, or wait for the answer to one who has."""
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, pod), name=f"token of {pod}")
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    def _answered(self, key: _Key, task: asyncio.Task[_Kept]) -> None:
        if self._asked.get(key) is not task:
            return  # the pod was forgotten meanwhile
        del self._asked[key]
        if task.cancelled() or task.exception() is not None:
            return
        if (before := self._kept.get(key)) is not None and before.timer is not None:
            before.timer.cancel()
        kept = self._kept[key] = task.result()
        self._remind(key, kept, kept.renew_at - self._clock.now())

    def _remind(self, key: _Key, kept: _Kept, seconds: float) -> None:
        if kept.timer is not None:
            kept.timer.cancel()
        kept.timer = self._clock.call_later(max(1.0, seconds), lambda: self._changed(key.uid))

    async def _ask(self, key: _Key, pod: str) -> _Kept:
        wish = key.wish
        spec = TokenRequestSpec(
            audiences=[wish.audience] if wish.audience else [],
            expiration_seconds=wish.seconds,
            bound_object_ref=BoundObjectReference(api_version="v1", kind="Pod", name=pod, uid=key.uid),
        )
        body = codec.encode(TokenRequest(spec=spec))
        answer = await self._client.create_raw(
            kinds.SERVICE_ACCOUNT, body, key.namespace, name=key.account, subresource="token"
        )
        found = codec.decode(TokenRequest, answer)
        now = self._clock.now()
        expires = times.parse_time(found.status.expiration_timestamp or times.format_time(now + wish.seconds))
        seconds = found.spec.expiration_seconds or wish.seconds
        return _Kept(found.status.token, expires, renewal(expires, seconds, self._rng.random()))


def _shown(kept: _Kept) -> Token:
    return Token(kept.text, expires=times.format_time(kept.expires))


def renewal(expires: float, seconds: float, chance: float) -> float:
    """When a token that lives so long is due for another; `chance` (0 to 1) keeps pods apart."""
    issued = expires - seconds
    return min(issued + OLDEST, issued + seconds * RENEWED_AT) - chance * MAX_JITTER


class NoTokens:
    """A node without an API server has nobody to ask."""

    async def fetch(self, pod: Pod, more: tuple[TokenWish, ...] = ()) -> dict[TokenWish, Token]:
        """None, and why."""
        why = "cannot use TokenManager when kubelet is in standalone mode"
        return {wish: Token(problem=f"failed to fetch token: {why}") for wish in (*token_wishes(pod), *more)}

    def release(self, uid: str) -> None:
        """Nothing is kept."""
