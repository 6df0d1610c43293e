"""The tables `wherry-cni` of nf_tables, kept in step with the store: who writes them, and when.

A whole writing replaces all tables by what the store says, in one transaction, while nobody else can write to the store:
the tables' order is the store's. A pod without host ports needs no more than its own few elements in the table of the
bridges (cni.isolation), which are added after the store has them and removed before the store forgets them, so that a
whole writing at any moment is right. nf_tables is loaded only when it is needed.
"""

from collections.abc import Container
from contextlib import closing

from cni.errors import KERNEL, CniError
from cni.host import Host
from cni.ipam import IPV4, IPV6, Attachment, Network, Owner, State, Store
from cni.ports import TABLE

BRIDGE = 7  # a family, as nf_tables numbers them
ALL_FAMILIES = (IPV4, BRIDGE, IPV6)


class Rules:
    """The tables of one host, for one request."""

    def __init__(self, host: Host, store: Store) -> None:
        self._host = host
        self._store = store

    def there(self, network: Network) -> bool:
        """Whether the tables that a network needs are there."""
        families = (*network.families, *([BRIDGE] if network.guard else []))
        return all(self._host.has_table(family, TABLE) for family in families)

    def write(self, leaving: Owner | None = None) -> None:
        """Make all tables right; with `leaving`, without that attachment's host ports from now on."""
        from cni import isolation, portmap

        with self._store.writing():
            if leaving is not None:
                self._store.leave(leaving)
            state = self._store.state()
            self._commit([*portmap.render(state), *(isolation.render(state) if _guarded(state) else ())])

    def generation(self) -> int:
        """A number that changes whenever anybody writes rules; NftError."""
        with closing(self._host.nft()) as door:
            return door.generation()

    def whole(self, certain: Container[Attachment]) -> bool:
        """Whether all tables are as they were written; others than these may be missing. NftError if nobody can say."""
        from cni import isolation, portmap

        with self._store.writing(), closing(self._host.nft()) as door:
            state = self._store.state()
            guarded = not _guarded(state) or isolation.is_whole(state, certain, door)
            return guarded and portmap.is_whole(state, certain, door)

    def admit(self, held: Attachment) -> None:
        """Let a new pod's port in."""
        from cni import isolation

        if self._judged(held) and not self._commit(isolation.admit(held), or_gone=True):
            self.write()

    def release(self, owner: Owner) -> None:
        """Take an attachment out of tables and store, both or neither. Its link must be gone."""
        from cni import isolation

        with self._store.writing():
            held = self._store.find(owner)
            if held is not None:
                if self._host.has_table(BRIDGE, TABLE):
                    self._commit(isolation.forget(held), or_gone=True)
                self._store.release(owner)

    def problems(self, held: Attachment) -> list[str]:
        """What the tables do not have of an attachment as it should be."""
        from cni import isolation, portmap

        with closing(self._host.nft()) as door:
            found = isolation.problems(held, door) if self._judged(held) else []
            if held.ports:
                found += portmap.problems(self._store.state()._replace(attachments=(held,)), door)
            return found

    def forget_flows(self, held: Attachment, *, keep: bool) -> None:
        """Let those who send UDP to a pod's host ports find a new way: the kernel would send on where it sent before.

        With `keep`, flows that lead to this pod stay.
        """
        udp = [mapping for mapping in held.ports if mapping.protocol == "udp"]
        if udp:
            for family in sorted({4 if len(ip) == 4 else 6 for ip in held.ips}):
                self._host.forget_flows(family, udp, held.ips if keep else ())

    def _judged(self, held: Attachment) -> bool:
        """Whether the bridges' table has a say about a port: not where nobody is guarded, nor on kernels without one."""
        return bool(held.guard) or self._host.has_table(BRIDGE, TABLE)

    def _commit(self, messages: list[bytes], *, or_gone: bool = False) -> bool:
        """Apply messages; False if they need a table that is gone."""
        from linux.nft.door import NftError

        try:
            with closing(self._host.nft()) as door:
                door.commit(messages)
        except NftError as error:
            if or_gone and error.not_found:
                return False
            text = f"cannot write the rules of table {TABLE}: {error}"
            details = 'a kernel without nf_tables for bridges needs "isolation": false'
            raise CniError(KERNEL, text, details) from error
        return True


def _guarded(state: State) -> bool:
    return any(one.guard for one in state.networks) or any(one.guard for one in state.attachments)
