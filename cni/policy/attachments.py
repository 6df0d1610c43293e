"""Which addresses the runtime has given to which interface of which pod of this node. Pure.

It says so before any status does, and it says who has lost one. A pod's name alone says too little: a pod may have several
interfaces, and the one before of the same name (another uid) may still be on its way out while its follower starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cni.pods import PodInterface

Addresses = tuple[bytes, ...]


class _Held(NamedTuple):
    uid: str
    ips: Addresses

    def of(self, uid: str) -> bool:
        return same_pod(self.uid, uid)


class Attachments:
    """See the module."""

    def __init__(self) -> None:
        self._held: dict[str, dict[tuple[str, str], _Held]] = {}  # by pod, then by container and interface
        self._lost: dict[str, set[bytes]] = {}  # its status may still say so

    def known(self, pod: str, uid: str) -> bool:
        """Whether the runtime has told of addresses of this pod."""
        return any(one.of(uid) for one in self._held.get(pod, {}).values())

    def ips(self, pod: str, uid: str, status: Addresses) -> Addresses:
        """The addresses of a pod: what the runtime has given it, else what its status says and it has not lost."""
        if self.known(pod, uid):
            return tuple(ip for one in self._held[pod].values() if one.of(uid) for ip in one.ips)
        lost = self._lost.get(pod, ())
        return tuple(ip for ip in status if ip not in lost)

    def holders(self, ips: Iterable[bytes]) -> list[str]:
        """The pods that have any of these addresses."""
        wanted = frozenset(ips)
        return [pod for pod, held in self._held.items() if any(not wanted.isdisjoint(one.ips) for one in held.values())]

    def give(self, interface: PodInterface, ips: Addresses) -> None:
        """An interface has got these addresses, and nobody else has them any more: a DEL may have gone by us, as that of a GC does."""
        for pod in self.holders(ips):
            left = {
                key: one._replace(ips=tuple(ip for ip in one.ips if ip not in ips))
                for key, one in self._held[pod].items()
            }
            self._hold(pod, {key: one for key, one in left.items() if one.ips})
            self.lose(pod, ips)
        self._hold(interface.pod, self._held.get(interface.pod, {}) | {interface[1:3]: _Held(interface.uid, ips)})
        self._lost.get(interface.pod, set()).difference_update(ips)

    def take(self, interface: PodInterface) -> Addresses:
        """An interface goes; the addresses that it had."""
        held = dict(self._held.get(interface.pod, {}))
        gone = held.pop(interface[1:3], None)
        self._hold(interface.pod, held)
        return gone.ips if gone is not None else ()

    def lose(self, pod: str, ips: Iterable[bytes]) -> None:
        """A pod has lost these addresses, whatever its status says."""
        self._lost.setdefault(pod, set()).update(ips)

    def end(self, pod: str) -> None:
        """A pod is over: the next one of its name has lost nothing."""
        self._lost.pop(pod, None)

    def _hold(self, pod: str, held: dict[tuple[str, str], _Held]) -> None:
        if held:
            self._held[pod] = held
        else:
            self._held.pop(pod, None)


def same_pod(uid: str, other: str) -> bool:
    """Whether two of one name are the same, as far as is known."""
    return uid == other or not uid or not other
