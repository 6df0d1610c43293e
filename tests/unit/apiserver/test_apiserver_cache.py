"""The cache of one resource, its ring of events, and what watchers make of them."""

import asyncio

import msgspec
import pytest

from api import kinds
from controlplane.apiserver import cache as cache_module
from controlplane.apiserver import status
from controlplane.apiserver.cache import Kept, TooOld
from controlplane.apiserver.call import Watching
from controlplane.apiserver.entry import Splicer
from controlplane.apiserver.representation import Representations
from controlplane.apiserver.selectable import selectable
from controlplane.apiserver.selection import Selection, select
from controlplane.apiserver.watching import QueueWatcher, StreamWatcher, tell_bookmarks
from kit.clock import FakeClock
from kit.http.model import StreamClosed


def pod(name: str, namespace: str = "default", node: str = "", **labels: str) -> bytes:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"nodeName": node}, "status": {}}
    return msgspec.json.encode(body)


def put(kept: Kept, revision: int, name: str, namespace: str = "default", node: str = "", **labels: str):
    event = kept.apply(f"{namespace}/{name}", pod(name, namespace, node, **labels), None, revision)
    for listener in list(kept.listeners):
        listener.offer(event)
        listener.flush()
    return event


def remove(kept: Kept, revision: int, name: str, **labels: str):
    event = kept.apply(f"default/{name}", None, pod(name, **labels), revision)
    for listener in list(kept.listeners):
        listener.offer(event)
        listener.flush()
    return event


def test_the_revision_is_spliced_in_and_taken_out():
    splicer = Splicer(kinds.POD)
    entry = splicer.entry("default/a", pod("a"), 42)
    assert msgspec.json.decode(entry.data)["metadata"]["resourceVersion"] == "42"
    assert splicer.unsplice(entry) == pod("a")
    assert (entry.name, entry.namespace) == ("a", "default")
    with pytest.raises(ValueError, match="cannot read a stored object"):
        splicer.splice(b'{"metadata":{}}', 1)


def test_equal_labels_are_kept_once():
    splicer = Splicer(kinds.POD)
    one, two = (splicer.entry(f"default/{n}", pod(n, app="web"), 1) for n in "ab")
    assert one.labels is two.labels


def test_objects_come_in_key_order_and_by_namespace():
    kept = Kept(kinds.POD)
    for revision, (namespace, name) in enumerate([("b", "x"), ("a", "y"), ("a-b", "z"), ("a", "c")], 1):
        put(kept, revision, name, namespace)
    assert [e.key for e in kept.under("")] == ["a-b/z", "a/c", "a/y", "b/x"]
    assert [e.key for e in kept.under("a")] == ["a/c", "a/y"]
    assert kept.under("nope") == []


def test_the_ring_forgets_and_says_so(monkeypatch):
    monkeypatch.setattr(cache_module, "RING", 3)
    kept = Kept(kinds.POD)
    for revision in range(1, 6):
        put(kept, revision, f"p{revision}")
    assert [event.revision for event in kept.since(2)] == [3, 4, 5]
    assert list(kept.since(5)) == []
    assert list(kept.since(99)) == []
    with pytest.raises(TooOld):
        kept.since(1)


def test_reloading_yields_the_difference():
    kept = Kept(kinds.POD)
    put(kept, 1, "same")
    put(kept, 2, "old")
    put(kept, 3, "gone")
    from controlplane.store.interface import Record

    prefix = kept.prefix
    records = [
        Record(f"{prefix}default/same", pod("same"), 1, 1),
        Record(f"{prefix}default/old", pod("old", node="n1"), 2, 7),
        Record(f"{prefix}default/new", pod("new"), 5, 5),
    ]
    changes = kept.load(records, 9)
    assert [(key, value is None, revision) for key, value, _, revision in changes] == [
        ("default/new", False, 5),
        ("default/old", False, 7),
        ("default/gone", True, 9),
    ]
    for change in changes:
        kept.apply(*change)
    assert [e.key for e in kept.under("")] == ["default/new", "default/old", "default/same"]


