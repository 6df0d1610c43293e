"""Defaults of APIServices."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.apiregistration_v1 import APIService
from api.kinds import Kind

_HTTPS = 443


def api_service(obj: APIService) -> None:
    """Defaults of an APIService."""
    if obj.spec.service is not None and obj.spec.service.port is None:
        obj.spec.service.port = _HTTPS


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {kinds.API_SERVICE: api_service}
