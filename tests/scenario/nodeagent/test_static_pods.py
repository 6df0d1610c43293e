"""Static pods: with an API server, without one, and when it comes late."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api import kinds
from api.core_v1 import Container, Pod
from client import errors
from kit.supervisor import Supervisor
from linux.mounts import FakeMounts
from nodeagent.app import Agent, Kernel
from nodeagent.config import Cni, Config
from tests.scenario.nodeagent.test_agent_scenarios import MACHINE, Scene

MIRROR = "kubernetes.io/config.mirror"


class StaticScene(Scene):
    """A scene with a directory of manifests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        fields = {name: getattr(self.config, name) for name in self.config.__struct_fields__}
        self.config = Config(**{**fields, "static_pod_path": str(self.manifests)})

    def write(self, file: str, name: str, **spec: Any) -> None:
        spec.setdefault("containers", [{"name": "a", "image": "i:1"}])
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        temporary = self.manifests / ".new"
        temporary.write_text(json.dumps(document))
        temporary.rename(self.manifests / file)

    def mirror(self, name: str) -> Pod | None:
        found = self.pod(name)
        return found if found is not None and MIRROR in found.metadata.annotations else None


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[StaticScene]:
    made = StaticScene(tmp_path)
    yield made
    await made.stop()


async def test_a_static_pod_and_its_mirror(scene: StaticScene) -> None:
    scene.write("web.json", "web")
    await scene.start()
    await scene.until(lambda: scene.phase("web-n1") == "Running")
    mirror = scene.mirror("web-n1")
    assert mirror is not None
    annotations = mirror.metadata.annotations
    assert annotations[MIRROR] == annotations["kubernetes.io/config.hash"] != mirror.metadata.uid
    assert annotations["kubernetes.io/config.source"] == "file" and annotations["kubernetes.io/config.seen"]
    [owner] = mirror.metadata.owner_references
    [node] = scene.api.objects(kinds.NODE)
    assert (owner.kind, owner.name, owner.uid, owner.controller) == ("Node", "n1", node.metadata.uid, True)
    assert [c.ready for c in mirror.status.container_statuses] == [True] and mirror.status.pod_ip


@pytest.mark.parametrize("grace", [None, 0, 30])
async def test_deleting_the_mirror_stops_nothing(scene: StaticScene, grace: int | None) -> None:
    scene.write("web.json", "web")
    await scene.start()
    await scene.until(lambda: scene.phase("web-n1") == "Running")
    before, containers = scene.mirror("web-n1"), set(scene.runtime.live_containers)
    assert before is not None
    await scene.client.delete(kinds.POD, "web-n1", "default", grace=grace)

    def again() -> bool:
        now = scene.mirror("web-n1")
        return now is not None and now.metadata.uid != before.metadata.uid and now.status.phase == "Running"

    await scene.until(again)
    assert set(scene.runtime.live_containers) == containers


async def test_a_change_restarts_it_and_removal_ends_it(scene: StaticScene) -> None:
    scene.write("web.json", "web")
    await scene.start()
    await scene.until(lambda: scene.phase("web-n1") == "Running")
    [first] = scene.runtime.live_containers
    scene.write("web.json", "web", containers=[{"name": "a", "image": "i:1", "args": ["x"]}])
    await scene.until(lambda: scene.running() == ["web-n1"] and set(scene.runtime.live_containers) != {first})
    await scene.until(lambda: (m := scene.mirror("web-n1")) is not None and m.spec.containers[0].args == ["x"])
    await scene.until(lambda: scene.phase("web-n1") == "Running")
    (scene.manifests / "web.json").unlink()
    await scene.until(lambda: scene.running() == [] and scene.pod("web-n1") is None)
    assert not scene.agent.pods.workers


