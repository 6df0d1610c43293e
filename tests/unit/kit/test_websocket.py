"""WebSocket frames against bytes from the RFC, and back and forth."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.http import websocket
from kit.http.websocket import Broken, Message, NoHandshake, Op, Reader, close_frame, frame

MASK = bytes.fromhex("37fa213d")
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def read(data: bytes, *, masked: bool = True, largest: int = 1 << 20) -> list[Message]:
    return list(Reader(masked=masked, largest=largest).feed(data))


@pytest.mark.parametrize(
    ("data", "masked", "message"),
    [
        # RFC 6455, section 5.7
        ("810548656c6c6f", False, Message(Op.TEXT, b"Hello")),
        ("818537fa213d7f9f4d5158", True, Message(Op.TEXT, b"Hello")),
        ("010348656c80026c6f", False, Message(Op.TEXT, b"Hello")),
        ("890548656c6c6f", False, Message(Op.PING, b"Hello")),
        ("8a8537fa213d7f9f4d5158", True, Message(Op.PONG, b"Hello")),
        ("8200", False, Message(Op.BINARY, b"")),
        ("880203e8", False, Message(Op.CLOSE, b"", 1000)),
        ("8800", False, Message(Op.CLOSE, b"", websocket.NO_CODE)),
        ("880503e8627965", False, Message(Op.CLOSE, b"bye", 1000)),
    ],
)
def test_frames_of_the_rfc(data, masked, message):
    assert read(bytes.fromhex(data), masked=masked) == [message]


@pytest.mark.parametrize(
    ("size", "head"), [(125, "827d"), (126, "827e007e"), (65535, "827effff"), (65536, "827f0000000000010000")]
)
def test_lengths(size, head):
    made = frame(Op.BINARY, b"x" * size)
    assert made.startswith(bytes.fromhex(head))
    assert read(made, masked=False) == [Message(Op.BINARY, b"x" * size)]


def test_a_ping_between_fragments():
    data = frame(Op.TEXT, b"a", fin=False, mask=MASK) + frame(Op.PING, b"p", mask=MASK)
    data += frame(Op.CONTINUATION, b"b", mask=MASK)
    assert read(data) == [Message(Op.PING, b"p"), Message(Op.TEXT, b"ab")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(Op.TEXT, b"x"), 1002),  # a client must mask
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x83\x80\0\0\0\0", 1002),  # an unknown kind
        (frame(Op.CONTINUATION, b"x", mask=MASK), 1002),  # of nothing
        (frame(Op.TEXT, b"x", fin=False, mask=MASK) + frame(Op.TEXT, b"y", mask=MASK), 1002),
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in pieces
        (b"\x89\xfe\0\x7e\0\0\0\0", 1002),  # a long ping
        (b"\x88\x81\0\0\0\0\x03", 1002),  # half a code
        (frame(Op.CLOSE, (1005).to_bytes(2, "big"), mask=MASK), 1002),  # a code that may not be sent
        (frame(Op.CLOSE, (999).to_bytes(2, "big"), mask=MASK), 1002),
        (frame(Op.CLOSE, b"\x03\xe8\xff", mask=MASK), 1007),
        (frame(Op.TEXT, b"\xff", mask=MASK), 1007),
        (b"\x82\xff" + (1 << 40).to_bytes(8, "big"), 1009),  # before any of it has come
        (frame(Op.BINARY, b"x" * (1 << 20), fin=False, mask=MASK) + frame(Op.CONTINUATION, b"x", mask=MASK), 1009),
    ],
)
def test_what_breaks_the_protocol(data, code):
    with pytest.raises(Broken) as caught:
        read(data)
    assert caught.value.code == code
    assert read(close_frame(caught.value.code, str(caught.value)), masked=False)[0].code == code


def test_after_a_close_nothing_is_read():
    assert [m.op for m in read(close_frame(mask=MASK) + frame(Op.TEXT, b"late", mask=MASK))] == [Op.CLOSE]


def test_a_long_reason_is_cut_between_characters():
    (message,) = read(close_frame(1011, "ä" * 100), masked=False)
    assert message.data.decode() == "ä" * 61


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Op.BINARY, Op.PING, Op.PONG]), st.binary(max_size=100), st.binary(min_size=4, max_size=4)
        ),
        max_size=8,
    ),
    st.integers(1, 40),
)
def test_any_cut_of_any_frames(frames, step):
    data = b"".join(frame(op, payload, mask=mask) for op, payload, mask in frames)
    reader = Reader()
    found = [m for start in range(0, len(data), step) for m in reader.feed(data[start : start + step])]
    assert found == [Message(op, payload) for op, payload, _ in frames]


@given(st.binary(max_size=300))
def test_noise_breaks_nothing_else(data):
    try:
        read(data, largest=1000)
    except Broken as error:
        assert 1000 < error.code < 1015


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=100))
def test_fragments_make_one_message(pieces):
    data = b""
    for index, piece in enumerate(pieces):
        op = Op.CONTINUATION if index else Op.BINARY
        data += frame(op, piece, fin=index == len(pieces) - 1, mask=os.urandom(4))
    assert read(data) == [Message(Op.BINARY, b"".join(pieces))]


# the handshake


def headers(**changes: str) -> dict[str, str]:
    given_ = {"sec-websocket-key": KEY, "sec-websocket-version": "13"}
    return given_ | {name.replace("_", "-"): value for name, value in changes.items()}


def test_the_handshake_of_the_rfc():
    assert websocket.accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    chosen, lines = websocket.answer(headers(sec_websocket_protocol="chat, superchat"), ["superchat", "chat"])
    assert chosen == "chat"  # the client's order counts
    assert ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") in lines
    assert ("Sec-WebSocket-Protocol", "chat") in lines


def test_without_a_subprotocol():
    chosen, lines = websocket.answer(headers(), ["", "a"])
    assert chosen == ""
    assert "Sec-WebSocket-Protocol" not in dict(lines)


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        (headers(sec_websocket_protocol="x"), 403),
        (headers(), 403),  # none offered, and one is needed
        (headers(sec_websocket_version="8", sec_websocket_protocol="a"), 400),
        (headers(sec_websocket_key="short", sec_websocket_protocol="a"), 400),
        ({}, 400),
    ],
)
def test_handshakes_that_are_none(given_, code):
    with pytest.raises(NoHandshake) as caught:
        websocket.answer(given_, ["a"])
    assert caught.value.status == code
