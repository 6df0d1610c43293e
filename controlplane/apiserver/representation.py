"""In which form a client gets objects: JSON, YAML, a Table of columns, or metadata alone; and the bytes of each form.

JSON is the cache's own bytes with an envelope around them. The other forms are made when asked for; a watch event's line is made once per
form and shared, which is why equal Accept headers must lead to the same `Representation` object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import JSON, Listed
from kit.clock import Clock

YAML = "application/yaml"
OFFERED = (JSON, YAML, "application/vnd.kubernetes.protobuf")
_KNOWN_LIMIT = 256
PIECE = 128 * 1024
STRIDE = 16  # pieces that are only joined: two milliseconds
ROWS_PIECE = 256 * 1024  # of objects that become rows of a table: some milliseconds of work
YAML_PIECE = 16 * 1024  # of objects that become YAML: likewise


class _OnlyMetadata(msgspec.Struct, gc=False):
    metadata: msgspec.Raw


_metadata = msgspec.json.Decoder(_OnlyMetadata)


@dataclass(slots=True)
class Poured:
    """A list that is too large to be made in one, piece by piece.

    Each piece takes some milliseconds at most: who asks for them lets others run after every `stride` of them.
    """

    pieces: Iterator[bytes]
    length: int | None = None  # of all, if known beforehand: then they need no framing of their own
    stride: int = 1


class Representation(ABC):
    """One form, for objects, lists and the lines of a watch."""

    content_type = JSON
    lines = True  # whether it can be the lines of a watch

    @abstractmethod
    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """One object."""

    @abstractmethod
    def collection(self, listed: Listed) -> bytes:
        """A list."""

    def pieces(self, listed: Listed) -> Poured | None:
        """A list that is too large to be made in one; None for one that is not."""
        return None

    def event(self, type_: str, kind: Kind[Any], data: bytes) -> bytes:
        """One line of a watch."""
        return b'{"type":"%b","object":%b}\n' % (type_.encode(), self.object(kind, data))

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """The line of a bookmark, whose object has metadata only."""
        return b'{"type":"BOOKMARK","object":%b}\n' % data


class Json(Representation):
    """The objects as they are."""

    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """The same bytes."""
        return data

    def collection(self, listed: Listed) -> bytes:
        """The bytes in an envelope."""
        return _envelope(listed, listed.kind.name, listed.kind.api_version, listed.items)

    def pieces(self, listed: Listed) -> Poured | None:
        """From a quarter of a megabyte on, what fits into the processor's cache is joined, encrypted and sent at a time."""
        items, kind = listed.items, listed.kind
        size = sum(map(len, items))
        if size < 2 * PIECE:
            return None
        around = len(_envelope(listed, kind.name, kind.api_version, []))
        pieces = _pieces(listed, kind.name, kind.api_version, items)
        return Poured(pieces, around + size + len(items) - 1, STRIDE)


class Yaml(Json):
    """For people; slow."""

    content_type = YAML
    lines = False

    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """The object as a YAML document."""
        return to_yaml(data)

    def collection(self, listed: Listed) -> bytes:
        """The list as a YAML document."""
        return to_yaml(super().collection(listed))

    def pieces(self, listed: Listed) -> Poured | None:
        """A few objects at a time."""
        return None if sum(map(len, listed.items)) <= YAML_PIECE else Poured(self._documents(listed))

    def _documents(self, listed: Listed) -> Iterator[bytes]:
        head = to_yaml(_envelope(listed, listed.kind.name, listed.kind.api_version, []))
        yield head.removesuffix(b" []\n") + b"\n"
        for group in slices(listed.items, YAML_PIECE):
            yield to_yaml(b"[%b]" % b",".join(group))


class MetadataOnly(Representation):
    """PartialObjectMetadata(List): what garbage collection and quota want to know."""

    content_type = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """The object's metadata."""
        raw = bytes(_metadata.decode(data).metadata)
        return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%b}' % raw

    def collection(self, listed: Listed) -> bytes:
        """The objects' metadata."""
        return b"".join(self._rendered(listed))

    def pieces(self, listed: Listed) -> Poured | None:
        """Some hundred objects at a time."""
        return None if sum(map(len, listed.items)) <= ROWS_PIECE else Poured(self._rendered(listed))

    def _rendered(self, listed: Listed) -> Iterator[bytes]:
        items = (self.object(listed.kind, item) for item in listed.items)
        return _pieces(listed, "PartialObjectMetadata", "meta.k8s.io/v1", items)

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """As any other line."""
        return self.event("BOOKMARK", kind, data)


