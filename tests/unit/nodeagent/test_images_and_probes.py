"""Image names and pulling, probes, slots."""

import asyncio
import base64
from typing import Any

import msgspec
import pytest

from api.core_v1 import Container, ContainerPort, ExecAction, HTTPGetAction, Pod, Secret, TCPSocketAction
from kit.clock import FakeClock, SystemClock, settle
from nodeagent.cri.errors import RuntimeTimeout
from nodeagent.cri.fake import FakeRuntime
from nodeagent.cri.port import ExecResult, SeenImage
from nodeagent.images.credentials import credentials
from nodeagent.images.names import BadName, registry_of, with_default_tag
from nodeagent.images.puller import ImageProblem, Puller, Wish
from nodeagent.model.memory import Health
from nodeagent.probes.checks import check_http, check_tcp
from nodeagent.probes.outcome import Target
from nodeagent.probes.prober import Prober
from nodeagent.sync.slots import Slots
from nodeagent.sync.state import PodState
from tests.unit.nodeagent.pods import NOW, container, memory, pod, probe, sandbox, seen


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("busybox", "busybox:latest"),
        ("busybox:1", "busybox:1"),
        ("host:5000/a/b", "host:5000/a/b:latest"),
        ("a@sha256:" + "0" * 64, "a@sha256:" + "0" * 64),
        ("wherry.local/demo:1", "wherry.local/demo:1"),
        ("a__b/c-d.e:v1.2_x", "a__b/c-d.e:v1.2_x"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert with_default_tag(name) == expected


@pytest.mark.parametrize(
    ("name", "capitals"),
    [
        *((name, "") for name in ("", "a b", ":1", "a:", "a//b", "a@sha256:xyz", "-a", "a" * 300)),
        ("UPPER", "library/UPPER"),
        ("Bad/UPPER:x", "UPPER"),
        ("bad/UPPER:x", "bad/UPPER"),
        ("bad.example.org/UPPER", "UPPER"),
        ("bad:5000/a/B@sha256:00", "a/B"),
    ],
)
def test_bad_names(name: str, capitals: str) -> None:
    with pytest.raises(BadName) as problem:
        with_default_tag(name)
    why = f": repository name ({capitals}) must be lowercase" if capitals else ""
    assert str(problem.value) == f'couldn\'t parse image name "{name}": invalid reference format{why}'


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("busybox", "docker.io"),
        ("a/b", "docker.io"),
        ("localhost/a", "localhost"),
        ("h:5/a", "h:5"),
        ("r.io/a", "r.io"),
    ],
)
def test_registries(name: str, host: str) -> None:
    assert registry_of(name) == host


def secret(**auths: dict[str, str]) -> Secret:
    return Secret(data={".dockerconfigjson": msgspec.json.encode({"auths": auths})})


def of(name: str) -> dict[str, str]:
    return {"username": name, "password": "pw"}


@pytest.mark.parametrize(
    ("server", "image", "is_for"),
    [
        ("r.io", "r.io/a:1", True),
        ("https://r.io", "r.io/a:1", True),
        ("http://r.io/", "r.io/a:1", True),
        ("https://r.io/v1/", "r.io/a:1", True),
        ("https://r.io/v2/team", "r.io/team/a", True),
        ("r.io/team", "r.io/team/a:1", True),
        ("r.io/team", "r.io/other/a:1", False),
        ("r.io", "r.io:5000/a", False),
        ("r.io:5000", "r.io:5000/a@sha256:" + 64 * "0", True),
        ("[::1]:5000", "[::1]:5000/a", False),
        ("*.r.io", "eu.r.io/a", True),
        ("*.r.io", "a.eu.r.io/a", False),
        ("*.r.io", "r.io/a", False),
        ("https://index.docker.io/v1/", "busybox:1", True),
        ("https://index.docker.io/v1/", "docker.io/library/busybox", True),
        ("docker.io", "busybox:1", True),
        ("docker.io/library", "busybox:1", True),
        ("docker.io/library", "team/busybox:1", False),
        ("https://index.docker.io/v1/", "r.io/a", False),
        ("", "r.io/a", False),
    ],
)
def test_where_credentials_are_for(server: str, image: str, is_for: bool) -> None:
    assert bool(credentials([secret(**{server: of("me")})], image)) == is_for


def test_the_most_special_credentials_are_tried_first() -> None:
    one = secret(**{"r.io": of("all"), "r.io/team/a": of("image"), "r.io/other": of("other")})
    two = secret(**{"r.io/team": of("team"), "r.io": of("again")})
    assert [found.username for found in credentials([one, two], "r.io/team/a:1")] == ["image", "team", "all", "again"]
    hub = secret(**{"index.docker.io": of("hub"), "docker.io/library": of("library")})
    assert [found.username for found in credentials([hub], "busybox")] == ["library"]


