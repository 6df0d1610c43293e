"""The files of one container's log: the one that is written, and those that were rotated away, the oldest of them compressed.

    0.log   0.log.20260301-102030   0.log.20260301-101500.gz

Together they are one text. What is rotated is first renamed, later compressed, at last removed; a reader that has a file open keeps it
through all of that, and finds its place among the others again by what the file is, or by how it begins.
"""

import glob
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nodeagent.server.logs import BLOCK, open_log, parse_line, tail_offset

if TYPE_CHECKING:
    from gzip import GzipFile

GZIP = ".gz"
TEMPORARY = ".tmp"
BEGINNING = 256  # a line begins with its time in nanoseconds: no two files begin alike


class NoLog(Exception):
    """There is no log to read."""


@dataclass(slots=True)
class Part:
    """One open file of a log. `stamp` is empty while it is the one that is written, `before` the newest stamp when it was opened."""

    file: BinaryIO
    stamp: str
    before: str = ""


def stamps(path: str) -> dict[str, str]:
    """The rotated files by their stamps, oldest first. While one is being compressed it is there twice: the whole one counts."""
    found: dict[str, str] = {}
    for name in sorted(glob.glob(glob.escape(path) + ".*")):
        stamp = name[len(path) + 1 :]
        if not stamp.endswith(TEMPORARY):
            found.setdefault(stamp.removesuffix(GZIP), name)
    return found


def open_at(path: str, tail: int | None) -> Part:
    """The part, and in it the line, that reading begins with. Raises NoLog."""
    older = stamps(path)
    newest = next(reversed(older), "")
    part = _open(path, "", newest)
    if tail is not None:
        start, missing = _last_lines(part.file, tail)
        if not missing:
            part.file.seek(start)
            return part
    chosen, place = part, 0
    for stamp in reversed(older):
        try:
            earlier = _open(older[stamp], stamp)
        except NoLog:
            break  # removed since we looked
        if chosen is not earlier:
            chosen.file.close()
        chosen = earlier
        if tail is not None:
            place, missing = _last_lines(chosen.file, missing)
            if not missing:
                break
    chosen.file.seek(place)
    return chosen


def tail_text(path: str, lines: int, limit: int) -> str:
    """The end of a log as plain text, from as many files as it takes: right after a rotation the newest is empty."""
    text = b""
    try:
        part: Part | None = open_at(path, lines)
        while part is not None:
            with part.file:
                parsed = [parse_line(line) for line in part.file]
                text += b"".join(line.text for line in parsed if line is not None)
                part = following(path, part)
    except (NoLog, OSError, EOFError):
        pass  # what there is must do
    return text[-limit:].decode(errors="replace")


def following(path: str, part: Part) -> Part | None:
    """What comes after this part; None while it is the last. The caller closes the part."""
    if not part.stamp:
        if not rotated(path, part):
            return None
        part.stamp = _place(path, part)
    older = stamps(path)
    for stamp, name in older.items():
        if stamp > part.stamp:
            try:
                return _open(name, stamp)
            except NoLog:
                continue  # compressed or removed at this moment
    try:
        return _open(path, "", next(reversed(older), ""))
    except NoLog:
        return None  # renamed, and the runtime has not opened it anew yet


def rotated(path: str, part: Part) -> bool:
    """Whether another file is written by now; while there is none, nobody knows where lines will go."""
    if part.stamp:
        return True
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(part.file.fileno())
    return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)


def _place(path: str, part: Part) -> str:
    """The stamp that a file got which was the newest when it was opened."""
    mine = os.fstat(part.file.fileno())
    beginning = os.pread(part.file.fileno(), BEGINNING, 0)
    for stamp, name in stamps(path).items():
        if stamp <= part.before:
            continue
        try:
            if os.stat(name).st_ino == mine.st_ino:
                return stamp
            if name.endswith(GZIP) and beginning and _begins(name, beginning):
                return stamp
        except OSError:
            continue
    return part.before  # removed: what is left comes after it


def _begins(name: str, beginning: bytes) -> bool:
    with _unpacked(name) as file:
        return file.read(len(beginning)) == beginning


def _open(name: str, stamp: str, before: str = "") -> Part:
    try:
        if name.endswith(GZIP):
            return Part(cast(BinaryIO, _unpacked(name)), stamp, before)
        return Part(open_log(name), stamp, before)
    except OSError as error:
        raise NoLog(f"cannot read the log {name}: {error.strerror}") from error


def _unpacked(name: str) -> "GzipFile":
    from gzip import GzipFile  # few logs grow so large

    packed = open_log(name)
    file = GzipFile(fileobj=packed)
    file.myfileobj = cast(Any, packed)  # closed with it
    return file


def _last_lines(file: BinaryIO, lines: int) -> tuple[int, int]:
    """Where the last so many lines begin, and how many of them the file lacks."""
    if not isinstance(file, io.BufferedReader):  # it is packed: going backwards in it would unpack it again and again
        starts, position = [0], 0
        while line := file.readline(BLOCK):
            position += len(line)
            if line.endswith(b"\n"):
                starts.append(position)
        starts = starts[:-1] if starts[-1] == position else starts
        return (starts[-lines], 0) if len(starts) >= lines else (0, lines - len(starts))
    start = tail_offset(file, lines)
    if start or lines <= 0:
        return start, 0
    file.seek(0)
    count = 0
    while block := file.read(BLOCK):
        count += block.count(b"\n")
    return 0, max(0, lines - count)
