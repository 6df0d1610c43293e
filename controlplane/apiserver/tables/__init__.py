"""Tables of objects as `kubectl get` shows them: upstream's columns and cells, made on the server."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api import codec, conversion
from api.fields import Json
from api.kinds import Kind
from api.meta_v1 import ListMeta, Table, TableRow
from controlplane.apiserver.tables import (
    access,
    batch,
    cluster,
    config,
    devices,
    extension,
    limits,
    measures,
    network,
    pods,
    scaling,
    storage,
    volumes,
    workloads,
)
from controlplane.apiserver.tables.columns import BY_NAME_AND_AGE, Layout

_MODULES = (
    access,
    batch,
    cluster,
    config,
    devices,
    extension,
    limits,
    measures,
    network,
    pods,
    scaling,
    storage,
    volumes,
    workloads,
)
_LAYOUTS: dict[Kind[Any], Layout] = {kind: layout for module in _MODULES for kind, layout in module.LAYOUTS.items()}


class _Head(msgspec.Struct, gc=False):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


_heads = msgspec.json.Decoder(_Head)


def render(
    kind: Kind[Any],
    objects: list[bytes],
    now: float,
    metadata: Mapping[str, Any] | None = None,
    include: str = "Metadata",
    *,
    headed: bool = True,
) -> bytes:
    """The table of objects at the time `now`; `metadata` is the list's, `include` what each row has of its object.

    Without a head it is what follows another in a watch.
    The objects are as they are kept, also those of a second view: two views of one storage have the same columns.
    """
    layout = _LAYOUTS.get(kind.stored_as or kind, BY_NAME_AND_AGE)
    columns: Any = layout.columns if headed else None
    table = Table(column_definitions=columns)
    if metadata:
        table.metadata = codec.from_dict(ListMeta, {key: value for key, value in metadata.items() if value})
    table.rows = [_row(kind, layout, data, now, include) for data in objects]
    if layout.order:
        table.rows.sort(key=lambda row: [row.cells[place] for place in layout.order])
    return codec.encode(table)


def render_rows(kind: Kind[Any], objects: list[bytes], now: float, include: str) -> bytes:
    """Rows alone, with commas between them: a piece of a table that is too large to be made in one."""
    layout = _LAYOUTS.get(kind.stored_as or kind, BY_NAME_AND_AGE)
    return b",".join([codec.encode(_row(kind, layout, data, now, include)) for data in objects])


def _row(kind: Kind[Any], layout: Layout, data: bytes, now: float, include: str) -> TableRow:
    obj = codec.decode(kind.stored_as or kind, data)
    row = TableRow(cells=layout.cells(obj, now), object=_included(kind, data, include))
    if layout.conditions is not None:
        row.conditions = layout.conditions(obj)
    return row


def _included(kind: Kind[Any], data: bytes, include: str) -> Json:
    if include == "Object":
        return Json(data if kind.stored_as is None else conversion.show(kind, data))
    if include == "None":
        return Json(b"null")
    metadata = bytes(_heads.decode(data).metadata)
    return Json(b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%b}' % metadata)
