"""Schedules of CronJobs: five fields of numbers, names, ranges and steps, or a word such as `@daily`."""

import re

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_WORDS = frozenset(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"])
_EVERY = re.compile(r"@every ([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+")
_ZONE = re.compile(r"(CRON_)?TZ=\S+ +")


class ScheduleError(ValueError):
    """Text that is no schedule."""


def parse(text: str) -> list[frozenset[int]] | None:
    """The numbers that each field allows; None for a word. Raises ScheduleError."""
    text = _ZONE.sub("", text, count=1).strip()
    if not text:
        raise ScheduleError("empty spec string")
    if text.startswith("@"):
        if text in _WORDS or _EVERY.fullmatch(text):
            return None
        raise ScheduleError(f"unrecognized descriptor: {text}")
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    return [_field(field, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True)]


def _field(text: str, what: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    allowed: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if span in ("*", "?"):
            start, end = low, high
        else:
            first, dash, last = span.partition("-")
            start = _number(first, names)
            end = _number(last, names) if dash else high if slash else start
        stride = _number(step, {}) if slash else 1
        if start < low:
            raise ScheduleError(f"beginning of range ({start}) below minimum ({low}): {part}")
        if end > high:
            raise ScheduleError(f"end of range ({end}) above maximum ({high}): {part}")
        if start > end:
            raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {part}")
        if stride == 0:
            raise ScheduleError(f"step of range should be a positive number: {part}")
        allowed |= set(range(start, end + 1, stride))
    return frozenset(allowed)


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)
