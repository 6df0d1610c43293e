"""The only place that runs other programs.

`run` waits for a short program, `run_async` does so without blocking the loop, `start` begins one that lives on
beside us. A program always gets an argument list, never a shell; its standard input is closed unless text is given; and
every wait has an end. Failures are `NotInstalled` (with the name to look for) and `ProcessFailed` (with the arguments,
the exit code and the last lines of what was printed).
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TAIL_LINES = 8


class ProcessError(Exception):
    """A program could not be run, or did not do what it was asked."""


class NotInstalled(ProcessError):
    """The program is not on this machine."""

    def __init__(self, program: str) -> None:
        super().__init__(f"cannot run {program}: it is not installed")
        self.program = program


class ProcessFailed(ProcessError):
    """The program ran and failed, or took too long (code None)."""

    def __init__(self, argv: Sequence[str], code: int | None, out: bytes, err: bytes) -> None:
        self.argv = tuple(argv)
        self.code = code
        self.out = out
        self.err = err
        said = last_lines(err) or last_lines(out) or "it printed nothing"
        super().__init__(f"cannot run {' '.join(argv)[:200]}: {describe_code(code)}: {said}")

    @property
    def timed_out(self) -> bool:
        return self.code is None


@dataclass(frozen=True)
class Finished:
    """A program that ended: its exit code (negative: the signal that ended it) and what it printed."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode(errors="replace")


def describe_code(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "timed out"
    if code < 0:
        try:
            return f"ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"ended by signal {-code}"
    return f"exit status {code}"


def last_lines(output: bytes, count: int = TAIL_LINES) -> str:
    """The last lines of an output, joined for a one-line message."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[-count:])


def be_spared(score: int = -999) -> bool:
    """Ask the kernel to kill others first when memory runs out; False where we have no right to."""
    try:
        Path("/proc/self/oom_score_adj").write_text(str(score))
    except OSError:
        return False
    return True


def run(
    argv: Sequence[str],
    *,
    input: bytes | str | None = None,  # noqa: A002 - the name subprocess has
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    cwd: Path | str | None = None,
) -> Finished:
    """Run a program to its end; its whole process group is killed when the time is over."""
    data = input.encode() if isinstance(input, str) else input
    with _open(argv, env=env, cwd=cwd, has_input=data is not None) as child:
        try:
            out, err = child.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill_group(child.pid)
            out, err = child.communicate()
            raise ProcessFailed(argv, None, out, err) from None
        except BaseException:
            _kill_group(child.pid)
            raise
    return _finish(argv, child.returncode, out, err, check)


async def run_async(
    argv: Sequence[str],
    *,
    input: bytes | str | None = None,  # noqa: A002
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> Finished:
    """As `run`, without blocking the event loop; a cancelled caller kills the program."""
    import asyncio  # only here: the supervisor of wherry up lives on this module and stays small

    data = input.encode() if isinstance(input, str) else input
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if data is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env) if env is not None else None,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise NotInstalled(argv[0]) from error
    try:
        out, err = await asyncio.wait_for(child.communicate(data), timeout)
    except TimeoutError:
        raise ProcessFailed(argv, None, b"", b"") from None
    finally:
        if child.returncode is None:
            _kill_group(child.pid)
            await child.wait()
    return _finish(argv, child.returncode or 0, out, err, check)


@dataclass(frozen=True)
class Child:
    """A program that lives beside us."""

    argv: tuple[str, ...]
    handle: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.handle.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs; reaps it."""
        return self.handle.poll()

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; None when it still runs after `timeout` seconds."""
        try:
            return self.handle.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number: int) -> None:
        """Send a signal; a program that already ended is fine."""
        self.handle.send_signal(number)

    def stop(self, grace: float = 10) -> int:
        """SIGTERM, then SIGKILL when it does not end within `grace` seconds; the exit code."""
        self.signal(signal.SIGTERM)
        code = self.wait(grace)
        if code is None:
            _kill_group(self.pid)
            code = self.handle.wait()
        return code


def start(
    argv: Sequence[str],
    *,
    log: Path | int | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
) -> Child:
    """Start a program in a session of its own; its output is appended to `log` (None: thrown away)."""
    opened = open(log, "ab", buffering=0) if isinstance(log, Path) else None  # noqa: SIM115 - closed below
    target = opened if opened is not None else log if log is not None else subprocess.DEVNULL
    assert not isinstance(target, Path)
    try:
        handle = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=target,
            stderr=target,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise NotInstalled(argv[0]) from error
    finally:
        if opened is not None:
            opened.close()
    return Child(tuple(argv), handle)


def _open(
    argv: Sequence[str], *, env: Mapping[str, str] | None, cwd: Path | str | None, has_input: bool
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        if cwd is not None and not os.path.isdir(cwd):
            raise ProcessError(f"cannot run {argv[0]}: its working directory {cwd} is missing") from error
        raise NotInstalled(argv[0]) from error


def _finish(argv: Sequence[str], code: int, out: bytes, err: bytes, check: bool) -> Finished:
    if check and code != 0:
        raise ProcessFailed(argv, code, out, err)
    return Finished(code, out, err)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
