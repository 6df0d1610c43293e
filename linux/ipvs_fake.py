"""IPVS in memory, with the kernel's answers. No packets: `connect` and `disconnect` say how many connections there are."""

import errno

from linux.ipvs import Destination, SeenDestination, Service, Settings, show
from linux.netlink import failure

SCHEDULERS = frozenset(("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "fo", "ovf", "mh"))


class FakeIpvs:
    """The load balancer of a namespace. `refuse` makes the next changes fail with these error numbers."""

    def __init__(self) -> None:
        self._services: dict[Service, Settings] = {}
        self._destinations: dict[Service, dict[Destination, SeenDestination]] = {}
        self.refuse: list[int] = []
        self.changes = 0

    def services(self) -> dict[Service, Settings]:
        """All services."""
        return dict(self._services)

    def find(self, service: Service) -> Settings | None:
        """One service."""
        return self._services.get(service)

    def add(self, service: Service, settings: Settings) -> None:
        """Make a service."""
        doing = f"add IPVS service {show(service)}"
        self._begin(doing)
        if service in self._services:
            raise failure(doing, errno.EEXIST)
        self._put(doing, service, settings)
        self._destinations[service] = {}

    def change(self, service: Service, settings: Settings) -> None:
        """Change how a service chooses."""
        doing = f"change IPVS service {show(service)}"
        self._begin(doing)
        self._of(doing, service)
        self._put(doing, service, settings)

    def _put(self, doing: str, service: Service, settings: Settings) -> None:
        if settings.scheduler not in SCHEDULERS:
            raise failure(doing, errno.ENOENT)
        self._services[service] = settings

    def remove(self, service: Service) -> bool:
        """Remove a service with its destinations."""
        self._begin(f"remove IPVS service {show(service)}")
        self._destinations.pop(service, None)
        return self._services.pop(service, None) is not None

    def destinations(self, service: Service) -> dict[Destination, SeenDestination]:
        """Where a service sends clients to."""
        return dict(self._destinations.get(service, {}))

    def add_destination(self, service: Service, destination: Destination, weight: int) -> None:
        """Let a service send clients there."""
        doing = f"add a destination of IPVS service {show(service)}"
        self._begin(doing)
        if destination in self._of(doing, service):
            raise failure(doing, errno.EEXIST)
        self._destinations[service][destination] = SeenDestination(weight)

    def change_destination(self, service: Service, destination: Destination, weight: int) -> None:
        """Change how many clients it gets."""
        doing = f"change a destination of IPVS service {show(service)}"
        self._begin(doing)
        known = self._of(doing, service)
        if destination not in known:
            raise failure(doing, errno.ENOENT)
        known[destination] = known[destination]._replace(weight=weight)

    def remove_destination(self, service: Service, destination: Destination) -> bool:
        """Take a destination away."""
        self._begin(f"remove a destination of IPVS service {show(service)}")
        return self._destinations.get(service, {}).pop(destination, None) is not None

    def close(self) -> None:
        """Nothing to give back."""

    def flush(self) -> None:
        """Remove everything, as a careless administrator would."""
        self._services.clear()
        self._destinations.clear()

    def connect(self, service: Service, destination: Destination, connections: int) -> None:
        """Have that many connections, from now on."""
        known = self._destinations[service]
        known[destination] = known[destination]._replace(connections=connections)

    def _begin(self, doing: str) -> None:
        self.changes += 1
        if self.refuse:
            raise failure(doing, self.refuse.pop(0))

    def _of(self, doing: str, service: Service) -> dict[Destination, SeenDestination]:
        if service not in self._destinations:
            raise failure(doing, errno.ESRCH)
        return self._destinations[service]
