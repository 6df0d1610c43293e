"""Rules for what only a device's driver understands: settings of a claim or class, data in a status."""

from typing import Any

import msgspec

from api.resource_v1 import OpaqueDeviceConfiguration
from api.validation import device_names
from api.validation.problems import Problems

_LONGEST = 10 * 1024


def opaque(found: Problems, path: str, settings: OpaqueDeviceConfiguration | None) -> None:
    """Settings for a driver."""
    if settings is None:
        found.required(path)
        return
    device_names.driver(found, f"{path}.driver", settings.driver)
    json_object(found, f"{path}.parameters", settings.parameters)


def json_object(found: Problems, path: str, value: Any) -> None:
    """A JSON object of bounded size, as it came."""
    data = b"" if value is msgspec.UNSET else bytes(value)
    if data in (b"", b"null"):
        found.required(path)
    elif len(data) > _LONGEST:
        found.too_long(path, _LONGEST)
    elif not data.startswith(b"{"):
        found.invalid(path, "<value omitted>", "must be a valid JSON object")
