"""The agent with real containers: one test a scene, all on one test host."""

import inspect
from collections.abc import Iterator

import pytest

from tests.cri.inside import (
    addresses,
    basics,
    eviction,
    images,
    lives,
    pages,
    parts,
    reached,
    restarts,
    rotation,
    server,
    static,
    storage,
    streams,
    surroundings,
    volumes,
)
from tests.cri.stage import Host

pytestmark = [pytest.mark.root, pytest.mark.containerd]

SCENES = [
    f"{module.__name__.rpartition('.')[2]}.{name}"
    for module in (
        pages,
        images,
        rotation,
        static,
        basics,
        lives,
        parts,
        reached,
        addresses,
        restarts,
        eviction,
        server,
        streams,
        surroundings,
        volumes,
        storage,
    )
    for name, member in vars(module).items()
    if inspect.iscoroutinefunction(member) and not name.startswith("_") and member.__module__ == module.__name__
]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.mark.parametrize("scene", SCENES)
def test_scene(host: Host, scene: str) -> None:
    host.play(scene)


def test_containerd_dies_and_comes_back(host: Host) -> None:
    """Containers live on without it; what ended meanwhile is noticed, and pods can start again."""
    player = host.begin("trouble.runtime_goes_away")
    host.wait_for_file(player, "/run/wherry/kill-now")
    host.kill_containerd()
    host.node.sh("touch /run/wherry/killed")
    host.wait_for_file(player, "/run/wherry/start-now")
    host.start_containerd()
    host.finish(player)
