"""Where things lie in etcd, how its revisions become ours, and the messages for it. Pure.

    <prefix>/keys<key>          what was put; our keys begin with a slash
    <prefix>/meta/offset        what is added to etcd's revisions (`start_after`), as digits; mostly not there
    <prefix>/meta/fence         written when a watch shall be told how far it has come (`engine`)

Every write is a transaction that compares the key's mod revision and, when that fails, reads what stands there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.store.interface import PROGRESS, Change, Compacted, Op, Record
from proto import etcd_v3_pb2 as pb

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Layout:
    """`offset` is added to etcd's revisions; those up to `first` were before that was decided."""

    prefix: str
    offset: int = 0
    first: int = 0

    @property
    def offset_key(self) -> bytes:
        """Where the offset is kept."""
        return f"{self.prefix}/meta/offset".encode()

    @property
    def fence_key(self) -> bytes:
        """What is written to move watches on."""
        return f"{self.prefix}/meta/fence".encode()

    def raw(self, key: str) -> bytes:
        """The key as etcd has it."""
        return f"{self.prefix}/keys{key}".encode()

    def key(self, raw: bytes) -> str:
        """Our key."""
        return raw[len(self.prefix) + len("/keys") :].decode()

    def ours(self, revision: int) -> int:
        """etcd's revision as ours."""
        return revision + self.offset

    def theirs(self, revision: int) -> int:
        """Our revision as etcd's. Raises Compacted for one before its time."""
        theirs = revision - self.offset
        if theirs < self.first:
            raise Compacted(revision, self.ours(self.first))
        return theirs

    def record(self, kv: pb.KeyValue) -> Record:
        """A key as etcd answers it."""
        return Record(self.key(kv.key), kv.value, self.ours(kv.create_revision), self.ours(kv.mod_revision))

    def change(self, event: pb.Event, after: int) -> Change | None:
        """A change as etcd tells it; None for what is not ours. Raises Compacted if etcd knows no more what was there before."""
        kv = event.kv
        revision = self.ours(kv.mod_revision)
        if kv.key == self.fence_key:
            return Change(revision, PROGRESS, None, None, revision)
        if not kv.key.startswith(self.raw("")):
            return None
        gone = event.type == pb.Event.DELETE
        before = event.prev_kv if event.HasField("prev_kv") else None
        if before is None and (gone or kv.create_revision != kv.mod_revision):
            raise Compacted(after, revision)
        created = before.create_revision if gone and before is not None else kv.create_revision
        value = None if gone else kv.value
        return Change(revision, self.key(kv.key), value, before.value if before else None, self.ours(created))


def end_of(raw: bytes) -> bytes:
    """The first key behind every key that starts with `raw`, which is no 0xff."""
    return raw[:-1] + bytes((raw[-1] + 1,))


def write_request(raw: bytes, change: pb.RequestOp, *, expected: int | None, must_exist: bool) -> pb.TxnRequest:
    """`change`, if the key is at etcd's revision `expected` (0: not there; None: whatever is)."""
    compares = []
    if expected is not None:
        compares.append(_compare(raw, pb.Compare.EQUAL, expected))
    if must_exist:
        compares.append(_compare(raw, pb.Compare.GREATER, 0))
    read = pb.RequestOp(request_range=pb.RangeRequest(key=raw))
    return pb.TxnRequest(compare=compares, success=[change], failure=[read])


def commit_request(layout: Layout, ops: Sequence[Op]) -> pb.TxnRequest:
    """All of `ops`, if each key is as its writer thinks; else what stands there."""
    request = pb.TxnRequest()
    for op in ops:
        raw = layout.raw(op.key)
        if op.expected is not None:
            request.compare.append(_compare(raw, pb.Compare.EQUAL, op.expected and op.expected - layout.offset))
        if op.value is None:
            request.success.append(pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=raw)))
        else:
            request.success.append(pb.RequestOp(request_put=pb.PutRequest(key=raw, value=op.value)))
        request.failure.append(pb.RequestOp(request_range=pb.RangeRequest(key=raw)))
    return request


def _compare(raw: bytes, result: pb.Compare.CompareResult, revision: int) -> pb.Compare:
    return pb.Compare(key=raw, target=pb.Compare.MOD, result=result, mod_revision=revision)
