"""Looks at the kernel for a plan, and carries a plan out: the thin shell around cni.plan."""

import errno
from collections.abc import Iterable
from contextlib import suppress

from cni import plan, ranges
from cni.config import NetworkConfig, Vlans
from cni.errors import KERNEL, CniError
from cni.host import Host, Pod
from cni.ipam import Attachment, Network
from cni.plan import (
    AddRoute,
    Admit,
    GiveAddress,
    LimitPod,
    LimitRate,
    MakeBridge,
    MakeGatewayPair,
    MakePair,
    RemoveLink,
    Seen,
    SetLink,
    SetSysctl,
    SetVlans,
    Step,
    TakeAddress,
    WriteRules,
)
from cni.ports import shaper_name
from cni.rules import Rules
from linux.links import (
    MAIN_TABLE,
    Address,
    AlreadyExists,
    Bridge,
    Ifb,
    LinkChange,
    Links,
    NetlinkError,
    NewLink,
    NotFound,
    Rate,
    Route,
    SeenLink,
    Veth,
)
from linux.netns import NetnsError
from linux.sysctl import SysctlError

_ANYWHERE = "192.0.2.1"  # an address that only a default route leads to


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
    limits, way = network.bandwidth, network.gateway_link
    seen_bridge, interface, seen_port = host.links.find(network.bridge), pod.links.find(ifname), host.links.find(port)
    gateway = seen_bridge if way == network.bridge else host.links.find(way)
    on_gateway = host.links.addresses(gateway.ifindex) if gateway else []
    tables = {MAIN_TABLE, *(route.table or MAIN_TABLE for route in network.routes)}
    on_interface = pod.links.addresses(interface.ifindex) if interface else []
    settings = {}
    for name in (*plan.FORWARDING.values(), f"net/ipv4/conf/{way}/route_localnet"):
        try:
            settings[name] = host.sysctl.read(name)
        except SysctlError:
            continue  # not there yet, or a kernel without that family
    return Seen(
        bridge=seen_bridge,
        gateway=gateway,
        gateway_addresses=tuple(f"{a.ip}/{a.prefix}" for a in on_gateway if not a.ip.startswith("fe80:")),
        port=seen_port,
        interface=interface,
        addresses=tuple(f"{a.ip}/{a.prefix}" for a in on_interface),
        routes=tuple(r for table in sorted(tables) for r in pod.links.routes(table)) if interface else (),
        port_rate=host.links.rate(seen_port.ifindex) if seen_port and limits.to_pod else None,
        interface_rate=_sending_rate(host, pod, seen_port, interface) if interface and limits.from_pod else None,
        vlans=host.links.vlans(seen_port.ifindex) if seen_port and network.vlans.any else {},
        settings=settings,
    )


def _sending_rate(host: Host, pod: Pod, port: SeenLink | None, interface: SeenLink) -> Rate | None:
    shaper = host.links.find(shaper_name(port.name)) if port is not None else None
    if port is not None and shaper is not None and shaper.up and host.links.detour(port.ifindex) == shaper.ifindex:
        return host.links.rate(shaper.ifindex)
    return pod.links.rate(interface.ifindex)


