"""Namespaces for the proxy's packets: an outside client, the node, and two pods with many addresses.

Sockets are made inside a namespace and used from anywhere; one thread answers for all pods with "POD SOURCE".
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import subprocess
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import msgspec

from api import codec
from client.fake import FakeTransport
from linux import ipvs, netns, nft
from linux.iptables import LEGACY, NFT, Programs
from linux.rtnl import RtnlLinks
from linux.sysctl import ProcSysctl
from proxy.backends.interface import Backend
from proxy.backends.iptables import IptablesBackend
from proxy.backends.ipvs import Doors, IpvsBackend
from proxy.backends.nftables import NftablesBackend
from proxy.config import Config
from proxy.model.cluster import Cluster
from proxy.model.endpointslice import extract_slice
from proxy.model.facts import Facts, parse_networks
from proxy.model.service import extract_service
from proxy.plan.ledger import Ledger

NODE = "this-node"
CLUSTER = "10.244.0.0/16,fd00:244::/48"
FACTS = Facts(NODE, parse_networks(CLUSTER))
TCP_PORT, UDP_PORT = 8080, 8053
CLIENT = {4: "10.99.1.2", 6: "fd00:99:1::2"}
NODE_IP = {4: "10.99.1.1", 6: "fd00:99:1::1"}
GATEWAY = {
    "a": {4: "10.244.1.1", 6: "fd00:244:0:1::1"},
    "b": {4: "10.244.2.1", 6: "fd00:244:0:2::1"},
}
INGRESS = {4: "203.0.113.9", 6: "2001:db8::9"}  # of load balancers
# A machine with a kernel of its own, which has IPVS, runs these files again (test_proxy_ipvs.py).
BACKENDS = ["ipvs"] if "IPVS_MACHINE" in os.environ else ["nftables", "iptables-nft", "iptables-legacy"]
CLIENTS = 8  # addresses of the outside client
REFUSED, LOST = "refused", "lost"
ANSWER, SILENCE = 60.0, 0.4  # seconds


def pod(name: str, family: int, number: int = 0) -> str:
    """An address of a pod: number 0 is the one it speaks from. Pod "node" is one in the network of the node."""
    if name == "node":
        return NODE_IP[family]
    subnet = "ab".index(name) + 1
    return f"10.244.{subnet}.{10 + number}" if family == 4 else f"fd00:244:0:{subnet}::{10 + number:x}"


def config(mode: str, variant: str = "auto", healthz: str = "", metrics: str = "") -> Config:
    """For a whole proxy on the node."""
    return Config(
        node_name=NODE,
        kubeconfig="",
        mode=mode,  # type: ignore[arg-type]
        cluster_cidr=CLUSTER,
        healthz=healthz,
        metrics=metrics,
        iptables_variant=variant,  # type: ignore[arg-type]
    )


def put(server: FakeTransport, kind: Any, document: dict[str, Any]) -> None:
    """What the API server is to have."""
    server.put(kind, codec.decode(kind, msgspec.json.encode(document)))


class Bed:
    """The namespaces, the answering thread, and a cluster whose Services a backend programs into the node."""

    def __init__(self, tag: str, kind: str = "") -> None:
        self.kind = kind  # of the backend
        self._stack = ExitStack()
        self._fds: dict[str, int] = {}
        self._names = {one: f"px-{os.getpid()}-{tag}-{one}" for one in ("client", "node", "a", "b")}
        self._selector = selectors.DefaultSelector()
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._answer, name="pods")
        self.cluster = Cluster()
        self.ledger = Ledger(FACTS)
        self.backend: Backend | None = None
        self._slices: dict[str, Any] = {}

    def __enter__(self) -> Bed:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._stopped)
        self._thread.join()
        os.close(self._stop)
        for key in list(self._selector.get_map().values()):
            if not isinstance(key.fileobj, int):
                key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._stack.close()

    @contextmanager
    def inside(self, where: str) -> Any:
        """The calling thread in one of the namespaces."""
        with netns.inside(self._fds[where]):
            yield

    def ip(self, where: str, *arguments: str) -> None:
        subprocess.run(["ip", "-n", self._names[where], *arguments], check=True, capture_output=True)

    def _build(self) -> None:
        for one, name in self._names.items():
            path = f"/run/netns/{name}"
            netns.create(path)
            self._stack.callback(netns.remove, path)
            self._fds[one] = netns.open_path(path)
            self._stack.callback(os.close, self._fds[one])
            self.ip(one, "link", "set", "lo", "up")
            with self.inside(one), open("/proc/sys/net/ipv6/conf/default/accept_dad", "w") as file:
                file.write("0")  # addresses are good at once
        self._wire("client", "c0", NODE_IP, {f: [CLIENT[f], *more_clients(f)] for f in (4, 6)})
        for name in ("a", "b"):
            self._wire(name, f"{name}0", GATEWAY[name], {f: [pod(name, f, n) for n in range(8)] for f in (4, 6)})
        self.ip("node", "route", "add", "default", "via", CLIENT[4])
        self.ip("node", "-6", "route", "add", "default", "via", CLIENT[6])
        with self.inside("node"):
            # Refusals are to be seen at once, however many there are.
            for setting, value in (
                ("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1), ("ipv4/icmp_ratelimit", 0), ("ipv6/icmp/ratelimit", 0)
            ):  # fmt: skip
                with open(f"/proc/sys/net/{setting}", "w") as file:
                    file.write(str(value))
        for name in ("a", "b", "node"):
            with self.inside(name):
                self._listen(name)
        self._selector.register(self._stop, selectors.EVENT_READ)
        self._thread.start()

    def _wire(self, where: str, link: str, gateway: dict[int, str], own: dict[int, list[str]]) -> None:
        self.ip("node", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self._names[where])
        for family, length in ((4, "24"), (6, "64")):
            extra = ["nodad"] if family == 6 else []
            self.ip("node", "addr", "add", f"{gateway[family]}/{length}", "dev", link, *extra)
            for number, address in enumerate(own[family]):
                # All but the first are only spoken to, never from.
                silent = ["preferred_lft", "0"] if number and family == 6 else []
                self.ip(where, "addr", "add", f"{address}/{length}", "dev", "eth0", *extra, *silent)
        self.ip("node", "link", "set", link, "up")
        self.ip(where, "link", "set", "eth0", "up")
        self.ip(where, "route", "add", "default", "via", gateway[4], "src", own[4][0])
        self.ip(where, "-6", "route", "add", "default", "via", gateway[6], "src", own[6][0])

    def _listen(self, name: str) -> None:
        for kind, port in ((socket.SOCK_STREAM, TCP_PORT), (socket.SOCK_DGRAM, UDP_PORT)):
            for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                one = socket.socket(family, kind)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((host, port))
                if kind == socket.SOCK_STREAM:
                    one.listen(512)
                one.setblocking(False)
                self._selector.register(one, selectors.EVENT_READ, name)

    def _answer(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == self._stop:
                    return
                assert isinstance(key.fileobj, socket.socket)
                with suppress(OSError):
                    if key.fileobj.type == socket.SOCK_STREAM:
                        accepted, peer = key.fileobj.accept()
                        with accepted:
                            accepted.sendall(f"{key.data} {peer[0]}".encode())
                    else:
                        _, peer = key.fileobj.recvfrom(100)
                        key.fileobj.sendto(f"{key.data} {peer[0]}".encode(), peer)

    # Asking

    def ask(
        self, origin: str, address: str, port: int, *, udp: bool = False, source: str = "", wait: float = ANSWER
    ) -> str:
        """One new connection: "POD SOURCE" as the pod saw it, REFUSED or LOST. Who hopes for silence waits only for `SILENCE`."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.inside(origin):
            one = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        with one:
            one.settimeout(wait)
            try:
                if source:
                    one.bind((source, 0))
                one.connect((address, port))
                if udp:
                    one.send(b"?")
                return one.recv(200).decode()
            except TimeoutError:
                return LOST
            except OSError as error:
                # A datagram that is refused where it is sent is an error of send().
                refused = (errno.ECONNREFUSED, errno.EPERM) if udp and origin == "node" else (errno.ECONNREFUSED,)
                return REFUSED if error.errno in refused else f"{LOST}: {error.strerror}"

    def ask_often(self, origin: str, address: str, port: int, times: int = 32, *, udp: bool = False) -> Counter[str]:
        """What many new connections get."""
        return Counter(self.ask(origin, address, port, udp=udp) for _ in range(times))

    # Programming

    def use(self, backend: Backend, facts: Facts = FACTS) -> None:
        """Start with an empty cluster."""
        self.cluster, self.ledger, self.backend = Cluster(), Ledger(facts), backend
        self._slices = {}
        with self.inside("node"):
            assert backend.probe() == ""
            backend.replace([], facts)

    def put(self, service: dict[str, Any], slices: list[dict[str, Any]]) -> None:
        """A Service and its EndpointSlices, as the API server would tell them."""
        key = f"ns/{service['metadata']['name']}"
        self.cluster.set_service(key, extract_service(msgspec.json.encode(service)))
        for one in slices:
            name = one["metadata"]["name"]
            new = extract_slice(msgspec.json.encode(one), NODE)
            self.cluster.set_slice(name, self._slices.get(name), new)
            self._slices[name] = new
        self.sync(key)

    def sync(self, key: str) -> None:
        assert self.backend is not None
        update = self.ledger.update(self.cluster, [key])
        assert not update.conflicts
        with self.inside("node"):
            self.backend.apply(update.changes)


