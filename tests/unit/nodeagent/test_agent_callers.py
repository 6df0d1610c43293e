"""Who may use the agent's API."""

import asyncio
from collections.abc import Awaitable

import pytest

from client import errors
from kit.clock import FakeClock
from kit.http.model import Peer, Request, Response
from nodeagent.server.callers import API_SERVER, STRANGERS, AccessPolicy, Gate, User, is_trusted, subresources


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (None, False),
        (Peer(API_SERVER), True),
        (Peer(API_SERVER, ("system:masters",)), True),  # of an old cluster
        (Peer("admin", ("system:masters",)), True),
        (Peer("system:node:n1", ("system:nodes",)), False),
        (Peer("", ()), False),
        (Peer("jane", (API_SERVER,)), False),
    ],
)
def test_who_needs_no_rights(peer: Peer | None, trusted: bool) -> None:
    assert is_trusted(peer) is trusted


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/pods", ["pods", "proxy"]),
        ("/pods/", ["pods", "proxy"]),
        ("/podsx", ["proxy"]),
        ("/runningpods/", ["pods", "proxy"]),
        ("/healthz", ["healthz", "proxy"]),
        ("/healthz/syncloop", ["healthz", "proxy"]),
        ("/configz", ["configz", "proxy"]),
        ("/stats/summary", ["stats"]),
        ("/metrics", ["metrics"]),
        ("/metrics/cadvisor", ["metrics"]),
        ("/metricsx", ["proxy"]),
        ("/logs/", ["log"]),
        ("/checkpoint/a/b/c", ["checkpoint"]),
        ("/statusz", ["statusz"]),
        ("/flagz", ["configz"]),
        ("/debug/pprof/profile", ["proxy"]),
        ("/exec/a/b/c", ["proxy"]),
        ("/containerLogs/a/b/c", ["proxy"]),
        ("/", ["proxy"]),
    ],
)
def test_which_rights_a_path_needs(path: str, expected: list[str]) -> None:
    assert subresources(path) == expected


class Carrier:
    """A connection with that certificate."""

    disconnected = False
    remote = "192.0.2.7"

    def __init__(self, peer: Peer | None) -> None:
        self.peer = peer


def request(path: str, peer: Peer | None = None, token: str = "", method: str = "GET") -> Request:
    headers = [(b"Authorization", f"Bearer {token}".encode())] if token else []
    return Request(method, path, headers, b"", Carrier(peer))  # type: ignore[arg-type]


class Judge:
    """An API server that knows two tokens and some rights, and counts how often it is asked."""

    def __init__(self, *rights: tuple[str, str, str]) -> None:
        self.rights = set(rights)
        self.asked = 0
        self.away = False

    async def who(self, token: str) -> User | None:
        self._ask()
        return User(token[2:], ("system:authenticated",)) if token.startswith("t-") else None

    async def may(self, user: User, verb: str, subresource: str) -> bool:
        self._ask()
        return (user.name, verb, subresource) in self.rights

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise errors.make(503, "away")


class SlowJudge(Judge):
    """One who thinks."""

    def __init__(self, *rights: tuple[str, str, str]) -> None:
        super().__init__(*rights)
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def who(self, token: str) -> User | None:
        self.reached.set()
        await self.go.wait()
        return await super().who(token)


async def answer(gate: Gate, asked: Request) -> tuple[int, bytes]:
    found = gate.check(asked)
    if isinstance(found, Awaitable):
        found = await found
    assert found is None or isinstance(found, Response)
    return (200, b"") if found is None else (found.status, bytes(found.body))  # type: ignore[arg-type]


JANE = Peer("jane", ("dev",))


async def test_callers_by_certificate_and_by_token() -> None:
    judge = Judge(("jane", "get", "proxy"), ("bob", "get", "metrics"), ("bob", "create", "checkpoint"))
    gate = Gate(FakeClock(), judge)
    assert await answer(gate, request("/pods", JANE)) == (200, b"")
    assert await answer(gate, request("/metrics", JANE)) == (
        403,
        b"Forbidden (user=jane, verb=get, resource=nodes, subresource(s)=[metrics])\n",
    )
    for method in ("POST", "GET"):  # a WebSocket begins with GET
        for door in ("exec", "attach", "run", "portForward"):
            assert await answer(gate, request(f"/{door}/a/b/c", JANE, method=method)) == (
                403,
                b"Forbidden (user=jane, verb=create, resource=nodes, subresource(s)=[proxy])\n",
            )
    assert await answer(gate, request("/containerLogs/a/b/c", JANE)) == (200, b"")
    assert await answer(gate, request("/pods", token="t-bob")) == (
        403,
        b"Forbidden (user=bob, verb=get, resource=nodes, subresource(s)=[pods proxy])\n",
    )
    assert (await answer(gate, request("/metrics/cadvisor", token="t-bob")))[0] == 200
    assert (await answer(gate, request("/checkpoint/a/b/c", token="t-bob", method="POST")))[0] == 200
    assert await answer(gate, request("/metrics", token="wrong")) == (401, b"Unauthorized")
    assert await answer(gate, request("/metrics")) == (401, b"Unauthorized")
    assert await answer(gate, request("/nowhere")) == (404, b"404 page not found\n")


