"""Rules for what a driver tells of its devices: numbers, texts, versions."""

import re

from api.resource_v1 import DeviceAttribute
from api.validation.problems import Problems

_LONGEST = 64
_NUMBER = r"(0|[1-9]\d*)"
_PART = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_is_version = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
).fullmatch
_ONE = "exactly one value must be specified"
_VERSION = "must be a string compatible with semver.org spec 2.0.0"
_LISTS = ("IntValues", "BoolValues", "StringValues", "VersionValues")


def attribute(found: Problems, path: str, item: DeviceAttribute) -> None:
    """One attribute. Lists of values are not kept, see the strategy of slices."""
    if item.string is not None:
        _text(found, f"{path}.string", item.string)
    if item.version is not None:
        _version(found, f"{path}.version", item.version)
    # Upstream shows its inner form.
    values = {
        "IntValue": item.int_,
        "BoolValue": item.bool_,
        "StringValue": item.string,
        "VersionValue": item.version,
    }
    given = sum(value is not None for value in values.values())
    if given != 1:
        found.invalid(path, {**values, **dict.fromkeys(_LISTS)} if given else "", _ONE)


def _text(found: Problems, path: str, value: str) -> None:
    if len(value.encode()) > _LONGEST:
        found.too_long(path, _LONGEST)


def _version(found: Problems, path: str, value: str) -> None:
    if not _is_version(value):
        found.invalid(path, value, _VERSION)
    _text(found, path, value)
