"""Running programs: results, failures, time limits, and nothing left running."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from linux.process import NotInstalled, ProcessError, ProcessFailed, describe_code, run, run_async, start


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def gone(pid: int) -> bool:
    for _ in range(12_000):
        if not alive(pid):
            return True
        time.sleep(0.01)
    return False


def test_output_and_input() -> None:
    done = run(["sh", "-c", "cat; echo e >&2"], input="text")
    assert (done.code, done.text, done.err) == (0, "text", b"e\n")


def test_standard_input_is_closed() -> None:
    assert run(["cat"], timeout=60).out == b""


def test_a_failure_says_what_was_printed() -> None:
    with pytest.raises(ProcessFailed, match="cannot run sh -c echo why >&2; exit 3: exit status 3: why") as error:
        run(["sh", "-c", "echo why >&2; exit 3"])
    assert error.value.code == 3
    assert run(["false"], check=False).code == 1


def test_an_unknown_program() -> None:
    with pytest.raises(NotInstalled, match="no-such-program"):
        run(["no-such-program"])
    with pytest.raises(NotInstalled):
        start(["no-such-program"])
    with pytest.raises(ProcessError, match="working directory"):
        run(["true"], cwd="/nonexistent")


def test_the_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    for seconds in (0.5, 5, 60):  # until it has come so far
        with pytest.raises(ProcessFailed) as error:
            run(["sh", "-c", f"sleep 1000 & echo $! > {pid}; wait"], timeout=seconds)
        assert error.value.timed_out
        if pid.exists() and pid.read_text():
            break
    assert gone(int(pid.read_text()))


async def test_async_output_and_failure() -> None:
    assert (await run_async(["cat"], input=b"x")).out == b"x"
    with pytest.raises(ProcessFailed, match="exit status 2"):
        await run_async(["sh", "-c", "exit 2"])
    with pytest.raises(NotInstalled):
        await run_async(["no-such-program"])


async def test_a_cancelled_caller_kills_the_program(tmp_path: Path) -> None:
    task = asyncio.create_task(run_async(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 1000"]))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_long_runner(tmp_path: Path) -> None:
    child = start(["sh", "-c", "trap '' TERM; echo started; while :; do sleep 0.1; done"], log=tmp_path / "log")
    while "started" not in (tmp_path / "log").read_text():
        time.sleep(0.01)
    assert child.poll() is None
    assert child.wait(0.01) is None
    assert os.getsid(child.pid) == child.pid
    assert child.stop(grace=0.3) == -9
    assert gone(child.pid)


@pytest.mark.parametrize(
    ("code", "words"), [(None, "timed out"), (0, "exit status 0"), (-9, "ended by SIGKILL"), (-99, "signal 99")]
)
def test_exit_codes_in_words(code: int | None, words: str) -> None:
    assert words in describe_code(code)
