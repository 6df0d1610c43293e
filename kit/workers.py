"""The edge between a work queue and a reconcile function: the only place where a reconcile's errors are caught."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from kit import log
from kit.queue import QueueClosed, WorkQueue
from kit.supervisor import Supervisor

K = TypeVar("K")

Reconcile = Callable[[K], Awaitable[float | None]]


def run_workers(
    queue: WorkQueue[K],
    reconcile: Reconcile[K],
    n: int,
    supervisor: Supervisor,
    *,
    name: str = "workers",
    expected: tuple[type[Exception], ...] = (),
) -> None:
    """Spawn `n` workers. A reconcile answers None, or seconds after which to look again; errors are retried with back-off.

    Errors of the `expected` types (conflicts, a server away) are logged in one line, all others with their trace.
    """
    logger = log.get(name)
    supervisor.defer(f"{name}-queue", queue.close)
    for i in range(n):
        supervisor.spawn(f"{name}-{i}", lambda: _work(queue, reconcile, logger, expected), restart=True)


async def _work(
    queue: WorkQueue[K], reconcile: Reconcile[K], logger: log.Logger, expected: tuple[type[Exception], ...]
) -> None:
    while True:
        try:
            key = await queue.get()
        except QueueClosed:
            return
        try:
            again = await reconcile(key)
        except expected as error:
            logger.info("will retry", key=key, error=error, after=queue.retry(key))
        except Exception as error:  # the loop's edge
            logger.exception("cannot reconcile", key=key, error=error, after=queue.retry(key))
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
