"""Scenes: images that nobody uses, and images that not everybody may have."""

import json
import platform
import subprocess
from pathlib import Path

from api import kinds
from api.core_v1 import Container, LocalObjectReference, Secret
from api.meta_v1 import ObjectMeta
from cli.images.archive import Recipe, build
from cli.images.recipes import DEMO, PAUSE, demo_image
from nodeagent.config import ImageGc
from nodeagent.upkeep.images import ImageProblem
from tests.cri.inside.basics import state_of
from tests.cri.inside.registry import Registry
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


async def pulled_with_credentials(stage: Stage) -> None:
    """A registry lets in whose pull secret is for this part of it; who has none is told so."""
    recipe = demo_image(platform.machine(), Path("/bin/busybox").read_bytes(), ("sh", "sleep"))
    registry = Registry(build(recipe).archive, "team/app", "me", "hush")
    await registry.server.start()
    image = f"{registry.place}:1"

    async def begin(name: str) -> None:
        container = Container(name="a", image=image, command=["sleep", "1000"], image_pull_policy="Always")
        await stage.create(make_pod(name, container, image_pull_secrets=[LocalObjectReference(name="key")]))

    def refused() -> bool:
        status = state_of(stage.pod("early"), "a")
        waiting = status.state.waiting if status and status.state else None
        return bool(waiting and waiting.reason in ("ErrImagePull", "ImagePullBackOff"))

    try:
        await begin("early")
        await stage.until(refused, "nobody gets in without a secret")
        assert registry.proofs == set()
        told = {"FailedToRetrieveImagePullSecret", "Failed"}
        await stage.until(lambda: told <= {e.reason for e in stage.api.objects(kinds.EVENT)}, "users are told")
        await stage.delete("early")
        host = registry.place.partition("/")[0]
        logins = {f"{host}/team": "hush", f"{host}/other": "wrong", "elsewhere.example": "wrong"}
        auths = {place: {"username": "me", "password": password} for place, password in logins.items()}
        key = Secret(
            metadata=ObjectMeta(name="key", namespace="default"),
            type="kubernetes.io/dockerconfigjson",
            data={".dockerconfigjson": json.dumps({"auths": auths}).encode()},
        )
        await stage.client.create(kinds.SECRET, key)
        await begin("late")
        await stage.phase("late", "Running")
        assert registry.proofs == {"me:hush"}, "others were not meant for this image"
        await stage.delete("late")
        await stage.runtime.remove_image(image)
    finally:
        await registry.server.close()
