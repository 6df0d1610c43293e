"""RFC 3339 times as the API writes them: whole seconds (Time) or microseconds (MicroTime), in UTC."""

import functools
import re
from datetime import UTC, datetime, timedelta

_SHAPE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGINNING = _EPOCH.replace(tzinfo=None)


def format_time(seconds: float) -> str:
    """A wall time as Time, `2026-03-01T12:00:00Z`; fractions of a second are cut off."""
    return (_BEGINNING + timedelta(seconds=seconds // 1)).isoformat(timespec="seconds") + "Z"


def format_micro_time(seconds: float) -> str:
    """A wall time as MicroTime, `2026-03-01T12:00:00.000000Z`."""
    return (_BEGINNING + timedelta(seconds=seconds)).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; ValueError if it is none."""
    if not _SHAPE.fullmatch(text):
        raise ValueError(f"cannot read time {text!r}: not RFC 3339")
    try:
        return (datetime.fromisoformat(text) - _EPOCH).total_seconds()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"cannot read time {text!r}: {error}") from None


@functools.lru_cache(maxsize=4096)
def canonical(text: str, *, micro: bool = False) -> str:
    """An RFC 3339 time as the API writes it; ValueError if it is none."""
    if not _SHAPE.fullmatch(text):
        raise ValueError(f"cannot read time {text[:40]!r}: not RFC 3339")
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"cannot read time {text[:40]!r}: {error}") from None
    return moment.isoformat(timespec="microseconds" if micro else "seconds") + "Z"
