"""The query of a LIST or WATCH, read and held against upstream's rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from api.validation import Cause
from controlplane.apiserver import status

EXACT, NOT_OLDER = "Exact", "NotOlderThan"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_LONGEST_NUMBER = 20


class ListOptions(msgspec.Struct, frozen=True, gc=False):
    """`revision` None means that none was given."""

    watch: bool = False
    labels: str = ""
    fields: str = ""
    revision: int | None = None
    match: str = ""
    limit: int = 0
    continue_: str = ""
    initial_events: bool | None = None
    bookmarks: bool = False
    timeout: int = 0


_NONE = ListOptions()


def parse(query: Mapping[str, str], watch: bool) -> ListOptions:
    """Read and check. Raises StatusError."""
    if not query:
        return _NONE if not watch else ListOptions(watch=True)
    options = ListOptions(
        watch=watch,
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        revision=parse_revision(query.get("resourceVersion", "")),
        match=query.get("resourceVersionMatch", ""),
        limit=max(0, number(query, "limit")),
        continue_=query.get("continue", ""),
        initial_events=boolean(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
        bookmarks=boolean(query, "allowWatchBookmarks"),
        timeout=number(query, "timeoutSeconds"),
    )
    causes = _watch_causes(options) if watch else _list_causes(options)
    if causes:
        raise status.invalid_object("meta.k8s.io", "ListOptions", "", causes)
    return options


def parse_revision(text: str) -> int | None:
    """A resourceVersion; None for ""."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER:
        cause = Cause("resourceVersion", "FieldValueInvalid", f'Invalid value: "{text}": must be a number')
        raise status.invalid_object("meta.k8s.io", "ListOptions", "", [cause])
    return int(text)


def boolean(query: Mapping[str, str], name: str) -> bool:
    """A boolean of the query."""
    return is_on(query.get(name))


def is_on(text: str | None) -> bool:
    """Whether a switch is on, as upstream reads it: it is there, and neither "0" nor "false"."""
    return text is not None and text != "0" and text.lower() != "false"


def pretty(query: Mapping[str, str], default: bool) -> bool:
    """Whether the answer is for people to read; what is no boolean is False."""
    text = query.get("pretty", "")
    return text in _TRUE if text else default


def number(query: Mapping[str, str], name: str) -> int:
    """A whole number of 64 bits; absent is 0. Raises StatusError."""
    text = query.get(name)
    if text is None:
        return 0
    if not _NUMBER.fullmatch(text):
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > _LONGEST_NUMBER or not -(2**63) <= int(text) < 2**63:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def _forbidden(field: str, why: str) -> Cause:
    return Cause(field, "FieldValueForbidden", f"Forbidden: {why}")


def _unsupported(value: str, supported: str) -> Cause:
    return Cause(
        "resourceVersionMatch", "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {supported}'
    )


def _list_causes(options: ListOptions) -> list[Cause]:
    causes = []
    field = "resourceVersionMatch"
    if options.match:
        if options.revision is None:
            causes.append(_forbidden(field, f"{field} is forbidden unless resourceVersion is provided"))
        if options.continue_:
            causes.append(_forbidden(field, f"{field} is forbidden when continue is provided"))
        if options.match not in (EXACT, NOT_OLDER):
            causes.append(_unsupported(options.match, f'"{EXACT}", "{NOT_OLDER}", ""'))
        if options.match == EXACT and options.revision == 0:
            causes.append(_forbidden(field, f'{field} "exact" is forbidden for resourceVersion "0"'))
    if options.initial_events is not None:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions) -> list[Cause]:
    causes = []
    field = "resourceVersionMatch"
    if options.initial_events is not None and options.match != NOT_OLDER:
        causes.append(_forbidden(field, f"sendInitialEvents requires setting {field} to {NOT_OLDER}"))
    if options.match:
        if options.initial_events is None:
            causes.append(_forbidden(field, f"{field} is forbidden for watch unless sendInitialEvents is provided"))
        if options.match != NOT_OLDER:
            causes.append(_unsupported(options.match, f'"{NOT_OLDER}"'))
        if options.continue_:
            causes.append(_forbidden(field, f"{field} is forbidden when continue is provided"))
    return causes
