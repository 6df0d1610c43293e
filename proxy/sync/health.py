"""Whether the proxy keeps up, and how it answers load balancers and supervisors: as upstream's does.

It is well as long as no change has waited longer than `TIMEOUT` to be programmed. /healthz also says no when the node is
about to be deleted, so that load balancers send nothing more; /livez does not.
"""

import msgspec

from api import times
from kit.clock import Clock
from kit.http.model import Request, Response
from proxy.sync.metrics import FAMILY_NAMES, ProxyMetrics

TIMEOUT = 60.0


class Health:
    """Remembers when something was asked for and when it was done."""

    def __init__(self, clock: Clock, metrics: ProxyMetrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._waiting_since: float | None = None
        self._updated = 0.0
        self.eligible = True

    def queued(self) -> None:
        """There is something to program."""
        if self._waiting_since is None:
            self._waiting_since = self._clock.monotonic()

    def updated(self) -> None:
        """Everything seen so far is in the kernel."""
        self._waiting_since = None
        self._updated = self._clock.now()

    @property
    def healthy(self) -> bool:
        """Whether nothing has waited too long."""
        return self._waiting_since is None or self._clock.monotonic() - self._waiting_since < TIMEOUT

    def __call__(self, request: Request) -> Response:
        """Answer /healthz and /livez."""
        if request.path not in ("/healthz", "/livez"):
            return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
        whole = request.path == "/healthz"
        well = self.healthy and (self.eligible or not whole)
        now = self._clock.now()
        body: dict[str, object] = {
            "lastUpdated": times.format_time(now if well else self._updated),
            "currentTime": times.format_time(now),
        }
        if whole:
            body["nodeEligible"] = self.eligible
        families = {
            name: {"lastUpdated": times.format_time(self._updated), "healthy": self.healthy}
            for name in FAMILY_NAMES.values()
            if self._updated
        }
        body["healthy"] = self.healthy
        if families:
            body["status"] = families
        code = 200 if well else 503
        (self._metrics.healthz if whole else self._metrics.livez).labels(str(code)).inc()
        return Response(code, msgspec.json.encode(body), headers=[("X-Content-Type-Options", "nosniff")])
