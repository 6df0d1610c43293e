"""Counts the requests to the agent's API, by what they are about; strangers cannot invent new labels."""

from collections.abc import Awaitable

from kit.clock import Clock
from kit.http.model import Answer, Handler, Request, Response
from nodeagent.report.tally import Tally

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE"))
_PLACES = frozenset(
    (
        *("attach", "checkpoint", "configz", "containerLogs", "debug", "exec", "flagz", "healthz", "logs", "metrics"),
        *("metrics/cadvisor", "metrics/probes", "metrics/resource", "pods", "portForward", "run", "runningpods"),
        *("stats", "statusz"),
    )
)
_LONG = frozenset(("attach", "debug", "exec"))


class Counted:
    """A handler whose requests are counted; `server` is `readwrite`, or `readonly` for the plain port."""

    def __init__(self, handler: Handler, server: str, tally: Tally, clock: Clock) -> None:
        self._handler = handler
        self._server = server
        self._tally = tally
        self._clock = clock

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        labels, began = labels_of(request.method, request.path, self._server), self._clock.monotonic()
        self._tally.served.add(*labels)
        self._tally.serving.add(*labels)
        answer: Answer = None
        try:
            answer = self._handler(request)
        finally:
            if not isinstance(answer, Awaitable):
                self._done(labels, began)
        return self._waited(answer, labels, began) if isinstance(answer, Awaitable) else answer

    async def _waited(
        self, answer: Awaitable[Response | None], labels: tuple[str, ...], began: float
    ) -> Response | None:
        try:
            return await answer
        finally:
            self._done(labels, began)

    def _done(self, labels: tuple[str, ...], began: float) -> None:
        self._tally.serving.add(*labels, count=-1)
        self._tally.served_seconds.add(self._clock.monotonic() - began, *labels)


def labels_of(method: str, path: str, server: str) -> tuple[str, str, str, str]:
    """Whether it lasts, its method, its place, and on which server it came."""
    first, _, rest = path.removeprefix("/").partition("/")
    place = f"{first}/{rest.partition('/')[0]}" if first == "metrics" and rest else first
    known = place if place in _PLACES else "other"
    return str(known in _LONG).lower(), method if method in _METHODS else "other", known, server
