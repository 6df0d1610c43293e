"""Three nodes with a pod each, two networks and a router between them; every node's fabric is a process of its own.

Nodes and pods answer every datagram with the address that it came from. Nothing of the machine's own network is touched.
"""

import json
import os
import queue
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

from bench.cni_lab import Space

PORT = 7000
PATIENCE = 60.0
CLUSTER = "10.244.0.0/16,fd00:244::/48"
NEAR, FAR = "near", "far"
NETS = {NEAR: ("192.168.50", "fd00:50"), FAR: ("192.168.51", "fd00:51")}
NUMBERS = {"a": 1, "b": 2, "c": 3}


class Ips(NamedTuple):
    """An address of each family."""

    v4: str
    v6: str

    def of(self, version: int) -> str:
        return self.v4 if version == 4 else self.v6


def node_ips(name: str, net: str = NEAR) -> Ips:
    v4, v6 = NETS[net]
    return Ips(f"{v4}.{NUMBERS[name]}", f"{v6}::{NUMBERS[name]}")


def pod_ips(name: str) -> Ips:
    return Ips(f"10.244.{NUMBERS[name]}.5", f"fd00:244:0:{NUMBERS[name]}::5")


def pod_cidrs(name: str) -> Ips:
    return Ips(f"10.244.{NUMBERS[name]}.0/24", f"fd00:244:0:{NUMBERS[name]}::/64")


