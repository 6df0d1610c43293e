"""JSON patch: a list of operations, all of them or none."""

from typing import Any

from api.patch.errors import PatchInapplicable, PatchMalformed

_MOST_OPERATIONS = 10_000


def json_patch(document: dict[str, Any], operations: Any) -> dict[str, Any]:
    """The document after all operations."""
    # The library takes 10 ms to import and most programs never see a JSON patch.
    import jsonpatch

    if not isinstance(operations, list):
        raise PatchMalformed("cannot apply JSON patch: it is not a list of operations")
    if len(operations) > _MOST_OPERATIONS:
        raise PatchMalformed(f"cannot apply JSON patch: more than {_MOST_OPERATIONS} operations")
    try:
        patch = jsonpatch.JsonPatch(operations)
    except (jsonpatch.InvalidJsonPatch, jsonpatch.JsonPointerException, TypeError, AttributeError) as error:
        raise PatchMalformed(f"cannot apply JSON patch: {error}") from error
    try:
        result = patch.apply(document)
    except jsonpatch.InvalidJsonPatch as error:
        raise PatchMalformed(f"cannot apply JSON patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, IndexError) as error:
        raise PatchInapplicable(f"cannot apply JSON patch: {error}") from error
    if not isinstance(result, dict):
        raise PatchInapplicable("cannot apply JSON patch: the result is not an object")
    return result
