"""A node with pods on its bridge and a host outside, policies enforced in its namespace by the loop itself.

Whether a connection is refused is not read from a silence that may only be slow: the refusal is counted in the kernel, so
each attempt ends with an answer or with a count.
"""

import asyncio
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from bench.cni_lab import Space
from cni.matches import SIZES
from cni.policy import objects
from cni.policy.enforcer import Enforcer
from cni.policy.render import TABLE
from kit.clock import SystemClock
from linux import conntrack
from linux.nft import Kernel
from linux.nft.counters import counters

NODE = "here"
PATIENCE = 60.0
OUTSIDE = {4: "192.0.2.9", 6: "2001:db8:9::9"}
SCTP = 132
TCP_PORTS, UDP_PORTS = (80, 81, 8080, 8085), (53, 54)


class Bed:
    """See the module. A pod is named namespace/name and has labels, an address of each family, and named ports."""

    def __init__(self, pods: dict[str, dict[str, str]], namespaces: dict[str, dict[str, str]]) -> None:
        self._prefix = f"po-{os.getpid()}"
        self.spaces: dict[str, Space] = {}
        self.numbers = {key: number for number, key in enumerate(pods, start=5)}
        self.pods, self.namespaces = dict(pods), namespaces
        self.listening: dict[tuple[str, str, int], socket.socket] = {}
        self.serving: dict[tuple[str, int, int, int], socket.socket] = {}
        self.node = self.space("node")
        self.node.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.node.run("ip", "link", "add", "wherry0", "type", "bridge", "mcast_snooping", "0")
        self.node.run("ip", "addr", "add", "10.244.1.1/24", "dev", "wherry0")
        self.node.run("ip", "addr", "add", "fd00:244::1/64", "dev", "wherry0", "nodad")
        self.node.run("ip", "link", "set", "wherry0", "up")
        outside = self.space("outside")
        self.node.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", outside.name)
        for space, last in ((self.node, 1), (outside, 9)):
            space.run("ip", "addr", "add", f"192.0.2.{last}/24", "dev", "eth0")
            space.run("ip", "addr", "add", f"2001:db8:9::{last}/64", "dev", "eth0", "nodad")
            space.run("ip", "link", "set", "eth0", "up")
        outside.run("ip", "route", "add", "10.244.1.0/24", "via", "192.0.2.1")
        outside.run("ip", "route", "add", "fd00:244::/64", "via", "2001:db8:9::1")
        for key in pods:
            self.plug(key)
            self.serve(key)
        self.serve("outside")
        self.door = self.node.visit(Kernel)
        self.start()

    def start(self) -> None:
        """Begin to enforce."""
        here = self.node.visit
        tracked = lambda: here(conntrack.Kernel)  # noqa: E731
        self.enforcer = Enforcer(NODE, "wherry0", SystemClock(), lambda: here(Kernel), tracked)
        self._known = asyncio.Event()
        self._running = asyncio.get_running_loop().create_task(self.enforcer.run([self._known]))

    def show(self) -> None:
        """Tell of all namespaces and pods."""
        for name, labels in self.namespaces.items():
            self.enforcer.on_namespace(name, None, labels)
        for key in self.pods:
            self.enforcer.on_pod(key, None, self.facts(key))

    async def known(self) -> None:
        """All has been told; wait until it is written."""
        self._known.set()
        await asyncio.wait_for(self.enforcer.settled.wait(), PATIENCE)

    async def stop(self) -> None:
        """Stop to enforce; the tables stay."""
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running

    def facts(self, key: str) -> objects.PodFacts:
        """A pod as the API server shows it."""
        namespace, _, name = key.partition("/")
        ports = [("web", "TCP", 8080), ("names", "UDP", 53), ("calls", "SCTP", 7)]
        body = {
            "metadata": {"namespace": namespace, "name": name, "labels": self.pods[key]},
            "spec": {
                "nodeName": NODE,
                "containers": [{"ports": [{"name": n, "protocol": p, "containerPort": c} for n, p, c in ports]}],
            },
            "status": {"podIPs": [{"ip": self.ip(key, 4)}, {"ip": self.ip(key, 6)}]},
        }
        return objects.pod(json.dumps(body).encode())

    async def policies(self, *policies: dict[str, Any]) -> None:
        """Have these policies and no others."""
        facts = {one.key: one for one in map(policy, policies)}
        for key in list(self.enforcer.ledger.policies):
            if key not in facts:
                self.enforcer.on_policy(key, self.enforcer.ledger.policies[key], None)
        for key, one in facts.items():
            self.enforcer.on_policy(key, self.enforcer.ledger.policies.get(key), one)
        await self.known()

    # --- namespaces

    def space(self, name: str) -> Space:
        made = self.spaces[name] = Space(f"{self._prefix}-{name.replace('/', '-')}")
        made.run("ip", "link", "set", "lo", "up")
        made.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        return made

    def plug(self, key: str) -> None:
        """Give a pod its interface."""
        space, number = self.spaces.get(key) or self.space(key), self.numbers[key]
        link = f"wv{number}"
        self.node.run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space.name)
        self.node.run("ip", "link", "set", link, "master", "wherry0", "up")
        self.node.run("ip", "link", "set", link, "type", "bridge_slave", "hairpin", "on")
        space.run("ip", "addr", "add", f"{self.ip(key, 4)}/24", "dev", "eth0")
        space.run("ip", "addr", "add", f"{self.ip(key, 6)}/64", "dev", "eth0", "nodad")
        space.run("ip", "link", "set", "eth0", "up")
        space.run("ip", "route", "add", "default", "via", "10.244.1.1")
        space.run("ip", "route", "add", "default", "via", "fd00:244::1")

    def ip(self, key: str, family: int) -> str:
        if key == "outside":
            return OUTSIDE[family]
        if key == "node":
            return "10.244.1.1" if family == 4 else "fd00:244::1"
        return f"10.244.1.{self.numbers[key]}" if family == 4 else f"fd00:244::{self.numbers[key]:x}"

    def serve(self, key: str) -> None:
        """Listen at all ports. TCP connections need nobody to take them; datagrams are looked for."""
        for family in (4, 6):
            kind = socket.AF_INET if family == 4 else socket.AF_INET6
            for port in TCP_PORTS:
                ip = self.ip(key, family)
                self.listening[key, ip, port] = self.spaces[key].listen(port, ip)
            for port in UDP_PORTS:
                made = self.spaces[key].listen(port, self.ip(key, family), socket.SOCK_DGRAM)
                made.setblocking(False)
                self.serving[key, family, socket.IPPROTO_UDP, port] = made
            raw = self.spaces[key].visit(lambda kind=kind: socket.socket(kind, socket.SOCK_RAW, SCTP))
            raw.setblocking(False)
            self.serving[key, family, SCTP, 0] = raw

    # --- attempts

    def refusals(self) -> int:
        """How many packets policies have refused."""
        seen = [counters(self.door, family, TABLE) for family in SIZES]
        return sum(count for one in seen for name, count in one.items() if name.startswith("refused/"))

    async def reaches(self, source: str, target: str, protocol: str, port: int, family: int) -> bool:
        """Whether a first packet gets through. Waits for the packet, or for its refusal."""
        ip = self.ip(target, family)
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        before = self.refusals()
        deadline = time.monotonic() + PATIENCE
        done = {"TCP": self._tcp, "UDP": self._udp, "SCTP": self._sctp}[protocol](source, target, ip, port, kind)
        try:
            while time.monotonic() < deadline:
                if next(done):
                    return True
                if self.refusals() > before:
                    return False
                await asyncio.sleep(0.002)
        finally:
            done.close()
        raise AssertionError(f"{source} to {target} {protocol} {port}: neither let pass nor refused")

    def _tcp(self, source: str, target: str, ip: str, port: int, kind: int) -> Iterator[bool]:
        with self.spaces[source].visit(lambda: socket.socket(kind, socket.SOCK_STREAM)) as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
            made.setblocking(False)
            made.connect_ex((ip, port))
            while True:
                try:
                    made.getpeername()
                except OSError:
                    yield False
                    continue
                listening = self.listening[target, self.ip(target, 4 if kind == socket.AF_INET else 6), port]
                listening.settimeout(PATIENCE)
                listening.accept()[0].close()  # as many as there are connections
                yield True

    def _udp(self, source: str, target: str, ip: str, port: int, kind: int) -> Iterator[bool]:
        words = os.urandom(8)
        serving = self.serving[target, 4 if kind == socket.AF_INET else 6, socket.IPPROTO_UDP, port]
        with self.spaces[source].visit(lambda: socket.socket(kind, socket.SOCK_DGRAM)) as made:
            made.sendto(words, (ip, port))
            while True:
                yield _came(serving, words)

    def _sctp(self, source: str, target: str, ip: str, port: int, kind: int) -> Iterator[bool]:
        words = os.urandom(4)
        chunk = struct.pack(">BBH", 1, 0, 20) + words + struct.pack(">IHHI", 65536, 1, 1, 1)
        packet = struct.pack(">HHII", 9, port, 0, 0) + chunk  # INIT
        serving = self.serving[target, 4 if kind == socket.AF_INET else 6, SCTP, 0]
        with self.spaces[source].visit(lambda: socket.socket(kind, socket.SOCK_RAW, SCTP)) as made:
            made.sendto(packet, (ip, 0))
            while True:
                yield _came(serving, words)

    async def close(self) -> None:
        await self.stop()
        self.door.close()
        for one in [*self.listening.values(), *self.serving.values()]:
            one.close()
        for space in self.spaces.values():
            space.close()


def _came(serving: socket.socket, words: bytes) -> bool:
    """Whether a datagram with these words is among those that came."""
    found = False
    with suppress(BlockingIOError):
        while True:
            found = words in serving.recv(2000) or found
    return found


def policy(spec: dict[str, Any]) -> objects.PolicyFacts:
    """A policy, from its spec with `namespace` and `name` beside it."""
    given = dict(spec)
    meta = {"namespace": given.pop("namespace", "a"), "name": given.pop("name", "p")}
    return objects.policy(json.dumps({"metadata": meta, "spec": {"podSelector": {}, **given}}).encode())
