"""Reading logs in the CRI format."""

import asyncio
import io
from pathlib import Path

import pytest

from kit.http.model import Request
from nodeagent.server.container_logs import BadOptions, read_options
from nodeagent.server.follow import NoLog, stream_log
from nodeagent.server.logs import Formatter, LogLine, LogOptions, comparable, parse_line, tail_offset
from nodeagent.server.series import tail_text

T = "2026-03-01T10:20:30.123456789Z"
LINES = [f"{T} stdout F line {i}\n".encode() for i in range(5)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (f"{T} stdout F hello\n", LogLine(T.encode(), b"stdout", True, b"hello\n")),
        (f"{T} stderr P part\n", LogLine(T.encode(), b"stderr", False, b"part")),
        (f"{T} stdout F \n", LogLine(T.encode(), b"stdout", True, b"\n")),
        (f"{T} stdout F a b  c\n", LogLine(T.encode(), b"stdout", True, b"a b  c\n")),
        (f"{T} stdin F x\n", None),
        ("garbage\n", None),
        ("\n", None),
    ],
)
def test_lines(raw: str, expected: LogLine | None) -> None:
    assert parse_line(raw.encode()) == expected


@pytest.mark.parametrize("lines", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("ending", [b"", f"{T} stdout F unfinished".encode()])
def test_the_last_lines(lines: int, ending: bytes) -> None:
    text = b"".join(LINES) + ending
    file = io.BytesIO(text)
    file.seek(tail_offset(file, lines))
    expected = text.splitlines(keepends=True)
    assert file.read() == b"".join(expected[len(expected) - lines :] if lines < len(expected) else expected)


def test_the_last_lines_of_a_large_file() -> None:
    text = b"".join(f"{i} {'x' * (i % 300)}\n".encode() for i in range(3000))
    file = io.BytesIO(text)
    file.seek(tail_offset(file, 1234))
    assert file.read() == b"".join(text.splitlines(keepends=True)[-1234:])


def formatted(options: LogOptions, *lines: str) -> bytes:
    formatter = Formatter(options)
    return b"".join(formatter.format(line.encode() + b"\n") for line in lines)


def test_what_readers_get() -> None:
    a, b, c = f"{T} stdout P he", f"{T} stdout F llo", f"{T} stderr F bad"
    assert formatted(LogOptions(), a, b, c) == b"hello\nbad\n"
    assert formatted(LogOptions(stream="stderr"), a, b, c) == b"bad\n"
    assert formatted(LogOptions(timestamps=True), a, b, c) == f"{T} hello\n{T} bad\n".encode()
    assert formatted(LogOptions(limit=7), a, b, c) == b"hello\nb"
    assert formatted(LogOptions(since=comparable("2026-03-01T10:20:30.123456789Z")), a, b) == b"hello\n"
    assert formatted(LogOptions(since=comparable("2026-03-01T10:20:30.2Z")), a, b) == b""


def test_times_compare_as_text() -> None:
    assert (
        comparable("2026-01-01T00:00:00Z") < comparable("2026-01-01T00:00:00.1Z") < comparable("2026-01-01T00:00:01Z")
    )


def test_tails_as_text(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    log.write_bytes(b"".join(LINES))
    assert tail_text(str(log), 2, 1000) == "line 3\nline 4\n"
    assert tail_text(str(log), 2, 4) == "e 4\n"
    assert tail_text(str(tmp_path / "none"), 2, 10) == ""


async def collect(path: Path, options: LogOptions, ended: asyncio.Event, into: list[bytes]) -> None:
    async def wait() -> None:
        await ended.wait()

    pieces = stream_log(str(path), options, wait)
    while piece := await anext(pieces, b""):
        into.append(piece)


async def test_following_over_rotation_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    log.write_bytes(LINES[0])
    got: list[bytes] = []
    ended = asyncio.Event()
    reader = asyncio.create_task(collect(log, LogOptions(follow=True), ended, got))
    while not got:
        await asyncio.sleep(0.01)
    with log.open("ab") as file:
        file.write(LINES[1] + LINES[2][:10])
        file.flush()
        file.write(LINES[2][10:])
    log.rename(tmp_path / "0.log.1")
    log.write_bytes(LINES[3])
    while b"".join(got).count(b"\n") < 4:
        await asyncio.sleep(0.01)
    with log.open("ab") as file:
        file.write(LINES[4])
    ended.set()
    await asyncio.wait_for(reader, 120)
    assert b"".join(got) == b"".join(f"line {i}\n".encode() for i in range(5))


async def test_without_following_it_ends(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    log.write_bytes(b"".join(LINES)[:-1])
    got: list[bytes] = []
    await collect(log, LogOptions(tail=2), asyncio.Event(), got)
    assert b"".join(got) == b"line 3\nline 4\n"


async def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoLog, match="No such file"):
        await collect(tmp_path / "none", LogOptions(), asyncio.Event(), [])


def asked(query: str) -> LogOptions:
    return read_options(Request("GET", f"/containerLogs/a/b/c?{query}", [], b"", None), 1000.0)  # type: ignore[arg-type]


def test_numbers_in_queries_may_be_of_any_size() -> None:
    assert asked("sinceSeconds=10").since == "1970-01-01T00:16:30.000000000"
    assert asked(f"sinceSeconds={'9' * 18}").since == "1970-01-01T00:00:00.000000000"
    assert asked(f"tailLines={'9' * 18}").tail == 10**18 - 1
    for query in (
        f"sinceSeconds={'9' * 5000}",
        f"tailLines={'9' * 400}",
        "limitBytes=0",
        "tailLines=-1",
        "tailLines=%D9%A3",
    ):
        with pytest.raises(BadOptions):
            asked(query)


async def test_nothing_is_watched_for_who_does_not_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are few watches, and what is only read once needs none."""
    log = tmp_path / "0.log"
    log.write_bytes(b"".join(LINES))
    monkeypatch.delattr("nodeagent.server.follow.Watch")

    async def never() -> None:
        raise AssertionError("nobody asks whether it has ended")

    pieces = [piece async for piece in stream_log(str(log), LogOptions(), never)]
    assert b"".join(pieces).count(b"line") == 5
