"""The proxy's pages on its metrics address: numbers, and what there is to see when something is odd.

`/debug/desired` is what is wanted, `/debug/rules` what the kernel was found to hold just now and where the two differ.
`/debug/desired?service=NAMESPACE/NAME` asks for one Service. Reading takes seconds where there are 100,000 endpoints, and
changes wait meanwhile: so these two are answered on this host only. `/proxyMode` says which backend runs, as upstream's proxy does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kit.http.health import Health as MetricsPages
from kit.http.model import Answer, Request, Response
from proxy.backends.interface import BackendError
from proxy.plan.expected import expected_reading
from proxy.plan.shown import shown_desired, shown_rules
from proxy.sync.syncer import Syncer


class Pages:
    """A handler for `Server`."""

    def __init__(self, metrics: MetricsPages, syncer: Syncer) -> None:
        self._metrics = metrics
        self._syncer = syncer

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path not in ("/debug/desired", "/debug/rules", "/proxyMode"):
            return self._metrics(request)
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"method not allowed\n", "text/plain", [("Allow", "GET, HEAD")])
        if request.path == "/proxyMode":
            return Response(200, self._syncer.backend.name.encode(), "text/plain; charset=utf-8")
        if request.remote != "::1" and not request.remote.startswith("127."):
            return Response(403, b"ask on the node itself, by a loopback address\n", "text/plain; charset=utf-8")
        return self._desired(request) if request.path == "/debug/desired" else self._rules()

    def _desired(self, request: Request) -> Response:
        service, ledger = request.param("service"), self._syncer.ledger
        return _json(shown_desired(ledger.of(service) if service else ledger.all()))

    async def _rules(self) -> Response:
        try:
            seen = await self._syncer.reading()
        except BackendError as error:
            return Response(500, f"{error}\n".encode(), "text/plain; charset=utf-8")
        return _json(shown_rules(seen, expected_reading(self._syncer.ledger.all())))


def _json(document: Any) -> Response:
    return Response(200, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
