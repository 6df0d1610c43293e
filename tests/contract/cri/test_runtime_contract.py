"""One suite for both runtimes: the fake, and containerd on a test host."""

import asyncio
import platform
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from api.core_v1 import Container, Pod, PodSpec, ResourceRequirements
from api.meta_v1 import ObjectMeta
from cli.images.archive import build
from cli.images.recipes import DEMO, PAUSE, demo_image, pause_image
from kit.clock import SystemClock
from nodeagent.cri.client import GrpcRuntime
from nodeagent.cri.errors import AlreadyExists, NotFound, RuntimeAway, RuntimeFault
from nodeagent.cri.fake import FakeRuntime
from nodeagent.cri.port import Exited, Runtime, SeenImage, Streams
from nodeagent.model.seen import ContainerState, Limits
from nodeagent.render.container import ContainerInputs, build_container, build_resources
from nodeagent.render.sandbox import build_sandbox
from nodeagent.render.settings import NodeSettings
from proto import cri_v1_pb2 as pb
from testbed.node import Node

SOCKET = "/run/containerd/containerd.sock"
CONFIG = f"""\
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
"""
APPLETS = ("sh", "sleep", "true", "false", "echo")


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    """containerd on a test host; pods of these tests use the host's network."""
    with Node("cricontract") as node:
        node.sh("mkdir -p /etc/containerd && cat > /etc/containerd/config.toml <<'E'\n" + CONFIG + "E")
        process = node.popen(["containerd"], log=Path("/dev/null"))
        try:
            node.wait_until("ctr version >/dev/null 2>&1")
            machine, busybox = platform.machine(), Path("/bin/busybox").read_bytes()
            for recipe in (pause_image(machine), demo_image(machine, busybox, APPLETS)):
                node.run(["ctr", "-n", "k8s.io", "images", "import", "-"], input=build(recipe).archive)
            yield str(node.path(SOCKET))
        finally:
            process.kill()
            process.wait()


@pytest.fixture(params=["fake", pytest.param("containerd", marks=[pytest.mark.root, pytest.mark.containerd])])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    if request.param == "fake":
        fake = FakeRuntime(SystemClock())
        fake.present = {DEMO: SeenImage(DEMO, (DEMO,))}
        yield fake
        return
    real = GrpcRuntime(f"unix://{request.getfixturevalue('socket')}")
    yield real
    for owned in await real.sandboxes():
        await real.remove_sandbox(owned.thing.id)
    await real.close()


SETTINGS = NodeSettings("n", (), "/var/lib/agent", "/var/log/pods", 8 << 30, {})


class Maker:
    """A pod's messages."""

    def __init__(self, runtime: Runtime, uid: str = "u1") -> None:
        self.runtime = runtime
        container = Container(name="a", image=DEMO, command=["sleep", "1000"])
        meta = ObjectMeta(name=f"p-{uid}", namespace="default", uid=uid)
        self.pod = Pod(metadata=meta, spec=PodSpec(containers=[container], host_network=True))

    def sandbox(self, attempt: int = 0) -> pb.PodSandboxConfig:
        return build_sandbox(self.pod, attempt, f"/contract/pod{self.pod.metadata.uid}", SETTINGS)

    def container(self, attempt: int = 0, command: list[str] | None = None) -> pb.ContainerConfig:
        spec = self.pod.spec.containers[0]
        spec.command = command or ["sleep", "1000"]
        return build_container(self.pod, spec, ContainerInputs(attempt, SeenImage(DEMO), {}, {}), SETTINGS)

    async def start(self, attempt: int = 0, command: list[str] | None = None) -> tuple[str, str]:
        """A sandbox with a running container."""
        sandbox = await self.runtime.run_sandbox(self.sandbox())
        ident = await self.runtime.create_container(sandbox, self.container(attempt, command), self.sandbox())
        await self.runtime.start_container(ident)
        return sandbox, ident


async def test_says_who_and_how_it_is(runtime: Runtime) -> None:
    version = await runtime.version()
    assert version.name == "containerd" and version.version[0].isdigit()
    assert (await runtime.status()).ready


async def test_a_sandbox_from_run_to_remove(runtime: Runtime) -> None:
    maker = Maker(runtime)
    ident = await runtime.run_sandbox(maker.sandbox())
    seen = await runtime.sandbox(ident)
    assert (seen.ready, seen.attempt, seen.host_network) == (True, 0, True)
    [owned] = await runtime.sandboxes("u1")
    assert owned.thing.id == ident and str(owned.pod) == "default/p-u1" and owned.pod.uid == "u1"
    assert await runtime.sandboxes("other") == []
    await runtime.stop_sandbox(ident)
    await runtime.stop_sandbox(ident)
    assert not (await runtime.sandbox(ident)).ready
    await runtime.remove_sandbox(ident)
    await runtime.remove_sandbox(ident)
    assert await runtime.sandboxes() == []
    with pytest.raises(NotFound):
        await runtime.sandbox(ident)


async def test_names_are_taken_once(runtime: Runtime) -> None:
    maker = Maker(runtime)
    ident = await runtime.run_sandbox(maker.sandbox())
    with pytest.raises(RuntimeFault):
        await runtime.run_sandbox(maker.sandbox())
    await runtime.create_container(ident, maker.container(), maker.sandbox())
    with pytest.raises(RuntimeFault):
        await runtime.create_container(ident, maker.container(), maker.sandbox())