def make_backend(kind: str) -> Backend:
    """One of BACKENDS, in the namespace that the thread is in."""
    if kind == "nftables":
        return NftablesBackend(nft.Kernel())
    if kind == "ipvs":
        return IpvsBackend(Doors(ipvs.Kernel(), RtnlLinks(), Programs(LEGACY), ProcSysctl()))
    return IptablesBackend(Programs(NFT if kind == "iptables-nft" else LEGACY))


def more_clients(family: int) -> list[str]:
    """Further addresses of the outside client."""
    return [f"10.99.1.{100 + n}" if family == 4 else f"fd00:99:1::{100 + n:x}" for n in range(CLIENTS)]


def service(name: str, number: int, *, protocol: str = "TCP", **spec: Any) -> dict[str, Any]:
    """A dual-stack Service on 10.96.0.NUMBER and fd00:96::NUMBER, port 80."""
    port = {"name": "p", "protocol": protocol, "port": 80}
    if "nodePort" in spec:
        port["nodePort"] = spec.pop("nodePort")
        spec.setdefault("type", "NodePort")
    mode = spec.pop("ipMode", "VIP")
    status = {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": mode} for ip in spec.pop("ingress", [])]}}
    ips = [f"10.96.0.{number}", f"fd00:96::{number:x}"]
    return {
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"clusterIP": ips[0], "clusterIPs": ips, "ports": [port], **spec},
        "status": status,
    }


def slices(
    name: str,
    endpoints: list[tuple[str, int]],
    *,
    protocol: str = "TCP",
    local: str = "a",
    **more: dict[str, Any],
) -> list[dict[str, Any]]:
    """Two EndpointSlices, one per family, with these addresses (pod, number); those of pod `local` are on this node. What an
    endpoint says more is given under its name, as in `a0={"hints": ...}`."""
    return [
        {
            "metadata": {
                "name": f"{name}-{family}", "namespace": "ns", "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": f"IPv{family}",
            "ports": [{"name": "p", "protocol": protocol, "port": TCP_PORT if protocol == "TCP" else UDP_PORT}],
            "endpoints": [
                {
                    "addresses": [pod(which, family, number)],
                    "nodeName": NODE if which in (local, "node") else "another-node",
                    "conditions": {"ready": True, "serving": True, "terminating": False},
                    **more.get(f"{which}{number}", {}),
                }
                for which, number in endpoints
            ],
        }
        for family in (4, 6)
    ]  # fmt: skip


def vip(number: int, family: int) -> str:
    return f"10.96.0.{number}" if family == 4 else f"fd00:96::{number:x}"
