"""However the bytes are cut, the same requests come out; whatever comes, the server survives and answers in HTTP."""

import asyncio
import re
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.clock import FakeClock
from kit.http.h1 import Connection
from kit.http.model import Request, Response
from kit.http.server import Limits, Server

CONVERSATION = (
    b"GET /one?a=b HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Long: " + b"v" * 50 + b"\r\n\r\n"
    b"POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    b"PUT /three HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"
    b"DELETE /four HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    b"HEAD /five HTTP/1.1\r\nHost: x\r\n\r\n"
)


class Tape(asyncio.Transport):
    """A transport that records."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closing:
            self.written += data

    def writelines(self, list_of_data: object) -> None:
        for data in cast(list[bytes], list_of_data):
            self.write(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def seen_by(pieces: list[bytes], limits: Limits | None = None) -> tuple[list[tuple[object, ...]], bytes]:
    """The requests a handler sees, and what was answered, without dates."""
    seen: list[tuple[object, ...]] = []

    def handler(request: Request) -> Response:
        seen.append((request.method, request.target, request.headers, request.body))
        return Response(200, request.body, "text/plain")

    server = Server(handler, limits=limits, clock=FakeClock())
    tape = Tape()
    connection = Connection(server)
    connection.connection_made(tape)
    for piece in pieces:
        if not tape.closing:
            connection.data_received(piece)
    connection.connection_lost(None)
    return seen, re.sub(rb"Date: [^\r]*\r\n", b"", bytes(tape.written))


WHOLE = seen_by([CONVERSATION])


def test_the_conversation_is_understood() -> None:
    requests, answers = WHOLE
    assert [(method, target, body) for method, target, _, body in requests] == [
        ("GET", "/one?a=b", b""),
        ("POST", "/two", b"hello"),
        ("PUT", "/three", b"abcde"),
        ("DELETE", "/four", b""),
        ("HEAD", "/five", b""),
    ]
    assert requests[0][2] == {"host": "x", "x-empty": "", "x-long": "v" * 50}
    assert requests[2][2] == {"host": "x", "transfer-encoding": "chunked"}
    assert answers.count(b"HTTP/1.1 200 OK") == 5


@pytest.mark.parametrize("at", range(1, len(CONVERSATION)))
def test_cut_at_every_byte(at: int) -> None:
    assert seen_by([CONVERSATION[:at], CONVERSATION[at:]]) == WHOLE


def test_byte_by_byte() -> None:
    assert seen_by([CONVERSATION[i : i + 1] for i in range(len(CONVERSATION))]) == WHOLE


@given(st.lists(st.integers(1, len(CONVERSATION) - 1), max_size=8))
def test_cut_anywhere(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    assert seen_by([CONVERSATION[a:b] for a, b in pairwise(edges)]) == WHOLE


def _answers_are_http(answers: bytes) -> bool:
    """Status lines, headers, a body as long as told; nothing else."""
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        if not re.match(rb"HTTP/1\.1 \d{3} [^\r\n]*", head):
            return False
        length = re.search(rb"Content-Length: (\d+)", head)
        answers = rest[int(length[1]) if length else 0 :]
    return True


async def _survives(pieces: list[bytes]) -> None:
    _, answers = seen_by([piece for piece in pieces if piece], Limits(head=500, body=500, linger=0))
    assert _answers_are_http(answers.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")), answers


@given(st.lists(st.binary(max_size=60), max_size=6))
async def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    await _survives(pieces)


TOKENS = [
    b"GET ", b"POST ", b"CONNECT ", b"/a", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"Host: x\r\n", b"Content-Length: 3\r\n",
    b"Content-Length: 900\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: x\r\n",
    b"Expect: 100-continue\r\n", b"\r\n", b"\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc", b"\n", b"\r", b"\0", b"x" * 300, b": ",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.lists(st.sampled_from(TOKENS), max_size=8).map(b"".join), max_size=6))
async def test_almost_http_is_survived(pieces: list[bytes]) -> None:
    await _survives(pieces)
