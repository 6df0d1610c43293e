"""Structured logs: a message and fields, one line each, to stderr.

`configure` is called once by a program's main; before that, and in tests, warnings and errors are written as text. A disabled level costs
one comparison; fields are formatted only when written.
"""

from __future__ import annotations

import sys
import time
import traceback
from typing import Any, Literal, TextIO

import msgspec

from kit.clock import SystemClock

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
LEVELS = {"debug": DEBUG, "info": INFO, "warning": WARNING, "error": ERROR}
_NAMES = {number: name for name, number in LEVELS.items()}

Style = Literal["text", "logfmt", "json"]


class _Output:
    """The one piece of state: what main chose."""

    level = WARNING
    style: Style = "text"
    stream: TextIO | None = None  # None: whatever sys.stderr is at the time


_clock = SystemClock()


def configure(level: str = "info", style: Style | None = None, stream: TextIO | None = None) -> None:
    """Choose level and style for the whole process; without a style, text on a terminal and logfmt elsewhere."""
    if level not in LEVELS:
        raise ValueError(f"cannot set log level {level!r}: it must be one of {', '.join(LEVELS)}")
    _Output.level = LEVELS[level]
    _Output.stream = stream
    terminal = (stream or sys.stderr).isatty()
    _Output.style = style or ("text" if terminal else "logfmt")


def get(name: str, /, **fields: object) -> Logger:
    """A logger whose lines carry `name` and these fields."""
    return Logger(name, fields)


class Logger:
    """Writes lines for one part of a program."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: dict[str, object]) -> None:
        self.name = name
        self.fields = fields

    def bind(self, **fields: object) -> Logger:
        """The same logger with more fields on every line."""
        return Logger(self.name, self.fields | fields)

    def enabled(self, level: int) -> bool:
        """Whether a line of that level would be written; for fields that are expensive to make."""
        return level >= _Output.level

    def debug(self, message: str, /, **fields: object) -> None:
        """Say what only a developer wants to know."""
        if _Output.level <= DEBUG:
            self._write(DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """Say what was decided or done."""
        if _Output.level <= INFO:
            self._write(INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        """Say what is wrong but handled."""
        if _Output.level <= WARNING:
            self._write(WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """Say what failed."""
        self._write(ERROR, message, fields)

    def exception(self, message: str, /, **fields: object) -> None:
        """Say what failed unexpectedly, with the trace of `error=` or else of the exception being handled."""
        error = fields.get("error") or sys.exception()
        if isinstance(error, BaseException):
            fields["error"] = error
            fields["trace"] = "".join(traceback.format_exception(error)).rstrip()
        self._write(ERROR, message, fields)

    def _write(self, level: int, message: str, fields: dict[str, object]) -> None:
        line = render(_Output.style, _clock.now(), level, self.name, message, self.fields | fields)
        stream = _Output.stream or sys.stderr
        try:
            stream.write(line)
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody can be told that stderr is gone


def render(style: Style, now: float, level: int, name: str, message: str, fields: dict[str, object]) -> str:
    """One line, with its newline."""
    if style == "json":
        head = {"time": _stamp(now), "level": _NAMES[level], "logger": name, "message": message}
        return msgspec.json.encode({**{k: _plain(v) for k, v in fields.items()}, **head}).decode() + "\n"
    if style == "logfmt":
        head = {"time": _stamp(now), "level": _NAMES[level], "logger": name, "msg": message}
        return " ".join(f"{key}={_quoted(value)}" for key, value in (head | fields).items()) + "\n"
    trace = fields.pop("trace", None)
    shown = "".join(f" {key}={_quoted(value)}" for key, value in fields.items())
    tail = f"\n{trace}" if trace else ""
    return f"{_stamp(now)[11:23]} {_NAMES[level]:7} {name}: {message}{shown}{tail}\n"


def _stamp(now: float) -> str:
    whole = int(now)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((now - whole) * 1000):03d}Z"


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}" if str(value) else type(value).__name__
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _quoted(value: object) -> str:
    text = _text(value)
    if text and text.isprintable() and not any(c in text for c in ' "='):
        return text
    return msgspec.json.encode(text).decode()
