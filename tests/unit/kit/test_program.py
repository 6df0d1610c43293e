"""A program in a process of its own: start, stop by signal, crash, a part that will not stop, bad start."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
APP = """
import asyncio, sys
from kit import program

async def forever(): await asyncio.Event().wait()
async def crash():
    await asyncio.sleep(0)
    raise ValueError("boom")
async def stubborn():
    while True:
        try: await asyncio.sleep(3600)
        except asyncio.CancelledError: pass

async def run(config, supervisor):
    if config == "bad start": raise OSError("port in use")
    if config == "bug": raise ValueError("bug")
    supervisor.defer("file", lambda: print("closed", flush=True))
    supervisor.spawn("part", {"good": forever, "crash": crash, "stubborn": stubborn}[config])
    import uvloop
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    print("wired", flush=True)
    supervisor._grace = 0.05 if config == "stubborn" else 60

sys.exit(program.main(run, sys.argv[1], name="test"))
"""


def start(config: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", APP, config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.mark.parametrize(("config", "status"), [("good", 0), ("stubborn", 1)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(config: str, status: int, number: signal.Signals) -> None:
    with start(config) as process:
        assert process.stdout is not None and process.stdout.readline() == "wired\n"
        assert process.stderr is not None and "msg=started program=test" in process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (status, "closed\n")
    assert f"reason={number.name}" in err and ("did not stop in time" in err) is (config == "stubborn")


def test_crash() -> None:
    with start("crash") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and out == "wired\nclosed\n" and "ValueError: boom" in err


@pytest.mark.parametrize(("config", "lines"), [("bad start", 2), ("bug", 2)])
def test_bad_start(config: str, lines: int) -> None:
    with start(config) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and out == "" and err.count("\n") == lines
    assert ("cannot start" in err) and ("Traceback" in err) is (config == "bug")
