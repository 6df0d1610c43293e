"""How many requests at a time, and which answers are compressed: the rules by themselves."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import msgspec
import pytest
import yaml

from api import kinds
from controlplane.apiserver import compression
from controlplane.apiserver.call import Call, Listed, Target, User
from controlplane.apiserver.load import Load
from controlplane.apiserver.representation import ROWS_PIECE, YAML_PIECE, Representation, Representations
from kit.clock import FakeClock
from kit.metrics import Metrics

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize(
    ("header", "yes"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.5", True),
        ("deflate,br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("x-gzip", True),
        ("gzip;q=often", False),
    ],
)
def test_who_takes_gzip(header: str, yes: bool) -> None:
    assert compression.accepted(header) is yes


async def test_pieces_are_one_gzip_stream() -> None:
    packing = compression.Pieces()
    packed = b"".join([await packing.add(b"piece %d " % number * 1000) for number in range(50)]) + packing.end()
    assert zlib.decompress(packed, 31) == b"".join(b"piece %d " % number * 1000 for number in range(50))


async def test_documents_are_packed_once() -> None:
    documents = compression.Documents()
    first = await documents.packed(b"x" * 1000, '"tag"')
    assert await documents.packed(b"x" * 1000, '"tag"') is first and zlib.decompress(first, 31) == b"x" * 1000
    assert await documents.packed(b"x" * 1000, "") is not first
    for number in range(100):
        await documents.packed(b"y", f'"{number}"')
    assert len(documents._kept) == 64


def call(verb: str, subresource: str = "", *groups: str) -> Call:
    made = Call("GET", "/", user=User("u", groups))
    made.verb, made.target = verb, Target(kinds.POD, "default", "p", subresource)
    return made


def exposed(metrics: Metrics) -> dict[str, float]:
    lines = metrics.render().decode().splitlines()
    found = [line.rpartition(" ") for line in lines if line.startswith("apiserver_current_inflight_requests{")]
    return {name.partition('"')[2].rstrip('"}'): float(value) for name, _, value in found}


def test_reads_and_writes_have_lanes_of_their_own() -> None:
    metrics = Metrics(process=False)
    load = Load(2, 1, metrics)
    write, read = load.lane(call("patch")), load.lane(call("list"))
    assert write is not None and read is not None
    write.enter()
    assert load.full and load.refuses(call("create")) and not load.refuses(call("get"))
    read.enter()
    read.enter()
    assert load.refuses(call("get"))
    assert exposed(metrics) == {"readOnly": 2, "mutating": 1}
    read.leave()
    assert not load.refuses(call("get")) and load.full
    write.leave()
    assert not load.full and not load.refuses(call("delete"))
    assert exposed(metrics) == {"readOnly": 2, "mutating": 1}  # the most since the last look
    assert exposed(metrics) == {"readOnly": 1, "mutating": 0}


@pytest.mark.parametrize(
    ("verb", "subresource"),
    [("watch", ""), ("get", "log"), ("create", "exec"), ("get", "attach"), ("get", "portforward"), ("update", "proxy")],
)
def test_what_lasts_is_not_limited(verb: str, subresource: str) -> None:
    load = Load(1, 1, Metrics(process=False))
    for lane in (load._reads, load._writes):
        lane.enter()
    assert load.lane(call(verb, subresource)) is None and not load.refuses(call(verb, subresource))


def test_an_administrator_is_always_answered() -> None:
    load = Load(1, 1, Metrics(process=False))
    load._writes.enter()
    assert load.refuses(call("create", "", "devs")) and not load.refuses(call("create", "", "system:masters"))


def test_no_limit() -> None:
    load = Load(0, 0, Metrics(process=False))
    for _ in range(1000):
        load._reads.enter()
        load._writes.enter()
    assert not load.full and not load.refuses(call("get"))


# lists in slices


def listed(count: int, size: int = 0) -> Listed:
    pods = [
        b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p%d","resourceVersion":"%d","annotations":{"a":"%b"}},'
        b'"spec":{"containers":[{"name":"c","image":"i"}]},"status":{}}' % (number, number, b"x" * size)
        for number in range(count)
    ]
    return Listed(kinds.POD, pods, 77, "next", 3)


@pytest.fixture
def forms() -> Representations:
    return Representations(FakeClock())


@pytest.mark.parametrize("accept", ["application/json", "application/yaml", TABLE, METADATA])
@pytest.mark.parametrize("include", ["", "None", "Object"])
def test_the_slices_of_a_list_are_the_list(forms: Representations, accept: str, include: str) -> None:
    form, many = forms.negotiate(accept, include), listed(2000, 300)
    poured = form.pieces(many)
    assert poured is not None
    pieces = list(poured.pieces)
    whole = form.collection(many)
    assert b"".join(pieces) == whole and len(pieces) > 3
    assert poured.length in (None, len(whole))
    document = yaml.load(whole, yaml.CSafeLoader) if "yaml" in accept else msgspec.json.decode(whole)
    assert len(document["rows" if accept == TABLE else "items"]) == 2000
    assert document["metadata"]["continue"] == "next"


class Counted(list[bytes]):
    """Items that note how many of their bytes have been looked at."""

    taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for item in super().__iter__():
            self.taken += len(item)
            yield item


@pytest.mark.parametrize(
    ("accept", "share"), [(TABLE, ROWS_PIECE), ("application/yaml", YAML_PIECE), (METADATA, ROWS_PIECE)]
)
def test_no_step_looks_at_more_than_its_share(forms: Representations, accept: str, share: int) -> None:
    """After each step others run, and what a step costs grows with the bytes of the objects that it looks at."""
    many = listed(3000, 200)
    items = many.items = Counted(many.items)
    poured = forms.negotiate(accept).pieces(many)
    assert poured is not None and poured.stride == 1
    before = items.taken = 0
    for _ in poured.pieces:
        assert items.taken - before <= share + 2 * len(items[-1])
        before = items.taken
    assert before == sum(map(len, items))


def test_small_lists_are_made_in_one(forms: Representations) -> None:
    small: list[Representation] = [
        forms.negotiate(accept) for accept in ("application/json", "application/yaml", TABLE, METADATA)
    ]
    assert [form.pieces(listed(20)) for form in small] == [None] * 4
