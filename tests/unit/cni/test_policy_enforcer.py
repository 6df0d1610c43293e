"""The loop of policies on a kernel in memory: who waits for what, and what follows a refusal, damage and a restart."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import pytest

from cni import ranges
from cni.pods import PodInterface
from cni.policy.enforcer import BETWEEN_CHECKS, CHECK_EVERY, PATIENCE, Enforcer
from cni.policy.objects import DIRECTIONS
from cni.policy.render import TABLE
from kit.clock import FakeClock, settle
from linux.conntrack import FakeConntrack, Flow
from linux.nft import expressions as ex
from linux.nft import wire
from linux.nft.elements import Batch, Format, goto_element
from linux.nft.fake import FakeKernel
from linux.nft.wire import INET4
from tests.unit.cni.test_policy_plan import DB, pod, policy

FAR = ranges.parse("192.0.2.1")
X = PodInterface("a/x", "c", "eth0")


class Scene:
    """A kernel that lasts, and one enforcer after the other."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kernel = FakeKernel()
        self.tracked = FakeConntrack([(4, Flow(17, ranges.parse("10.0.0.7"), 9, FAR, 53, FAR, 53))])
        self.running: asyncio.Task[None] | None = None

    async def start(self) -> Enforcer:
        await self.stop()
        made: Any = lambda: self.kernel  # noqa: E731
        self.enforcer = Enforcer("here", "br0", self.clock, made, lambda: self.tracked)
        self.known = asyncio.Event()
        self.running = asyncio.create_task(self.enforcer.run([self.known]))
        await settle()
        return self.enforcer

    async def stop(self) -> None:
        if self.running is not None:
            self.running.cancel()
            with suppress(asyncio.CancelledError):
                await self.running

    def verdicts(self, direction: str = "ingress") -> dict[str, str]:
        return {ranges.show(one.key): one.chain for one in self.kernel.elements(INET4, TABLE, direction)}

    def guarded(self) -> bool:
        seen = self.kernel.table(INET4, TABLE)
        assert seen is not None
        return seen.chains["unknown-in"] == seen.chains["unknown-out"] == 1


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    await made.start()
    yield made
    await made.stop()


async def test_strangers_are_not_heard_until_all_is_known_and_then_only_if_there_are_policies(scene: Scene) -> None:
    assert scene.guarded()
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1, app="db"))
    scene.known.set()
    await settle()
    assert not scene.guarded()
    assert scene.verdicts() == {"10.0.0.1": ""}
    scene.enforcer.on_policy("a/p", None, policy({"podSelector": DB}))
    await settle()
    assert scene.guarded()
    assert scene.verdicts()["10.0.0.1"].startswith("to-")
    assert scene.verdicts("egress") == {"10.0.0.1": ""}


async def test_a_new_agent_leaves_pods_that_are_there_alone(scene: Scene) -> None:
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1, app="db"))
    scene.known.set()
    await settle()
    enforcer = await scene.start()
    assert scene.guarded()  # somebody may have made policies meanwhile
    assert scene.verdicts() == {"10.0.0.1": ""}
    enforcer.on_pod("a/x", None, pod("a/x", 1, app="db"))
    scene.known.set()
    await settle()
    assert not scene.guarded()


async def test_an_add_is_answered_when_its_policies_hold(scene: Scene) -> None:
    scene.known.set()
    scene.enforcer.on_policy("a/p", None, policy({"podSelector": DB}))
    await settle()
    adding = asyncio.create_task(scene.enforcer.attach(X, ["10.0.0.7/24"]))
    await settle()
    assert not adding.done()
    assert "10.0.0.7" not in scene.verdicts()
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1, app="db")._replace(ips=()))
    await settle()
    assert adding.done()
    assert scene.verdicts()["10.0.0.7"].startswith("to-")
    await scene.enforcer.detach(X, [])
    assert scene.tracked.held == []
    await settle()
    assert scene.verdicts() == {}