class Agent:
    """A node's fabric, as a process."""

    def __init__(self, space: Space, name: str, mode: str, folder: str) -> None:
        program = os.path.join(os.path.dirname(__file__), "agent.py")
        argv = ["nsenter", f"--net={space.path}", sys.executable, program, name, mode, CLUSTER, folder]
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
        self.log = open(os.path.join(folder, "log"), "ab")  # noqa: SIM115
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        self.lines = 0
        self.mtu = 0
        self.told = ""
        self.repairs: dict[str, int] = {}

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard.put(json.loads(line))

    def show(self, nodes: list[dict[str, Any]]) -> None:
        """Tell of all nodes."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(nodes) + "\n")
        self._process.stdin.flush()
        self.lines += 1

    def settle(self) -> None:
        """Wait until it has done what it was last told."""
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self._heard.get(timeout=max(0.1, deadline - time.monotonic()))
            self.mtu = said.get("mtu", self.mtu)
            self.told = said.get("told", self.told)
            self.repairs = said.get("repairs", self.repairs)
            if said.get("settled") == self.lines:
                return

    def wait_repair(self, what: str, count: int) -> None:
        """Wait until it has told of so many repairs of a kind."""
        deadline = time.monotonic() + PATIENCE
        while self.repairs.get(what, 0) < count:
            said = self._heard.get(timeout=max(0.1, deadline - time.monotonic()))
            self.repairs = said.get("repairs", self.repairs)

    def close(self) -> None:
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.log.close()


class Bed:
    """See the module."""

    def __init__(self, tag: str = "x") -> None:
        self._prefix = f"fb-{os.getpid()}-{tag}"
        self._folder = tempfile.TemporaryDirectory(prefix=self._prefix)
        self.spaces: dict[str, Space] = {}
        self.agents: dict[str, Agent] = {}
        self.nets = {"a": NEAR, "b": NEAR, "c": NEAR}
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[tuple[str, str], socket.socket] = {}
        self._stop, self._stopped = os.pipe()
        self._selector.register(self._stop, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._answer)
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        self._thread.start()

    def _make(self) -> None:
        router = self._space("router")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        # A switch is no router: what it carries within a network is not for its firewall.
        router.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0")
        for net, (v4, v6) in NETS.items():
            router.run("ip", "link", "add", net, "type", "bridge")
            router.run("ip", "addr", "add", f"{v4}.254/24", "dev", net)
            router.run("ip", "-6", "addr", "add", f"{v6}::fe/64", "dev", net, "nodad")
            router.run("ip", "link", "set", net, "up")
        # A router that is none of ours and never carries pods' own addresses.
        for family, cidr in (("ip", "10.244.0.0/16"), ("ip6", "fd00:244::/48")):
            rules = (
                f"add table {family} spy; add chain {family} spy forward {{ type filter hook forward priority 0; }};"
            )
            rules += f" add rule {family} spy forward {family} saddr {cidr} counter drop;"
            rules += f" add rule {family} spy forward {family} daddr {cidr} counter drop"
            router.run("nft", rules)
        for name in NUMBERS:
            node, pod = self._space(name), self._space(f"pod-{name}")
            node.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", f"to-{name}", "netns", router.name)
            node.run("ip", "link", "add", "wherry0", "type", "bridge")
            gateways = (pod_cidrs(name).v4.replace(".0/24", ".1/24"), pod_cidrs(name).v6.replace("::/64", "::1/64"))
            for gateway in gateways:
                node.run("ip", "addr", "add", gateway, "dev", "wherry0", *(["nodad"] if ":" in gateway else []))
            node.run("ip", "link", "set", "wherry0", "up")
            node.run("ip", "link", "add", "wv0", "type", "veth", "peer", "name", "eth0", "netns", pod.name)
            node.run("ip", "link", "set", "wv0", "master", "wherry0", "up")
            for ip, prefix in ((pod_ips(name).v4, 24), (pod_ips(name).v6, 64)):
                pod.run("ip", "addr", "add", f"{ip}/{prefix}", "dev", "eth0", *(["nodad"] if ":" in ip else []))
                self._serve(f"pod-{name}", pod, ip)
            pod.run("ip", "link", "set", "eth0", "up")
            for gateway in gateways:
                pod.run("ip", "route", "add", "default", "via", gateway.partition("/")[0])
            self.place(name, NEAR)

    def _space(self, name: str) -> Space:
        made = self.spaces[name] = Space(f"{self._prefix}-{name}")
        made.run("ip", "link", "set", "lo", "up")
        made.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        return made

    def place(self, name: str, net: str) -> None:
        """Move a node to a network, with a new address."""
        node, (v4, v6), ips = self.spaces[name], NETS[net], node_ips(name, net)
        self.spaces["router"].run("ip", "link", "set", f"to-{name}", "master", net, "up")
        node.run("ip", "addr", "flush", "dev", "eth0", "scope", "global")
        node.run("ip", "addr", "add", f"{ips.v4}/24", "dev", "eth0")
        node.run("ip", "-6", "addr", "add", f"{ips.v6}/64", "dev", "eth0", "nodad")
        node.run("ip", "link", "set", "eth0", "up")
        node.run("ip", "route", "replace", "default", "via", f"{v4}.254")
        node.run("ip", "-6", "route", "replace", "default", "via", f"{v6}::fe")
        self.nets[name] = net
        for ip in ips:
            if (name, ip) not in self._sockets:
                self._serve(name, node, ip)

    def start(self, name: str, mode: str = "auto") -> Agent:
        """Start a node's fabric."""
        folder = os.path.join(self._folder.name, name)
        os.makedirs(folder, exist_ok=True)
        made = self.agents[name] = Agent(self.spaces[name], name, mode, folder)
        return made

    def stop(self, name: str) -> None:
        """End a node's fabric; what it made stays."""
        self.agents.pop(name).close()

    def object_of(
        self, name: str, versions: tuple[int, ...], annotations: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """A node as the API server shows it."""
        ips, cidrs = node_ips(name, self.nets[name]), pod_cidrs(name)
        listed = [cidrs.of(version) for version in versions]
        return {
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"podCIDR": listed[0], "podCIDRs": listed},
            "status": {"addresses": [{"type": "InternalIP", "address": ips.of(version)} for version in versions]},
        }

    def show(self, *nodes: dict[str, Any]) -> None:
        """Tell all fabrics of the nodes, and wait until they have done what is to do."""
        for agent in self.agents.values():
            agent.show(list(nodes))
        for agent in self.agents.values():
            agent.settle()

    def ask(self, source: str, ip: str, size: int = 8) -> str:
        """Send datagrams from somewhere to an address until one is answered: which address they came from."""
        with self._socket(source, ip) as asking:
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                with suppress(OSError):
                    asking.send(b"x" * size)
                    return asking.recv(100).decode()
                time.sleep(0.02)
        raise AssertionError(f"{source} does not reach {ip}")

    def silent(self, source: str, ip: str) -> bool:
        """Whether one datagram gets no answer."""
        with self._socket(source, ip) as asking, suppress(OSError):
            asking.send(b"x")
            asking.recv(100)
            return False
        return True

    def _socket(self, source: str, ip: str) -> socket.socket:
        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
            made.settimeout(0.5)
            if ":" not in ip:
                made.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: never in pieces
            made.connect((ip, PORT))
            return made

        return self.spaces[source].visit(make)

    def _serve(self, name: str, space: Space, ip: str) -> None:
        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(*((socket.IPPROTO_IP, 15) if ":" not in ip else (socket.IPPROTO_IPV6, 78)), 1)  # FREEBIND
            made.bind((ip, PORT))
            return made

        made = self._sockets[name, ip] = space.visit(make)
        self._selector.register(made, selectors.EVENT_READ)

    def _answer(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._stop:
                    return
                with suppress(OSError):
                    made = key.fileobj
                    assert isinstance(made, socket.socket)
                    _, peer = made.recvfrom(9000)
                    made.sendto(peer[0].encode(), peer)

    def close(self) -> None:
        for name in list(self.agents):
            self.stop(name)
        os.write(self._stopped, b"x")
        if self._thread.ident is not None:
            self._thread.join()
        for made in self._sockets.values():
            made.close()
        self._selector.close()
        os.close(self._stop)
        os.close(self._stopped)
        for space in self.spaces.values():
            space.close()
        self._folder.cleanup()
