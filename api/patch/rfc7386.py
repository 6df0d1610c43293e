"""JSON merge patch: maps are merged, null deletes, all else replaces."""

from typing import Any

from api.patch.errors import PatchMalformed


def merge_patch(document: dict[str, Any], patch: Any) -> dict[str, Any]:
    """The document with the patch merged in."""
    if not isinstance(patch, dict):
        raise PatchMalformed("cannot apply merge patch: it is not a JSON object")
    return _merged(document, patch)


def _merged(document: Any, patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = _merged(result.get(name), value)
        else:
            result[name] = value
    return result
