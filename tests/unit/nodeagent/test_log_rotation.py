"""Logs are rotated by a plan, and read as one text whatever happened to their files."""

import asyncio
import gzip
from pathlib import Path

import pytest

from nodeagent.plan.rotation import (
    CompressLog,
    LogAction,
    RemoveLog,
    RotateLog,
    RotationPolicy,
    plan_look,
    plan_rotation,
)
from nodeagent.server.follow import NoLog, stream_log
from nodeagent.server.logs import LogOptions
from nodeagent.server.series import tail_text
from nodeagent.upkeep.logs import compress

NOW = "20260301-102030"
LOG = "/l/0.log"


def line(number: int) -> bytes:
    return f"2026-03-01T10:20:30.{number:09d}Z stdout F line {number}\n".encode()


@pytest.mark.parametrize(
    ("names", "files", "expected"),
    [
        ([], 5, [RotateLog(LOG, f"{LOG}.{NOW}")]),
        (["a"], 5, [CompressLog("a"), RotateLog(LOG, f"{LOG}.{NOW}")]),
        (["1.gz", "2"], 5, [CompressLog("2"), RotateLog(LOG, f"{LOG}.{NOW}")]),
        (["1.gz", "2.gz", "3.gz", "4"], 5, [RemoveLog("1.gz"), CompressLog("4"), RotateLog(LOG, f"{LOG}.{NOW}")]),
        (["1.gz", "2"], 2, [RemoveLog("1.gz"), RemoveLog("2"), RotateLog(LOG, f"{LOG}.{NOW}")]),
        (["1", "1.gz", "2.tmp"], 5, [RemoveLog("1"), RemoveLog("2.tmp"), RotateLog(LOG, f"{LOG}.{NOW}")]),
        ([f"{LOG}.{NOW}"], 5, []),
    ],
)
def test_what_is_done_with_a_full_log(names: list[str], files: int, expected: list[LogAction]) -> None:
    assert plan_rotation(LOG, names, NOW, RotationPolicy(100, files)) == expected


@pytest.mark.parametrize(
    ("sizes", "before", "expected"),
    [
        ({}, {}, 10.0),
        ({"a": 50}, {"a": 50}, 10.0),
        ({"a": 50}, {"a": 40}, 10.0),  # full in 50 s
        ({"a": 50}, {"a": 0}, 10.0),
        ({"a": 80}, {"a": 40}, 5.0),
        ({"a": 80, "b": 90}, {"a": 40}, pytest.approx(10 / 9)),
        ({"a": 99}, {"a": 0}, 1.0),
    ],
)
def test_when_to_look_again(sizes: dict[str, int], before: dict[str, int], expected: float) -> None:
    assert plan_look(sizes, before, 10.0, RotationPolicy(100, 5)) == expected


def files(folder: Path, sizes: list[int]) -> Path:
    """A log of consecutive lines: compressed files, one rotated, one written; of so many lines each."""
    number = 0
    for position, size in enumerate(sizes):
        text = b"".join(line(number + i) for i in range(size))
        number += size
        left = len(sizes) - 1 - position
        name = f"0.log.20260301-10{position:02d}00" if left else "0.log"
        if left > 1:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text))
        else:
            (folder / name).write_bytes(text)
    return folder / "0.log"


async def never() -> None:
    await asyncio.Event().wait()


async def read(path: Path, **options: int) -> list[int]:
    pieces = [piece async for piece in stream_log(str(path), LogOptions(**options), never)]
    return [int(text.split()[1]) for text in b"".join(pieces).splitlines()]


@pytest.mark.parametrize("sizes", [[3], [2, 3], [4, 2, 3], [3, 3, 3, 3], [3, 0], [5, 2, 0], [40000, 3, 1]])
async def test_all_files_are_one_log(tmp_path: Path, sizes: list[int]) -> None:
    path, count = files(tmp_path, sizes), sum(sizes)
    everything = list(range(count))
    assert await read(path) == everything
    for tail in {0, 1, 2, 3, 4, 5, 6, 9, count - 1, count, count + 1}:
        assert await read(path, tail=tail) == everything[count - min(tail, count) :], tail


async def test_a_slow_reader_misses_nothing_over_three_rotations(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(line(i) for i in range(10)))
    ended = asyncio.Event()

    async def wait() -> None:
        await ended.wait()

    pieces = stream_log(str(path), LogOptions(follow=True), wait)
    got = await anext(pieces)
    for turn in range(1, 4):  # the reader does not look meanwhile
        with path.open("ab") as file:
            file.write(line(turn * 10))
        stamp = f"20260301-1000{turn:02d}"
        path.rename(f"{path}.{stamp}")
        if turn > 1:
            older = tmp_path / f"0.log.20260301-1000{turn - 1:02d}"
            Path(f"{older}.gz").write_bytes(gzip.compress(older.read_bytes()))
            older.unlink()
        path.write_bytes(line(turn * 10 + 1))
    ended.set()
    got += b"".join([piece async for piece in pieces])
    wanted = [*range(10), 10, 11, 20, 21, 30, 31]
    assert [int(text.split()[1]) for text in got.splitlines()] == wanted


async def test_a_log_that_is_renamed_and_not_yet_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(line(0))
    pieces = stream_log(str(path), LogOptions(follow=True), never)
    got = await anext(pieces)
    path.rename(f"{path}.20260301-100000")
    task = asyncio.ensure_future(anext(pieces))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    with open(f"{path}.20260301-100000", "ab") as file:
        file.write(line(1))  # the runtime still writes here
    path.write_bytes(line(2))
    got += await task
    got += await anext(pieces)
    assert got == b"line 0\nline 1\nline 2\n"
    await pieces.aclose()


def test_the_end_of_a_log_is_found_right_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    (tmp_path / "0.log.20260301-090000.gz").write_bytes(gzip.compress(line(0) + line(1)))
    (tmp_path / "0.log.20260301-100000").write_bytes(line(2))
    path.write_bytes(b"")
    assert tail_text(str(path), 2, 1000) == "line 1\nline 2\n"
    path.write_bytes(line(3))
    assert tail_text(str(path), 2, 1000) == "line 2\nline 3\n"


@pytest.mark.parametrize("name", ["0.log", "0.log.20260301-100000", "0.log.20260301-100000.gz"])
async def test_links_lead_to_no_other_file(tmp_path: Path, name: str) -> None:
    """A pod that may write to the folder of logs must not see what else is on the machine."""
    secret, folder = tmp_path / "secret", tmp_path / "logs"
    secret.write_bytes(gzip.compress(line(7)) if name.endswith(".gz") else line(7))
    folder.mkdir()
    path = files(folder, [1])
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    if name == "0.log":
        assert tail_text(str(path), 10, 1000) == ""
        with pytest.raises(NoLog):
            await read(path)
    else:
        assert 7 not in await read(path)
        with pytest.raises(OSError):
            compress(str(folder / name))
        assert not (folder / f"{name}.gz").exists()


def test_compression_writes_through_no_link(tmp_path: Path) -> None:
    path, other = tmp_path / "0.log.20260301-100000", tmp_path / "other"
    path.write_bytes(line(1))
    other.write_text("precious")
    Path(f"{path}.tmp").symlink_to(other)
    with pytest.raises(FileExistsError):
        compress(str(path))
    assert other.read_text() == "precious" and path.exists()