class Table(Representation):
    """Columns for people, made by the server so that every client shows the same."""

    content_type = "application/json;as=Table;g=meta.k8s.io;v=v1"

    def __init__(self, clock: Clock, include: str) -> None:
        self._clock = clock
        self._include = include

    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """A table of one row."""
        return self._render(kind, [data], _revision_of(data))

    def collection(self, listed: Listed) -> bytes:
        """A table of all rows."""
        return self._render(listed.kind, listed.items, str(listed.revision), listed.continue_, listed.remaining)

    def pieces(self, listed: Listed) -> Poured | None:
        """Some dozens of rows at a time."""
        return None if sum(map(len, listed.items)) <= ROWS_PIECE else Poured(self._rows(listed))

    def _rows(self, listed: Listed) -> Iterator[bytes]:
        from controlplane.apiserver import tables

        now, kind = self._clock.now(), listed.kind
        head = self._render(kind, [], str(listed.revision), listed.continue_, listed.remaining)
        yield head.removesuffix(b"]}")
        before = b""
        for group in slices(listed.items, ROWS_PIECE):
            yield before + tables.render_rows(kind, group, now, self._include)
            before = b","
        yield b"]}"

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """A table without rows."""
        return b'{"type":"BOOKMARK","object":%b}\n' % self._render(kind, [], _revision_of(data))

    def _render(
        self, kind: Kind[Any], items: list[bytes], revision: str, continue_: str = "", remaining: int | None = None
    ) -> bytes:
        from controlplane.apiserver import tables  # only people ask for tables

        metadata = {"resourceVersion": revision, "continue": continue_, "remainingItemCount": remaining}
        return tables.render(kind, items, self._clock.now(), metadata, self._include)


class Representations:
    """Chooses the form that an Accept header asks for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.json: Representation = Json()
        self._yaml = Yaml()
        self._metadata = MetadataOnly()
        self._tables = {include: Table(clock, include) for include in ("None", "Metadata", "Object")}
        self._known: dict[tuple[str, str], Representation] = {}
        self._converted: dict[tuple[Representation, Kind[Any]], Representation] = {}

    def negotiate(self, accept: str, include: str = "") -> Representation:
        """The first form in the header that we have; `include` is the query's includeObject. Raises StatusError."""
        known = self._known.get((accept, include))
        if known is None:
            known = self._choose(accept, include)
            if len(self._known) < _KNOWN_LIMIT and len(accept) < _KNOWN_LIMIT:
                self._known[accept, include] = known
        return known

    def converted(self, form: Representation, kind: Kind[Any]) -> Representation:
        """The form, of objects as the second view `kind` shows them."""
        known = self._converted.get((form, kind))
        if known is None:
            from controlplane.apiserver.second_views import Converted

            known = self._converted[form, kind] = Converted(form, kind, as_kept=isinstance(form, Table))
        return known

    def _choose(self, accept: str, include: str) -> Representation:
        if not accept:
            return self.json
        for clause in accept.split(","):
            media, *parameters = [part.strip() for part in clause.split(";")]
            asked = dict(p.partition("=")[::2] for p in parameters)
            found = self._one(media.lower(), asked, include)
            if found is not None:
                return found
        raise status.not_acceptable(OFFERED)

    def _one(self, media: str, asked: dict[str, str], include: str) -> Representation | None:
        target = asked.get("as", "")
        if media in (JSON, "*/*", "application/*"):
            if not target:
                return self.json
            if asked.get("g") != "meta.k8s.io" or asked.get("v") != "v1":
                return None
            if target == "Table":
                return self._tables.get(include or "Metadata") or _unknown_include(include)
            if target in ("PartialObjectMetadata", "PartialObjectMetadataList"):
                return self._metadata
            return None
        return self._yaml if media == YAML and not target else None


def to_yaml(data: bytes) -> bytes:
    """JSON as a YAML document, in the same order."""
    document = msgspec.json.decode(data)
    text: bytes = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, encoding="utf-8")
    return text


def slices(items: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Groups of items of about `size` bytes."""
    group: list[bytes] = []
    total = 0
    for item in items:
        group.append(item)
        total += len(item)
        if total >= size:
            yield group
            group, total = [], 0
    if group:
        yield group


def _unknown_include(include: str) -> Representation:
    raise status.bad_request(f'unrecognized includeObject value: "{include}"')


def _revision_of(data: bytes) -> str:
    at = data.find(b'"resourceVersion":"')
    if at < 0:
        return ""  # what is answered and not kept has none
    return data[at + 19 : data.index(b'"', at + 19)].decode()


def _envelope(listed: Listed, kind: str, api_version: str, items: list[bytes]) -> bytes:
    return b"".join(_pieces(listed, kind, api_version, items))


def _pieces(listed: Listed, kind: str, api_version: str, items: Iterable[bytes]) -> Iterator[bytes]:
    more = f',"continue":"{listed.continue_}"' if listed.continue_ else ""
    if listed.remaining is not None:
        more += f',"remainingItemCount":{listed.remaining}'
    head = f'{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{listed.revision}"{more}}},'
    before = f'{head}"items":['.encode()
    for group in slices(items, PIECE):
        yield before + b",".join(group)
        before = b","
    yield (b"" if before == b"," else before) + b"]}"