class Execution:
    """Carries out one plan."""

    def __init__(self, host: Host, pod: Pod, rules: Rules, held: Attachment) -> None:
        self._host = host
        self._pod = pod
        self._rules = rules
        self._held = held
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
            code, details = (error.code, error.details) if isinstance(error, CniError) else (KERNEL, _hint(step, error))
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
            case MakeBridge(bridge, mac, mtu, by_vlan):
                kind = Bridge(1 if by_vlan else None, netfilter=True)
                try:
                    host.links.add(NewLink(bridge, kind, mac=mac, mtu=mtu))
                except AlreadyExists:
                    pass  # another request was quicker
            case MakePair(port, bridge, ifname, mac, mtu):
                pair = Veth(ifname, self._pod.number, mac)
                host.links.add(NewLink(port, pair, mtu=mtu, master=self._index(False, bridge), up=True))
            case MakeGatewayPair(name, port, bridge, mac, mtu):
                pair = Veth(name, peer_mac=mac)
                host.links.add(NewLink(port, pair, mtu=mtu, master=self._index(False, bridge), up=True))
                host.links.change(self._index(False, name), LinkChange(up=True))
            case SetVlans(port, vlans):
                host.links.set_vlans(self._index(False, port), vlans)
            case SetLink(in_pod, name, change):
                self._links(in_pod).change(self._index(in_pod, name), change)
            case GiveAddress(in_pod, name, ip, prefix, check):
                self._links(in_pod).add_address(Address(self._index(in_pod, name), ip, prefix, check))
            case TakeAddress(name, ip, prefix):
                host.links.remove_address(Address(self._index(False, name), ip, prefix))
            case AddRoute(ifname, route):
                index = self._index(True, ifname)
                made = Route(route.destination, index, route.gateway, metric=route.metric, mtu=route.mtu)
                made = made._replace(advmss=route.advmss, table=route.table or MAIN_TABLE, scope=route.scope)
                self._pod.links.add_route(made)
            case LimitRate(name, rate):
                host.links.limit(self._index(False, name), rate)
            case LimitPod(port, ifname, rate):
                self._limit_pod(port, ifname, rate)
            case RemoveLink(name):
                host.links.remove(name)
                self._known.clear()  # its peer went too, wherever that was
            case SetSysctl(in_pod, name, value):
                (self._pod.sysctl if in_pod else host.sysctl).write(name, value)
            case WriteRules():
                self._rules.write()
            case Admit():
                self._rules.admit(self._held)

    def _limit_pod(self, port: str, ifname: str, rate: Rate) -> None:
        """On the host's side, where the pod cannot lift it; in the pod where the kernel cannot do that."""
        links, name = self._host.links, shaper_name(port)
        try:
            with suppress(AlreadyExists):
                links.add(NewLink(name, Ifb()))
            shaper = self._index(False, name)
            links.limit(shaper, rate)
            links.change(shaper, LinkChange(up=True))
            links.set_detour(self._index(False, port), shaper)
        except NetlinkError as error:
            links.remove(name)
            self._known.pop((False, name), None)
            if error.code not in (errno.EOPNOTSUPP, errno.ENOENT):  # no such kind of link, or of filter
                raise
            self._pod.links.limit(self._index(True, ifname), rate)

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


def _hint(step: Step, error: Exception) -> str:
    by_vlan = isinstance(step, SetVlans) or (isinstance(step, MakeBridge) and step.by_vlan)
    refused = isinstance(error, NetlinkError) and error.code == errno.EOPNOTSUPP
    return "bridges of this kernel know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)" if by_vlan and refused else ""


def mend(links: Links, network: Network, ports: frozenset[str]) -> list[str]:
    """Put back a bridge, its addresses and its ports, by name; what was put back."""
    found = {link.name: link for link in links.links()}
    mine = [link for name, link in found.items() if name in ports]
    bridge, mended = found.get(network.bridge), []
    if bridge is None and mine:
        bridge = _remake(links, network, min(link.mtu for link in mine))
        mended.append(f"bridge {network.bridge}")
    if bridge is None:
        return []  # it comes with the next ADD
    if not bridge.up:
        links.change(bridge.ifindex, LinkChange(up=True))
        mended.append(f"bridge {network.bridge}, which was down")
    for link in [*mine, *(found[name] for name in (network.gateway_port,) if name in found)]:
        if link.master != bridge.ifindex:
            _attach(links, network, link, bridge)
            mended.append(f"port {link.name} of {network.bridge}")
    way = bridge if network.gateway_link == network.bridge else found.get(network.gateway_link)
    if way is None:
        return mended  # the way into a VLAN comes with the next ADD too
    present = {f"{address.ip}/{address.prefix}" for address in links.addresses(way.ifindex)}
    for gateway in network.gateways:
        if gateway not in present:
            ip, _, prefix = gateway.partition("/")
            links.add_address(Address(way.ifindex, ip, int(prefix)))
            mended.append(f"address {gateway} of {way.name}")
    return mended


def _remake(links: Links, network: Network, mtu: int) -> SeenLink | None:
    first = network.gateways[0].partition("/")[0] if network.gateways and not network.vlan else ""
    mac = ranges.mac_of(ranges.parse(first)) if first else ""
    kind = Bridge(1 if network.vlan or network.trunk else None, netfilter=True)
    links.add(NewLink(network.bridge, kind, mac=mac, mtu=mtu, up=True))
    return links.find(network.bridge)


def _attach(links: Links, network: Network, port: SeenLink, bridge: SeenLink) -> None:
    links.change(port.ifindex, LinkChange(up=True, master=bridge.ifindex))
    links.change(port.ifindex, LinkChange(hairpin=network.hairpin))
    vlans = Vlans(network.vlan, network.trunk, network.default_vlan)
    if vlans.any:
        links.set_vlans(port.ifindex, plan.vlan_change(vlans, {1: True}))
