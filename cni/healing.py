"""Puts back what somebody took away from under all pods: rules, bridges, their addresses.

Rules are read only after somebody has written any. What an attachment needs is in the rules before its link is made and
until its link is gone; so an attachment may lack it only while it has no link.
"""

from collections import Counter

from cni import bridge
from cni.errors import KERNEL, CniError
from cni.host import Host
from cni.ipam import State, Store
from cni.ports import TABLE
from cni.rules import Rules


class Healing:
    """Knows which rules it has found right. `repairs` counts what was put back."""

    def __init__(self, repairs: Counter[str] | None = None) -> None:
        self.repairs: Counter[str] = Counter() if repairs is None else repairs
        self._generation: int | None = None

    def heal(self, host: Host, store: Store) -> list[str]:
        """Mend, and say what."""
        state = store.state()
        if not state.networks:
            return []
        mended = [f"table {TABLE}"] if self._heal_rules(host, store, state) else []
        self.repairs["attachment rules"] += len(mended)
        for network in state.networks:
            ports = frozenset(held.link for held in state.attachments if held.owner.network == network.name)
            if ports:
                found = bridge.mend(host.links, network, ports)
                self.repairs["bridge"] += len(found)
                mended += found
        return mended

    def _heal_rules(self, host: Host, store: Store, state: State) -> bool:
        """Whether they were damaged."""
        from linux.nft.door import NftError

        rules = Rules(host, store)
        gone = not all(rules.there(network) for network in state.networks)
        if not gone:
            try:
                now = rules.generation()
                if now == self._generation:
                    return False
                damaged = not rules.whole()
            except NftError as error:
                raise CniError(KERNEL, f"cannot look at table {TABLE}: {error}") from error
            self._generation = now
            if not damaged:
                return False
        self._generation = None
        rules.write()
        return True
