"""What to do for a request: from what is wanted and what is seen to a list of steps. Pure.

The same plan serves a first ADD, an ADD again, and an ADD after one that was killed half-way: each step is there only if the
kernel does not have its result already. Only `MakePair` needs undoing when a later step fails: everything in the pod goes
with the pair, and the bridge belongs to all.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from cni import ranges
from cni.config import NetworkConfig
from cni.errors import CONFIG, INTERFACE_TAKEN, CniError
from cni.request import Request
from cni.result import GivenAddress, Interface, PodRoute
from linux.links import LinkChange, Rate, Route, SeenLink

FORWARDING = {4: "net.ipv4.ip_forward", 16: "net.ipv6.conf.all.forwarding"}
DEFAULT_ROUTE = {4: "0.0.0.0/0", 16: "::/0"}
DEFAULT_MTU = 1500


class MakeBridge(NamedTuple):
    """Make the bridge."""

    bridge: str
    mac: str
    mtu: int


class MakePair(NamedTuple):
    """Make the pod's link and its other end, a port of the bridge."""

    port: str
    bridge: str
    ifname: str
    mac: str
    mtu: int


class SetLink(NamedTuple):
    """Change a link."""

    in_pod: bool
    name: str
    change: LinkChange


class GiveAddress(NamedTuple):
    """Give a link an address."""

    in_pod: bool
    name: str
    ip: str
    prefix: int


class AddRoute(NamedTuple):
    """Make a route in the pod."""

    ifname: str
    route: PodRoute


class LimitRate(NamedTuple):
    """Limit how fast a link sends."""

    in_pod: bool
    name: str
    rate: Rate


class RemoveLink(NamedTuple):
    """Remove a link of the host."""

    name: str


class SetSysctl(NamedTuple):
    """Change a setting of the host."""

    name: str
    value: str


class WriteRules(NamedTuple):
    """Write the tables with all host ports and the masquerading anew."""


Step = MakeBridge | MakePair | SetLink | GiveAddress | AddRoute | LimitRate | RemoveLink | SetSysctl | WriteRules


class Wanted(NamedTuple):
    """How a pod's interface shall be."""

    network: NetworkConfig
    port: str
    ifname: str
    netns: str
    alias: str
    mac: str
    mtu: int
    addresses: tuple[GivenAddress, ...]
    routes: tuple[PodRoute, ...]


class Seen(NamedTuple):
    """What the kernel has. Addresses with their prefix."""

    bridge: SeenLink | None = None
    bridge_addresses: tuple[str, ...] = ()
    port: SeenLink | None = None
    interface: SeenLink | None = None
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    port_rate: Rate | None = None
    interface_rate: Rate | None = None
    settings: Mapping[str, str] = {}
    rules_right: bool = False


def wanted(request: Request, port: str, ips: tuple[bytes, ...], path_mtu: int) -> Wanted:
    """How the interface shall be; `path_mtu` is that of the way out, 0 if there is none."""
    network = request.network
    addresses = tuple(GivenAddress(ip, _range_of(network, ip)) for ip in ips)
    return Wanted(
        network=network,
        port=port,
        ifname=request.ifname,
        netns=request.netns,
        alias=f"{request.container}/{request.ifname}",
        mac=network.mac or ranges.mac_of(ips[0]),
        mtu=network.mtu or path_mtu or DEFAULT_MTU,
        addresses=addresses,
        routes=_routes(network, addresses),
    )


def plan_add(want: Wanted, seen: Seen) -> tuple[Step, ...]:
    """The steps that give the pod its interface."""
    return (*_host_steps(want, seen), *_port_steps(want, seen), *_pod_steps(want, seen))


def inverse(step: Step) -> Step | None:
    """What undoes a step, where anything must."""
    return RemoveLink(step.port) if isinstance(step, MakePair) else None


def interfaces(want: Wanted, bridge_mac: str, port_mac: str) -> tuple[Interface, ...]:
    """The links that the result names."""
    return (
        Interface(want.network.bridge, bridge_mac, want.mtu),
        Interface(want.port, port_mac, want.mtu),
        Interface(want.ifname, want.mac, want.mtu, want.netns),
    )


