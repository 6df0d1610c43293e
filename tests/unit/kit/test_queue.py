"""The work queue: each key once at a time, nothing lost, delays in order."""

import asyncio
import random
from collections import Counter

import pytest

from kit.backoff import Backoff
from kit.clock import FakeClock, settle
from kit.queue import QueueClosed, WorkQueue


def a_queue() -> tuple[WorkQueue[str], FakeClock]:
    clock = FakeClock()
    return WorkQueue(clock, Backoff(base=1, cap=8)), clock


async def test_a_key_waits_once() -> None:
    queue, _ = a_queue()
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_added_while_worked_on_waits_for_done() -> None:
    queue, _ = a_queue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert len(queue) == 1 and await queue.get() == "a"
    queue.done("a")
    assert queue.idle


async def test_the_earliest_delay_wins() -> None:
    queue, clock = a_queue()
    queue.add_after("a", 10)
    queue.add_after("a", 3)
    queue.add_after("a", 20)
    await clock.advance(2.9)
    assert len(queue) == 0
    await clock.advance(0.1)
    assert len(queue) == 1 and clock.next_due() is None


async def test_no_delay_is_now() -> None:
    queue, _ = a_queue()
    queue.add_after("a", 0)
    assert len(queue) == 1


async def test_retry_backs_off_per_key_until_forgotten() -> None:
    queue, _ = a_queue()
    assert [queue.retry("a") for _ in range(5)] == [1, 2, 4, 8, 8]
    assert queue.retry("b") == 1 and queue.failures("a") == 5
    queue.forget("a")
    assert queue.retry("a") == 1


async def test_getters_are_served_in_order_and_a_cancelled_one_loses_nothing() -> None:
    queue, _ = a_queue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await settle()
    queue.add("a")  # wakes the first ...
    first.cancel()  # ... which is cancelled before it runs
    await settle()
    assert second.done() and second.result() == "a"


async def test_close_ends_the_getters_and_the_timers() -> None:
    queue, clock = a_queue()
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    queue.add_after("later", 5)
    await settle()
    queue.close()
    results = await asyncio.gather(*getters, return_exceptions=True)
    assert all(isinstance(result, QueueClosed) for result in results)
    queue.add("a")
    queue.add_after("a", 1)
    assert clock.next_due() is None and queue.idle
    with pytest.raises(QueueClosed):
        await queue.get()


@pytest.mark.parametrize("seed", range(30))
async def test_random_use_keeps_the_promises(seed: int) -> None:
    """Many producers and workers: no key is held twice, and every key is worked on after its last add."""
    rng = random.Random(seed)
    queue, clock = a_queue()
    held: set[str] = set()
    added, worked = Counter[str](), Counter[str]()
    version, seen = Counter[str](), Counter[str]()

    async def worker() -> None:
        while True:
            key = await queue.get()
            assert key not in held, f"{key} is held twice"
            held.add(key)
            seen[key] = version[key]
            worked[key] += 1
            if rng.random() < 0.5:
                await clock.sleep(rng.choice([0, 0.5, 3]))
            if rng.random() < 0.3:
                queue.retry(key)
            else:
                queue.forget(key)
            held.remove(key)
            queue.done(key)

    workers = [asyncio.create_task(worker()) for _ in range(rng.randint(1, 4))]
    for _ in range(200):
        key = f"k{rng.randint(0, 5)}"
        version[key] += 1
        added[key] += 1
        if rng.random() < 0.3:
            queue.add_after(key, rng.choice([0.1, 1, 5]))
        else:
            queue.add(key)
        if rng.random() < 0.2:
            victim = rng.randrange(len(workers))
            if rng.random() < 0.1 and not held:
                workers[victim].cancel()
                workers.append(asyncio.create_task(worker()))
        await clock.advance(rng.choice([0, 0, 0.1, 1]))
    rng.random = lambda: 0.9  # type: ignore[method-assign]  # no more failures
    await clock.advance(100)
    assert queue.idle and not held
    assert seen == version
    assert all(worked[key] <= added[key] * 20 for key in added)
    for task in workers:
        task.cancel()
    results = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results), results
