"""Forms that few clients ask for: protobuf, and the others in a variant (YAML, indented, of an older version of meta.k8s.io)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from api import apidiscovery_v2, autoscaling_v1, codec, kinds, meta_v1, protobuf_writing
from api.fields import Type
from api.kinds import Kind
from api.meta_v1 import ListMeta
from controlplane.apiserver.call import Listed
from controlplane.apiserver.representation import ROWS_PIECE, Poured, Representation, slices, to_yaml
from kit.http.websocket import Op, frame

PROTOBUF = "application/vnd.kubernetes.protobuf"
_V1, _V1BETA1 = b'"apiVersion":"meta.k8s.io/v1"', b'"apiVersion":"meta.k8s.io/v1beta1"'


# What is answered and is in no table of kinds.
_NO_KINDS: dict[str, type[Type]] = {
    "APIGroup": meta_v1.APIGroup,
    "APIGroupDiscoveryList": apidiscovery_v2.APIGroupDiscoveryList,
    "APIGroupList": meta_v1.APIGroupList,
    "APIResourceList": meta_v1.APIResourceList,
    "APIVersions": meta_v1.APIVersions,
    "Scale": autoscaling_v1.Scale,
    "Status": meta_v1.Status,
}


class _Named(msgspec.Struct, rename="camel", gc=False):
    kind: str = ""
    api_version: str = ""


_named = msgspec.json.Decoder(_Named)


class Protobuf(Representation):
    """Messages in envelopes; a watch is a series of frames."""

    content_type = PROTOBUF
    watch_type = f"{PROTOBUF};stream=watch"

    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """One object."""
        return protobuf_writing.encode(codec.decode(kind, data))

    def collection(self, listed: Listed) -> bytes:
        """A list."""
        return self._list(listed, [self._message(listed.kind, item) for item in listed.items])

    def pieces(self, listed: Listed) -> Poured | None:
        """The envelope begins with the size of all, so the pieces are empty until it is known."""
        return None if sum(map(len, listed.items)) <= ROWS_PIECE else Poured(self._slowly(listed))

    def event(self, type_: str, kind: Kind[Any], data: bytes) -> bytes:
        """One frame of a watch."""
        return protobuf_writing.watch_frame(type_, self.object(kind, data))

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """The frame of a bookmark."""
        return self.event("BOOKMARK", kind, data)

    def error(self, status: bytes) -> bytes:
        """The frame that says why a watch ends."""
        return protobuf_writing.watch_frame("ERROR", self.answer(status))

    def answer(self, data: bytes) -> bytes:
        """A Status or another answer that is no stored object."""
        named = _named.decode(data)
        return protobuf_writing.encode(codec.decode(_type(named.api_version, named.kind), data))

    def _slowly(self, listed: Listed) -> Iterator[bytes]:
        messages: list[bytes] = []
        for group in slices(listed.items, ROWS_PIECE):
            messages += [self._message(listed.kind, item) for item in group]
            yield b""
        yield self._list(listed, messages)

    def _message(self, kind: Kind[Any], data: bytes) -> bytes:
        return protobuf_writing.message(codec.decode(kind, data))

    def _list(self, listed: Listed, messages: list[bytes]) -> bytes:
        meta = ListMeta(
            resource_version=str(listed.revision),
            continue_=listed.continue_ or None,
            remaining_item_count=listed.remaining,
        )
        kind = listed.kind
        return protobuf_writing.envelope(
            kind.api_version, f"{kind.name}List", protobuf_writing.collection(meta, messages)
        )


def _type(api_version: str, kind: str) -> type[Type]:
    """The type of what is answered: a Status, a review, a document of discovery, a view of a stored object."""
    if kind in _NO_KINDS:
        return _NO_KINDS[kind]
    for known in kinds.SERVED:
        if (known.name, known.api_version) == (kind, api_version):
            found: type[Type] = known.type
            return found
    raise ValueError(f"cannot write {api_version} {kind} as protobuf: it is not known")


class Variant(Representation):
    """Another form, changed on its way out."""

    def __init__(self, form: Representation) -> None:
        self.form = form
        self.content_type = form.content_type
        self.lines = form.lines
        self._later = self if form.later is form else type(self)(form.later)

    @property
    def later(self) -> Representation:
        """The variant of the form's."""
        return self._later

    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """One object."""
        return self.changed(self.form.object(kind, data))

    def collection(self, listed: Listed) -> bytes:
        """A list."""
        return self.changed(self.form.collection(listed))

    def event(self, type_: str, kind: Kind[Any], data: bytes) -> bytes:
        """One line of a watch."""
        return self.form.event(type_, kind, data)

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """The line of a bookmark."""
        return self.form.bookmark(kind, data)

    def error(self, status: bytes) -> bytes:
        """The line that says why a watch ends."""
        return self.form.error(status)

    def answer(self, data: bytes) -> bytes:
        """An answer that is no stored object."""
        return self.changed(self.form.answer(data))

    def changed(self, data: bytes) -> bytes:
        """The variant."""
        return data


class Framed(Variant):
    """The events of a watch as messages of a WebSocket: text, or binary if they are protobuf, whose lengths the frames tell."""

    def event(self, type_: str, kind: Kind[Any], data: bytes) -> bytes:
        """One message."""
        return self._framed(self.form.event(type_, kind, data))

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """The message of a bookmark."""
        return self._framed(self.form.bookmark(kind, data))

    def error(self, status: bytes) -> bytes:
        """The message that says why a watch ends."""
        return self._framed(self.form.error(status))

    def _framed(self, line: bytes) -> bytes:
        if self.content_type == PROTOBUF:
            return frame(Op.BINARY, line[protobuf_writing.WATCH_PREFIX :])
        return frame(Op.TEXT, line)


class Pretty(Variant):
    """Indented, for people; lines of a watch are not."""

    def changed(self, data: bytes) -> bytes:
        """Two spaces a level."""
        return msgspec.json.format(data, indent=2)


class InYaml(Variant):
    """As a YAML document; there are no watches of those."""

    def __init__(self, form: Representation) -> None:
        super().__init__(form)
        self.content_type, self.lines = "application/yaml", False

    def changed(self, data: bytes) -> bytes:
        """The same, in YAML."""
        return to_yaml(data)


class Beta(Variant):
    """meta.k8s.io/v1beta1, which is v1 by its old name."""

    def pieces(self, listed: Listed) -> Poured | None:
        """Piece by piece; the name never lies between two."""
        poured = self.form.pieces(listed)
        return None if poured is None else Poured(map(self.changed, poured.pieces), None, poured.stride)

    def event(self, type_: str, kind: Kind[Any], data: bytes) -> bytes:
        """One line of a watch."""
        return self.changed(self.form.event(type_, kind, data))

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """The line of a bookmark."""
        return self.changed(self.form.bookmark(kind, data))

    def answer(self, data: bytes) -> bytes:
        """Not an object of that group."""
        return data

    def changed(self, data: bytes) -> bytes:
        """The old name in place of the new; in text the quotation marks would have backslashes."""
        return data.replace(_V1, _V1BETA1)
