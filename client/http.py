"""The transport over HTTP: one server, certificates or a token, watches as streams of lines."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from api.kinds import Kind
from client import errors
from client.kubeconfig import Access, KubeconfigError
from client.transport import JSON, Listing, Query
from kit.clock import Clock, SystemClock
from kit.http.client import ClientError, HttpClient, TimedOut
from kit.http.tls import TlsError, client_context

REQUEST_TIMEOUT = 30.0
LIST_TIMEOUT = 120.0

Heard = Callable[[str, str, int, float], object]  # hears of a request: server, method, status (0: none), seconds
_Headers = list[tuple[str, str]]


class _ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


_list = msgspec.json.Decoder(_List)
_line = msgspec.json.Decoder(_Line)


class HttpTransport:
    """`client.transport.Transport` to the server that `access` names. Connections are made when needed and made again when lost."""

    def __init__(
        self, access: Access, *, agent: str = "wherry", clock: Clock | None = None, heard: Heard | None = None
    ) -> None:
        url = urlsplit(access.server)
        tls = None
        if url.scheme == "https":
            try:
                tls = client_context(access.ca, access.cert, access.key, verify=access.verify)
            except TlsError as error:
                raise KubeconfigError(f"cannot talk to {access.server}: {error}") from error
        self._access = access
        self._prefix = url.path.rstrip("/")
        port = url.port or (443 if tls else 80)
        self._http = HttpClient(url.hostname or "", port, tls, server_name=access.server_name, clock=clock)
        self._agent = agent
        self._clock = clock or SystemClock()
        self._heard = heard
        self._token = access.token
        self._token_stamp = 0

    async def request(self, method: str, path: str, query: Query, body: bytes = b"", content_type: str = JSON) -> bytes:
        """One request; the body of a successful answer."""
        timeout = LIST_TIMEOUT if method == "GET" else REQUEST_TIMEOUT
        headers = self._headers()
        if body:
            headers.append(("Content-Type", content_type))
        began, status = self._clock.monotonic(), 0
        try:
            reply = await self._http.request(
                method, self._target(path, query), body=body, headers=headers, timeout=timeout
            )
            status = reply.status
        except ClientError as error:
            raise _unavailable(error) from error
        finally:
            self._tell(method, status, began)
        if reply.status >= 300:
            raise errors.from_answer(reply.status, reply.body, f"{method} {path}")
        return reply.body

    async def list(self, kind: Kind[Any], namespace: str, query: Query) -> Listing:
        """The objects of a kind."""
        data = await self.request("GET", kind.path(namespace), query)
        try:
            found = _list.decode(data)
        except msgspec.DecodeError as error:
            raise errors.unavailable(f"cannot list {kind.plural}: {self._http.where} sent no list: {error}") from error
        typed = b'{"kind":"%b","apiVersion":"%b",' % (kind.name.encode(), kind.api_version.encode())
        items = [_typed(bytes(item), typed) for item in found.items or []]
        return Listing(items, found.metadata.resource_version, found.metadata.continue_)

    async def watch(self, kind: Kind[Any], namespace: str, query: Query) -> AsyncGenerator[tuple[str, bytes], None]:
        """Events until the server ends the watch."""
        path = kind.path(namespace)
        target = self._target(path, {**query, "watch": "true"})
        began, told = self._clock.monotonic(), False
        try:
            async with self._http.stream("GET", target, headers=self._headers(), timeout=REQUEST_TIMEOUT) as incoming:
                told = True
                self._tell("GET", incoming.status, began)
                if incoming.status >= 300:
                    raise errors.from_answer(incoming.status, await incoming.body(), f"watch {path}")
                rest: list[bytes] = []
                async for data in incoming:
                    *lines, tail = data.split(b"\n")
                    for line in lines:
                        if rest:
                            line = b"".join([*rest, line])
                            rest.clear()
                        if line and not line.isspace():
                            yield _event(line, path)
                    if tail:
                        rest.append(tail)
        except ClientError as error:
            if not told:
                self._tell("GET", 0, began)
            raise _unavailable(error) from error

    async def close(self) -> None:
        """End all connections."""
        await self._http.close()

    def _tell(self, method: str, status: int, began: float) -> None:
        if self._heard is not None:
            self._heard(self._http.where, method, status, self._clock.monotonic() - began)

    def _target(self, path: str, query: Query) -> str:
        target = self._prefix + quote(path, safe="/:@-._~")
        return f"{target}?{urlencode(query)}" if query else target

    def _headers(self) -> _Headers:
        headers = [("User-Agent", self._agent), ("Accept", JSON)]
        if self._access.token_file:
            self._read_token()
        if self._token:
            headers.append(("Authorization", f"Bearer {self._token}"))
        return headers

    def _read_token(self) -> None:
        """Tokens in files are replaced before they expire."""
        try:
            stamp = os.stat(self._access.token_file).st_mtime_ns
            if stamp != self._token_stamp:
                with open(self._access.token_file, encoding="ascii") as file:
                    self._token = file.read().strip()
                self._token_stamp = stamp
        except OSError as error:
            if not self._token:
                raise errors.unavailable(f"cannot read token {self._access.token_file}: {error.strerror}") from error


def _event(line: bytes, path: str) -> tuple[str, bytes]:
    try:
        event = _line.decode(line)
    except msgspec.DecodeError as error:
        raise errors.unavailable(f"cannot watch {path}: the server sent no event: {error}") from error
    data = bytes(event.object)
    if event.type == "ERROR":
        raise errors.from_answer(500, data, f"watch {path}")
    return event.type, data


def _typed(item: bytes, head: bytes) -> bytes:
    """Upstream leaves kind and apiVersion out of the items of a list."""
    return head + item[1:] if item.startswith(b'{"metadata"') else item


def _unavailable(error: ClientError) -> errors.ApiError:
    if isinstance(error, TimedOut):
        return errors.make(504, str(error), "Timeout")
    return errors.unavailable(str(error))
