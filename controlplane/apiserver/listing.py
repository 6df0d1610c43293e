"""LIST: from the cache while it can, from the store's past when a page or an exact revision asks for it.

A `continue` token pins the revision of the first page and names the key to go on from. While nothing of the resource has changed since,
the cache still is that revision; afterwards the store is asked. When the revision has been compacted away the answer is 410 with a token
that goes on from the same key at the present revision: the pages are then no longer of one moment, and the client has been told so.
"""

from __future__ import annotations

import base64
import string
from bisect import bisect_left
from collections.abc import Awaitable
from typing import Any

import msgspec

from controlplane.apiserver import status
from controlplane.apiserver.cache import Cache, Kept
from controlplane.apiserver.call import Listed
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.options import EXACT, ListOptions
from controlplane.apiserver.selection import Selection
from controlplane.store.interface import Compacted, FutureRevision, Store

_VERSION = "meta.k8s.io/v1"
_LETTERS = frozenset(string.ascii_letters + string.digits + "-_")
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing "
    "with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the "
    "time the first chunk was returned and now may show up in the list."
)


class Token(msgspec.Struct, frozen=True):
    """What a `continue` token says: go on from key `start` as of `rv`; -1 means now."""

    v: str
    rv: int
    start: str

    def encode(self) -> str:
        """The opaque text."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Token:
        """Read a token. Raises StatusError."""
        wrong = next((index for index, letter in enumerate(text) if letter not in _LETTERS), len(text) - 1)
        if wrong < len(text) - 1 or len(text) % 4 == 1 or text[-1:] not in _LETTERS:
            raise status.bad_request(f"continue key is not valid: illegal base64 data at input byte {wrong}")
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        try:
            token = msgspec.json.decode(raw, type=cls)
        except (ValueError, msgspec.MsgspecError) as error:
            raise status.bad_request(f"continue key is not valid: {error}") from None
        if token.v != _VERSION:
            raise status.bad_request(
                f"continue key is not valid: server does not recognize this encoded version {token.v}"
            )
        if not token.start:
            raise status.bad_request(f"continue key is not valid: encoded start key empty (version {_VERSION})")
        return token


def list_entries(
    cache: Cache, store: Store, kept: Kept, selection: Selection, options: ListOptions
) -> Listed | Awaitable[Listed]:
    """Answer at once from the cache, or say what to wait for."""
    if options.continue_:
        if options.revision:
            raise status.bad_request("specifying resource version is not allowed when using continue")
        token = Token.decode(options.continue_)
        if token.rv == -1:
            return _page(kept, selection, options.limit, token.start, cache.revision)
        if kept.changed <= token.rv <= cache.revision:
            return _page(kept, selection, options.limit, token.start, token.rv)
        return _past(store, kept, selection, options.limit, token.rv, token.start)
    revision = options.revision or 0
    if revision > cache.revision:
        raise status.too_large_version(revision, cache.revision)
    if options.match == EXACT or (options.limit and revision and not options.match):
        if kept.changed <= revision:
            return _page(kept, selection, options.limit, "", revision)
        return _past(store, kept, selection, options.limit, revision, "")
    if options.limit:
        return _page(kept, selection, options.limit, "", cache.revision)
    return Listed(kept.kind, [entry.data for entry in selection.of(kept)], cache.revision)


def _page(kept: Kept, selection: Selection, limit: int, start: str, revision: int) -> Listed:
    entries = selection.of(kept)
    if start:
        entries = entries[bisect_left(entries, start, key=lambda entry: entry.key) :]
    return _cut(kept, entries, selection, limit, revision)


async def _past(store: Store, kept: Kept, selection: Selection, limit: int, revision: int, start: str) -> Listed:
    """As of an older revision, from the store; selectors filter after the read, so pages are read whole."""
    prefix = kept.store_key(f"{selection.namespace}/" if selection.namespace else "")
    try:
        read = await store.range(prefix, start=kept.store_key(start) if start else "", revision=revision)
    except Compacted:
        if not start:
            raise status.expired(f"too old resource version: {revision}") from None
        raise status.expired(_TOO_OLD, Token(_VERSION, -1, start).encode()) from None
    except FutureRevision:
        raise status.too_large_version(revision, store.revision) from None
    entries = [entry for record in read.records if selection.matches(entry := kept.entry_of(record))]
    return _cut(kept, entries, selection, limit, revision)


def _cut(kept: Kept, entries: list[Entry], selection: Selection, limit: int, revision: int) -> Listed:
    if not limit or len(entries) <= limit:
        return Listed(kept.kind, [entry.data for entry in entries], revision)
    page = entries[:limit]
    token = Token(_VERSION, revision, page[-1].key + "\0").encode()
    remaining: Any = None if selection.selective else len(entries) - limit
    return Listed(kept.kind, [entry.data for entry in page], revision, token, remaining)