def test_how_credentials_are_written() -> None:
    auth = base64.b64encode(b"me:p:w").decode()
    for written in (auth, auth.rstrip("=")):
        [found] = credentials([secret(**{"r.io": {"auth": written, "username": "x", "password": "y"}})], "r.io/a:1")
        assert (found.username, found.password, found.auth) == ("me", "p:w", "")
        assert found.server_address == "", "the runtime would compare it with the host that it asks"
    for bad in ("bWU=", "???", "\u00e9"):
        assert credentials([secret(**{"r.io": {"auth": bad}})], "r.io/a:1") == []
    assert credentials([Secret(data={".dockercfg": b"junk"}), Secret()], "r.io/a:1") == []
    old = Secret(data={".dockercfg": base64.b64encode(b'{"r.io": {"username": "me", "email": "x"}}')})
    assert [found.username for found in credentials([old], "r.io/a:1")] == ["me"]


class Pulling:
    """A puller on a fake runtime."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.runtime = FakeRuntime(self.clock)
        self.runtime.present = {"here:1": SeenImage("sha256:here")}
        self.runtime.pullable = {"there:1": SeenImage("sha256:there")}
        self.puller = Puller(self.runtime, self.clock)


async def test_who_has_credentials_does_not_pull_without() -> None:
    world, asked = Pulling(), list[str]()
    world.runtime.faults = lambda call, subject, done: asked.append(call)
    secrets = tuple(
        Secret(data={".dockerconfigjson": b'{"auths":{"r.io":{"username":"%b"}}}' % word}) for word in (b"one", b"two")
    )
    with pytest.raises(ImageProblem):
        await world.puller.pull(Wish("u", "r.io/a:1", "Always", secrets))
    assert asked.count("pull") == 2


@pytest.mark.parametrize(
    ("name", "policy", "reason"),
    [("here:1", "Never", ""), ("none:1", "Never", "ErrImageNeverPull"), ("B A D", "Always", "InvalidImageName")],
)
async def test_presence(name: str, policy: str, reason: str) -> None:
    world = Pulling()
    if reason:
        with pytest.raises(ImageProblem) as problem:
            await world.puller.present(Wish("u", name, policy))
        assert problem.value.reason == reason
    else:
        assert await world.puller.present(Wish("u", name, policy))


async def test_no_more_are_pulled_at_once_than_may() -> None:
    world, asked, going = Pulling(), list[str](), asyncio.Event()

    async def pull(name: str, auth: object, sandbox: object) -> str:
        asked.append(name)
        await going.wait()
        return "there:1"

    world.runtime.pull = pull  # type: ignore[method-assign]
    world.puller.parallel = 2
    names = [f"r.io/a:{number}" for number in range(5)]
    pulls = [asyncio.create_task(world.puller.pull(Wish("u", name, "Always"))) for name in names]
    await settle()
    assert asked == names[:2]
    going.set()
    await asyncio.gather(*pulls)
    assert asked == names


async def test_always_means_always() -> None:
    assert await Pulling().puller.present(Wish("u", "here:1", "Always")) is None


async def test_pulls_back_off_per_pod_and_image() -> None:
    world = Pulling()
    wish = Wish("u", "none:1", "IfNotPresent")
    for delay in (10, 20, 40):
        with pytest.raises(ImageProblem) as problem:
            await world.puller.pull(wish)
        assert problem.value.reason == "ErrImagePull" and problem.value.retry_at == world.clock.now() + 2
        held = world.puller.held(wish)
        assert (
            held is not None
            and held.reason == "ImagePullBackOff"
            and 'Back-off pulling image "none:1": ErrImagePull' in held.message
        )
        assert world.puller.held(Wish("other", "none:1", "IfNotPresent")) is None
        await world.clock.advance(delay)
        assert world.puller.held(wish) is None
    pulled = await world.puller.pull(Wish("u", "there:1", "IfNotPresent"))
    assert pulled.image.id == "sha256:there"


class Probing:
    """A prober on a fake runtime, and what it told."""

    def __init__(self, wanted: Pod) -> None:
        self.clock = FakeClock(NOW)
        self.runtime = FakeRuntime(self.clock)
        self.runtime.faults = self.fault
        self.failing = False
        self.told: list[tuple[str, Health]] = []
        self.events: list[str] = []
        self.pod = wanted
        self.prober = Prober(
            self.runtime, self.clock, self, lambda uid, ident, health: self.told.append((ident, health))
        )
        self.result = ExecResult(0, b"", b"")
        self.runtime.exec_sync = self.exec  # type: ignore[method-assign]

    def fault(self, call: str, subject: str, done: bool) -> None: ...

    def tell(self, pod: Pod, kind: str, reason: str, message: str, container: str = "") -> None:
        self.events.append(message)

    async def exec(self, ident: str, command: list[str], timeout: float) -> ExecResult:
        if self.failing:
            raise RuntimeTimeout("exec sync", ident, "too slow")
        return self.result

    def follow(self, *things: Any) -> None:
        self.prober.follow(self.pod, seen(*things))


def probed(**probes: Any) -> Pod:
    wanted = pod("a")
    for name, chosen in probes.items():
        setattr(wanted.spec.containers[0], f"{name}_probe", chosen)
    return wanted


EXEC = {"exec": ExecAction(command=["true"])}


async def test_readiness_comes_and_goes() -> None:
    chosen = probe(**EXEC, initial_delay_seconds=3)
    chosen.failure_threshold = 2
    world = Probing(probed(readiness=chosen))
    world.follow(sandbox(), container("a"))
    await world.clock.advance(2.5)
    assert world.told == []
    await world.clock.advance(1)
    assert [h.ready for _, h in world.told] == [True]
    world.result = ExecResult(1, b"no", b"")
    await world.clock.advance(1)
    assert len(world.told) == 1, "one failure is not enough"
    await world.clock.advance(1)
    assert [h.ready for _, h in world.told] == [True, False] and "Readiness probe failed: no" in world.events
    world.failing = True
    await world.clock.advance(3)
    assert len(world.told) == 2
    world.follow(sandbox(), container("a", "exited"))
    world.failing = False
    world.result = ExecResult(0, b"", b"")
    await world.clock.advance(5)
    assert len(world.told) == 2, "what does not run is not probed"


async def test_the_others_wait_for_the_startup_probe() -> None:
    world = Probing(probed(startup=probe(**EXEC), liveness=probe(**EXEC)))
    world.result = ExecResult(1, b"", b"")
    world.pod.spec.containers[0].startup_probe.failure_threshold = 5  # type: ignore[union-attr]
    world.follow(sandbox(), container("a"))
    await world.clock.advance(3)
    assert world.told == [] and all("Startup" in e for e in world.events)
    world.result = ExecResult(0, b"", b"")
    await world.clock.advance(1.5)
    assert [(h.started, h.alive) for _, h in world.told] == [(True, None), (True, True)]


async def test_a_startup_probe_that_fails_for_good() -> None:
    world = Probing(probed(startup=probe(**EXEC)))
    world.result = ExecResult(1, b"", b"")
    world.follow(sandbox(), container("a"))
    await world.clock.advance(0.5)
    assert [(h.started, h.alive) for _, h in world.told] == [(False, False)]
    world.prober.close()


async def serve(answer: bytes) -> tuple[asyncio.Server, int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.read(4096)).startswith(b"GET "):
            writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "ok", "output"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nfine", True, "fine"),
        (b"HTTP/1.0 302 Found\r\n\r\n", True, "Probe terminated redirects, Response body: "),
        (b"HTTP/1.1 500 No\r\n\r\nbad", False, "HTTP probe failed with statuscode: 500"),
        (b"junk\r\n", False, "malformed HTTP response"),
        (b"", False, "EOF"),
    ],
)
async def test_http_checks(answer: bytes, ok: bool, output: str) -> None:
    server, port = await serve(answer)
    async with server:
        target = Target("c", Container(name="a", ports=[ContainerPort(name="web", container_port=port)]), "127.0.0.1")
        outcome = await check_http(SystemClock(), target, HTTPGetAction(port="web", path="/x"), 60)
        assert outcome.ok is ok and output in outcome.output
        assert (await check_tcp(SystemClock(), target, TCPSocketAction(port=port), 60)).ok
        await asyncio.sleep(0.05)
    assert not (await check_tcp(SystemClock(), target, TCPSocketAction(port=port), 60)).ok
    refused = (await check_http(SystemClock(), target, HTTPGetAction(port=port, path="/x"), 60)).output
    assert refused == f'Get "http://127.0.0.1:{port}/x": dial tcp 127.0.0.1:{port}: connect: connection refused'
    assert (await check_tcp(SystemClock(), target, TCPSocketAction(port="none"), 5)).ok is None


async def test_slots_go_round_and_none_is_kept_for_ever() -> None:
    clock = FakeClock(NOW)
    slots = Slots(clock, 1)
    assert not slots.busy()
    first = await slots.take()
    waiting = asyncio.create_task(slots.take())
    cancelled = asyncio.create_task(slots.take())
    last = asyncio.create_task(slots.take())
    await settle()
    assert slots.busy() and not waiting.done()
    cancelled.cancel()
    first.leave()
    first.leave()
    await settle()
    assert waiting.done() and not last.done()
    await clock.advance(5)
    assert last.done(), "who hangs gives its place up"
    waiting.result().leave()
    last.result().leave()
    assert not slots.busy()


async def test_a_pod_takes_one_place_whatever_it_does_side_by_side() -> None:
    slots = Slots(FakeClock(NOW), 1)
    state, other = (PodState(pod("a"), memory()) for _ in "ab")
    await asyncio.gather(state.take_slot(slots), state.take_slot(slots))
    waiting = asyncio.create_task(other.take_slot(slots))
    await settle()
    assert not waiting.done()
    state.leave_slot()
    await waiting
    other.leave_slot()
    assert not slots.busy()
