"""The store on etcd: several API servers may run side by side on one cluster.

A watch is a stream of etcd's that is opened again, from the last revision that was told, whenever it breaks: no change is missing and none
comes twice. It begins *at* the revision after which it shall tell, and drops what it gets of that one, since etcd then refuses exactly when
that revision was compacted. A watch of etcd covers all keys of our prefix; those that were not asked for are dropped here.

`fresh` asks etcd, one question for all who wait. The newest revision may belong to somebody else's keys, of which our watches hear nothing:
a watch that does not get there in a moment is moved on by a write of ours, the fence. (etcd can tell its progress, but versions before
3.4.25 and 3.5.8 do so ahead of changes that are still to come.)

A key with a time to live has a lease of its own. One lease for many would delete them all at one revision, and who lost the connection
between two of them could not go on.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass

from controlplane.store.choice import Etcd
from controlplane.store.etcd.connection import Connection, Refused
from controlplane.store.etcd.layout import PAGE, Layout, commit_request, end_of, write_request
from controlplane.store.interface import (
    PROGRESS,
    Change,
    Compacted,
    CompareFailed,
    FutureRevision,
    Op,
    Range,
    Record,
    StoreError,
    Unavailable,
)
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, SystemClock
from proto import etcd_v3_calls as calls
from proto import etcd_v3_pb2 as pb

FENCE_SECONDS = 0.01
_BACKOFF = Backoff(base=0.05, cap=2.0, jitter=0.5)
_log = log.get("store.etcd")


@dataclass(eq=False, slots=True)
class _Watcher:
    prefix: str
    reached: int  # everything up to this revision has been told


class EtcdStore:
    """The keys under one prefix of an etcd cluster; see `controlplane.store.interface.Store`."""

    shared = True

    def __init__(self, place: Etcd, clock: Clock) -> None:
        self._connection = Connection(place)
        self._clock = clock
        self._layout = Layout(place.prefix)
        self._revision = 0
        self._compacted = 0
        self._watchers: set[_Watcher] = set()
        self._asking: asyncio.Task[int] | None = None
        self._asked_next: asyncio.Task[int] | None = None
        self._wanted = 0
        self._fenced = 0
        self._behind = asyncio.Event()
        self._fencing = asyncio.create_task(self._keep_fencing(), name="etcd-fence")
        self._closed = False

    @classmethod
    async def open(cls, place: Etcd, clock: Clock | None = None) -> EtcdStore:
        """Connect to the cluster. Raises Unavailable."""
        if problem := place.problem():
            raise Unavailable(f"cannot use {place}: {problem}")
        store = cls(place, clock or SystemClock())
        try:
            await store._learn_offset()
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def revision(self) -> int:
        """The newest revision seen so far."""
        return self._revision

    async def fresh(self) -> int:
        """The newest revision of all that was written before the call."""
        if self._asked_next is None:
            self._asked_next = asyncio.create_task(self._ask_newest(self._asking), name="etcd-newest")
        return await asyncio.shield(self._asked_next)

    async def get(self, key: str) -> Record | None:
        """The key's present record."""
        answer = await self._connection.call(calls.RANGE, pb.RangeRequest(key=self._layout.raw(key)))
        self._see(answer.header)
        return self._layout.record(answer.kvs[0]) if answer.kvs else None

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        """Records under `prefix`, at `revision` or now."""
        kvs, at, remaining = await self._read(prefix, max(start, prefix), limit, revision)
        return Range([self._layout.record(kv) for kv in kvs], at, remaining)

    async def put(self, key: str, value: bytes, *, expected: int | None = None, ttl: float = 0) -> int:
        """Write; returns when it is durable."""
        raw = self._layout.raw(key)
        lease = await self._grant(ttl) if ttl > 0 else 0
        change = pb.RequestOp(request_put=pb.PutRequest(key=raw, value=value, lease=lease))
        try:
            return await self._write(key, change, expected, must_exist=False)
        except CompareFailed:
            if lease:
                await self._connection.call(calls.LEASE_REVOKE, pb.LeaseRevokeRequest(ID=lease))
            raise

    async def delete(self, key: str, *, expected: int | None = None) -> int:
        """Delete; returns when it is durable."""
        change = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=self._layout.raw(key)))
        return await self._write(key, change, expected, must_exist=True)

    async def commit(self, *ops: Op) -> int:
        """Write all or none, at one revision; returns when they are durable."""
        layout = self._layout
        answer = await self._connection.call(calls.TXN, commit_request(layout, ops))
        revision = self._see(answer.header)
        if answer.succeeded:
            return revision
        for op, response in zip(ops, answer.responses, strict=True):
            kvs = response.response_range.kvs
            current = layout.record(kvs[0]) if kvs else None
            if op.expected is not None and op.expected != (current.mod_revision if current else 0):
                raise CompareFailed(op.key, op.expected, current)
        raise Unavailable("cannot write: etcd refuses, and does not show why")

    async def watch(self, prefix: str, after: int) -> AsyncIterator[list[Change]]:
        """Changes above `after`, through lost connections and other endpoints."""
        self._layout.theirs(after)
        watcher = _Watcher(prefix, after)
        self._watchers.add(watcher)
        failures = _BACKOFF.retries()
        try:
            while not self._closed:
                try:
                    async for changes in self._follow(watcher):
                        failures.reset()
                        if changes:
                            watcher.reached = changes[-1].revision
                            yield changes
                except Unavailable as error:
                    if not self._closed:
                        _log.warning("the watch broke, going on from where it was", after=watcher.reached, error=error)
                        await self._clock.sleep(failures.next())
        finally:
            self._watchers.discard(watcher)

    async def compact(self, revision: int) -> None:
        """Forget what was replaced at or before `revision`; no matter if another API server did so already."""
        try:
            theirs = self._layout.theirs(revision)
            await self._connection.call(calls.COMPACT, pb.CompactionRequest(revision=theirs))
        except Compacted:
            return
        except Refused as refused:
            if "compacted" not in refused.reason:
                raise FutureRevision(f"cannot compact at {revision}: {refused.reason}") from None
        self._compacted = max(self._compacted, revision)

    async def expiring(self, prefix: str) -> dict[str, float]:
        """Keys with a lease, and the seconds left of it."""
        kvs, _, _ = await self._read(prefix, prefix, 0, 0, keys_only=True)
        found = {}
        for kv in kvs:
            if kv.lease:
                left = await self._connection.call(calls.LEASE_TIME_TO_LIVE, pb.LeaseTimeToLiveRequest(ID=kv.lease))
                found[self._layout.key(kv.key)] = float(max(left.TTL, 1))
        return found

    async def start_after(self, revision: int) -> None:
        """Add an offset to etcd's revisions, for good. Other programs must open the store after this."""
        if (await self.range("/", limit=1)).records:
            raise StoreError(f"cannot start after revision {revision}: there are keys already")
        now = await self.fresh()
        if now < revision:
            raw, offset = self._layout.offset_key, revision - self._layout.theirs(now)
            change = pb.RequestOp(request_put=pb.PutRequest(key=raw, value=b"%d" % offset))
            await self._connection.call(calls.TXN, pb.TxnRequest(success=[change]))
            await self._learn_offset()

    async def close(self) -> None:
        """End the watches, then the connections."""
        if self._closed:
            return
        self._closed = True
        self._fencing.cancel()
        await self._connection.close()

    async def _learn_offset(self) -> None:
        raw = self._layout.offset_key
        answer = await self._connection.call(calls.RANGE, pb.RangeRequest(key=raw))
        for kv in answer.kvs:
            self._layout = Layout(self._layout.prefix, int(kv.value), kv.mod_revision)
        self._see(answer.header)

    def _see(self, header: pb.ResponseHeader) -> int:
        """Note how far the store has come; the answer's revision."""
        revision = self._layout.ours(header.revision)
        self._revision = max(self._revision, revision)
        return revision

    async def _read(
        self, prefix: str, start: str, limit: int, revision: int, *, keys_only: bool = False
    ) -> tuple[list[pb.KeyValue], int, int]:
        """All keys in pages of one revision; which that is, and how many keys the limit left out."""
        request = pb.RangeRequest(range_end=end_of(self._layout.raw(prefix)), keys_only=keys_only)
        request.revision = self._layout.theirs(revision) if revision else 0
        kvs: list[pb.KeyValue] = []
        raw = self._layout.raw(start)
        while True:
            request.key = raw
            request.limit = min(limit - len(kvs), PAGE) if limit else PAGE
            try:
                answer = await self._connection.call(calls.RANGE, request)
            except Refused as refused:
                raise self._refused_revision(refused, self._layout.ours(request.revision)) from None
            self._see(answer.header)
            request.revision = request.revision or answer.header.revision
            kvs += answer.kvs
            if not answer.more or len(kvs) == limit:
                return kvs, self._layout.ours(request.revision), answer.count - len(answer.kvs)
            raw = answer.kvs[-1].key + b"\0"

    def _refused_revision(self, refused: Refused, asked: int) -> StoreError:
        if "compacted" in refused.reason:
            return Compacted(asked, max(self._compacted, asked + 1))
        return FutureRevision(f"cannot read at revision {asked}: {refused.reason}")

    async def _write(self, key: str, change: pb.RequestOp, expected: int | None, *, must_exist: bool) -> int:
        layout = self._layout
        theirs = expected and expected - layout.offset
        request = write_request(layout.raw(key), change, expected=theirs, must_exist=must_exist)
        try:
            answer = await self._connection.call(calls.TXN, request)
        except Refused as refused:  # the lease has run out before the write
            raise Unavailable(f"cannot write {key}: {refused.reason}") from None
        revision = self._see(answer.header)
        if answer.succeeded:
            return revision
        kvs = answer.responses[0].response_range.kvs
        current = layout.record(kvs[0]) if kvs else None
        found = current.mod_revision if current else 0
        raise CompareFailed(key, found if expected is None else expected, current)

    async def _grant(self, ttl: float) -> int:
        answer = await self._connection.call(calls.LEASE_GRANT, pb.LeaseGrantRequest(TTL=math.ceil(ttl)))
        return answer.ID

    async def _follow(self, watcher: _Watcher) -> AsyncIterator[list[Change]]:
        """One stream, from where the watcher is."""
        layout = self._layout
        all_ours = f"{layout.prefix}/".encode()
        start = max(layout.theirs(watcher.reached), 1)
        create = pb.WatchCreateRequest(key=all_ours, range_end=end_of(all_ours), start_revision=start, prev_kv=True)
        async for answer in self._connection.stream(calls.WATCH, pb.WatchRequest(create_request=create)):
            self._see(answer.header)
            if answer.compact_revision:
                raise Compacted(watcher.reached, layout.ours(answer.compact_revision))
            if answer.canceled:
                raise Unavailable(f"cannot watch: {answer.cancel_reason or 'etcd ended the watch'}")
            yield self._wanted_of(answer, watcher)

    def _wanted_of(self, answer: pb.WatchResponse, watcher: _Watcher) -> list[Change]:
        reached = watcher.reached
        wanted: list[Change] = []
        for event in answer.events:
            if self._layout.ours(event.kv.mod_revision) <= reached:
                continue
            change = self._layout.change(event, reached)
            if change is not None and (change.key == PROGRESS or change.key.startswith(watcher.prefix)):
                wanted.append(change)
        return wanted

    async def _ask_newest(self, before: asyncio.Task[int] | None) -> int:
        """Ask once the question before is answered: that one may have been on its way too early for who waits for this."""
        if before is not None:
            await asyncio.wait([before])
        self._asking, self._asked_next = self._asked_next, None
        request = pb.RangeRequest(key=self._layout.fence_key, count_only=True)
        newest = self._see((await self._connection.call(calls.RANGE, request)).header)
        if any(watcher.reached < newest for watcher in self._watchers):
            self._wanted = max(self._wanted, newest)
            self._behind.set()
        return newest

    @property
    def _lagging(self) -> bool:
        return self._fenced < self._wanted and any(watcher.reached < self._wanted for watcher in self._watchers)

    async def _keep_fencing(self) -> None:
        """Move on watches that do not come to a wanted revision by themselves."""
        while True:
            await self._behind.wait()
            self._behind.clear()
            failures = _BACKOFF.retries()
            while self._lagging:
                await self._clock.sleep(FENCE_SECONDS + failures.next())  # mostly it is on its way
                if self._lagging:
                    await self._fence()

    async def _fence(self) -> None:
        put = pb.RequestOp(request_put=pb.PutRequest(key=self._layout.fence_key))
        try:
            answer = await self._connection.call(calls.TXN, pb.TxnRequest(success=[put]))
            self._fenced = self._see(answer.header)
        except StoreError as error:
            _log.warning("cannot move the watches on, will try again", error=error)
