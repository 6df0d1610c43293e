"""Puts back what somebody took away from under all pods: rules, bridges, their addresses.

Rules are read only after somebody has written any. What an attachment needs of rules and bridges is there before its link is
made, and in the rules until its link is gone. So nothing may be missing of those who are in the store, are seen to have a
link, and are still in the store when the rules are read.
"""

from collections import Counter

from cni import bridge
from cni.errors import KERNEL, CniError
from cni.host import Host
from cni.ipam import Attachment, State, Store
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
        links = {link.name for link in host.links.links()}
        linked = frozenset(held for held in state.attachments if held.link in links)
        # Rules come first: no port is to be on a bridge unguarded.
        mended = [f"table {TABLE}"] if self._heal_rules(Rules(host, store), state, linked) else []
        self.repairs["attachment rules"] += len(mended)
        for network in state.networks:
            ports = frozenset(held.link for held in linked if held.owner.network == network.name)
            if ports:
                found = bridge.mend(host.links, network, ports)
                self.repairs["bridge"] += len(found)
                mended += found
        return mended

    def _heal_rules(self, rules: Rules, state: State, linked: frozenset[Attachment]) -> bool:
        """Whether they were damaged."""
        from linux.nft.door import NftError

        used = {held.owner.network for held in linked}
        if not used:
            return False
        if all(rules.there(network) for network in state.networks if network.name in used):
            try:
                now = rules.generation()
                if now == self._generation or rules.whole(linked):
                    self._generation = now
                    return False
            except NftError as error:
                raise CniError(KERNEL, f"cannot look at table {TABLE}: {error}") from error
        self._generation = None
        rules.write()
        return True
