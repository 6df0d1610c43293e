"""The small server beside a program: /healthz, /livez, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from kit.http.model import Answer, Request, Response
from kit.metrics import CONTENT_TYPE, Metrics

Check = Callable[[], str]


class Health:
    """A handler for `Server`. A check answers "" when all is well and else what is wrong; `ready` checks count for /readyz only."""

    def __init__(
        self,
        metrics: Metrics | None = None,
        live: Mapping[str, Check] | None = None,
        ready: Mapping[str, Check] | None = None,
    ) -> None:
        self._metrics = metrics
        self._live = dict(live or {})
        self._ready = dict(ready or {})

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        path = request.path
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"method not allowed\n", "text/plain", [("Allow", "GET, HEAD")])
        if path in ("/healthz", "/livez"):
            return report(self._live, "verbose" in request.query)
        if path == "/readyz":
            return report(self._live | self._ready, "verbose" in request.query)
        if path == "/metrics" and self._metrics is not None:
            return self._exposition(self._metrics)
        return Response(404, b"not found\n", "text/plain")

    def _exposition(self, metrics: Metrics) -> Awaitable[Response]:
        async def render() -> Response:
            return Response(200, await metrics.exposition(), CONTENT_TYPE)

        return render()


def report(checks: Mapping[str, Check], verbose: bool = False) -> Response:
    """ "ok" when every check is, else 500 and a line for each; with `verbose` the lines in any case."""
    problems = {name: check() for name, check in checks.items()}
    failed = any(problems.values())
    if not failed and not verbose:
        return Response(200, b"ok", "text/plain; charset=utf-8")
    lines = [f"[-]{name} failed: {problem}" if problem else f"[+]{name} ok" for name, problem in problems.items()]
    lines.append("check failed" if failed else "check passed")
    body = "".join(f"{line}\n" for line in lines).encode()
    return Response(500 if failed else 200, body, "text/plain; charset=utf-8")
