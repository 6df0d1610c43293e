"""Images as volumes: mounted once, for reading, and let go of with the pod."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kit.clock import FakeClock
from linux.mounts import FakeMounts, MountError
from nodeagent.cri.errors import Refused
from nodeagent.cri.snapshots import Layer
from nodeagent.volumes.images import ImageVolumes, NoImages, key_of


class Views:
    """A runtime's views, by key."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = list(layers)
        self.held: dict[str, str] = {}

    async def view(self, image: str, key: str, now: str) -> list[Layer]:
        if image == "none":
            raise Refused("mount image", image, "no such image")
        self.held[key] = image
        return self.layers

    async def drop(self, key: str) -> None:
        self.held.pop(key, None)


async def at_once(work: Callable[[], None]) -> None:
    work()


OVERLAY = Layer("overlay", "overlay", ("lowerdir=/l2:/l1",))
BIND = Layer("bind", "/l1/fs", ("ro", "rbind"))


@pytest.mark.parametrize(
    ("layer", "made"),
    [
        (OVERLAY, ("overlay", "overlay", ("lowerdir=/l2:/l1", "ro"))),
        (BIND, ("none", "/l1/fs", ("ro", "rbind"))),
    ],
)
async def test_an_image_is_mounted_once(tmp_path: Path, layer: Layer, made: object) -> None:
    views, mounts = Views(layer), FakeMounts()
    volumes = ImageVolumes(views, mounts, str(tmp_path), FakeClock())
    for _ in range(2):
        await volumes.show("u", "v", "sha256:x", at_once)
    (place,) = mounts.points
    assert place == f"{tmp_path}/pods/u/volumes/kubernetes.io~image/v" and mounts.made == {place: made}
    assert views.held == {key_of("u", "v"): "sha256:x"}
    await volumes.take("other")
    await volumes.take("u")
    await volumes.take("u")
    assert mounts.points == [] and views.held == {} and not Path(place).exists()


async def test_what_is_still_mounted_is_not_let_go_of(tmp_path: Path) -> None:
    views, mounts = Views(OVERLAY), FakeMounts()
    volumes = ImageVolumes(views, mounts, str(tmp_path), FakeClock())
    await volumes.show("u", "v", "sha256:x", at_once)
    mounts.stuck.add(mounts.points[0])
    with pytest.raises(MountError, match="busy"):
        await volumes.take("u")
    assert views.held
    mounts.stuck.clear()
    await volumes.take("u")
    assert not views.held


async def test_images_that_cannot_be_mounted(tmp_path: Path) -> None:
    volumes = ImageVolumes(Views(), FakeMounts(), str(tmp_path), FakeClock())
    with pytest.raises(Refused, match="no such image"):
        await volumes.show("u", "v", "none", at_once)
    with pytest.raises(Refused, match="not supported with this container runtime"):
        await NoImages().show("u", "v", "x", at_once)
    await NoImages().take("u")
