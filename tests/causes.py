"""One cause that must be among those found: its field, its reason, and words of its message."""

from typing import Any

from api import kinds, validation
from tests import samples

Change = dict[str, Any]
Expected = tuple[str, str, str]

REQUIRED, INVALID = "FieldValueRequired", "FieldValueInvalid"
FORBIDDEN, DUPLICATE, NOT_SUPPORTED = "FieldValueForbidden", "FieldValueDuplicate", "FieldValueNotSupported"


def build(kind: kinds.Kind[Any], change: Change) -> Any:
    """The good object with some fields changed; steps are parted by slashes, for labels have dots."""
    return samples.changed(kind, change, separator="/")


def told(causes: list[validation.Cause], expected: Expected) -> bool:
    """Whether it is among them."""
    field, reason, message = expected
    return any((one.field, one.reason) == (field, reason) and message in one.message for one in causes)
