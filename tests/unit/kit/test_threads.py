"""Work that blocks, in threads of its own."""

import asyncio
import subprocess
import sys
import threading

import pytest

from kit.threads import OneEach, Threads


async def test_results_and_errors_come_back() -> None:
    threads = Threads("t", 2)
    assert await threads.run(lambda: 3) == 3

    def fail() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await threads.run(fail)


async def test_what_hangs_keeps_its_place_and_no_more() -> None:
    threads, hangs, began = Threads("t", 2), threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        hangs.wait()

    stuck = asyncio.create_task(threads.run(hang))
    await asyncio.to_thread(began.wait)
    assert await threads.run(lambda: "others go on") == "others go on"
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    began.clear()
    again = asyncio.create_task(threads.run(hang))
    await asyncio.to_thread(began.wait)
    third = asyncio.create_task(threads.run(lambda: 1))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not third.done(), "both places are taken: by who was given up, and by who tried again"
    hangs.set()
    assert await third == 1
    await again


async def test_who_tries_again_waits_for_what_hangs() -> None:
    each, hangs, begun = OneEach[int]("t"), threading.Event(), list[int]()

    def hang() -> int:
        begun.append(1)
        hangs.wait()
        return len(begun)

    for _ in range(5):
        trying = asyncio.create_task(each.run("a", hang))
        await asyncio.sleep(0)
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
    assert await each.run("b", lambda: 7) == 7, "others go on"
    joined = asyncio.create_task(each.run("a", hang))
    await asyncio.sleep(0)
    hangs.set()
    assert await joined == 1
    assert await each.run("a", hang) == 2, "what is over is begun anew"


def test_a_program_ends_though_work_hangs() -> None:
    script = (
        "import asyncio, threading\n"
        "from kit.threads import Threads\n"
        "async def main():\n"
        "    work = asyncio.create_task(Threads('t', 1).run(threading.Event().wait))\n"
        "    await asyncio.sleep(0)\n"
        "    work.cancel()\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
