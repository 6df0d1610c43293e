"""Strategic merge patch: a merge patch that knows which lists are sets of items with a key.

A list whose declaration says `merge=KEY` is merged item by item, one with `merge=True` as a set of scalars; any other
list is replaced. Directives steer the merge:

- `$patch: delete | replace` in a map or a list item deletes or replaces it (in a list, `replace` replaces the list);
- `$deleteFromPrimitiveList/NAME` takes scalars out of a list;
- `$setElementOrder/NAME` gives the order of the items the client knows; others keep their place relative to them;
- `$retainKeys` lists the keys of a map that survive: how a volume changes its type.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from api.fields import Field, Type, fields_of
from api.kinds import Kind
from api.patch.errors import PatchInapplicable, PatchMalformed

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge(what: Kind[Any] | type[Type], document: dict[str, Any], patch: Any) -> dict[str, Any]:
    """The document with the patch merged in by the rules of its type."""
    if not isinstance(patch, dict):
        raise PatchMalformed("cannot apply strategic merge patch: it is not a JSON object")
    return _merge_map(what.type if isinstance(what, Kind) else what, document, patch)


def _merge_map(cls: type[Type] | None, document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    match patch.get(_PATCH):
        case None | "merge":
            pass
        case "replace":
            return {name: value for name, value in patch.items() if name != _PATCH}
        case "delete":
            return {}
        case other:
            raise PatchMalformed(f"cannot apply strategic merge patch: unknown patch type: {other}")
    result = _retained(document, patch)
    fields = fields_of(cls) if cls is not None else {}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            result.pop(name, None)
        elif name in result:
            result[name] = _merge_value(fields.get(name), name, result[name], value)
        else:
            result[name] = _plain(value)
    for name, value in patch.items():
        if name.startswith(_DELETE_FROM):
            _delete_scalars(result, name, value)
    for name, value in patch.items():
        if name.startswith(_ORDER):
            _set_order(result, document, patch, fields, name, value)
    return result


def _retained(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """What is left of the document by $retainKeys."""
    keep = patch.get(_RETAIN)
    if keep is None:
        return dict(document)
    if not isinstance(keep, list):
        raise PatchMalformed("cannot apply strategic merge patch: $retainKeys is not a list")
    strangers = [name for name, value in patch.items() if not name.startswith("$") and name not in keep]
    if any(patch[name] is not None for name in strangers):
        raise PatchMalformed("cannot apply strategic merge patch: $retainKeys lacks a field that the patch sets")
    return {name: value for name, value in document.items() if name in keep}


def _merge_value(field: Field | None, name: str, old: Any, new: Any) -> Any:
    if field is not None and field.facts is not None and field.facts.replaced:
        return _plain(new)
    if isinstance(old, dict) and isinstance(new, dict):
        # The items of a map of structs are structs; the values of any other map have no declaration.
        return _merge_map(field.struct if field is not None and field.shape == "one" else None, old, new)
    if not (isinstance(old, list) and isinstance(new, list)):
        return _plain(new)
    facts = field.facts if field is not None else None
    if field is None or facts is None or facts.merge is False:
        return _plain(new)
    if facts.merge is True:
        return _merge_scalars(old, new)
    return _merge_items(field.struct, str(facts.merge), name, old, new)


def _merge_scalars(old: list[Any], new: list[Any]) -> list[Any]:
    merged = list({_identity(item): item for item in (*old, *new)}.values())
    return _ordered(merged, new, old, lambda item: item)


def _merge_items(cls: type[Type] | None, key: str, name: str, old: list[Any], new: list[Any]) -> list[Any]:
    """A list of maps, merged by their key."""
    if any(not isinstance(item, dict) for item in (*old, *new)):
        raise PatchMalformed(f"cannot apply strategic merge patch: an item of {name} is not an object")
    directives = [item.get(_PATCH) for item in new]
    if "replace" in directives:
        return [_plain(item) for item in new if item.get(_PATCH) != "replace"]
    if strange := [directive for directive in directives if directive not in (None, "delete", "merge")]:
        raise PatchMalformed(f"cannot apply strategic merge patch: unknown patch type: {strange[0]}")
    if any(key not in item for item in new):
        raise PatchInapplicable(f"cannot apply strategic merge patch: an item of {name} lacks its merge key {key!r}")
    deleted = {_identity(item[key]) for item in new if item.get(_PATCH) == "delete"}
    wanted = [item for item in new if item.get(_PATCH) != "delete"]
    merged = [item for item in old if _identity(item.get(key)) not in deleted]
    places = _positions(item.get(key) for item in merged)
    for item in wanted:
        place = places.setdefault(_identity(item[key]), len(merged))
        if place == len(merged):
            merged.append(_plain(item))
        else:
            merged[place] = _merge_map(cls, merged[place], item)
    return _ordered(merged, [item[key] for item in wanted], [item.get(key) for item in old], lambda item: item.get(key))


def _delete_scalars(result: dict[str, Any], directive: str, values: Any) -> None:
    name = directive.removeprefix(_DELETE_FROM)
    if not isinstance(values, list):
        raise PatchMalformed(f"cannot apply strategic merge patch: {directive} is not a list")
    current = result.get(name)
    if isinstance(current, list):
        unwanted = _positions(values)
        result[name] = [value for value in current if _identity(value) not in unwanted]


def _set_order(
    result: dict[str, Any],
    document: dict[str, Any],
    patch: dict[str, Any],
    fields: dict[str, Field],
    directive: str,
    order: Any,
) -> None:
    name = directive.removeprefix(_ORDER)
    facts = fields[name].facts if name in fields else None
    if not isinstance(order, list) or facts is None or facts.merge is False:
        raise PatchMalformed(
            f"cannot apply strategic merge patch: {directive} does not belong to a list that is merged"
        )
    key = facts.merge

    def identity(item: Any) -> Any:
        return item.get(key) if isinstance(key, str) and isinstance(item, dict) else item

    positions = [identity(item) for item in order]
    known = _positions(positions)
    changes = patch.get(name)
    items = changes if isinstance(changes, list) else []
    wanted = [item for item in items if not (isinstance(item, dict) and _PATCH in item)]
    if any(_identity(identity(item)) not in known for item in wanted):
        raise PatchMalformed(f"cannot apply strategic merge patch: the items of {name} are not all in {directive}")
    current = result.get(name)
    if isinstance(current, list):
        seen = document.get(name)
        before = [identity(item) for item in seen] if isinstance(seen, list) else []
        result[name] = _ordered(current, positions, before, identity)


def _ordered(merged: list[Any], first: list[Any], before: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    """The merged list with the items of `first` in that order, and the others where they stood relative to them."""
    wanted, stood = _positions(first), _positions(before)
    known: deque[tuple[int, int, Any]] = deque()
    others: deque[tuple[int, Any]] = deque()
    for item in merged:
        this = _identity(identity(item))
        where = stood.get(this, -1)
        if this in wanted:
            known.append((wanted[this], where, item))
        else:
            others.append((where, item))
    known = deque(sorted(known, key=lambda entry: entry[0]))
    result: list[Any] = []
    while known and others:
        stood_before = -1 < others[0][0] < known[0][1]
        result.append(others.popleft()[-1] if stood_before else known.popleft()[-1])
    return [*result, *(entry[-1] for entry in known), *(entry[-1] for entry in others)]


def _positions(values: Iterable[Any]) -> dict[Any, int]:
    """Where each value stands first."""
    found: dict[Any, int] = {}
    for index, value in enumerate(values):
        found.setdefault(_identity(value), index)
    return found


def _identity(value: Any) -> Any:
    """A value by which items are told apart: hashable, as lists of any length are merged."""
    if isinstance(value, dict | list):
        raise PatchMalformed("cannot apply strategic merge patch: a key or an item of a list of scalars is none")
    return value


def _plain(value: Any) -> Any:
    """A value that is new in the document: without nulls and directives."""
    if isinstance(value, dict):
        return {
            name: _plain(member) for name, member in value.items() if member is not None and not _is_directive(name)
        }
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and item.get(_PATCH) == "delete")]
    return value


def _is_directive(name: str) -> bool:
    return name in (_PATCH, _RETAIN) or name.startswith((_DELETE_FROM, _ORDER))