async def test_a_container_from_create_to_remove(runtime: Runtime) -> None:
    maker = Maker(runtime)
    sandbox = await runtime.run_sandbox(maker.sandbox())
    ident = await runtime.create_container(sandbox, maker.container(2), maker.sandbox())
    seen = await runtime.container(ident)
    assert (seen.state, seen.name, seen.attempt) == (ContainerState.CREATED, "a", 2)
    assert seen.spec_hash and seen.created_at > 0
    await runtime.start_container(ident)
    seen = await runtime.container(ident)
    assert seen.running and seen.started_at >= seen.created_at - 1
    [owned] = await runtime.containers("u1")
    assert owned.thing.sandbox_id == sandbox and owned.thing.running and owned.pod.uid == "u1"
    await runtime.stop_container(ident, 0)
    seen = await runtime.container(ident)
    assert seen.exited and seen.exit_code in (137, 143) and seen.finished_at >= seen.started_at
    await runtime.stop_container(ident, 1)
    await runtime.remove_container(ident)
    await runtime.remove_container(ident)
    assert await runtime.containers() == []
    with pytest.raises(NotFound):
        await runtime.container(ident)
    await runtime.stop_container(ident, 1)


async def test_a_running_container_is_given_other_limits(runtime: Runtime) -> None:
    maker = Maker(runtime)
    needs = maker.pod.spec.containers[0]
    needs.resources = ResourceRequirements(requests={"cpu": "100m"}, limits={"cpu": "200m", "memory": "64Mi"})
    _, ident = await maker.start()
    assert (await runtime.container(ident)).limits == Limits(102, 20_000, 64 << 20)
    needs.resources = ResourceRequirements(requests={"cpu": "200m"}, limits={"cpu": "400m", "memory": "96Mi"})
    await runtime.update_resources(ident, build_resources(maker.pod, needs, SETTINGS))
    assert (await runtime.container(ident)).limits == Limits(204, 40_000, 96 << 20)
    with pytest.raises(NotFound):
        await runtime.update_resources("none", build_resources(maker.pod, needs, SETTINGS))


async def test_a_stopped_sandbox_takes_its_containers_along(runtime: Runtime) -> None:
    maker = Maker(runtime)
    sandbox, ident = await maker.start()
    await runtime.stop_sandbox(sandbox)
    assert (await runtime.container(ident)).exited
    with pytest.raises(RuntimeFault):
        await runtime.create_container(sandbox, maker.container(1), maker.sandbox())
    await runtime.remove_sandbox(sandbox)
    assert await runtime.containers() == []


async def test_unknown_things(runtime: Runtime) -> None:
    maker = Maker(runtime)
    with pytest.raises(RuntimeFault):
        await runtime.create_container("none", maker.container(), maker.sandbox())
    with pytest.raises(NotFound):
        await runtime.start_container("none")
    with pytest.raises(RuntimeFault):
        await runtime.exec_sync("none", ["true"], 5)


async def test_images(runtime: Runtime) -> None:
    image = await runtime.image(DEMO)
    assert image is not None and image.id
    assert image.id in [found.id for found in await runtime.images()]
    assert await runtime.image("wherry.local/none:1") is None
    with pytest.raises(RuntimeFault):
        await runtime.pull("127.0.0.1:1/none:1", None, None)


async def test_events_tell_exits(runtime: Runtime) -> None:
    events = runtime.events()
    waiting = asyncio.ensure_future(anext(events))
    number = 0
    while not waiting.done():  # from when on events are sent is not told
        number += 1
        _, ident = await Maker(runtime, f"u{number}").start()
        await runtime.stop_container(ident, 0)
        await asyncio.wait([waiting], timeout=1)
        assert number < 60
    _, ident = await Maker(runtime, "told").start()
    await runtime.stop_container(ident, 0)
    event = await waiting
    while not (isinstance(event, Exited) and event.id == ident):
        event = await asyncio.wait_for(anext(events), 120)
    assert event.code in (137, 143) and event.at > 1.6e9
    await events.aclose()  # type: ignore[attr-defined]


async def test_the_same_name_again_is_told_apart(runtime: Runtime) -> None:
    maker = Maker(runtime)
    await runtime.run_sandbox(maker.sandbox(0))
    await runtime.run_sandbox(maker.sandbox(1))
    assert sorted(s.thing.attempt for s in await runtime.sandboxes("u1")) == [0, 1]


async def test_commands_in_containers(runtime: Runtime) -> None:
    _, ident = await Maker(runtime).start()
    result = await runtime.exec_sync(ident, ["true"], 60)
    assert result.code == 0


async def test_where_streams_are_served(runtime: Runtime) -> None:
    sandbox, ident = await Maker(runtime).start()
    wanted = Streams(stdin=True, stdout=True)
    urls = {
        await runtime.exec(ident, ["true"], wanted),
        await runtime.exec(ident, ["true"], wanted),
        await runtime.attach(ident, wanted),
        await runtime.port_forward(sandbox, []),
        await runtime.port_forward(sandbox, [80]),
    }
    assert len(urls) == 5, "each is for one use"
    assert all(url.startswith("http://") for url in urls)
    for call in (runtime.exec("none", ["true"], wanted), runtime.attach("none", wanted)):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(RuntimeFault):
        await runtime.port_forward("none", [])
    await runtime.stop_container(ident, 0)
    with pytest.raises(RuntimeFault):
        await runtime.exec(ident, ["true"], wanted)


async def test_a_runtime_that_is_away() -> None:
    runtime = GrpcRuntime("unix:///nonexistent/containerd.sock")
    with pytest.raises(RuntimeAway, match="cannot version"):
        await runtime.version()
    with pytest.raises(RuntimeAway):
        await anext(runtime.events())
    await runtime.close()


def test_errors_read_well() -> None:
    assert (
        str(AlreadyExists("run pod sandbox", "web", "name is reserved"))
        == "cannot run pod sandbox web: name is reserved"
    )
