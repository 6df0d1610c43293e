"""A part of the step `decode`: a JSON, merge or strategic merge patch applied to what stands there.

Fields that nobody knows are looked for in what comes out, so those of an object that has them already count too; fields that are there
twice, in the patch itself.
"""

from __future__ import annotations

from typing import Any

import msgspec

from api import codec, malformed, patch, strict
from api.fields import Type
from api.validation import Cause
from controlplane.apiserver import status
from controlplane.apiserver.call import Call
from controlplane.apiserver.steps.bodies import media
from controlplane.apiserver.write_options import IGNORE, STRICT, field_validation

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY_YAML = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY_YAML)
MOST_OPERATIONS = 10_000
_OPERATION = frozenset({"op", "path", "from", "value"})
_GO_TYPES = {
    JSON_PATCH: "[]handlers.jsonPatchOp",
    MERGE_PATCH: "map[string]interface {}",
    STRATEGIC: "map[string]interface {}",
}
_VALUES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (str, "string"),
    (int, "number"),
    (float, "number"),
    (list, "array"),
    (dict, "object"),
)


def patched(call: Call, what: type[Type], document: dict[str, Any]) -> Any:
    """The typed body after the patch. Raises StatusError."""
    kind = media(call)
    change = _read(call.body, kind)
    level = field_validation(call)
    doubts = _doubts(call.body, kind, change) if level == STRICT or (level != IGNORE and call.told) else []
    data = msgspec.json.encode(_apply(kind, what, document, change))
    try:
        obj = codec.decode(what, data)
    except codec.DecodeError as error:
        raise _invalid(_shown(kind, change, data), str(malformed.mismatch(what, data) or error)) from None
    if level == IGNORE or not (call.told or level == STRICT):
        return obj
    doubts += codec.strict_problems(what, data)
    if doubts and level == STRICT:
        raise _invalid(_shown(kind, change, data), codec.strict_message(doubts))
    call.warnings.extend(doubts)
    return obj


def _read(body: bytes, kind: str) -> Any:
    if kind not in _GO_TYPES:
        raise status.unsupported_media_type(PATCHES)
    before = "" if kind == STRATEGIC else "error decoding patch: "
    try:
        change = codec.parse(body)
    except codec.DecodeError:
        raise status.bad_request(before + malformed.syntax(body)) from None
    wanted: type[Any] = list if kind == JSON_PATCH else dict
    if change is None or not isinstance(change, wanted):
        found = next((name for type_, name in _VALUES if isinstance(change, type_)), "null")
        raise status.bad_request(f"{before}json: cannot unmarshal {found} into Go value of type {_GO_TYPES[kind]}")
    if isinstance(change, list) and len(change) > MOST_OPERATIONS:
        limit = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(change)}"
        raise status.too_large(limit)
    return change


def _doubts(body: bytes, kind: str, change: Any) -> list[str]:
    """Fields that are there twice, and what an operation cannot have."""
    found = strict.duplicates(body)
    if kind != JSON_PATCH:
        return found
    found += [
        f'unknown field "[{index}].{name}"'
        for index, operation in enumerate(change)
        if isinstance(operation, dict)
        for name in operation
        if name not in _OPERATION
    ]
    return [f"json patch {text}" for text in found]


def _apply(kind: str, what: type[Type], document: dict[str, Any], change: Any) -> Any:
    try:
        if kind == JSON_PATCH:
            return patch.json_patch(document, change)
        if kind == MERGE_PATCH:
            return patch.merge_patch(document, change)
        return patch.strategic_merge(what, document, change)
    except RecursionError:
        raise status.bad_request("error decoding patch: exceeded max depth") from None
    except patch.PatchInapplicable:
        text = "the server rejected our request due to an error in our request"
        raise status.StatusError(422, "Invalid", text, {}) from None
    except patch.PatchError as error:
        raise status.bad_request(str(error)) from None


def _invalid(value: str, problem: str) -> status.StatusError:
    shown = msgspec.json.encode(value).decode()
    cause = Cause("patch", "FieldValueInvalid", f"Invalid value: {shown}: {problem}")
    return status.invalid_object("", "", "", [cause])


def _shown(kind: str, change: Any, data: bytes) -> str:
    """What a refusal shows: the patch itself, or what has become of the object."""
    return _go_text(change) if kind == STRATEGIC else data.decode()


def _go_text(value: Any) -> str:
    """A value as Go prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go_text, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
