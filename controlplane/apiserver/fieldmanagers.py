"""By which name a client owns what it writes: the one it gives, or the beginning of its User-Agent; and the rules for such names."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from api.apply.managers import UNKNOWN
from api.meta_v1 import ManagedFieldsEntry
from api.validation import Cause
from controlplane.apiserver import options, status
from controlplane.apiserver.call import Call

LONGEST = 128  # bytes
_LONGEST_SUBRESOURCE = 256
_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


def manager(call: Call, *, apply: bool = False) -> str:
    """The name of who writes. Raises Invalid."""
    query = call.query
    name = query.get("fieldManager", "") if query else ""
    if query and (name or apply or "force" in query):
        causes = [*_of_patch(call, name, apply=apply), *problems(name, "fieldManager")]
        if causes:
            raise status.invalid_object("meta.k8s.io", _OPTIONS.get(call.verb, "PatchOptions"), "", causes)
    elif apply:
        raise status.invalid_object("meta.k8s.io", "PatchOptions", "", _of_patch(call, name, apply=apply))
    return name or _of_agent(call.agent)


def forced(call: Call) -> bool:
    """Whether what others own is to be taken from them."""
    return options.boolean(call.query, "force")


def problems(name: str, field: str) -> list[Cause]:
    """What is wrong with a manager's name."""
    causes = []
    if len(name.encode(errors="replace")) > LONGEST:
        causes.append(Cause(field, "FieldValueTooLong", f"Too long: may not be more than {LONGEST} bytes"))
    place = 0
    for letter in name:
        if not letter.isprintable():
            shown = name.encode("unicode_escape").decode()
            text = f'Invalid value: "{shown}": invalid character U+{ord(letter):04X} (at position {place})'
            causes.append(Cause(field, "FieldValueInvalid", text))
        place += len(letter.encode(errors="replace"))
    return causes


def entry_problems(entries: Iterable[ManagedFieldsEntry]) -> list[Cause]:
    """What is wrong with managedFields that a client sent, apart from what makes them unreadable."""
    causes = []
    for index, entry in enumerate(entries):
        field = f"metadata.managedFields[{index}]"
        causes += problems(entry.manager or "", f"{field}.manager")
        if len(entry.subresource or "") > _LONGEST_SUBRESOURCE:
            text = f"Too long: may not be more than {_LONGEST_SUBRESOURCE} bytes"
            causes.append(Cause(f"{field}.subresource", "FieldValueTooLong", text))
    return causes


def _of_patch(call: Call, name: str, *, apply: bool) -> list[Cause]:
    if apply and not name:
        return [Cause("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")]
    if not apply and call.verb == "patch" and "force" in call.query:
        return [Cause("force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch")]
    return []


@lru_cache(512)
def _of_agent(agent: str) -> str:
    """What stands before the first slash, without what cannot be printed."""
    name, used = "", 0
    for letter in agent.partition("/")[0]:
        if letter.isprintable():
            used += len(letter.encode(errors="replace"))
            if used > LONGEST:
                break
            name += letter
    return name or UNKNOWN
