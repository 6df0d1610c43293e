"""Who owns an address and port when several Services ask for the same.

Bad input, but it happens: two Services on one cluster IP, a node port given twice by hand. Who holds a frontend keeps
it; the others do without and are looked at again when it becomes free. After a restart the oldest Service comes first
(`order`), so the outcome is the same on every node.
"""

from collections.abc import Iterable

import msgspec

from proxy.model import addresses
from proxy.model.addresses import PROTOCOL_NAMES
from proxy.model.service import Service
from proxy.plan.desired import Desired

_Slot = tuple[int, int, bytes, int]  # family, protocol, address, port


class Conflict(msgspec.Struct, frozen=True):
    """A Service that goes without a frontend."""

    service: str
    owner: str
    frontend: str


def order(services: Iterable[Service]) -> list[Service]:
    """In which order Services get what they ask for at the start."""
    return sorted(services, key=lambda service: (service.created, service.key))


class Claims:
    """The owners of all frontends."""

    def __init__(self) -> None:
        self._owners: dict[_Slot, str] = {}
        self._waiting: dict[_Slot, set[str]] = {}

    def admit(
        self, service: str, old: Iterable[Desired], new: Iterable[Desired]
    ) -> tuple[tuple[Desired, ...], list[Conflict], set[str]]:
        """What of `new` the Service gets, what it does not, and which other Services may now get more."""
        admitted: list[Desired] = []
        conflicts: list[Conflict] = []
        wanted: set[_Slot] = set()
        for one in new:
            refused = set()
            for frontend in one.frontends:
                slot = (one.family, one.protocol, frontend.address, frontend.port)
                owner = self._owners.setdefault(slot, service)
                if owner != service or slot in wanted:
                    refused.add(frontend)
                    self._waiting.setdefault(slot, set()).add(service)
                    conflicts.append(Conflict(service, owner, _show(slot)))
                else:
                    wanted.add(slot)
            kept = tuple(frontend for frontend in one.frontends if frontend not in refused)
            admitted.append(msgspec.structs.replace(one, frontends=kept) if refused else one)
        released: set[str] = set()
        for one in old:
            for frontend in one.frontends:
                slot = (one.family, one.protocol, frontend.address, frontend.port)
                if slot not in wanted and self._owners.get(slot) == service:
                    del self._owners[slot]
                    released |= self._waiting.pop(slot, set())
        return tuple(admitted), conflicts, released - {service}


def _show(slot: _Slot) -> str:
    family, protocol, address, port = slot
    if not address:
        return f"node port {port}/{PROTOCOL_NAMES[protocol]} (IPv{family})"
    return f"{addresses.show_endpoint(addresses.endpoint(address, port))}/{PROTOCOL_NAMES[protocol]}"