def test_selectable_fields_of_a_pod():
    fields = selectable(kinds.POD)
    _, values = fields.parts(
        b'{"metadata":{"name":"a"},"spec":{"nodeName":"n1","hostNetwork":true},'
        b'"status":{"phase":"Running","podIP":"10.0.0.1"}}'
    )
    found = dict(zip(fields.names, values, strict=True))
    assert found == {
        "spec.nodeName": "n1",
        "spec.host": "n1",
        "spec.restartPolicy": "",
        "spec.schedulerName": "",
        "spec.serviceAccountName": "",
        "spec.hostNetwork": "true",
        "status.phase": "Running",
        "status.podIP": "10.0.0.1",
        "status.nominatedNodeName": "",
    }


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_every_kind_has_values_for_its_fields(kind):
    fields = selectable(kind)
    assert len(fields.parts(b'{"metadata":{"name":"a"}}')[1]) == len(fields.names)


@pytest.mark.parametrize(
    ("namespace", "labels", "fields", "expected"),
    [
        ("", "", "", ["a/x", "a/y", "b/x"]),
        ("a", "", "", ["a/x", "a/y"]),
        ("", "app=web", "", ["a/x", "b/x"]),
        ("", "app!=web", "", ["a/y"]),
        ("", "", "spec.nodeName=n1", ["a/x"]),
        ("", "", "spec.nodeName!=n1", ["a/y", "b/x"]),
        ("", "", "metadata.name=x", ["a/x", "b/x"]),
        ("a", "", "metadata.name=x", ["a/x"]),
        ("a", "app=db", "metadata.name=x", []),
        ("", "", "metadata.namespace=b", ["b/x"]),
        ("", "app in (web, db)", "spec.nodeName=", ["a/y", "b/x"]),
    ],
)
def test_selections(namespace, labels, fields, expected):
    kept = Kept(kinds.POD)
    put(kept, 1, "x", "a", "n1", app="web")
    put(kept, 2, "y", "a", app="db")
    put(kept, 3, "x", "b", app="web")
    selection = select(kinds.POD, namespace, labels, fields)
    assert [e.key for e in selection.of(kept)] == expected
    assert [e.key for e in kept.under("") if selection.matches(e)] == expected


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (kinds.POD, "spec.nope=1", "field label not supported: spec.nope"),
        (
            kinds.CONFIG_MAP,
            "data=1",
            '"data" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
def test_unknown_fields_are_refused(kind, fields, message):
    with pytest.raises(status.StatusError) as caught:
        select(kind, "", "", fields)
    assert (caught.value.code, caught.value.message) == (400, message)


def watch(kept: Kept, selection: Selection | None = None, after: int = 0, **more) -> QueueWatcher:
    watcher = QueueWatcher(Watching(kept, selection or Selection(), after, **more), lambda: None)
    watcher.begin(kept.changed)
    return watcher


def drain(watcher: QueueWatcher) -> list[tuple[str, str, str]]:
    seen = []
    while watcher.queue:
        type_, data = watcher.queue.popleft()
        metadata = msgspec.json.decode(data)["metadata"]
        seen.append((type_, metadata.get("name", ""), metadata["resourceVersion"]))
    return seen


def test_a_watcher_sees_every_change_in_order():
    kept = Kept(kinds.POD)
    watcher = watch(kept)
    put(kept, 1, "a")
    put(kept, 2, "a", node="n1")
    remove(kept, 3, "a")
    assert drain(watcher) == [("ADDED", "a", "1"), ("MODIFIED", "a", "2"), ("DELETED", "a", "3")]
    watcher.end()
    put(kept, 4, "b")
    assert drain(watcher) == []


def test_a_selection_turns_changes_into_arrivals_and_departures():
    kept = Kept(kinds.POD)
    watcher = watch(kept, select(kinds.POD, "", "app=web", ""))
    put(kept, 1, "a", app="db")
    put(kept, 2, "a", app="web")
    put(kept, 3, "a", node="n1", app="web")
    put(kept, 4, "a", app="db")
    remove(kept, 5, "a", app="db")
    assert drain(watcher) == [("ADDED", "a", "2"), ("MODIFIED", "a", "3"), ("DELETED", "a", "4")]


def test_who_stops_matching_is_deleted_as_it_last_matched():
    kept = Kept(kinds.POD)
    put(kept, 1, "a", app="web")
    watcher = watch(kept, select(kinds.POD, "", "app=web", ""), after=1)
    put(kept, 2, "a", app="db")
    ((type_, data),) = watcher.queue
    assert type_ == "DELETED"
    assert msgspec.json.decode(data)["metadata"]["labels"] == {"app": "web"}


def test_a_watch_from_the_past_replays_the_ring():
    kept = Kept(kinds.POD)
    put(kept, 1, "a")
    put(kept, 2, "b")
    remove(kept, 3, "a")
    assert drain(watch(kept, after=1)) == [("ADDED", "b", "2"), ("DELETED", "a", "3")]


def test_events_fade(monkeypatch):
    """An event of long ago no longer has what was before it: only who lost sight of something just then must list again."""
    monkeypatch.setattr(cache_module, "WHOLE", 2)
    kept = Kept(kinds.POD)
    forms = Representations(FakeClock())
    put(kept, 1, "a", app="web")
    StreamWatcher(Watching(kept, Selection(), 1), forms.json, Reader()).begin(1)
    lost, *_ = [put(kept, 2, "a", app="db"), put(kept, 3, "b", app="web"), put(kept, 4, "b", app="web")]
    assert [bool(event.encoded) for event in kept.ring] == [False, False, True, True]
    assert (lost.previous.data, lost.previous.labels, lost.previous.revision) == (b"", {"app": "web"}, 1)
    assert kept.ring[-1].previous.data, "the newest are whole"
    assert kept.entries["default/a"].data, "and so is what is there"
    everything = drain(watch(kept, after=1))
    assert everything == [("MODIFIED", "a", "2"), ("ADDED", "b", "3"), ("MODIFIED", "b", "4")]
    assert drain(watch(kept, select(kinds.POD, "", "app=db", ""), after=1)) == [("ADDED", "a", "2")]
    with pytest.raises(TooOld):
        watch(kept, select(kinds.POD, "", "app=web", ""), after=1)
    assert len(drain(watch(kept, select(kinds.POD, "", "app=web", ""), after=2))) == 2


def test_what_was_gone_stays_whole(monkeypatch):
    monkeypatch.setattr(cache_module, "WHOLE", 1)
    kept = Kept(kinds.POD)
    put(kept, 1, "a", app="web")
    remove(kept, 2, "a", app="web")
    put(kept, 3, "b")
    assert drain(watch(kept, select(kinds.POD, "", "app=web", ""), after=1)) == [("DELETED", "a", "2")]


async def test_a_loss_that_waits_to_be_told_does_not_fade(monkeypatch):
    monkeypatch.setattr("controlplane.apiserver.watching.PIECE", 10)
    monkeypatch.setattr(cache_module, "WHOLE", 2)
    kept = Kept(kinds.POD)
    put(kept, 1, "a", app="web")
    put(kept, 2, "b", app="web")
    put(kept, 3, "a", app="db")
    reader = Reader()
    chosen = select(kinds.POD, "", "app=web", "")
    rest = asyncio.ensure_future(
        StreamWatcher(Watching(kept, chosen, 1), Representations(FakeClock()).json, reader).begin(3)
    )
    for revision in range(4, 9):
        put(kept, revision, "c")
    reader.gate.set()
    await rest
    assert reader.lines == [("ADDED", "b"), ("DELETED", "a")]


def test_initial_events_end_with_a_bookmark():
    kept = Kept(kinds.POD)
    put(kept, 1, "b")
    put(kept, 2, "a")
    watcher = watch(kept, initial=True, end_of_initial=True)
    bookmark = msgspec.json.decode(watcher.queue[-1][1])
    assert drain(watcher) == [("ADDED", "a", "2"), ("ADDED", "b", "1"), ("BOOKMARK", "", "2")]
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert (bookmark["kind"], bookmark["apiVersion"]) == ("Pod", "v1")


def test_a_reader_that_does_not_read_loses_the_watch(monkeypatch):
    monkeypatch.setattr("controlplane.apiserver.watching.QUEUE_LIMIT", 3)
    kept = Kept(kinds.POD)
    put(kept, 1, "a")
    watcher = watch(kept, initial=True)
    for revision in range(2, 6):
        put(kept, revision, "a")
    assert watcher.overrun
    assert watcher not in kept.listeners


class Reader:
    """A stream whose reader only reads when told."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.closed = False
        self.gate = asyncio.Event()

    def write(self, data: bytes) -> None:
        if data:
            self.got.append(data)

    async def drain(self) -> None:
        await self.gate.wait()
        if self.closed:
            raise StreamClosed("gone")

    def close(self) -> None:
        self.closed = True

    abort = close

    @property
    def lines(self) -> list[tuple[str, str]]:
        found = [msgspec.json.decode(line) for line in b"".join(self.got).splitlines()]
        return [(line["type"], line["object"]["metadata"].get("name", "")) for line in found]


def test_an_event_is_encoded_once_per_form():
    kept = Kept(kinds.POD)
    forms = Representations(FakeClock())
    readers = [Reader() for _ in range(3)]
    chosen = [forms.json, forms.json, forms.negotiate("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")]
    for reader, form in zip(readers, chosen, strict=True):
        StreamWatcher(Watching(kept, Selection(), 0), form, reader).begin(0)
    event = put(kept, 1, "a")
    assert readers[0].got[0] is readers[1].got[0]
    assert readers[0].got[0] is not readers[2].got[0]
    assert len(event.encoded) == 2


def test_only_the_first_line_of_a_table_has_columns():
    kept = Kept(kinds.POD)
    form = Representations(FakeClock()).negotiate("application/json;as=Table;g=meta.k8s.io;v=v1")
    first, second = Reader(), Reader()
    StreamWatcher(Watching(kept, Selection(), 0), form, first).begin(0)
    put(kept, 1, "a")
    StreamWatcher(Watching(kept, Selection(), 1), form, second).begin(1)
    put(kept, 2, "b")
    put(kept, 3, "c")

    def columns(reader):
        lines = b"".join(reader.got).splitlines()
        return [bool(msgspec.json.decode(line)["object"]["columnDefinitions"]) for line in lines]

    assert (columns(first), columns(second)) == ([True, False, False], [True, False])
    assert first.got[2] is second.got[1], "what follows is encoded once for all"


@pytest.mark.parametrize(
    "variant", [lambda forms, form: forms.framed(form), lambda forms, form: forms.converted(form, kinds.POD)]
)
def test_a_variant_of_a_table_has_columns_once_too(variant):
    forms = Representations(FakeClock())
    form = variant(forms, forms.negotiate("application/json;as=Table;g=meta.k8s.io;v=v1"))
    kept, reader = Kept(kinds.POD), Reader()
    StreamWatcher(Watching(kept, Selection(), 0), form, reader).begin(0)
    put(kept, 1, "a")
    put(kept, 2, "b")
    assert [b'"name":"Ready"' in line for line in reader.got if line] == [True, False]


async def test_what_happens_during_a_long_beginning_comes_after_it(monkeypatch):
    monkeypatch.setattr("controlplane.apiserver.watching.PIECE", 100)
    kept = Kept(kinds.POD)
    for revision in range(1, 6):
        put(kept, revision, f"p{revision}")
    reader = Reader()
    watcher = StreamWatcher(
        Watching(kept, Selection(), 5, initial=True, end_of_initial=True), Representations(FakeClock()).json, reader
    )
    rest = asyncio.ensure_future(watcher.begin(5))
    put(kept, 6, "later")
    await asyncio.sleep(0)
    assert len(reader.lines) < 6
    reader.gate.set()
    await rest
    names = [f"p{n}" for n in range(1, 6)]
    assert reader.lines == [*(("ADDED", name) for name in names), ("BOOKMARK", ""), ("ADDED", "later")]
    put(kept, 7, "live")
    assert reader.lines[-1] == ("ADDED", "live")


async def test_a_reader_that_goes_during_the_beginning(monkeypatch):
    monkeypatch.setattr("controlplane.apiserver.watching.PIECE", 10)
    kept = Kept(kinds.POD)
    put(kept, 1, "a")
    put(kept, 2, "b")
    reader = Reader()
    watcher = StreamWatcher(Watching(kept, Selection(), 2, initial=True), Representations(FakeClock()).json, reader)
    rest = watcher.begin(2)
    reader.close()
    reader.gate.set()
    await rest


def test_the_ring_forgets_what_is_too_old_to_go_on_from():
    kept = Kept(kinds.POD)
    for revision in range(1, 6):
        put(kept, revision, f"p{revision}")
    kept.forget(3)
    assert [event.revision for event in kept.since(3)] == [4, 5]
    with pytest.raises(TooOld):
        kept.since(2)
    kept.forget(99)
    assert list(kept.since(5)) == []


def test_bookmarks_go_to_those_who_asked():
    kept = Kept(kinds.POD)
    asked, plain = watch(kept, bookmarks=True), watch(kept)
    tell_bookmarks([kept], 77)
    assert drain(asked) == [("BOOKMARK", "", "77")]
    assert drain(plain) == []
