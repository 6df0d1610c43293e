"""Scenes: images that nobody uses."""

import platform
import subprocess
from pathlib import Path

from api import kinds
from cli.images.archive import Recipe, build
from cli.images.recipes import DEMO, PAUSE, demo_image
from nodeagent.config import ImageGc
from nodeagent.upkeep.images import ImageProblem
from tests.cri.stage import SOCKET, Stage, make_pod, shell

UNUSED = "wherry.local/unused:1"


async def unused_ones_go_when_the_disk_is_full(stage: Stage) -> None:
    """What pods use, and what holds their sandboxes, stays; that this was not enough is told."""
    recipe = demo_image(platform.machine(), Path("/bin/busybox").read_bytes(), ("sh",))
    other = Recipe(UNUSED, recipe.machine, recipe.files, [], command=["/bin/sh"])
    argv = ["ctr", "-a", SOCKET, "-n", "k8s.io", "images", "import", "-"]
    subprocess.run(argv, input=build(other).archive, check=True, capture_output=True)
    await stage.create(make_pod("web", shell("a", "sleep 1000")))
    await stage.phase("web", "Running")
    collection = stage.agent.images
    await collection.look()
    before = {tag for image in await stage.runtime.images() for tag in image.tags}
    assert {UNUSED, DEMO, PAUSE} <= before
    try:
        await collection.collect()
        raise AssertionError("the disk cannot be empty")
    except ImageProblem as error:
        assert "Failed to free sufficient space by deleting unused images" in str(error)
    after = {tag for image in await stage.runtime.images() for tag in image.tags}
    assert UNUSED not in after and {DEMO, PAUSE} <= after
    await stage.until(
        lambda: "FreeDiskSpaceFailed" in {e.reason for e in stage.api.objects(kinds.EVENT)}, "users are told"
    )


unused_ones_go_when_the_disk_is_full.changes = {  # type: ignore[attr-defined]
    "image_gc": ImageGc(high_percent=1, low_percent=0, minimum_age=0.0)
}
