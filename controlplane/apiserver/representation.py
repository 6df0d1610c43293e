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
from controlplane.apiserver import negotiation, status
from controlplane.apiserver.call import JSON, Listed
from kit.clock import Clock

YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
OFFERED = (JSON, YAML, PROTOBUF)
STREAMED = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
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
    watch_type = JSON
    lines = True  # whether it can be the lines of a watch

    @property
    def later(self) -> Representation:
        """The form of a watch's lines after the first."""
        return self

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

    def error(self, status: bytes) -> bytes:
        """The line that says why a watch ends."""
        return b'{"type":"ERROR","object":%b}\n' % status

    def answer(self, data: bytes) -> bytes:
        """An answer that is no stored object: a Status, a review."""
        return data


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

    def answer(self, data: bytes) -> bytes:
        """The answer as a YAML document."""
        return to_yaml(data)

    def _documents(self, listed: Listed) -> Iterator[bytes]:
        head = to_yaml(_envelope(listed, listed.kind.name, listed.kind.api_version, []))
        before, _, after = head.partition(b"\nitems: []\n")
        yield before + b"\nitems:\n"
        for group in slices(listed.items, YAML_PIECE):
            yield to_yaml(b"[%b]" % b",".join(group))
        if after:
            yield after


class MetadataOnly(Representation):
    """PartialObjectMetadata(List): what garbage collection and quota want to know."""

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

    def __init__(self, clock: Clock, include: str, *, headed: bool = True) -> None:
        self._clock = clock
        self._include = include
        self._headed = headed
        self._later = Table(clock, include, headed=False) if headed else self

    @property
    def later(self) -> Representation:
        """Rows alone: the columns are known."""
        return self._later

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
        return tables.render(kind, items, self._clock.now(), metadata, self._include, headed=self._headed)


class Representations:
    """Chooses the form that an Accept header asks for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.json: Representation = Json()
        self._yaml = Yaml()
        self._metadata = MetadataOnly()
        self._tables = {include: Table(clock, include) for include in ("None", "Metadata", "Object")}
        self._known: dict[tuple[str, str, bool, bool], Representation] = {}
        self._variants: dict[tuple[Representation, str], Representation] = {}
        self._converted: dict[tuple[Representation, Kind[Any]], Representation] = {}

    def negotiate(self, accept: str, include: str = "", *, pretty: bool = False, tables: bool = True) -> Representation:
        """The first form in the header that we have; `include` is the query's includeObject. Raises StatusError.

        JSON goes before protobuf, which has to be made, for everybody who takes both.
        """
        wanted = (accept, include, pretty, tables)
        known = self._known.get(wanted)
        if known is None:
            known = self._choose(accept, include, tables)
            if pretty or "pretty=1" in accept:
                known = self._pretty(known)
            if len(self._known) < _KNOWN_LIMIT and len(accept) < _KNOWN_LIMIT:
                self._known[wanted] = known
        return known

    def of_failures(self, accept: str, *, pretty: bool = False) -> Representation:
        """The form of a Status; JSON for who accepts nothing that there is."""
        if not pretty and (not accept or accept.startswith(JSON)):
            return self.json
        try:
            return self.negotiate(accept, pretty=pretty)
        except status.StatusError:
            return self.json

    def converted(self, form: Representation, kind: Kind[Any]) -> Representation:
        """The form, of objects as the second view `kind` shows them."""
        known = self._converted.get((form, kind))
        if known is None:
            from controlplane.apiserver.second_views import Converted

            known = self._converted[form, kind] = Converted(
                form, kind, as_kept=isinstance(getattr(form, "form", form), Table)
            )
        return known

    def framed(self, form: Representation) -> Representation:
        """The form, as messages of a WebSocket."""
        from controlplane.apiserver import forms

        return self._variants.setdefault((form, "frames"), forms.Framed(form))

    def _choose(self, accept: str, include: str, tables: bool) -> Representation:
        if not accept:
            return self.json
        second: Representation | None = None
        for clause in negotiation.clauses(accept):
            for media in OFFERED:
                if not clause.takes(media) or not clause.possible:
                    continue
                form = self._form(media, clause.conversion, include, tables)
                if form is None:
                    continue
                if media != PROTOBUF:
                    return form
                second = second or form
        if second is None:
            raise status.not_acceptable(OFFERED)
        return second

    def _form(
        self, media: str, conversion: tuple[str, str, str] | None, include: str, tables: bool
    ) -> Representation | None:
        if conversion is None:
            return {JSON: self.json, YAML: self._yaml, PROTOBUF: self._protobuf()}[media]
        group, version, kind = conversion
        if group != negotiation.META or version not in negotiation.VERSIONS or media == PROTOBUF:
            return None
        if kind == "Table" and tables:
            form = self._tables.get(include or "Metadata") or _unknown_include(include)
        elif kind in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            form = self._metadata
        else:
            return None
        return self._varied(form, version, media)

    def _varied(self, form: Representation, version: str, media: str) -> Representation:
        """Equal variants are the same object: that is what watchers share their lines by."""
        from controlplane.apiserver import forms  # only a few clients ask for them

        found = form
        if version != "v1":
            found = self._variants.setdefault((form, version), forms.Beta(form))
        return self._variants.setdefault((found, media), forms.InYaml(found)) if media == YAML else found

    def _pretty(self, form: Representation) -> Representation:
        from controlplane.apiserver import forms

        return self._variants.setdefault((form, "pretty"), forms.Pretty(form)) if form.content_type == JSON else form

    def _protobuf(self) -> Representation:
        from controlplane.apiserver import forms

        return self._variants.setdefault((self.json, PROTOBUF), forms.Protobuf())


def to_yaml(data: bytes) -> bytes:
    """JSON as a YAML document, fields in the order of their names, as upstream."""
    document = msgspec.json.decode(data)
    text: bytes = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True, encoding="utf-8")
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
    why = "must be 'Metadata', 'Object', 'None', or empty"
    raise status.bad_request(
        f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": {why}'
    )


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
