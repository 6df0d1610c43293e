"""The loop of the fabric: whatever changes, it looks at everything again and does what the plan says.

Level-triggered: Nodes, and what the kernel tells of links, addresses, routes, neighbours and forwarding entries, only say
"look". A look costs a few netlink requests, and not more than one in twenty milliseconds is made. Rules have no such notices
that would not make each large transaction of the service proxy slower (see cni.daemon): once a second one number tells
whether anybody has written rules since.

What is in the kernel stays when the agent ends: pods go on, and the next agent takes over what it finds. Until the API server
has told all Nodes it works with those of last time (`memory`): after a reboot nothing else would lead to other nodes' pods,
and nobody would masquerade.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from cni.fabric import ways as w
from cni.fabric.kernel import FabricKernel
from cni.fabric.memory import Memory
from cni.fabric.nodes import AUTO, FABRIC, VXLAN, WIREGUARD, NodeFacts, Told
from cni.fabric.openings import Open
from cni.fabric.plan import Action, Desired, desire, plan
from cni.fabric.rules import Outbound, is_whole, render
from cni.fabric.ways import Settings, Way
from kit import log
from kit.backoff import Backoff
from kit.clock import Alarm, Clock, Timer
from linux.iptables import IptablesError
from linux.links import NetlinkError
from linux.nft import NftError
from linux.rtnl_watch import NEIGHBOUR, Watch
from linux.sysctl import ProcSysctl, Sysctl, SysctlError

BETWEEN_LOOKS = 0.02
RULES_EVERY = 1.0
_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_log = log.get("fabric")

Tell = Callable[[str], Awaitable[bool]]
"""Writes the annotation FABRIC of our own node; an empty text removes it. False: it could not be written."""


class Fabric:
    """See the module. `mtu_changed` hears what all ways have room for."""

    def __init__(
        self,
        settings: Settings,
        cluster_cidr: str,
        data_dir: Path,
        clock: Clock,
        tell: Tell,
        mtu_changed: Callable[[int], object],
    ) -> None:
        self.settings = settings
        self.nodes: dict[str, NodeFacts] = {}
        self.desired = Desired()
        self.repairs: Counter[str] = Counter()
        self.settled = asyncio.Event()  # set while the kernel is as it shall be
        self._inside = tuple(part.strip() for part in cluster_cidr.split(",") if part.strip())
        self._key_file = data_dir / "wireguard.key"
        self._memory = Memory(data_dir / "nodes.json")
        self._recalled: set[str] = set()  # nodes that nobody has told of since
        self._complete = asyncio.Event()
        self._clock = clock
        self._tell = tell
        self._mtu_changed = mtu_changed
        self._wake = asyncio.Event()
        self._retries = Backoff(base=0.2, cap=10.0, jitter=0.3).retries()
        self._timer: Timer | None = None
        self._retry = Alarm(clock, self.look)
        self._sysctl: Sysctl = ProcSysctl()
        self._private_key = ""
        self._key = ""
        self._outbound: Outbound | None = None
        self._open: Open | None = None
        self._generation: object = None
        self._said: dict[tuple[str, str], Way] = {}
        self._telling: str | None = None
        self._failed = False
        self._rules_suspect = True
        self._numbers: frozenset[int] = frozenset()  # of our links

    def on_node(self, key: str, old: NodeFacts | None, new: NodeFacts | None) -> None:
        """A Node was added, changed or removed."""
        self._recalled.discard(key)
        if new == old:
            return  # a heartbeat
        if new is None:
            self.nodes.pop(key, None)
        else:
            self.nodes[key] = new
            for complaint in new.complaints if old is None or old.complaints != new.complaints else ():
                _log.warning("cannot use part of a node", node=key, reason=complaint)
        self.look()

    def look(self) -> None:
        """Something may have changed."""
        self.settled.clear()
        self._wake.set()

    async def run(self, complete: asyncio.Event | None = None) -> None:
        """Keep the kernel right until cancelled; nothing is touched before `complete`, unless all Nodes of last time are known."""
        if complete is not None and not complete.is_set():
            self._recall()
            if not self._recalled:
                await complete.wait()
        kernel, watch = FabricKernel(), Watch()
        loop = asyncio.get_running_loop()
        completing = loop.create_task(self._completed(complete))
        loop.add_reader(watch.fileno(), self._heard, watch)
        self._tick(kernel)
        self.look()
        try:
            while True:
                await self._wake.wait()
                await self._clock.sleep(BETWEEN_LOOKS)
                self._wake.clear()
                try:
                    await self._step(kernel)
                except (NetlinkError, NftError, IptablesError, OSError) as error:
                    self._again(str(error))
        finally:
            completing.cancel()
            loop.remove_reader(watch.fileno())
            self._retry.cancel()
            if self._timer is not None:
                self._timer.cancel()
            watch.close()
            kernel.close()

    def _recall(self) -> None:
        """Begin with the nodes of last time, but for those that somebody has told of already."""
        found = self._memory.recall()
        self._recalled |= found.keys() - self.nodes.keys()
        self.nodes = found | self.nodes

    async def _completed(self, complete: asyncio.Event | None) -> None:
        """When all Nodes are told, those that are only recalled are no more."""
        if complete is not None:
            await complete.wait()
        for name in self._recalled:
            del self.nodes[name]
        self._recalled.clear()
        self._complete.set()
        self.look()

    def _heard(self, watch: Watch) -> None:
        """Neighbours come and go all the time; those that we have made do not go by themselves."""
        if any(change.kind != NEIGHBOUR or change.ifindex in self._numbers for change in watch.read()):
            self.look()

    def _tick(self, kernel: FabricKernel) -> None:
        self._timer = self._clock.call_later(RULES_EVERY, lambda: self._tick(kernel))
        try:
            now = kernel.generation()
        except (NftError, NetlinkError, OSError) as error:
            _log.warning("cannot ask for the state of rules", error=error)
            return
        if now != self._generation:
            self._generation = now
            self._rules_suspect = True
            self.look()

    def _again(self, reason: str) -> None:
        wait = self._retries.next()
        _log.warning("cannot make the fabric right", reason=reason, after=round(wait, 1))
        self._retry.set(wait)

    async def _step(self, kernel: FabricKernel) -> None:
        if self._complete.is_set():
            await self._memory.keep(self.nodes)
        me = self.nodes.get(self.settings.node)
        if me is None:  # deleted, or not registered yet: whatever there is stays
            self.settled.set()
            return
        peers = [node for name, node in self.nodes.items() if name != me.name]
        me = self._with_key(me, peers, kernel)
        await self._announce(me)
        seen = kernel.look(address for peer in peers for address in peer.addresses)
        before, self.desired = self.desired, desire(self.settings, me, peers, seen.paths)
        actions = plan(self.desired, seen)
        self._forward(me)
        failures = kernel.act(actions, self._private_key)
        if actions:
            self._account(actions, before == self.desired and not self._failed)
            names = {*(link.name for link in self.desired.tunnels), w.WIREGUARD_LINK}
            self._numbers = frozenset(link.ifindex for link in kernel.links.links() if link.name in names)
        self._say(self.desired.ways)
        await self._rules(me, kernel)
        self._mtu_changed(self.desired.pod_mtu)
        self._failed = bool(failures)
        if failures:
            self._again("; ".join(failures[:3]))
            return
        self._retries.reset()
        if not self._wake.is_set():
            self.settled.set()

    def _with_key(self, me: NodeFacts, peers: list[NodeFacts], kernel: FabricKernel) -> NodeFacts:
        """Our node with its key, if somebody wants encryption."""
        wanted = any(w.mode_between(self.settings, me, peer) == WIREGUARD for peer in peers)
        if wanted and kernel.wireguard is None and self._key != "-":
            self._key = "-"
            _log.error(
                "cannot encrypt: nodes that ask for it cannot be reached from here",
                reason=kernel.no_wireguard,
                remedy="use a kernel with WireGuard (Linux 5.6, module wireguard), or another mode",
            )
        if wanted and kernel.wireguard is not None and not self._private_key:
            self._private_key, self._key = load_key(self._key_file)
        return me._replace(key=self._key if self._private_key else "", key_port=self.settings.wireguard_port)

    async def _announce(self, me: NodeFacts) -> None:
        mode = "" if self.settings.mode == AUTO else self.settings.mode
        told = Told(mode, me.key, me.key_port if me.key else 0)
        text = told.text() if told != Told() else ""
        if text == me.told:
            self._telling = None
        elif text != self._telling:  # what is written takes a moment to come back
            _log.info("telling the other nodes", annotation=FABRIC, value=text)
            if await self._tell(text):
                self._telling = text
            else:
                self._again("the node's annotation could not be written")

    def _forward(self, me: NodeFacts) -> None:
        for version in {w.version(cidr) for cidr in me.pod_cidrs}:
            with suppress(SysctlError):  # a host that forbids it forwards nothing; the plugin says so at the first ADD
                self._sysctl.write(_FORWARDING[version], "1")

    async def _rules(self, me: NodeFacts, kernel: FabricKernel) -> None:
        suspect, self._rules_suspect = self._rules_suspect, False
        every = tuple(sorted({*self._inside, *me.pod_cidrs, *(way.cidr for way in self.desired.ways if way.kind)}))
        secret = tuple(way.cidr for way in self.desired.ways if way.secret)
        wanted = Outbound(me.pod_cidrs, every, self.desired.near, self.settings.port, secret)
        openings = Open(every if me.pod_cidrs else (), self._tunnels())
        try:
            if wanted != self._outbound or (suspect and not is_whole(wanted, kernel.nft)):
                if wanted == self._outbound:
                    self._repaired("rules", "masquerading")
                kernel.nft.commit(render(wanted))
                self._outbound = wanted
            if suspect or openings != self._open:
                for where in await asyncio.to_thread(kernel.open, openings):
                    _log.info("let pods through somebody's firewall", where=where)
                    if openings == self._open:
                        self.repairs["openings"] += 1
                self._open = openings
        except BaseException:
            self._rules_suspect = True
            raise

    def _tunnels(self) -> frozenset[tuple[str, int]]:
        ports = {VXLAN: self.settings.port, WIREGUARD: self.settings.wireguard_port}
        return frozenset((way.host, ports[way.kind]) for way in self.desired.ways if way.kind in ports)

    def _account(self, actions: list[Action], repair: bool) -> None:
        for action in actions:
            if repair:
                self._repaired(_WHAT[type(action).__name__], str(action))
            else:
                _log.info("doing", action=str(action))

    def _repaired(self, what: str, detail: str) -> None:
        self.repairs[what] += 1
        _log.warning("put back what somebody took away", what=what, detail=detail)

    def _say(self, ways: tuple[Way, ...]) -> None:
        now = {(way.peer, way.cidr): way for way in ways}
        for key, way in now.items():
            if self._said.get(key) != way:
                if way.kind:
                    _log.info("reaching pods of a node", node=way.peer, pods=way.cidr, way=way.kind, by=way.host)
                else:
                    _log.warning("cannot reach pods of a node", node=way.peer, pods=way.cidr, reason=way.reason)
        for peer, cidr in self._said.keys() - now.keys():
            _log.info("forgot a node's pods", node=peer, pods=cidr)
        self._said = now


_WHAT = {
    "RemoveLink": "link",
    "MakeVxlan": "link",
    "MakeWireguard": "link",
    "ChangeLink": "link",
    "GiveAddress": "address",
    "TakeAddress": "address",
    "SetNeighbour": "neighbour",
    "DropNeighbour": "neighbour",
    "SetEntry": "forwarding entry",
    "DropEntry": "forwarding entry",
    "SetRoute": "route",
    "DropRoute": "route",
    "SetKey": "key",
    "SetPeer": "peer",
    "DropPeer": "peer",
}


def load_key(path: Path) -> tuple[str, str]:
    """This node's private and public key, made if there is none that can be used."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    raw = b""
    with suppress(OSError, ValueError):
        raw = base64.b64decode(path.read_bytes())
    if len(raw) != 32:
        raw = os.urandom(32)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(base64.b64encode(raw))
        fresh.rename(path)
    encoding = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    public = X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes(*encoding)
    return base64.b64encode(raw).decode(), base64.b64encode(public).decode()