async def test_what_the_api_server_never_heard_of_waits_only_where_there_are_policies(scene: Scene) -> None:
    scene.known.set()
    await settle()
    async with asyncio.timeout(60):
        await scene.enforcer.attach(PodInterface("a/made-by-hand", "c", "eth0"), ["10.0.0.7/24"])
    scene.enforcer.on_policy("b/p", None, policy({"podSelector": DB}))
    await settle()
    adding = asyncio.create_task(scene.enforcer.attach(PodInterface("a/another", "d", "eth0"), ["10.0.0.8/24"]))
    await settle()
    assert not adding.done()
    await scene.clock.advance(PATIENCE + 0.1)
    await adding


async def test_an_add_waits_until_its_pod_is_known_to_be_here(scene: Scene) -> None:
    scene.known.set()
    scene.enforcer.on_policy("a/p", None, policy({"podSelector": DB}))
    unbound = pod("a/x", 1, "", app="db")._replace(ips=())
    scene.enforcer.on_pod("a/x", None, unbound)
    await settle()
    adding = asyncio.create_task(scene.enforcer.attach(X, ["10.0.0.7/24"]))
    await settle()
    assert not adding.done()  # it has no verdict yet, and would not be heard
    scene.enforcer.on_pod("a/x", unbound, unbound._replace(node="here"))
    await settle()
    assert adding.done()
    assert scene.verdicts()["10.0.0.7"].startswith("to-")


@pytest.mark.parametrize("over", [True, False])
async def test_flows_of_pods_that_are_over_or_gone_are_forgotten_too(scene: Scene, over: bool) -> None:
    scene.known.set()
    scene.enforcer.on_policy("a/p", None, policy({"podSelector": DB}))
    was = pod("a/x", 1, app="db")
    scene.enforcer.on_pod("a/x", None, was)
    await scene.enforcer.attach(X, ["10.0.0.7/24"])
    scene.enforcer.on_pod("a/x", was, was._replace(apart=True) if over else None)
    await scene.enforcer.detach(X, [])
    assert scene.tracked.held == []


async def test_flows_are_forgotten_when_their_verdicts_are_gone(scene: Scene) -> None:
    scene.known.set()
    scene.enforcer.on_policy("a/p", None, policy({"podSelector": DB}))
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1, app="db")._replace(ips=()))
    await scene.enforcer.attach(X, ["10.0.0.7/24"])
    scene.kernel.refuse = [errno.EBUSY]
    leaving = asyncio.create_task(scene.enforcer.detach(X, []))
    await settle()
    assert "10.0.0.7" in scene.verdicts()
    assert len(scene.tracked.held) == 1
    await scene.clock.advance(1)
    await leaving
    assert scene.verdicts() == {}
    assert scene.tracked.held == []


async def test_an_add_does_not_wait_for_ever(scene: Scene) -> None:
    adding = asyncio.create_task(scene.enforcer.attach(X, ["10.0.0.7/24"]))
    await settle()
    await scene.clock.advance(PATIENCE + 0.1)
    await adding
    assert scene.verdicts() == {}
    assert scene.guarded()


async def test_a_refusal_is_followed_by_a_whole_replacement(scene: Scene) -> None:
    scene.known.set()
    await settle()
    scene.kernel.refuse = [errno.ENOBUFS, errno.EBUSY]
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1))
    await settle()
    assert not scene.enforcer.settled.is_set()
    await scene.clock.advance(10)
    await settle()
    assert scene.enforcer.settled.is_set()
    assert scene.verdicts() == {"10.0.0.1": ""}


async def test_damage_is_seen_and_mended(scene: Scene) -> None:
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1))
    scene.known.set()
    await settle()
    scene.kernel.flush()
    await scene.clock.advance(CHECK_EVERY + 0.01)
    await settle()
    assert scene.verdicts() == {"10.0.0.1": ""}
    assert scene.enforcer.repairs == {"policies": 1}
    commits = scene.kernel.commits
    await scene.clock.advance(10 * CHECK_EVERY)
    assert scene.kernel.commits == commits