def _host_steps(want: Wanted, seen: Seen) -> list[Step]:
    network = want.network
    steps: list[Step] = []
    gateways = {f"{ranges.show(a.range.gateway)}/{a.range.subnet.prefix}": a for a in want.addresses}
    if not network.is_gateway:
        gateways = {}
    for address in want.addresses if network.is_gateway else ():
        setting = FORWARDING[len(address.ip)]
        if seen.settings.get(setting) != "1":
            steps.append(SetSysctl(setting, "1"))
    if seen.bridge is None:
        mac = ranges.mac_of(want.addresses[0].range.gateway) if network.is_gateway else ""
        steps.append(MakeBridge(network.bridge, mac, want.mtu))
    elif seen.bridge.kind != "bridge":
        raise CniError(CONFIG, f"cannot use {network.bridge} as a bridge: a link of another kind has that name")
    for text, address in gateways.items():
        if text not in seen.bridge_addresses:
            gateway = ranges.show(address.range.gateway)
            steps.append(GiveAddress(False, network.bridge, gateway, address.range.subnet.prefix))
    up = seen.bridge is not None and seen.bridge.up
    promiscuous = seen.bridge is not None and seen.bridge.promiscuous
    if not up or (network.promiscuous and not promiscuous):
        steps.append(SetLink(False, network.bridge, LinkChange(up=True, promiscuous=network.promiscuous or None)))
    if network.ports or not seen.rules_right:
        steps.append(WriteRules())
    local = f"net/ipv4/conf/{network.bridge}/route_localnet"
    if any(mapping.host_ip in ("", "127.0.0.1") for mapping in network.ports) and seen.settings.get(local) != "1":
        steps.append(SetSysctl(local, "1"))
    return steps


def _port_steps(want: Wanted, seen: Seen) -> list[Step]:
    network, port = want.network, seen.port
    paired = _paired(port, seen.interface)
    if seen.interface is not None and not paired:
        raise CniError(INTERFACE_TAKEN, f"cannot make {want.ifname} in {want.netns}: there is one that is not ours")
    steps: list[Step] = []
    if port is not None and not paired:
        steps.append(RemoveLink(want.port))
    if not paired:
        steps.append(MakePair(want.port, network.bridge, want.ifname, want.mac, want.mtu))
        port = None
    if port is None or (port.hairpin, port.alias, port.up) != (network.hairpin, want.alias, True):
        change = LinkChange(up=True, alias=want.alias, hairpin=network.hairpin)
        steps.append(SetLink(False, want.port, change))
    return steps


def _pod_steps(want: Wanted, seen: Seen) -> list[Step]:
    steps: list[Step] = []
    network, link = want.network, seen.interface
    if link is not None and (link.mac, link.mtu) != (want.mac, want.mtu):
        steps.append(SetLink(True, want.ifname, LinkChange(mac=want.mac, mtu=want.mtu)))
    missing = [address for address in want.addresses if address.text not in seen.addresses]
    steps += [GiveAddress(True, want.ifname, ranges.show(a.ip), a.range.subnet.prefix) for a in missing]
    if link is None or not link.up:
        steps.append(SetLink(True, want.ifname, LinkChange(up=True)))
    # Traffic to the pod is what the host's end sends. The limits come before the first route, so nothing is faster.
    limits = network.bandwidth
    for in_pod, name, rate, now in (
        (False, want.port, limits.to_pod, seen.port_rate),
        (True, want.ifname, limits.from_pod, seen.interface_rate),
    ):
        if rate is not None and not same_rate(rate, now):
            steps.append(LimitRate(in_pod, name, rate))
    have = {(route.destination, route.gateway) for route in seen.routes if link and route.ifindex == link.ifindex}
    steps += [AddRoute(want.ifname, route) for route in want.routes if (route.destination, route.gateway) not in have]
    return steps


