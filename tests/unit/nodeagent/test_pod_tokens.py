"""Tokens of pods: when they are asked for again, how they are kept, and whose their files are."""

import asyncio
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import codec, times
from api.authentication_v1 import TokenRequest
from api.core_v1 import (
    Container,
    KeyToPath,
    Pod,
    PodSecurityContext,
    ProjectedVolumeSource,
    SecretProjection,
    SecurityContext,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from client import errors
from client.client import Client
from kit.clock import FakeClock, settle
from linux.mounts import FakeMounts
from nodeagent.render.references import token_wishes
from nodeagent.render.settings import Sources, Token, TokenWish
from nodeagent.sources.tokens import NoTokens, Tokens, renewal
from nodeagent.volumes.contents import File, volume_files
from nodeagent.volumes.ownership import fs_user
from nodeagent.volumes.pod import PodVolumes
from nodeagent.volumes.problems import VolumeProblem
from tests.unit.nodeagent.pods import NODE, pod


def with_tokens(*tokens: ServiceAccountTokenProjection, **spec: Any) -> Pod:
    sources = [VolumeProjection(service_account_token=token) for token in tokens]
    made = pod("a", volumes=[Volume(name="t", projected=ProjectedVolumeSource(sources=sources))], **spec)
    made.spec.service_account_name = "robot"
    return made


OWN = ServiceAccountTokenProjection(path="token", expiration_seconds=3607)
VAULT = ServiceAccountTokenProjection(path="vault", audience="vault")


class Issuer:
    """The API server's side; tokens are numbered."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, TokenRequest]] = []
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def request(self, method: str, path: str, query: Any, body: bytes = b"", content_type: str = "") -> bytes:
        await self.gate.wait()
        if self.away:
            raise errors.make(503, "no route to host")
        request = codec.decode(TokenRequest, body)
        self.asked.append((path, request))
        request.status.token = f"token-{len(self.asked)}"
        end = self.clock.now() + (request.spec.expiration_seconds or 0)
        request.status.expiration_timestamp = times.format_time(end)
        return codec.encode(request)


class Kept:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = Issuer(self.clock)
        self.changed: list[str] = []
        self.tokens = Tokens(Client(self.issuer), self.clock, self.changed.append)  # type: ignore[arg-type]

    async def texts(self, wanted: Pod) -> list[str]:
        return sorted(token.text or token.problem for token in (await self.tokens.fetch(wanted)).values())


async def test_tokens_are_bound_to_their_pod_and_kept() -> None:
    kept = Kept()
    wanted = with_tokens(OWN, VAULT)
    assert await kept.texts(wanted) == await kept.texts(wanted) == ["token-1", "token-2"]
    (path, first), (_, second) = kept.issuer.asked
    assert path == "/api/v1/namespaces/ns/serviceaccounts/robot/token"
    assert (first.spec.audiences, first.spec.expiration_seconds) == ([], 3607)
    assert (second.spec.audiences, second.spec.expiration_seconds) == (["vault"], 3600)
    ref = first.spec.bound_object_ref
    assert ref is not None and (ref.api_version, ref.kind, ref.name, ref.uid) == ("v1", "Pod", "p", "u")
    kept.tokens.release("u")
    assert await kept.texts(wanted) == ["token-3", "token-4"]


async def test_a_token_is_renewed_before_it_ends() -> None:
    kept = Kept()
    wanted = with_tokens(OWN)
    await kept.texts(wanted)
    await kept.clock.advance(3607 * 0.8 - 11)
    assert kept.changed == [] and await kept.texts(wanted) == ["token-1"]
    await kept.clock.advance(12)
    assert kept.changed == ["u"] and await kept.texts(wanted) == ["token-2"]
    kept.tokens.release("u")
    await kept.clock.advance(4000)
    assert kept.changed == ["u"], "nobody is told of the tokens of a pod that is gone"


async def test_the_old_token_serves_while_the_server_is_away() -> None:
    kept = Kept()
    wanted = with_tokens(OWN)
    await kept.texts(wanted)
    kept.issuer.away = True
    await kept.clock.advance(3000)
    assert await kept.texts(wanted) == ["token-1"]
    kept.changed.clear()
    await kept.clock.advance(10)
    assert kept.changed == ["u"], "soon there is another try"
    await kept.clock.advance(700)
    assert await kept.texts(wanted) == ["failed to fetch token: no route to host"]
    kept.issuer.away = False
    assert await kept.texts(wanted) == ["token-2"]


async def test_each_token_is_asked_for_once_and_all_at_once() -> None:
    kept = Kept()
    kept.issuer.gate.clear()
    wanted = with_tokens(OWN, VAULT)
    callers = [asyncio.create_task(kept.texts(wanted)) for _ in range(3)]
    await settle()
    callers[0].cancel()
    await settle()
    kept.issuer.gate.set()
    assert await callers[1] == await callers[2]
    assert len(kept.issuer.asked) == 2
    await kept.tokens.close()


@pytest.mark.parametrize(
    ("seconds", "chance", "expected"),
    [(3600, 0.0, 2880.0), (3600, 1.0, 2870.0), (7 * 86400, 0.0, 86400.0), (600, 0.5, 475.0)],
)
def test_when_tokens_are_renewed(seconds: float, chance: float, expected: float) -> None:
    assert renewal(1000.0 + seconds, seconds, chance) == 1000.0 + expected


async def test_without_an_api_server_there_are_no_tokens() -> None:
    (token,) = (await NoTokens().fetch(with_tokens(OWN))).values()
    assert token.problem == "failed to fetch token: cannot use TokenManager when kubelet is in standalone mode"


def as_user(*users: int | None, whole: int | None = None) -> Pod:
    made = with_tokens(OWN, security_context=PodSecurityContext(run_as_user=whole))
    made.spec.containers = [
        Container(name=f"c{i}", security_context=SecurityContext(run_as_user=u)) for i, u in enumerate(users)
    ]
    return made


@pytest.mark.parametrize(
    ("wanted", "user"),
    [
        (as_user(None), None),
        (as_user(5), 5),
        (as_user(5, 5), 5),
        (as_user(5, 6), None),
        (as_user(5, None), None),
        (as_user(None, None, whole=7), 7),
        (as_user(None, 7, whole=7), 7),
        (as_user(None, 8, whole=7), None),
        (as_user(0), 0),
    ],
)
def test_the_one_user_of_a_pod(wanted: Pod, user: int | None) -> None:
    assert fs_user(wanted) == user


MODES: list[tuple[dict[str, Any], File]] = [
    ({}, File(b"x", 0o644)),
    ({"run_as_user": 1000}, File(b"x", 0o600, 1000)),
    ({"fs_group": 2000}, File(b"x", 0o600)),
    ({"run_as_user": 1000, "fs_group": 2000}, File(b"x", 0o600, 1000)),
]


@pytest.mark.parametrize(("context", "expected"), MODES)
def test_whose_a_token_is(context: dict[str, Any], expected: File) -> None:
    wanted = with_tokens(OWN, security_context=PodSecurityContext(**context))
    sources = Sources(tokens={wish: Token("x") for wish in token_wishes(wanted)})
    assert volume_files(wanted, wanted.spec.volumes[0], sources, (), NODE) == {"token": expected}


def test_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    wanted = with_tokens(OWN)
    projected = wanted.spec.volumes[0].projected
    assert projected is not None
    items = [KeyToPath(key="k", path="k")]
    projected.sources.append(VolumeProjection(secret=SecretProjection(name="none", items=items)))
    sources = Sources(tokens={TokenWish("", 3607): Token(problem="failed to fetch token: no")})
    volumes = PodVolumes(FakeMounts(), replace(NODE, root_dir=str(tmp_path)))
    with pytest.raises(VolumeProblem) as caught:
        volumes.prepare(wanted, sources, "2026_1")
    expected = '[failed to fetch token: no, secret "none" not found]'
    assert str(caught.value) == f'MountVolume.SetUp failed for volume "t" : {expected}'


@pytest.mark.root
def test_a_token_on_disk_is_its_users_and_groups(tmp_path: Path) -> None:
    wanted = with_tokens(OWN, security_context=PodSecurityContext(run_as_user=1000, fs_group=2000))
    mounts = FakeMounts()
    volumes = PodVolumes(mounts, replace(NODE, root_dir=str(tmp_path)))
    for turn, text in enumerate(("one", "one", "two")):
        sources = Sources(tokens={TokenWish("", 3607): Token(text)})
        volumes.prepare(wanted, sources, f"2026_{turn}")
    place = Path(volumes.places(wanted)["t"].path)
    found = (place / "token").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 1000, 2000)
    inner = (place / os.readlink(place / "..data")).stat()
    assert (stat.S_IMODE(inner.st_mode), inner.st_gid) == (0o2755, 2000)
    assert (place / "token").read_text() == "two" and os.readlink(place / "..data") == "..2026_2"
    assert volumes.places(wanted)["t"].read_only and mounts.points == [str(place)]
