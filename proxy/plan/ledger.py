"""What is wanted of the kernel at this moment, for all Services. No I/O: a ledger turns news into changes.

`update` is asked about the Services that something happened to and answers the changes since the last answer. A backend
that has applied all answers in order is in step with `all()`.
"""

from collections import deque
from collections.abc import Collection, Iterator

import msgspec

from proxy.model.cluster import Cluster
from proxy.model.facts import Facts
from proxy.plan.claims import Claims, Conflict, order
from proxy.plan.desired import Desired, desired_of
from proxy.plan.diff import Change, diff


class Update(msgspec.Struct, frozen=True):
    """What changes, and what could not be had."""

    changes: list[Change]
    conflicts: list[Conflict]


class Ledger:
    """The wanted state by Service."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._desired: dict[str, tuple[Desired, ...]] = {}
        self._claims = Claims()

    def all(self) -> Iterator[Desired]:
        """Everything wanted."""
        for desired in self._desired.values():
            yield from desired

    def of(self, service: str) -> tuple[Desired, ...]:
        """What is wanted for one Service."""
        return self._desired.get(service, ())

    def update(self, cluster: Cluster, keys: Collection[str]) -> Update:
        """Look at these Services again; those that waited for what becomes free are looked at too."""
        services = cluster.services
        known = order(services[key] for key in keys if key in services)
        before: dict[str, tuple[Desired, ...]] = {}
        conflicts: dict[str, list[Conflict]] = {}
        todo = deque([key for key in keys if key not in services] + [service.key for service in known])
        while todo:
            key = todo.popleft()
            service = services.get(key)
            wanted = desired_of(service, list(cluster.slices(key)), self.facts) if service else ()
            current = self._desired.get(key, ())
            before.setdefault(key, current)
            admitted, conflicts[key], released = self._claims.admit(key, current, wanted)
            if admitted:
                self._desired[key] = admitted
            else:
                self._desired.pop(key, None)
            todo.extend(sorted(released))
        changes: list[Change] = []
        for key, old in before.items():
            new = self.of(key)
            changes += diff(old, new) if old else [Change(None, one) for one in new]
        return Update(changes, [one for found in conflicts.values() for one in found])
