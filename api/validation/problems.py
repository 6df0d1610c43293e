"""A list of what is wrong with an object: field, machine-readable reason, message, all as upstream gives them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from api import names

REQUIRED = "FieldValueRequired"
INVALID = "FieldValueInvalid"
NOT_SUPPORTED = "FieldValueNotSupported"
DUPLICATE = "FieldValueDuplicate"
FORBIDDEN = "FieldValueForbidden"
TOO_LONG = "FieldValueTooLong"
TOO_MANY = "FieldValueTooMany"
NOT_FOUND = "FieldValueNotFound"

_ENOUGH = 64 * 1024  # characters of messages, after which nothing more is said: each may show a whole list


class Cause(NamedTuple):
    """One thing that is wrong, as it stands in the causes of a Status."""

    field: str
    reason: str
    message: str


class Problems:
    """Collects causes while an object is looked through."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self._said = 0

    def required(self, field: str, detail: str = "") -> None:
        """The field must have a value."""
        self._add(field, REQUIRED, _with("Required value", detail))

    def invalid(self, field: str, value: Any, detail: str) -> None:
        """The field's value is not allowed, for this reason."""
        if self._said < _ENOUGH:
            self._add(field, INVALID, _with(f"Invalid value: {_shown(value)}", detail))

    def invalid_here(self, field: str, detail: str) -> None:
        """As `invalid`, of something too large to be shown."""
        if self._said < _ENOUGH:
            self._add(field, INVALID, f"Invalid value: {detail}")

    def invalid_all(self, field: str, value: Any, details: Iterable[str]) -> None:
        """As `invalid`, once for each reason."""
        for detail in details:
            self.invalid(field, value, detail)

    def not_supported(self, field: str, value: Any, supported: Iterable[str]) -> None:
        """The field's value is not one of these."""
        if self._said >= _ENOUGH:
            return
        shown = ", ".join(f'"{item}"' for item in supported)
        self._add(field, NOT_SUPPORTED, f"Unsupported value: {_shown(value)}: supported values: {shown}")

    def duplicate(self, field: str, value: Any, detail: str = "") -> None:
        """The value was there before."""
        if self._said < _ENOUGH:
            self._add(field, DUPLICATE, _with(f"Duplicate value: {_shown(value)}", detail))

    def forbidden(self, field: str, detail: str) -> None:
        """The field may not be set here."""
        self._add(field, FORBIDDEN, _with("Forbidden", detail))

    def not_found(self, field: str, value: Any, detail: str = "") -> None:
        """The value names something that is not there."""
        self._add(field, NOT_FOUND, _with(f"Not found: {_shown(value)}", detail))

    def too_long(self, field: str, limit: int) -> None:
        """The value has more than so many bytes."""
        self._add(field, TOO_LONG, f"Too long: may not be more than {limit} bytes")

    def too_many(self, field: str, count: int, limit: int) -> None:
        """The list has more than so many items."""
        self._add(field, TOO_MANY, f"Too many: {count}: must have at most {limit} items")

    def not_negative(self, field: str, value: int | None) -> None:
        """Checks that a number is not negative."""
        if value is not None and value < 0:
            self.invalid(field, value, "must be greater than or equal to 0")

    def one_of(self, field: str, value: str | None, supported: tuple[str, ...]) -> None:
        """Checks that a value is there and one of these."""
        if not value:
            self.required(field)
        elif value not in supported:
            self.not_supported(field, value, supported)

    def optional_one_of(self, field: str, value: str | None, supported: tuple[str, ...]) -> None:
        """Checks that a value, if there, is one of these."""
        if value is not None and value not in supported:
            self.not_supported(field, value, supported)

    def immutable(self, field: str, new: Any, old: Any) -> None:
        """Checks that a field was not changed."""
        if new != old:
            self.invalid(field, new, "field is immutable")

    def port(self, field: str, value: int | str | None) -> None:
        """Checks the number or name of a port."""
        if isinstance(value, str):
            self.invalid_all(field, value, names.port_name(value))
        else:
            self.invalid_all(field, value or 0, names.port_number(value or 0))

    def _add(self, field: str, reason: str, message: str) -> None:
        if self._said < _ENOUGH:
            self._said += len(field) + len(message)
            self.causes.append(Cause(field, reason, message))


def summary(causes: list[Cause]) -> str:
    """All causes in one line, as upstream puts them into the message of a Status."""
    lines = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    return lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"


def _with(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


def _shown(value: Any) -> str:
    """JSON; maps in objects in the order of their keys, a map by itself as it came."""
    return msgspec.json.encode(value, order=None if isinstance(value, dict) else "deterministic").decode()
