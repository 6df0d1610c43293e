"""Time zones that CronJobs name: whether this machine knows them. It is a matter of the machine, so no rule of `api.validation`."""

from __future__ import annotations

from typing import Any

from api.validation import Cause


def unknown(job: Any) -> list[Cause]:
    """What is wrong with the time zone of a CronJob."""
    zone = job.spec.time_zone
    if not zone or zone.lower() == "local":
        return []  # the rules say so
    import zoneinfo  # reads how Python was built, and is seldom needed

    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return [Cause("spec.timeZone", "FieldValueInvalid", f'Invalid value: "{zone}": unknown time zone {zone}')]
    return []
