"""What to send so that one status becomes another: a strategic merge patch of what differs, no more."""

from collections.abc import Mapping
from typing import Any

Status = dict[str, Any]
POD_KEYS = {"conditions": "type", "podIPs": "ip", "hostIPs": "ip"}
NODE_KEYS = {"conditions": "type", "addresses": "type"}


def diff_status(old: Status, new: Status, merged: Mapping[str, str]) -> Status:
    """The patch from `old` to `new`. `merged` names the lists that are merged by a key; others are replaced."""
    patch: Status = {}
    for field in [*new, *(name for name in old if name not in new)]:
        before, after = old.get(field), new.get(field)
        if before == after:
            continue
        if field in merged:
            patch[field] = _diff_list(before or [], after or [], merged[field])
        elif isinstance(before, dict) and isinstance(after, dict):
            patch[field] = {
                name: after.get(name) for name in {**after, **before} if before.get(name) != after.get(name)
            }
        else:
            patch[field] = after
    return patch


def _diff_list(before: list[Status], after: list[Status], key: str) -> list[Status]:
    known = {item[key]: item for item in before}
    kept = {item[key] for item in after}
    changed = [_cleared(known.get(item[key], {}), item) for item in after if known.get(item[key]) != item]
    return changed + [{"$patch": "delete", key: name} for name in known if name not in kept]


def _cleared(before: Status, after: Status) -> Status:
    """An item as a whole, with what it no longer has taken away."""
    return {**after, **{name: None for name in before if name not in after}}
