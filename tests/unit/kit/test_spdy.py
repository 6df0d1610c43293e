"""SPDY/3.1 against hand-made bytes, the dictionary's checksum, and both sides against each other."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.http.spdy import (
    DICTIONARY,
    MOST_ANSWERS,
    MOST_STREAMS,
    Broken,
    Data,
    GoneAway,
    Opened,
    Ponged,
    Replied,
    Reset,
    Session,
    WasReset,
)


def control(kind: int, body: bytes, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(body)) + body


def block(*pairs: tuple[str, str]) -> bytes:
    plain = struct.pack(">I", len(pairs))
    for name, value in pairs:
        plain += struct.pack(">I", len(name)) + name.encode() + struct.pack(">I", len(value)) + value.encode()
    return plain


def packed(plain: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    return pack.compress(plain) + pack.flush(zlib.Z_SYNC_FLUSH)


def test_the_dictionary_is_the_protocols():
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_a_stream_is_opened_with_these_bytes():
    session = Session(client=True)
    assert session.open([("StreamType", "error")]) == 1
    expected = control(1, struct.pack(">IIBB", 1, 0, 0, 0) + packed(block(("streamtype", "error"))))
    assert session.outgoing() == expected
    assert session.open([("a", "b")], fin=True) == 3
    assert session.outgoing()[:8][4] == 1  # FIN


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (control(2, struct.pack(">I", 1) + packed(block())), [Replied(1, ())]),
        (
            control(2, struct.pack(">I", 1) + packed(block(("a", "b\0c"))), 1),
            [Replied(1, (("a", "b"), ("a", "c")), True)],
        ),
        (struct.pack(">II", 1, 3) + b"abc", [Data(1, b"abc")]),
        (struct.pack(">II", 1, 1 << 24 | 3) + b"abc", [Data(1, b"abc", True)]),
        (struct.pack(">II", 1, 1 << 24), [Data(1, b"", True)]),
        (struct.pack(">II", 1, 0), []),
        (control(3, struct.pack(">II", 1, 5)), [WasReset(1, 5)]),
        (control(7, struct.pack(">II", 1, 0)), [GoneAway(1, 0)]),
        (control(6, struct.pack(">I", 1)), [Ponged(1)]),
        (control(8, struct.pack(">I", 1) + packed(block(("a", "b"))), 1), [Data(1, b"", True)]),
        (control(4, struct.pack(">I", 0)), []),
        (control(9, struct.pack(">II", 1, 65536)), []),
        (control(77, b"whatever"), []),
    ],
)
def test_what_a_client_reads(data, events):
    session = Session(client=True)
    assert list(session.receive(data)) == events
    one_by_one = Session(client=True)
    found = [event for byte in data for event in one_by_one.receive(bytes((byte,)))]
    assert b"".join(e.data for e in found if isinstance(e, Data)) == b"".join(
        e.data for e in events if isinstance(e, Data)
    )
    assert [e for e in found if not isinstance(e, Data)] == [e for e in events if not isinstance(e, Data)]
    assert [e.fin for e in found if isinstance(e, Data)][-1:] == [e.fin for e in events if isinstance(e, Data)][-1:]


def test_pings_are_answered():
    session = Session(client=True)
    assert list(session.receive(control(6, struct.pack(">I", 2)))) == []
    assert session.outgoing() == control(6, struct.pack(">I", 2))


PING = control(6, struct.pack(">I", 2))


def test_who_pings_and_does_not_read_the_answers_breaks_the_protocol():
    session = Session(client=True)
    for _ in range(10):  # as long as they are taken away, it goes on
        assert list(session.receive(PING * MOST_ANSWERS)) == [] and session.waiting
        assert session.outgoing() == PING * MOST_ANSWERS and not session.waiting
    list(session.receive(PING * MOST_ANSWERS))
    with pytest.raises(Broken, match="answers wait"):
        list(session.receive(PING))


def test_our_own_frames_are_no_answers():
    session = Session(client=True)
    for number in range(MOST_ANSWERS + 1):
        session.ping(2 * number + 1)
        session.open([])
    list(session.receive(PING))


def test_streams_have_a_limit():
    client, server = Session(client=True), Session(client=False)
    streams = [client.open([("a", str(number))]) for number in range(MOST_STREAMS + 5)]
    opened = [event.stream for event in server.receive(client.outgoing()) if isinstance(event, Opened)]
    assert opened == streams[:MOST_STREAMS]
    refused = [event for event in client.receive(server.outgoing()) if isinstance(event, WasReset)]
    assert refused == [WasReset(stream, Reset.REFUSED_STREAM) for stream in streams[MOST_STREAMS:]]
    server.reset(streams[0])
    again = client.open([("b", "c")])
    assert list(server.receive(client.outgoing())) == [Opened(again, (("b", "c"),))], "and the headers are in step"


def test_nobody_opens_streams_towards_a_client():
    client, server = Session(client=True), Session(client=False)
    for _ in range(3):
        stream = server.open([("a", "b")])
        assert list(client.receive(server.outgoing())) == []
        assert list(server.receive(client.outgoing())) == [WasReset(stream, Reset.REFUSED_STREAM)]
    with pytest.raises(Broken, match="answers wait"):
        for _ in range(MOST_ANSWERS + 1):
            server.open([])
        list(client.receive(server.outgoing()))
    assert len(client._open) == 0


@pytest.mark.parametrize(
    "data",
    [
        control(2, struct.pack(">I", 1) + b"garbage"),
        control(2, b"\0"),
        control(3, b"\0\0\0\1"),
        control(2, struct.pack(">I", 1) + packed(block())[:-4], version=2),
        control(1, struct.pack(">IIBB", 1, 0, 0, 0) + packed(block())),  # our own number
        control(2, struct.pack(">I", 1) + packed(struct.pack(">I", 1 << 31))),
        control(2, struct.pack(">I", 1) + packed(struct.pack(">II", 1, 1 << 31))),
        control(2, struct.pack(">I", 1) + packed(block(("a", "x" * 100_000)))),  # larger than it looks
        struct.pack(">HHI", 0x8003, 1, 0xFFFFFF),
    ],
)
def test_what_breaks_the_protocol(data):
    with pytest.raises(Broken):
        list(Session(client=True).receive(data))


def test_numbers_go_up():
    client, server = Session(client=True), Session(client=False)
    client.open([])
    first = client.outgoing()
    list(server.receive(first))
    with pytest.raises(Broken, match="stream 1 may not be opened"):
        list(server.receive(first))


def test_after_the_end_nothing_is_sent():
    session = Session(client=True)
    stream = session.open([])
    session.send(stream, b"a", fin=True)
    session.outgoing()
    session.send(stream, b"b")
    session.send(stream, b"", fin=True)
    assert session.outgoing() == b""
    other = session.open([])
    session.reset(other, Reset.CANCEL)
    session.outgoing()
    session.send(other, b"b")
    assert session.outgoing() == b""


@given(st.binary(max_size=200))
def test_noise_breaks_nothing_else(data):
    try:
        list(Session(client=True).receive(data))
    except Broken:
        pass


Values = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text)
Words = st.dictionaries(st.text("abcdefgh-", min_size=1, max_size=12), Values, max_size=5)


@given(
    st.lists(st.tuples(Words, st.lists(st.binary(max_size=100_000 // 40), max_size=4)), min_size=1, max_size=5),
    st.integers(1, 5000),
)
def test_both_sides_agree(streams, step):
    client, server = Session(client=True), Session(client=False)
    wire = b""
    sent: dict[int, bytes] = {}
    for words, pieces in streams:
        stream = client.open(words.items())
        for piece in pieces:
            client.send(stream, piece)
        client.send(stream, b"", fin=True)
        sent[stream] = b"".join(pieces)
        wire += client.outgoing()
    events = [e for start in range(0, len(wire), step) for e in server.receive(wire[start : start + step])]
    opened = [event for event in events if isinstance(event, Opened)]
    assert [dict(event.headers) for event in opened] == [words for words, _ in streams]
    for stream, data in sent.items():
        mine = [event for event in events if isinstance(event, Data) and event.stream == stream]
        assert b"".join(event.data for event in mine) == data
        assert [event.fin for event in mine] == [False] * (len(mine) - 1) + [True]
        server.reply(stream)
    answers = list(client.receive(server.outgoing()))
    assert [a.stream for a in answers if isinstance(a, Replied)] == list(sent)


def test_large_data_goes_in_frames():
    client, server = Session(client=True), Session(client=False)
    stream = client.open([])
    data = bytes(range(256)) * 1000
    client.send(stream, data, fin=True)
    events = list(server.receive(client.outgoing()))[1:]
    assert b"".join(e.data for e in events if isinstance(e, Data)) == data
    assert [e.fin for e in events if isinstance(e, Data)] == [False, False, False, True]
