"""What the query of a write says beside the object: whether to write at all, and what to think of fields that nobody knows."""

from __future__ import annotations

from api.validation import Cause
from controlplane.apiserver import status
from controlplane.apiserver.call import Call

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"
_NAMES = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


def is_dry_run(call: Call) -> bool:
    """Whether nothing is to be written. Raises StatusError."""
    if not call.query:
        return False
    _check(call)
    return call.query.get("dryRun", "") == "All"


def field_validation(call: Call) -> str:
    """What to do about unknown and duplicate fields; `WARN` unless the client says otherwise."""
    return (call.query.get("fieldValidation", "") if call.query else "") or WARN


def _check(call: Call) -> None:
    dry, level = call.query.get("dryRun", ""), call.query.get("fieldValidation", "")
    causes = []
    if dry not in ("", "All"):
        causes.append(_unsupported("dryRun", f'["{dry}"]', '"All"'))
    if level not in ("", STRICT, WARN, IGNORE) and call.verb in _NAMES:
        causes.append(_unsupported("fieldValidation", f'"{level}"', '"", "Ignore", "Strict", "Warn"'))
    if causes:
        raise status.invalid_object("meta.k8s.io", _NAMES.get(call.verb, "DeleteOptions"), "", causes)


def _unsupported(field: str, value: str, supported: str) -> Cause:
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {value}: supported values: {supported}")
