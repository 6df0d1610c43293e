"""Fetching a page for a probe or a hook: one request a connection, certificates are not looked at, and redirects are
followed as long as they stay on the same host.
"""

import asyncio
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

from api.core_v1 import HTTPHeader
from nodeagent.probes.outcome import MAX_OUTPUT, dial_failure, joined

MAX_REDIRECTS = 10
MAX_HEADERS = 200
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REDIRECTS = (301, 302, 303, 307, 308)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


class FetchProblem(Exception):
    """No answer; the text says why, without the URL."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page is, and what is said to get it."""

    scheme: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        return f"{self.scheme}://{joined(self.host, self.port)}{self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `elsewhere`: it is a redirect to another host."""

    status: int
    body: bytes
    elsewhere: bool = False


def page_of(scheme: str, host: str, port: int, path: str, headers: Sequence[HTTPHeader], agent: str) -> Page:
    """The request that an action asks for: its own headers over those that are always there."""
    path = quote(path.partition("#")[0], safe="/?&=%:@!$'()*+,;~[]-._")
    own = [(_canonical(h.name), h.value or "") for h in headers]
    names = {name for name, _ in own}
    usual = [("Host", joined(host, port)), ("User-Agent", agent), ("Accept", "*/*"), ("Connection", "close")]
    sent = [pair for pair in usual if pair[0] not in names]
    sent += [(n, v) for n, v in own if v or n not in ("Accept", "User-Agent", "Host")]
    if "Host" in names and not any(n == "Host" for n, _ in sent):
        sent.insert(0, usual[0])
    return Page(scheme, host, port, path if path.startswith("/") else f"/{path}", tuple(sent))


async def fetch(page: Page) -> Answer:
    """Get it, over redirects on the same host. Raises `FetchProblem`."""
    for _ in range(MAX_REDIRECTS):
        status, target, body = await _fetch_one(page)
        if status not in _REDIRECTS or not target:
            return Answer(status, body)
        try:
            found = urlsplit(urljoin(page.url, target))
            port = found.port or (443 if found.scheme == "https" else 80)
        except ValueError as error:
            raise FetchProblem(f'failed to parse Location header "{target}": {error}') from error
        if found.hostname != page.host or found.scheme not in ("http", "https"):
            return Answer(status, body, elsewhere=True)
        path = (found.path or "/") + (f"?{found.query}" if found.query else "")
        headers = tuple((n, joined(page.host, port) if n == "Host" else v) for n, v in page.headers)
        page = replace(page, scheme=found.scheme, port=port, path=path, headers=headers)
    raise FetchProblem("stopped after 10 redirects")


async def _fetch_one(page: Page) -> tuple[int, str, bytes]:
    for name, value in page.headers:
        if _CONTROL.search(value):  # it would be another header, or another request
            raise FetchProblem(f'net/http: invalid header field value for "{name}"')
    request = f"GET {page.path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in page.headers) + "\r\n"
    reader, writer = await _connect(page)
    try:
        writer.write(request.encode())
        await writer.drain()
        line = await reader.readline()
        if not line:
            raise FetchProblem("EOF")
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or not re.fullmatch(rb"\d{3}", words[1]):
            shown = line.rstrip(b"\r\n").decode(errors="replace")
            raise FetchProblem(f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{shown}"')
        target, length = await _read_headers(reader)
        return int(words[1]), target, await _read_body(reader, length)
    except OSError as error:
        raise FetchProblem(f"read tcp: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise FetchProblem(f"net/http: {error}") from error
    finally:
        writer.transport.abort()


async def _connect(page: Page) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = None
    if page.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody in particular, loads nobody's certificates
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        return await asyncio.open_connection(page.host, page.port, ssl=context)
    except ssl.SSLError as error:
        if error.reason in _NOT_TLS:
            raise FetchProblem("http: server gave HTTP response to HTTPS client") from error
        raise FetchProblem(f"remote error: tls: {(error.reason or str(error)).lower().replace('_', ' ')}") from error
    except (OSError, ValueError) as error:
        raise FetchProblem(dial_failure(error, page.host, page.port)) from error


async def _read_headers(reader: asyncio.StreamReader) -> tuple[str, int | None]:
    """Where it points to, and how long the body is."""
    target, length = "", None
    for _ in range(MAX_HEADERS):
        line = (await reader.readline()).strip()
        if not line:
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"location":
            target = value.strip().decode(errors="replace")
        elif name.lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    return target, length


async def _read_body(reader: asyncio.StreamReader, length: int | None) -> bytes:
    """At most so much of it; what is longer is cut, and that is no failure."""
    wanted = MAX_OUTPUT if length is None else min(length, MAX_OUTPUT)
    body = b""
    while len(body) < wanted and (more := await reader.read(wanted - len(body))):
        body += more
    return body


def _canonical(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))