async def test_two_versions_never_run_side_by_side(scene: StaticScene) -> None:
    scene.write("web.json", "web")
    await scene.start()
    await scene.until(lambda: scene.phase("web-n1") == "Running")
    most = 0
    for turn in range(5):
        scene.write("web.json", "web", containers=[{"name": "a", "image": "i:1", "args": [str(turn)]}])
        for _ in range(10):
            await scene.clock.advance(0.1)
            most = max(most, len(scene.running()))
    await scene.until(lambda: (m := scene.mirror("web-n1")) is not None and m.spec.containers[0].args == ["4"])
    await scene.until(lambda: scene.running() == ["web-n1"])
    assert most <= 1


async def test_a_broken_manifest_hurts_no_other_and_not_what_it_was(scene: StaticScene) -> None:
    scene.write("a.json", "a")
    scene.write("b.json", "b")
    (scene.manifests / "c.yaml").write_text("kind: Pod\napiVersion: v1\nspec: [\n")
    await scene.start()
    await scene.until(lambda: scene.running() == ["a-n1", "b-n1"])
    before = set(scene.runtime.live_containers)
    (scene.manifests / "a.json").write_text("{")
    (scene.manifests / "c.yaml").write_text(
        "kind: Pod\napiVersion: v1\nmetadata: {name: c}\nspec: {containers: [{name: a, image: 'i:1'}]}\n"
    )
    await scene.until(lambda: scene.running() == ["a-n1", "b-n1", "c-n1"])
    assert before <= set(scene.runtime.live_containers)


async def test_static_pods_start_while_the_api_server_is_away(scene: StaticScene) -> None:
    scene.write("web.json", "web")
    request = scene.api.request

    async def away(*_: Any, **__: Any) -> bytes:
        raise errors.make(503, "away")

    scene.api.request = away  # type: ignore[method-assign,assignment]
    await scene.start()
    await scene.until(lambda: scene.running() == ["web-n1"])
    before = set(scene.runtime.live_containers)
    scene.api.request = request  # type: ignore[method-assign]
    await scene.until(lambda: scene.phase("web-n1") == "Running", 120)
    assert set(scene.runtime.live_containers) == before


async def test_a_restarted_agent_knows_its_static_pods_again(scene: StaticScene) -> None:
    scene.write("web.json", "web")
    await scene.start()
    await scene.until(lambda: scene.phase("web-n1") == "Running")
    mirror, before = scene.mirror("web-n1"), set(scene.runtime.live_containers)
    await scene.stop()
    await scene.start()
    await scene.clock.advance(5)
    now = scene.mirror("web-n1")
    assert set(scene.runtime.live_containers) == before and scene.running() == ["web-n1"]
    assert mirror is not None and now is not None and now.metadata.uid == mirror.metadata.uid


async def test_alone_and_later_in_a_cluster(scene: StaticScene) -> None:
    """Without an API server everything runs; the same node in a cluster keeps it."""
    scene.write("web.json", "web")
    fields = {name: getattr(scene.config, name) for name in scene.config.__struct_fields__}
    conf_dir = scene.folder / "net.d"
    alone = Config(**{**fields, "own_pod_cidr": "10.244.0.0/24", "cni": Cni(conf_dir=str(conf_dir))})
    supervisor = Supervisor(scene.clock, signals=False)
    kernel = Kernel(FakeMounts(), scene.cgroups)
    Agent(alone, scene.clock, None, scene.runtime, MACHINE, kernel).begin(supervisor)
    await scene.until(lambda: scene.running() == ["web-n1"])
    assert "10.244.0.0/24" in (conf_dir / "10-wherry.conflist").read_text()
    assert not scene.api.objects(kinds.POD) and not scene.api.objects(kinds.NODE)
    scene.supervisor = supervisor
    await scene.stop()
    before = set(scene.runtime.live_containers)
    await scene.start()
    await scene.until(lambda: scene.phase("web-n1") == "Running")
    assert set(scene.runtime.live_containers) == before


async def test_pods_of_the_api_server_run_beside_them(scene: StaticScene) -> None:
    scene.write("web.json", "web")
    await scene.start()
    await scene.create("other", containers=[Container(name="a", image="i:1")])
    await scene.until(lambda: scene.phase("other") == "Running" and scene.phase("web-n1") == "Running")
    assert scene.running() == ["other", "web-n1"]
