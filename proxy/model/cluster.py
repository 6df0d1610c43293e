"""Everything the proxy has seen, by Service: the Service itself and its slices."""

from collections.abc import Iterable

from proxy.model.endpointslice import Slice
from proxy.model.service import Service


class Cluster:
    """An index over extracts. Each change answers which Service it is about."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self._slices: dict[str, dict[str, Slice]] = {}

    def set_service(self, key: str, service: Service | None) -> str:
        """A Service was added, changed or (None) removed."""
        if service is None:
            self.services.pop(key, None)
        else:
            self.services[key] = service
        return key

    def set_slice(self, key: str, old: Slice | None, new: Slice | None) -> set[str]:
        """A slice was added, changed or removed; it may have moved from one Service to another."""
        touched = set()
        if old is not None:
            touched.add(old.service)
            slices = self._slices.get(old.service, {})
            slices.pop(key, None)
            if not slices:
                self._slices.pop(old.service, None)
        if new is not None:
            touched.add(new.service)
            self._slices.setdefault(new.service, {})[key] = new
        return touched

    def slices(self, service: str) -> Iterable[Slice]:
        """The slices of a Service, in no order."""
        return self._slices.get(service, {}).values()
