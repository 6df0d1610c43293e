"""Looks at the kernel for a plan, and carries a plan out: the thin shell around cni.plan."""

import _blake2
import errno
from collections.abc import Callable, Iterable

from cni import plan, ranges
from cni.config import NetworkConfig
from cni.errors import KERNEL, CniError
from cni.host import Host, Pod
from cni.ipam import Network
from cni.plan import (
    AddRoute,
    GiveAddress,
    LimitRate,
    MakeBridge,
    MakePair,
    RemoveLink,
    Seen,
    SetLink,
    SetSysctl,
    Step,
    WriteRules,
)
from linux.links import Address, AlreadyExists, Bridge, LinkChange, Links, NetlinkError, NewLink, NotFound, Route, Veth
from linux.netns import NetnsError
from linux.sysctl import SysctlError

PORT_PREFIX = "wv"
_ANYWHERE = "192.0.2.1"  # an address that only a default route leads to


def port_name(network: str, container: str, ifname: str) -> str:
    """The host's end of a pod's link: the same name for the same attachment, so that a DEL needs nothing else."""
    # hashlib would load OpenSSL (2 ms); this is what its blake2s is made of.
    digest = _blake2.blake2s(f"{network}/{container}/{ifname}".encode(), digest_size=6)
    return PORT_PREFIX + digest.hexdigest()


def path_mtu(links: Links) -> int:
    """The MTU of the way to the internet; 0 if there is none."""
    route = links.route_to(_ANYWHERE)
    if route is None:
        return 0
    if route.mtu:
        return route.mtu
    link = links.at(route.ifindex)
    return link.mtu if link else 0


def observe(host: Host, pod: Pod, *, network: NetworkConfig, port: str, ifname: str) -> Seen:
    """What the kernel has of a pod's interface and its bridge."""
    bridge, limits = network.bridge, network.bandwidth
    seen_bridge, interface, seen_port = host.links.find(bridge), pod.links.find(ifname), host.links.find(port)
    on_bridge = host.links.addresses(seen_bridge.ifindex) if seen_bridge else []
    on_interface = pod.links.addresses(interface.ifindex) if interface else []
    settings = {}
    for name in (*plan.FORWARDING.values(), f"net/ipv4/conf/{bridge}/route_localnet"):
        try:
            settings[name] = host.sysctl.read(name)
        except SysctlError:
            continue  # not there yet, or a kernel without that family
    return Seen(
        bridge=seen_bridge,
        bridge_addresses=tuple(f"{a.ip}/{a.prefix}" for a in on_bridge),
        port=seen_port,
        interface=interface,
        addresses=tuple(f"{a.ip}/{a.prefix}" for a in on_interface),
        routes=tuple(pod.links.routes()) if interface else (),
        port_rate=host.links.rate(seen_port.ifindex) if seen_port and limits.to_pod else None,
        interface_rate=pod.links.rate(interface.ifindex) if interface and limits.from_pod else None,
        settings=settings,
    )


class Execution:
    """Carries out one plan."""

    def __init__(self, host: Host, pod: Pod, write_rules: Callable[[], None]) -> None:
        self._host = host
        self._pod = pod
        self._write_rules = write_rules
        self._known: dict[tuple[bool, str], int] = {}

    def run(self, steps: Iterable[Step]) -> None:
        """Do the steps in order. If one fails, undo in reverse what was done and say all that went wrong."""
        done: list[Step] = []
        try:
            for step in steps:
                self._perform(step)
                done.append(step)
        except (NetlinkError, SysctlError, NetnsError, OSError, CniError) as error:
            failures = self._undo(done)
            if isinstance(error, CniError) and not failures:
                raise
            code, details = (error.code, error.details) if isinstance(error, CniError) else (KERNEL, "")
            raise CniError(code, str(error), "; ".join(filter(None, [details, *failures]))) from error

    def _undo(self, done: list[Step]) -> list[str]:
        failures = []
        for step in reversed(done):
            undoing = plan.inverse(step)
            if undoing is None:
                continue
            try:
                self._perform(undoing)
            except (NetlinkError, SysctlError, OSError) as error:
                failures.append(f"and then {error}")
        return failures

    def _perform(self, step: Step) -> None:
        host = self._host
        match step:
            case MakeBridge(bridge, mac, mtu):
                try:
                    host.links.add(NewLink(bridge, Bridge(netfilter=True), mac=mac, mtu=mtu))
                except AlreadyExists:
                    pass  # another request was quicker
            case MakePair(port, bridge, ifname, mac, mtu):
                kind = Veth(ifname, self._pod.number, mac)
                host.links.add(NewLink(port, kind, mtu=mtu, master=self._index(False, bridge), up=True))
            case SetLink(in_pod, name, change):
                self._links(in_pod).change(self._index(in_pod, name), change)
            case GiveAddress(in_pod, name, ip, prefix):
                self._links(in_pod).add_address(Address(self._index(in_pod, name), ip, prefix))
            case AddRoute(ifname, route):
                index = self._index(True, ifname)
                made = Route(route.destination, index, route.gateway, metric=route.metric, mtu=route.mtu)
                self._pod.links.add_route(made)
            case LimitRate(in_pod, name, rate):
                self._links(in_pod).limit(self._index(in_pod, name), rate)
            case RemoveLink(name):
                host.links.remove(name)
                self._known.clear()  # its peer went too, wherever that was
            case SetSysctl(name, value):
                host.sysctl.write(name, value)
            case WriteRules():
                self._write_rules()

    def _links(self, in_pod: bool) -> Links:
        return self._pod.links if in_pod else self._host.links

    def _index(self, in_pod: bool, name: str) -> int:
        """The number of a link; a plan names links, since it may be what makes them."""
        if (in_pod, name) not in self._known:
            found = self._links(in_pod).find(name)
            if found is None:
                raise NotFound(f"cannot use link {name}: it is not there any more", errno.ENODEV)
            self._known[in_pod, name] = found.ifindex
        return self._known[in_pod, name]


def mend(links: Links, network: Network, ports: frozenset[str]) -> list[str]:
    """Put back a bridge, its addresses and its ports, by name; what was put back."""
    found = {link.name: link for link in links.links()}
    mine = [link for name, link in found.items() if name in ports]
    bridge, mended = found.get(network.bridge), []
    if bridge is None and mine:
        mac = ranges.mac_of(ranges.parse(network.gateways[0].partition("/")[0])) if network.gateways else ""
        mtu = min(link.mtu for link in mine)
        links.add(NewLink(network.bridge, Bridge(netfilter=True), mac=mac, mtu=mtu, up=True))
        bridge = links.find(network.bridge)
        mended.append(f"bridge {network.bridge}")
    if bridge is None:
        return []  # it comes with the next ADD
    if not bridge.up:
        links.change(bridge.ifindex, LinkChange(up=True))
        mended.append(f"bridge {network.bridge}, which was down")
    present = {f"{address.ip}/{address.prefix}" for address in links.addresses(bridge.ifindex)}
    for gateway in network.gateways:
        if gateway not in present:
            ip, _, prefix = gateway.partition("/")
            links.add_address(Address(bridge.ifindex, ip, int(prefix)))
            mended.append(f"address {gateway} of {network.bridge}")
    for link in mine:
        if link.master != bridge.ifindex:
            links.change(link.ifindex, LinkChange(up=True, master=bridge.ifindex))
            links.change(link.ifindex, LinkChange(hairpin=network.hairpin))
            mended.append(f"port {link.name} of {network.bridge}")
    return mended
