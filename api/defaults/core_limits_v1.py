"""Defaults of LimitRanges."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.core_limits_v1 import LimitRange
from api.kinds import Kind


def limit_range(obj: LimitRange) -> None:
    """Of containers the maximum is the default limit, and that or the minimum the default request."""
    for item in obj.spec.limits:
        if item.type == "Container":
            item.default = item.max | item.default
            item.default_request = item.min | item.default | item.default_request


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {kinds.LIMIT_RANGE: limit_range}
