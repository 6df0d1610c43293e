"""Looks at the kernel for a plan, and carries a plan out: the thin shell around `plan`, `rules` and `openings`.

Everything belongs to the network namespace in which the object was made. All of it blocks, for some tens of microseconds
a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial

from cni.fabric import plan as p
from cni.fabric import ways as w
from cni.fabric.openings import CHAINS, Open, needs_opening, plan_chain, plan_iptables
from cni.fabric.plan import Action, Seen
from cni.fabric.ways import Path
from linux import iptables, nft
from linux.iptables import IptablesError
from linux.links import Address, LinkChange, Neighbour, NetlinkError, NotFound, Route, SeenLink
from linux.nft.chains import INET, base_chains, noted_rules
from linux.nft.wire import INET4, INET6
from linux.rtnl import RtnlLinks
from linux.vxlan import Entry, Vxlans
from linux.wireguard import SeenWireguard, Wireguard


class FabricKernel:
    """The doors, opened together."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            self.links = RtnlLinks()
            opened.callback(self.links.close)
            self.vxlans = Vxlans()
            opened.callback(self.vxlans.close)
            self.nft = nft.Kernel()
            opened.callback(self.nft.close)
            self._others = nft.Kernel()  # `open` runs in a thread of its own, and a socket has one user at a time
            opened.callback(self._others.close)
            self.wireguard: Wireguard | None = None
            try:
                self.wireguard = Wireguard()
                opened.callback(self.wireguard.close)
            except (NetlinkError, OSError) as error:
                self.no_wireguard = str(error)
            self._opened = opened.pop_all()
        self._mixed = [_Programs(variant) for variant in (iptables.NFT, iptables.LEGACY)]

    def close(self) -> None:
        """Let the namespace go."""
        self._opened.close()

    def look(self, hosts: Iterable[str]) -> Seen:
        """What there is; `hosts` are the addresses of peers."""
        links = {link.name: link for link in self.links.links()}
        by_number = {link.ifindex: link for link in links.values()}
        routes = tuple(self.links.routes())
        paths = {}
        for host in hosts:
            way = self.links.route_to(host)
            if way is not None and way.ifindex in by_number and by_number[way.ifindex].name not in p.OURS:
                paths[host] = Path(way.ifindex, way.gateway, way.mtu or by_number[way.ifindex].mtu)
        return Seen(
            links,
            {link.name: link for link in self.vxlans.links().values()},
            self._encryption(links.get(w.WIREGUARD_LINK)),
            tuple(self.links.addresses()),
            tuple(self.links.neighbours()),
            tuple(self.vxlans.entries()),
            routes,
            paths,
        )

    def act(self, actions: Iterable[Action], private_key: str = "") -> list[str]:
        """Carry actions out. Goes on after a failure, since each peer counts; what failed."""
        known: dict[str, int] = {}
        failures = []
        for action in actions:
            try:
                self._perform(action, known, private_key)
            except (NetlinkError, OSError) as error:
                failures.append(str(error))
        return failures

    def _perform(self, action: Action, known: dict[str, int], private_key: str) -> None:
        links, number = self.links, partial(self._number, known)
        match action:
            case p.RemoveLink(name):
                links.remove(name)
                known.clear()
            case p.MakeVxlan(link):
                self.vxlans.add(link)
            case p.ChangeLink(name, mtu):
                links.change(number(name), LinkChange(up=True, mtu=mtu))
            case p.GiveAddress(link, ip, prefix):
                links.add_address(Address(number(link), ip, prefix))
            case p.TakeAddress(address):
                links.remove_address(address)
            case p.SetNeighbour(link, ip, mac):
                links.set_neighbour(Neighbour(number(link), ip, mac))
            case p.DropNeighbour(neighbour):
                links.remove_neighbour(neighbour)
            case p.SetEntry(link, mac, host):
                self.vxlans.set_entry(Entry(number(link), mac, host))
            case p.DropEntry(entry):
                self.vxlans.remove_entry(entry)
            case p.SetRoute(route):
                out = number(route.link) if isinstance(route.link, str) else route.link
                made = Route(route.destination, out, route.gateway, on_link=route.on_link, protocol=p.PROTOCOL)
                links.set_route(made)
            case p.DropRoute(seen):
                links.remove_route(seen)
            case p.MakeWireguard() | p.SetKey() | p.SetPeer() | p.DropPeer():
                self._encrypt(action, number, private_key)

    def _encrypt(
        self,
        action: p.MakeWireguard | p.SetKey | p.SetPeer | p.DropPeer,
        number: Callable[[str], int],
        private_key: str,
    ) -> None:
        if self.wireguard is None:
            raise NotFound(self.no_wireguard, 2)
        match action:
            case p.MakeWireguard(name, mtu):
                self.wireguard.add(name, mtu)
            case p.SetKey(name, port):
                self.wireguard.set(number(name), private_key, port)
            case p.SetPeer(link, peer):
                self.wireguard.set_peer(number(link), peer)
            case p.DropPeer(link, key):
                self.wireguard.remove_peer(number(link), key)

    def _number(self, known: dict[str, int], name: str) -> int:
        if name not in known:
            found = self.links.find(name)
            if found is None:
                raise NotFound(f"cannot use link {name}: it is not there", 19)
            known[name] = found.ifindex
        return known[name]

    # --- other people's firewalls

    def generation(self) -> tuple[object, ...]:
        """Something that changes when anybody writes rules of any kind, keys, or peers: of these the kernel tells nobody."""
        legacy = tuple(one.extent(family) for one in self._mixed for family in (4, 6))
        return (self.nft.generation(), *legacy, self._keys())

    def _keys(self) -> object:
        """What there is of WireGuard, without the addresses of peers, which change by themselves."""
        seen = self._encryption(self.links.find(w.WIREGUARD_LINK)) if self.wireguard is not None else None
        return seen and (seen.key, seen.port, sorted((peer.key, sorted(peer.networks)) for peer in seen.peers))

    def _encryption(self, link: SeenLink | None) -> SeenWireguard | None:
        if self.wireguard is None or link is None or link.kind != "wireguard":
            return None
        return self.wireguard.look(link.ifindex)

    def open(self, wanted: Open) -> list[str]:
        """Make openings right; where something was changed."""
        changed = []
        for one in self._mixed:
            for family in (4, 6):
                # Without such a table nobody forbids anything, and to ask would make one.
                if one.variant == iptables.LEGACY or "filter" in self._others.tables(nft.FAMILIES[family]):
                    changed += one.open(wanted, family)
        for family in (INET4, INET6, INET):
            for chain in base_chains(self._others, family):
                if needs_opening(chain):
                    messages = plan_chain(wanted, chain, noted_rules(self._others, chain))
                    if messages:
                        self._others.commit(messages)
                        changed.append(f"nf_tables {chain.table} {chain.name}")
        return changed


class _Programs:
    """The openings in the tables of one variant of iptables."""

    def __init__(self, variant: str) -> None:
        self._programs = iptables.Programs(variant)
        self.variant = variant
        self._missing = False

    def extent(self, family: int) -> object:
        """The size and the policies of a legacy table; none if it is not in use, for to ask would make it."""
        if "filter" not in iptables.legacy_tables(family):
            return None
        return self._programs.extent(family, "filter"), self._programs.policies(family, "filter")

    def open(self, wanted: Open, family: int) -> list[str]:
        """Make the chains right; where something was changed."""
        if self._missing:
            return []
        try:
            lines = self._programs.save(family, "filter")
            text = plan_iptables(wanted, family, lines) if lines else ""
            if text:
                self._programs.restore(family, text)
        except IptablesError as error:
            if error.missing:
                self._missing = True
                return []
            raise
        return [f"iptables-{self.variant} {' '.join(CHAINS)}"] if text else []
