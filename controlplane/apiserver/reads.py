"""The verbs that only read: answered from the cache at once, without waiting for anything (old pages excepted)."""

from __future__ import annotations

import random
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from api.selectors import SelectorError, parse_fields
from controlplane.apiserver import options, status
from controlplane.apiserver.call import Call, Found, Result, Watching
from controlplane.apiserver.listing import list_entries
from controlplane.apiserver.selection import Selection, select
from controlplane.apiserver.views import view

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

# When the client does not say; spread so that they do not end together.
_SHORTEST_WATCH, _LONGEST_WATCH = 1800.0, 3600.0
_LAST_WATCH = 7 * 86400.0
_rng = random.Random()


def get(call: Call, core: Core) -> Result | Awaitable[Result]:
    """One object, or a view of it."""
    target = call.target
    kind = target.kind
    assert kind is not None
    entry = core.cache.resources[kind].entries.get(target.key)
    if entry is None:
        raise status.not_found(status.subject(kind, target.name))
    if not target.subresource:
        return Found(kind, entry.data)
    return Found(kind, view(kind, target.subresource).answer(entry.data, kind))


def list_(call: Call, core: Core) -> Result | Awaitable[Result]:
    """A collection."""
    kind = call.target.kind
    assert kind is not None
    wanted = options.parse(call.query, watch=False)
    selection = select(call.target.shown_as or kind, call.target.namespace, wanted.labels, wanted.fields)
    return list_entries(core.cache, core.store, core.cache.resources[kind], selection, wanted)


def watch(call: Call, core: Core) -> Result:
    """What to hand over first, and from which revision on."""
    target = call.target
    kind = target.kind
    assert kind is not None
    wanted = options.parse(call.query, watch=True)
    selection = _selection(call, wanted)
    timeout = min(float(wanted.timeout), _LAST_WATCH) or _rng.uniform(_SHORTEST_WATCH, _LONGEST_WATCH)
    kept, now = core.cache.resources[kind], core.cache.revision
    after = wanted.revision or 0
    if after > now:
        raise status.too_large_version(after, now)
    if wanted.initial_events:
        return Watching(kept, selection, now, True, True, wanted.bookmarks, timeout)
    if not after and wanted.initial_events is None:
        return Watching(kept, selection, now, True, False, wanted.bookmarks, timeout)
    return Watching(kept, selection, after or now, False, False, wanted.bookmarks, timeout)


def _selection(call: Call, wanted: options.ListOptions) -> Selection:
    """A watch of one object's path is a watch of the collection for that name."""
    target = call.target
    fields = wanted.fields
    if target.name:
        if fields and _exact_name(fields) != target.name:
            raise status.bad_request("fieldSelector metadata.name doesn't match requested name")
        fields = f"metadata.name={target.name}"
    kind: Any = target.asked
    return select(kind, target.namespace, wanted.labels, fields)


def _exact_name(fields: str) -> str | None:
    try:
        return parse_fields(fields).exact("metadata.name")
    except SelectorError as error:
        raise status.bad_request(str(error)) from None
