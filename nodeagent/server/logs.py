"""Log files in the CRI format: lines of time, stream, tag and text. Parsing is pure; reading goes by offsets.

    2026-03-01T10:20:30.123456789Z stdout F the text of a whole line
    2026-03-01T10:20:30.123456790Z stderr P the beginning of a line that

A line that was too long comes in parts, all tagged P but the last.
"""

import os
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 64 * 1024


def open_log(path: str) -> BinaryIO:
    """Open a log to read; never a link: who may write beside logs could have any file of the machine shown. Raises OSError."""
    return open(path, "rb", opener=_opened)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log file."""

    time: bytes
    stream: bytes
    whole: bool
    text: bytes  # with its newline, if whole


def parse_line(line: bytes) -> LogLine | None:
    """Read one line, newline included or not; None if it is no such line."""
    parts = line.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    whole = parts[2].split(b":")[0] != b"P"
    text = parts[3] if len(parts) == 4 else b""
    return LogLine(parts[0], parts[1], whole, text + b"\n" if whole else text)


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last so many lines begin."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    position, missing = end, lines
    skip_last = True  # the newline at the very end ends the last line
    while position > 0:
        size = min(BLOCK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        scan = len(block)
        if skip_last:
            skip_last = False
            scan -= block.endswith(b"\n")
        while (found := block.rfind(b"\n", 0, scan)) >= 0:
            missing -= 1
            if missing == 0:
                return position + found + 1
            scan = found
    return 0


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which lines of a log, and how, as the query of a request says."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: str = ""  # RFC 3339 in UTC with nanoseconds, to compare as text
    limit: int | None = None
    stream: str = ""  # "stdout" or "stderr"; empty: both


class Formatter:
    """Turns lines of a log into what a reader gets; remembers the limit and lines that come in parts."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._left = options.limit
        self._inside = False  # the line before was only a part

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self._left == 0

    def format(self, raw: bytes) -> bytes:
        """What to send for this line; empty if it is not wanted."""
        line = parse_line(raw)
        if line is None or self.full:
            return b""
        options = self._options
        if options.stream and line.stream != options.stream.encode():
            return b""
        if options.since and comparable(line.time.decode(errors="replace")) < options.since:
            return b""
        text = line.text
        if options.timestamps and not self._inside:
            text = line.time + b" " + text
        self._inside = not line.whole
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
        return text


def comparable(time: str) -> str:
    """A UTC time with all nine digits, so that times compare as text."""
    base, dot, fraction = time.rstrip("Z").partition(".")
    return f"{base}.{fraction[:9].ljust(9, '0')}" if dot else f"{base}.000000000"
