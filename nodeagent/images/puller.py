"""Makes sure that an image is there, by its pull policy; pulls at most so many at once, and backs off per image and pod.

An image that was asked for is kept until the pod's container is made (`settled`): so long it looks as if nobody used it.
"""

import asyncio
from dataclasses import dataclass, field

from api.core_v1 import Secret
from kit.clock import Clock
from nodeagent.cri.errors import RuntimeFault
from nodeagent.cri.port import Runtime, SeenImage
from nodeagent.images.credentials import credentials
from nodeagent.images.names import BadName, full_name, with_default_tag
from nodeagent.model.memory import BackoffPolicy, Held, next_hold
from proto import cri_v1_pb2 as pb

SHOWN = 2.0  # seconds for which a failure is shown, before it is said that the next attempt is held back


class ImageProblem(Exception):
    """The image is not there; `reason` is the word that statuses show. `retry_at`: not before."""

    def __init__(self, reason: str, message: str, retry_at: float, told: str = "") -> None:
        super().__init__(message)
        self.told = told or message  # by the runtime
        self.reason = reason
        self.message = message
        self.retry_at = retry_at


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that is there, and what to tell about how it came: seconds None if it was there before."""

    image: SeenImage
    seconds: float | None = None
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """An image that a pod wants."""

    uid: str
    name: str
    policy: str
    secrets: tuple[Secret, ...] = ()
    sandbox: pb.PodSandboxConfig | None = None


@dataclass(slots=True)
class _Failure:
    held: Held
    message: str


@dataclass(slots=True)
class Puller:
    """The one place that pulls."""

    runtime: Runtime
    clock: Clock
    policy: BackoffPolicy = field(default_factory=BackoffPolicy)
    parallel: int = 3
    _failures: dict[tuple[str, str], _Failure] = field(default_factory=dict)
    _slots: asyncio.Semaphore | None = None
    _kept: dict[str, set[str]] = field(default_factory=dict)  # by the uid of who asked: names and ids

    def kept(self) -> set[str]:
        """The images that are about to be used."""
        return set[str]().union(*self._kept.values())

    def settled(self, uid: str) -> None:
        """The pod's container is made, or will not be."""
        self._kept.pop(uid, None)

    def _keep(self, wish: Wish, *names: str) -> None:
        self._kept.setdefault(wish.uid, set()).update(names)

    async def present(self, wish: Wish) -> SeenImage | None:
        """The image if policy lets us use the one that is there; None if it must be pulled."""
        try:
            name = with_default_tag(wish.name)
        except BadName as error:
            message = f'Failed to apply default image tag "{wish.name}": {error}'
            raise ImageProblem("InvalidImageName", message, self.clock.now() + self.policy.base) from error
        self._keep(wish, name, full_name(name))
        if wish.policy == "Always":
            return None
        try:
            image = await self.runtime.image(name)
        except RuntimeFault as error:
            message = f'Failed to inspect image "{wish.name}": {error.spoken}'
            raise ImageProblem("ImageInspectError", message, self.clock.now() + self.policy.base) from error
        if image is None and wish.policy == "Never":
            message = f'Container image "{wish.name}" is not present with pull policy of Never'
            raise ImageProblem("ErrImageNeverPull", message, self.clock.now() + self.policy.base)
        if image is not None:
            self._keep(wish, image.id)
        return image

    def held(self, wish: Wish) -> ImageProblem | None:
        """The back-off of this image for this pod, if one holds."""
        failure = self._failures.get((wish.uid, wish.name))
        if failure is None or self.clock.now() >= failure.held.since + failure.held.delay:
            return None
        message = f'Back-off pulling image "{wish.name}": {failure.message}'
        return ImageProblem("ImagePullBackOff", message, failure.held.since + failure.held.delay)

    async def pull(self, wish: Wish) -> Pulled:
        """Pull it; the first credentials that work count."""
        asked = self.clock.monotonic()
        name = with_default_tag(wish.name)
        self._slots = self._slots or asyncio.Semaphore(self.parallel)
        async with self._slots:
            began = self.clock.monotonic()
            try:
                image = await self._pull(name, wish)
            except RuntimeFault as error:
                raise self._failed(wish, error) from error
        self._keep(wish, image.id)
        self._failures.pop((wish.uid, wish.name), None)
        ended = self.clock.monotonic()
        return Pulled(image, ended - began, ended - asked)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self.settled(uid)
        for key in [key for key in self._failures if key[0] == uid]:
            del self._failures[key]

    async def _pull(self, name: str, wish: Wish) -> SeenImage:
        choices: list[pb.AuthConfig | None] = [*credentials(wish.secrets, name)] or [None]
        for auth in choices:
            try:
                ref = await self.runtime.pull(name, auth, wish.sandbox)
                break
            except RuntimeFault:
                if auth is choices[-1]:
                    raise
        image = await self.runtime.image(ref) or await self.runtime.image(name)
        return image or SeenImage(ref)

    def _failed(self, wish: Wish, error: RuntimeFault) -> ImageProblem:
        key = (wish.uid, wish.name)
        now = self.clock.now()
        before = self._failures.get(key)
        held = next_hold(before.held if before else None, now, self.policy)
        told = error.reason if error.code == "Unknown" else error.spoken
        reason, message = explain(wish.name, told)
        self._failures[key] = _Failure(held, f"{reason}: {message}")
        return ImageProblem(reason, message, now + min(held.delay, SHOWN), told)


_SPECIAL = {
    "RegistryUnavailable": "the registry is unavailable",
    "SignatureValidationFailed": "the signature validation failed",
}


def explain(name: str, told: str) -> tuple[str, str]:
    """The reason and the message of a pull that failed, from what the runtime told."""
    for reason, words in _SPECIAL.items():
        if told.startswith(reason):
            return reason, f"image pull failed for {name} because {words}{told.removeprefix(reason)}"
    return "ErrImagePull", told