async def test_answers_are_kept_for_a_while() -> None:
    clock, judge = FakeClock(), Judge(("bob", "get", "metrics"))
    gate = Gate(clock, judge)
    for _ in range(5):
        assert (await answer(gate, request("/metrics", token="t-bob")))[0] == 200
        assert (await answer(gate, request("/stats/summary", token="t-bob")))[0] == 403
    assert judge.asked == 3
    judge.rights.clear()
    await clock.advance(31)
    assert (await answer(gate, request("/stats/summary", token="t-bob")))[0] == 403
    assert (await answer(gate, request("/metrics", token="t-bob")))[0] == 200  # still from what was kept
    assert judge.asked == 4
    await clock.advance(270)
    assert (await answer(gate, request("/metrics", token="t-bob")))[0] == 403
    assert judge.asked == 6  # whose the token is was asked again, too


async def test_made_up_tokens_are_not_asked_about_at_any_rate() -> None:
    clock, judge = FakeClock(), Judge(("bob", "get", "metrics"))
    gate = Gate(clock, judge)
    assert (await answer(gate, request("/metrics", token="t-bob")))[0] == 200
    before, left = judge.asked, STRANGERS - 1  # bob was a stranger, too
    answers = [(await answer(gate, request("/metrics", token=f"made-up-{n}")))[0] for n in range(3 * STRANGERS)]
    assert answers == [401] * left + [429] * (3 * STRANGERS - left)
    assert judge.asked - before == left
    assert (await answer(gate, request("/metrics", token="made-up-0")))[0] == 401  # known to be nobody's
    assert (await answer(gate, request("/metrics", token="t-bob")))[0] == 200  # not pushed out by them
    assert judge.asked - before == left
    await clock.advance(1)
    assert (await answer(gate, request("/metrics", token="t-eve")))[0] == 403  # there is room for a stranger again
    assert await answer(gate, request("/metrics", token="made-up-a")) == (401, b"Unauthorized")


async def test_who_was_known_is_asked_about_again_however_many_strangers_come() -> None:
    clock, judge = FakeClock(), Judge(("bob", "get", "metrics"))
    gate = Gate(clock, judge)
    assert (await answer(gate, request("/metrics", token="t-bob")))[0] == 200
    await clock.advance(121)
    for n in range(2 * STRANGERS):
        await answer(gate, request("/metrics", token=f"made-up-{n}"))
    assert (await answer(gate, request("/metrics", token="t-eve")))[0] == 429
    assert (await answer(gate, request("/metrics", token="t-bob")))[0] == 200


async def test_those_who_ask_the_same_wait_for_one_answer() -> None:
    judge = SlowJudge(("bob", "get", "metrics"))
    gate = Gate(FakeClock(), judge)
    first, *others = [asyncio.create_task(answer(gate, request("/metrics", token="t-bob"))) for _ in range(5)]
    await judge.reached.wait()
    first.cancel()  # whoever asked first goes away; the others still get their answer
    judge.go.set()
    assert [(await one)[0] for one in others] == [200] * 4
    assert judge.asked == 2  # whose the token is, and whether he may


async def test_when_the_api_server_is_away() -> None:
    judge = Judge()
    judge.away = True
    gate = Gate(FakeClock(), judge)
    assert await answer(gate, request("/pods", token="t-bob")) == (401, b"Unauthorized")
    assert await answer(gate, request("/pods", JANE)) == (
        500,
        b"Authorization error (user=jane, verb=get, resource=nodes, subresource=pods)",
    )
    assert await answer(gate, request("/pods", Peer(API_SERVER))) == (200, b"")
    assert judge.asked == 2


async def test_without_an_api_server_certificates_of_administrators_count() -> None:
    gate = Gate(FakeClock())
    assert (await answer(gate, request("/pods", Peer("admin", ("system:masters",)))))[0] == 200
    assert (await answer(gate, request("/pods", JANE)))[0] == 403
    assert (await answer(gate, request("/pods", token="t-bob")))[0] == 401


async def test_anonymous_callers_only_where_that_is_wanted() -> None:
    judge = Judge(("system:anonymous", "get", "healthz"))
    gate = Gate(FakeClock(), judge, AccessPolicy(anonymous=True))
    assert (await answer(gate, request("/healthz")))[0] == 200
    assert await answer(gate, request("/pods")) == (
        403,
        b"Forbidden (user=system:anonymous, verb=get, resource=nodes, subresource(s)=[pods proxy])\n",
    )
    assert (await answer(gate, request("/healthz", token="wrong")))[0] == 401
    assert (await answer(Gate(FakeClock(), judge, AccessPolicy(True, True)), request("/pods")))[0] == 200
