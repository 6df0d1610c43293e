"""How many requests are in work at a time, and who is told to come back later.

Reads and writes have a limit each. What is answered at once never waits beside another and is not counted; watches and other long-running
requests are not limited; an administrator always gets his answer, which may be the one that ends the trouble. In the common case a request
costs one look at `full`.
"""

from __future__ import annotations

from controlplane.apiserver.call import Call, User
from controlplane.apiserver.identity.users import MASTERS
from kit.metrics import Metrics

_READS = frozenset({"get", "list"})
CONNECTIONS = frozenset({"attach", "exec", "log", "portforward", "proxy"})  # subresources whose requests may last
_IN_FLIGHT = "The most requests in work at a time since the last look, by kind of request."


class Lane:
    """The requests of one kind."""

    __slots__ = ("_load", "_most", "limit", "now")

    def __init__(self, load: Load, limit: int) -> None:
        self._load = load
        self._most = 0
        self.limit = limit  # 0: none
        self.now = 0

    @property
    def full(self) -> bool:
        """Whether one more would be too many."""
        return 0 < self.limit <= self.now

    def enter(self) -> None:
        """One more."""
        self.now += 1
        if self.now > self._most:
            self._most = self.now
        if self.now == self.limit:
            self._load.full = True

    def leave(self) -> None:
        """One less."""
        self.now -= 1
        if self.now == self.limit - 1:
            self._load.settle()

    def most(self) -> int:
        """The most there were since this was last asked."""
        most, self._most = self._most, self.now
        return most


class Load:
    """The requests in work on one server."""

    def __init__(self, reads: int, writes: int, metrics: Metrics) -> None:
        """Limits of 0 are none."""
        self._reads, self._writes = Lane(self, reads), Lane(self, writes)
        self._doubtful = Lane(self, 0)  # whoever was refused takes nobody's place; the pipeline bounds how many wait
        self.full = False  # whether any lane is
        gauge = metrics.gauge("apiserver_current_inflight_requests", _IN_FLIGHT, ("request_kind",))
        gauge.labels("readOnly").set_function(self._reads.most)
        gauge.labels("mutating").set_function(self._writes.most)

    def lane(self, call: Call) -> Lane | None:
        """Where a routed call counts; None for one that is meant to last."""
        if call.doubtful:
            return self._doubtful
        if lasts(call):
            return None
        return self._reads if call.verb in _READS else self._writes

    def refuses(self, call: Call) -> bool:
        """Whether a routed call of a known user comes at the wrong moment."""
        lane = self.lane(call)
        return lane is not None and lane.full and not _always_answered(call.user)

    def settle(self) -> None:
        """Look again whether any lane is full."""
        self.full = self._reads.full or self._writes.full


def lasts(call: Call) -> bool:
    """Whether a routed call is meant to last."""
    return call.verb == "watch" or call.target.subresource in CONNECTIONS


def _always_answered(user: User | None) -> bool:
    return user is not None and MASTERS in user.groups