async def test_while_others_write_the_tables_are_looked_at_less_often(scene: Scene) -> None:
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1))
    scene.known.set()
    await settle()
    scene.kernel.commit([])  # somebody's, and ours are whole
    await scene.clock.advance(CHECK_EVERY + 0.01)
    scene.kernel.flush()
    await scene.clock.advance(CHECK_EVERY + 0.01)
    await settle()
    assert scene.kernel.table(INET4, TABLE) is None
    await scene.clock.advance(BETWEEN_CHECKS)
    await settle()
    assert scene.verdicts() == {"10.0.0.1": ""}
    assert scene.enforcer.repairs == {"policies": 1}


@pytest.mark.parametrize("kind", ["pods-", "ports-", "self", "ingress", "egress"])
async def test_elements_that_somebody_takes_away_or_puts_in_place_of_ours_come_back(scene: Scene, kind: str) -> None:
    rule = {"ports": [{"port": "web"}], "from": [{"podSelector": {}}]}
    scene.enforcer.on_policy("a/p", None, policy({"podSelector": DB, "ingress": [rule]}))
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1, app="db"))
    scene.known.set()
    await settle()
    seen = scene.kernel.table(INET4, TABLE)
    assert seen is not None
    (name,) = [one for one in seen.sets if one.startswith(kind)]
    before = scene.kernel.elements(INET4, TABLE, name)
    assert len(before) == 1
    key, other = before[0].key, bytes(len(before[0].key))
    away = Batch(INET4, TABLE, name, delete=True).mixed([Format(len(key)).bare(key)])
    verdict = wire.nest(2, wire.nest(2, wire.u32(1, ex.ACCEPT))) if name in DIRECTIONS else b""
    instead = wire.nest(1, wire.nest(1, wire.attr(1, other)), verdict)
    for times, change in enumerate([[*away], [*away, *Batch(INET4, TABLE, name).mixed([instead])]], start=1):
        scene.kernel.commit(change)
        assert scene.kernel.elements(INET4, TABLE, name) != before
        await scene.clock.advance(CHECK_EVERY + 0.01)
        await settle()
        assert scene.kernel.elements(INET4, TABLE, name) == before
        assert scene.enforcer.repairs == {"policies": times}


async def test_a_verdict_that_leads_elsewhere_is_put_right(scene: Scene) -> None:
    scene.enforcer.on_policy("a/p", None, policy({"podSelector": DB}))
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1, app="db"))
    scene.known.set()
    await settle()
    before, key = scene.verdicts(), ranges.parse("10.0.0.1")
    away = Batch(INET4, TABLE, "ingress", delete=True).mixed([Format(4).bare(key)])
    scene.kernel.commit([*away, *Batch(INET4, TABLE, "ingress").mixed([goto_element(key, "unknown-out")])])
    await scene.clock.advance(CHECK_EVERY + 0.01)
    await settle()
    assert scene.verdicts() == before
    assert scene.enforcer.repairs == {"policies": 1}


async def test_damage_right_after_our_own_writing_is_seen_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.enforcer.on_pod("a/x", None, pod("a/x", 1))
    write = scene.kernel.commit

    def and_flush(messages: Iterable[bytes]) -> None:
        monkeypatch.undo()
        write(messages)
        scene.kernel.flush()

    monkeypatch.setattr(scene.kernel, "commit", and_flush)
    scene.known.set()
    await settle()
    assert scene.kernel.table(INET4, TABLE) is None
    await scene.clock.advance(CHECK_EVERY + 0.01)
    await settle()
    assert scene.verdicts() == {"10.0.0.1": ""}
    assert scene.enforcer.repairs == {"policies": 1}
