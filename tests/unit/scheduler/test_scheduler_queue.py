"""Which pod is next, and when one that failed comes back."""

from __future__ import annotations

from controlplane.scheduler.model import Pod
from controlplane.scheduler.queue import LONGEST_WAIT, PodQueue


def pod(name: str, priority: int = 0, created: float = 0.0) -> Pod:
    return Pod("ns", name, name, priority=priority, created=created)


def drain(queue: PodQueue, now: float = 0.0) -> list[str]:
    found = []
    while (key := queue.pop(now)) is not None:
        found.append(key.removeprefix("ns/"))
    return found


def test_priority_then_age() -> None:
    queue = PodQueue()
    for one in (pod("young", created=9), pod("old", created=1), pod("vip", 5, 10)):
        queue.add(one)
    assert drain(queue) == ["vip", "old", "young"]


def test_a_pod_waits_once() -> None:
    queue = PodQueue()
    queue.add(pod("a"))
    queue.add(pod("a", priority=3))
    assert drain(queue) == ["a"]


def test_a_removed_pod_does_not_come() -> None:
    queue = PodQueue()
    queue.add(pod("a"))
    queue.remove("ns/a")
    assert drain(queue) == []


def test_a_failed_pod_waits_for_its_back_off_and_an_event() -> None:
    queue = PodQueue()
    queue.add(pod("a"))
    moves = queue.moves
    assert drain(queue) == ["a"]
    queue.fail("ns/a", 0.0, moves)
    assert drain(queue, 5.0) == []
    queue.move()
    assert queue.next_wake() == 1.0
    assert drain(queue, 0.5) == []
    assert drain(queue, 1.0) == ["a"]


def test_an_event_during_the_attempt_is_not_lost() -> None:
    queue = PodQueue()
    queue.add(pod("a"))
    moves = queue.moves
    queue.pop(0.0)
    queue.move()
    queue.fail("ns/a", 0.0, moves)
    assert drain(queue, 1.0) == ["a"]


def test_back_off_grows_to_its_limit() -> None:
    queue = PodQueue()
    queue.add(pod("a"))
    now, waits = 0.0, []
    for _ in range(6):
        assert queue.pop(now) == "ns/a"
        queue.fail("ns/a", now, queue.moves, retry=True)
        due = queue.next_wake()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [1, 2, 4, 8, 10, 10]


def test_nobody_waits_for_ever() -> None:
    queue = PodQueue()
    queue.add(pod("a"))
    queue.pop(0.0)
    queue.fail("ns/a", 0.0, queue.moves)
    assert queue.next_wake() == LONGEST_WAIT
    assert drain(queue, LONGEST_WAIT) == ["a"]


def test_failing_a_pod_that_is_gone_changes_nothing() -> None:
    queue = PodQueue()
    queue.add(pod("a"))
    queue.pop(0.0)
    queue.remove("ns/a")
    queue.fail("ns/a", 0.0, queue.moves)
    assert queue.next_wake() is None
