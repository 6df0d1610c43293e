"""Objects as protobuf: what we write, we read; frames and lists have the form that Go's decoders expect."""

from __future__ import annotations

from typing import Any

import pytest

from api import codec, kinds, protobuf, protobuf_writing
from api.core_v1 import ConfigMap
from api.kinds import Kind
from api.meta_v1 import ListMeta, Status
from tests import samples
from tests.unit.api import protobuf_writer


@pytest.mark.parametrize("kind", samples.GOOD, ids=lambda kind: kind.name)
def test_every_kind_comes_back_as_it_was(kind: Kind[Any]) -> None:
    obj = codec.from_dict(kind, {"metadata": {"name": "a", "labels": {"b": "", "a": "1"}}, **samples.GOOD[kind]})
    written = protobuf_writing.encode(obj)
    assert protobuf.decode(kind, written) == obj
    again = protobuf.decode(kind, protobuf_writer.body(obj))
    assert again == obj


def test_times_keep_their_precision() -> None:
    lease = codec.from_dict(kinds.LEASE, {"spec": {"renewTime": "2026-01-01T00:00:00.123456Z"}})
    assert protobuf.decode(kinds.LEASE, protobuf_writing.encode(lease)) == lease
    old = codec.from_dict(kinds.CONFIG_MAP, {"metadata": {"creationTimestamp": "1969-12-31T23:59:59Z"}})
    assert protobuf.decode(kinds.CONFIG_MAP, protobuf_writing.encode(old)) == old


def test_the_bytes_of_a_small_object() -> None:
    obj = ConfigMap(data={"k": "v"})
    obj.metadata.name = "a"
    wanted = "6b3873000a0f0a0276311209436f6e6669674d6170120d0a030a016112060a016b1201761a002200"
    assert protobuf_writing.encode(obj).hex() == wanted


def test_a_list_and_a_frame() -> None:
    message = protobuf_writing.message(ConfigMap())
    listed = protobuf_writing.collection(ListMeta(resource_version="7", remaining_item_count=2), [message, message])
    assert listed.hex() == "0a051201372002" + "12020a00" * 2
    frame = protobuf_writing.watch_frame("ADDED", b"xy")
    assert frame.hex() == "0000000d0a05414444454412040a027879"


def test_a_status() -> None:
    status = Status(status="Failure", message="no", reason="NotFound", code=404)
    assert protobuf.decode(Status, protobuf_writing.encode(status)) == status