def same_rate(wanted: Rate | None, seen: Rate | None) -> bool:
    """Whether a link is limited as wanted; the kernel gives bursts back rounded."""
    if wanted is None or seen is None:
        return wanted is seen
    return wanted.rate == seen.rate and abs(wanted.burst - seen.burst) <= max(1000, wanted.burst // 50)


def _paired(port: SeenLink | None, interface: SeenLink | None) -> bool:
    return (
        port is not None
        and interface is not None
        and (port.peer, interface.peer) == (interface.ifindex, port.ifindex)
        and port.peer_elsewhere
        and interface.peer_elsewhere
    )


def _range_of(network: NetworkConfig, ip: bytes) -> ranges.Range:
    return next(one for one_set in network.range_sets for one in one_set if one.holds(ip))


def _routes(network: NetworkConfig, addresses: tuple[GivenAddress, ...]) -> tuple[PodRoute, ...]:
    gateways: dict[int, str] = {}
    for address in addresses:
        gateways.setdefault(len(address.ip), ranges.show(address.range.gateway))
    routes: list[PodRoute] = []
    for route in network.routes:
        size = 16 if ":" in route.destination else 4
        gateway = route.gateway or gateways.get(size, "")
        if gateway:  # a family that this pod has no address of has no routes either
            routes.append(PodRoute(route.destination, gateway, route.mtu, route.metric))
    if network.is_default_gateway:
        have = {route.destination for route in routes}
        routes += [PodRoute(DEFAULT_ROUTE[s], g) for s, g in gateways.items() if DEFAULT_ROUTE[s] not in have]
    return tuple(routes)


def check(request: Request, ips: tuple[bytes, ...] | None, seen: Seen, port: str) -> list[str]:
    """What is not as the ADD's result said; `ips` is what the address store has, None if it has no such attachment."""
    network, previous = request.network, request.network.previous or {}
    problems: list[str] = []
    if ips is None:
        problems.append(f"no addresses are kept for {request.container}/{request.ifname} of network {network.name}")
    if seen.bridge is None or not seen.bridge.up:
        problems.append(f"bridge {network.bridge} is " + ("not there" if seen.bridge is None else "down"))
    if seen.port is None:
        problems.append(f"link {port}, the host's end, is not there")
    elif seen.bridge is not None and seen.port.master != seen.bridge.ifindex:
        problems.append(f"link {port} is not a port of bridge {network.bridge}")
    if seen.interface is None:
        return [*problems, f"link {request.ifname} is not in {request.netns}"]
    if not seen.interface.up:
        problems.append(f"link {request.ifname} is down")
    limits = network.bandwidth
    for name, rate, now in (
        (port, limits.to_pod, seen.port_rate),
        (request.ifname, limits.from_pod, seen.interface_rate),
    ):
        if rate is not None and not same_rate(rate, now):
            problems.append(f"link {name} is not limited to {rate.rate * 8} bits a second")
    problems += _check_addresses(request, ips or (), seen, _mine(previous, request))
    for route in previous.get("routes") or ():
        destination = str(ranges.subnet(str(route.get("dst", ""))))
        if not any(r.destination == destination and r.gateway == (route.get("gw") or r.gateway) for r in seen.routes):
            problems.append(f"route {destination} is not in {request.netns}")
    return problems


def _mine(previous: Mapping[str, Any], request: Request) -> int:
    """The pod's interface among those of the result."""
    for index, interface in enumerate(previous.get("interfaces") or ()):
        if interface.get("sandbox") and interface.get("name") == request.ifname:
            return index
    return -1


def _check_addresses(request: Request, ips: tuple[bytes, ...], seen: Seen, mine: int) -> list[str]:
    previous = request.network.previous or {}
    problems: list[str] = []
    assert seen.interface is not None
    if mine >= 0:
        mac = str(previous["interfaces"][mine].get("mac", "")).lower()
        if mac and mac != seen.interface.mac:
            problems.append(f"link {request.ifname} has MAC {seen.interface.mac}, not {mac}")
    for entry in previous.get("ips") or ():
        if mine >= 0 and entry.get("interface") != mine:
            continue
        address = str(entry.get("address", ""))
        ip, _, prefix = address.partition("/")
        known = f"{ranges.show(ranges.parse(ip))}/{prefix}"
        if known not in seen.addresses:
            problems.append(f"address {known} is not on {request.ifname}")
        if ranges.parse(ip) not in ips:
            problems.append(f"address {known} is not kept for {request.container}/{request.ifname}")
    return problems
