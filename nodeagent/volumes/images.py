"""Images as volumes: their files, for reading, mounted by the agent, as not every runtime can.

pods/<uid>/volumes/kubernetes.io~image/<name>   a view of the image that the runtime pulled
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from api import times
from kit.clock import Clock
from linux.mounts import Mounts
from nodeagent.cri.errors import Refused
from nodeagent.cri.snapshots import ImageViews, Layer

FOLDER = "volumes/kubernetes.io~image"

Blocking = Callable[[Callable[[], None]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ImageVolumes:
    """Mounts them below `root`, the agent's directory. May raise Refused, MountError or OSError."""

    views: ImageViews
    mounts: Mounts
    root: str
    clock: Clock

    async def show(self, uid: str, name: str, image: str, blocking: Blocking) -> None:
        """Mount an image, by the runtime's id of it, unless it is."""
        place = f"{self.root}/pods/{uid}/{FOLDER}/{name}"
        if place in self.mounts.below(place):
            return
        Path(place).mkdir(mode=0o755, parents=True, exist_ok=True)
        layers = await self.views.view(image, key_of(uid, name), times.format_time(self.clock.now()))
        await blocking(lambda: self._mount(layers, place))

    async def take(self, uid: str) -> None:
        """Unmount all images of a pod and let go of what the runtime kept for them."""
        folder = f"{self.root}/pods/{uid}/{FOLDER}"
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return
        for name in names:
            for point in self.mounts.below(f"{folder}/{name}"):
                self.mounts.unmount(point)
            await self.views.drop(key_of(uid, name))
            os.rmdir(f"{folder}/{name}")

    def _mount(self, layers: list[Layer], place: str) -> None:
        for layer in layers:
            kind = "none" if layer.kind == "bind" else layer.kind
            self.mounts.filesystem(kind, layer.source, place, [*layer.options, *_read_only(layer)])


def _read_only(layer: Layer) -> list[str]:
    return [] if "ro" in layer.options else ["ro"]


def key_of(uid: str, name: str) -> str:
    """What the view of an image is called by the runtime."""
    return f"wherry-volume-{uid}-{name}"


class NoImages:
    """A runtime of which only CRI is known."""

    async def show(self, uid: str, name: str, image: str, blocking: Blocking) -> None:
        """It cannot."""
        raise Refused("mount image", image, "volumes of type image are not supported with this container runtime")

    async def take(self, uid: str) -> None:
        """Nothing was shown."""
