"""What to do for a request: from what is wanted and what is seen to a list of steps. Pure.

The same plan serves a first ADD, an ADD again, and an ADD after one that was killed half-way: each step is there only if the
kernel does not have its result already. Only `MakePair` needs undoing when a later step fails: everything in the pod goes
with the pair, and the bridge belongs to all.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from cni import ranges
from cni.config import NetworkConfig, Vlans
from cni.errors import CONFIG, INTERFACE_TAKEN, CniError
from cni.ipam import Attachment
from cni.ports import port_name, shaper_name
from cni.request import Request
from cni.result import GivenAddress, Interface, PodRoute
from linux.links import MAIN_TABLE, LinkChange, Rate, Route, SeenLink, VlanChange

FORWARDING = {4: "net.ipv4.ip_forward", 16: "net.ipv6.conf.all.forwarding"}
DEFAULT_ROUTE = {4: "0.0.0.0/0", 16: "::/0"}
DEFAULT_MTU = 1500
SCOPE_LINK = 253


class MakeBridge(NamedTuple):
    """Make the bridge."""

    bridge: str
    mac: str
    mtu: int
    by_vlan: bool = False


class MakePair(NamedTuple):
    """Make the pod's link and its other end, a port of the bridge."""

    port: str
    bridge: str
    ifname: str
    mac: str
    mtu: int


class MakeGatewayPair(NamedTuple):
    """Make a link of the host and its other end, a port of the bridge in one VLAN: the way of that VLAN to the host."""

    name: str
    port: str
    bridge: str
    mac: str
    mtu: int


class SetVlans(NamedTuple):
    """Put a port of the bridge into VLANs."""

    port: str
    change: VlanChange


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
    check_duplicates: bool = False


class TakeAddress(NamedTuple):
    """Take an address from a link of the host."""

    name: str
    ip: str
    prefix: int


class AddRoute(NamedTuple):
    """Make a route in the pod."""

    ifname: str
    route: PodRoute


class LimitRate(NamedTuple):
    """Limit how fast a link of the host sends."""

    name: str
    rate: Rate


class LimitPod(NamedTuple):
    """Limit how fast a pod sends."""

    port: str
    ifname: str
    rate: Rate


class RemoveLink(NamedTuple):
    """Remove a link of the host."""

    name: str


class SetSysctl(NamedTuple):
    """Change a setting."""

    in_pod: bool
    name: str
    value: str


class WriteRules(NamedTuple):
    """Write all tables anew: host ports, masquerading, what pods may send."""


class Admit(NamedTuple):
    """Let the pod's port into the table of the bridges."""


Step = (
    MakeBridge
    | MakePair
    | MakeGatewayPair
    | SetVlans
    | SetLink
    | GiveAddress
    | TakeAddress
    | AddRoute
    | LimitRate
    | LimitPod
    | RemoveLink
    | SetSysctl
    | WriteRules
    | Admit
)


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
    gateway: SeenLink | None = None
    """The link that has the gateways' addresses: the bridge, or the host's way into the VLAN."""
    gateway_addresses: tuple[str, ...] = ()
    port: SeenLink | None = None
    interface: SeenLink | None = None
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    port_rate: Rate | None = None
    interface_rate: Rate | None = None
    """How fast the pod may send, whichever side limits it."""
    vlans: Mapping[int, bool] = {}
    settings: Mapping[str, str] = {}
    rules_right: bool = False
    admitted: bool = False


def wanted(request: Request, held: Attachment, path_mtu: int) -> Wanted:
    """How the interface shall be; `path_mtu` is that of the way out, 0 if there is none."""
    network = request.network
    addresses = tuple(GivenAddress(ip, _range_of(network, ip)) for ip in held.ips)
    return Wanted(
        network=network,
        port=held.link,
        ifname=request.ifname,
        netns=request.netns,
        alias=f"{request.container}/{request.ifname}",
        mac=held.mac,
        mtu=network.mtu or path_mtu or DEFAULT_MTU,
        addresses=addresses,
        routes=_routes(network, addresses),
    )


def plan_add(want: Wanted, seen: Seen) -> tuple[Step, ...]:
    """The steps that give the pod its interface."""
    texts = {address.text for address in want.addresses}
    if seen.interface is not None and texts - {*seen.addresses} and {*seen.addresses} - texts - {*_link_locals(seen)}:
        # It has addresses of another time, and routes that go with them: it is made anew.
        seen = seen._replace(interface=None, addresses=(), routes=(), interface_rate=None)
    return (*_host_steps(want, seen), *_port_steps(want, seen), *_pod_steps(want, seen))


def _link_locals(seen: Seen) -> list[str]:
    return [text for text in seen.addresses if text.startswith("fe80:")]


def inverse(step: Step) -> Step | None:
    """What undoes a step, where anything must."""
    match step:
        case MakePair(port=port) | MakeGatewayPair(port=port):
            return RemoveLink(port)
        case LimitPod(port=port):
            return RemoveLink(shaper_name(port))
        case _:
            return None


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
    for address in want.addresses if network.is_gateway else ():
        setting = FORWARDING[len(address.ip)]
        if seen.settings.get(setting) != "1":
            steps.append(SetSysctl(False, setting, "1"))
    mac = ranges.mac_of(want.addresses[0].range.gateway) if network.is_gateway and want.addresses else ""
    if seen.bridge is None:
        steps.append(MakeBridge(network.bridge, "" if network.vlans.native else mac, want.mtu, network.vlans.any))
    elif seen.bridge.kind != "bridge":
        raise CniError(CONFIG, f"cannot use {network.bridge} as a bridge: a link of another kind has that name")
    elif network.vlans.any and not seen.bridge.vlan_filtering:
        steps.append(SetLink(False, network.bridge, LinkChange(vlan_filtering=True)))
    up = seen.bridge is not None and seen.bridge.up
    promiscuous = seen.bridge is not None and seen.bridge.promiscuous
    if not up or (network.promiscuous and not promiscuous):
        steps.append(SetLink(False, network.bridge, LinkChange(up=True, promiscuous=network.promiscuous or None)))
    if network.is_gateway:
        steps += _gateway_steps(want, seen, mac)
    if not seen.rules_right or (network.ports and not seen.admitted):
        steps.append(WriteRules())
    elif not seen.admitted:
        steps.append(Admit())
    local = f"net/ipv4/conf/{network.gateway_link}/route_localnet"
    if any(mapping.host_ip in ("", "127.0.0.1") for mapping in network.ports) and seen.settings.get(local) != "1":
        steps.append(SetSysctl(False, local, "1"))
    return steps


def _gateway_steps(want: Wanted, seen: Seen, mac: str) -> list[Step]:
    """The gateways' addresses, on the bridge or on a link into its VLAN. One that is in the way goes only if it may."""
    network = want.network
    steps: list[Step] = []
    if network.vlans.native and seen.gateway is None:
        port = port_name(network.name, "", network.gateway_link)
        steps.append(MakeGatewayPair(network.gateway_link, port, network.bridge, mac, want.mtu))
        steps.append(SetVlans(port, vlan_change(network.vlans, {1: True})))
    wanted = {f"{ranges.show(a.range.gateway)}/{a.range.subnet.prefix}": a.range for a in want.addresses}
    for text, one in wanted.items():
        if text in seen.gateway_addresses:
            continue
        for other in seen.gateway_addresses:
            if other in wanted or not ranges.overlap(ranges.subnet(other), one.subnet):
                continue
            if not network.force_address:
                reason = f"it has {other}, which overlaps; set forceAddress to replace it"
                raise CniError(CONFIG, f"cannot give {network.gateway_link} the address {text}: {reason}")
            ip, _, prefix = other.partition("/")
            steps.append(TakeAddress(network.gateway_link, ip, int(prefix)))
        steps.append(GiveAddress(False, network.gateway_link, ranges.show(one.gateway), one.subnet.prefix))
    return steps


def vlan_change(vlans: Vlans, now: Mapping[int, bool]) -> VlanChange:
    """What makes a port's VLANs those that are wanted; every port begins in VLAN 1."""
    native = vlans.native if now.get(vlans.native) is not True else 0
    unwanted = vlans.any and not vlans.keep_default and 1 in now and 1 not in (vlans.native, *vlans.tagged)
    tagged = tuple(vlan for vlan in vlans.tagged if vlan not in now)
    return VlanChange(native, tagged, (1,) if unwanted else ())


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
    vlans = vlan_change(network.vlans, seen.vlans if port is not None else {1: True})
    if network.vlans.any and any(vlans):
        steps.append(SetVlans(want.port, vlans))
    return steps


def _pod_steps(want: Wanted, seen: Seen) -> list[Step]:
    steps: list[Step] = []
    network, link = want.network, seen.interface
    if link is not None and (link.mac, link.mtu) != (want.mac, want.mtu):
        steps.append(SetLink(True, want.ifname, LinkChange(mac=want.mac, mtu=want.mtu)))
    settings = {name.replace("IFNAME", want.ifname): value for name, value in network.sysctls.items()}
    steps += [SetSysctl(True, name, value) for name, value in settings.items()]
    check = network.duplicate_check
    missing = [address for address in want.addresses if address.text not in seen.addresses]
    steps += [GiveAddress(True, want.ifname, ranges.show(a.ip), a.range.subnet.prefix, check) for a in missing]
    if (link is None or not link.up) and not network.starts_down:
        steps.append(SetLink(True, want.ifname, LinkChange(up=True)))
    # Traffic to the pod is what the host's end sends. The limits come before the first route, so nothing is faster.
    limits = network.bandwidth
    if limits.to_pod is not None and not same_rate(limits.to_pod, seen.port_rate):
        steps.append(LimitRate(want.port, limits.to_pod))
    if limits.from_pod is not None and not same_rate(limits.from_pod, seen.interface_rate):
        steps.append(LimitPod(want.port, want.ifname, limits.from_pod))
    mine = [route for route in seen.routes if link and route.ifindex == link.ifindex]
    have = {(route.destination, route.gateway, route.table) for route in mine}
    for route in want.routes:
        if (route.destination, route.gateway, route.table or MAIN_TABLE) not in have:
            steps.append(AddRoute(want.ifname, route))
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
        if size not in gateways:
            continue  # a family that this pod has no address of has no routes either
        if route.scope == SCOPE_LINK:
            gateway = ""  # those are on the link itself
        routes.append(PodRoute(route.destination, gateway, *route[2:]))
    if network.is_default_gateway:
        have = {route.destination for route in routes if route.table in (0, MAIN_TABLE)}
        routes += [PodRoute(DEFAULT_ROUTE[s], g) for s, g in gateways.items() if DEFAULT_ROUTE[s] not in have]
    return tuple(routes)


def check(request: Request, held: Attachment | None, seen: Seen, port: str) -> list[str]:
    """What is not as the ADD's result said; `held` is what the address store has."""
    network, previous = request.network, request.network.previous or {}
    problems: list[str] = []
    if held is None:
        problems.append(f"no addresses are kept for {request.container}/{request.ifname} of network {network.name}")
    if seen.bridge is None or not seen.bridge.up:
        problems.append(f"bridge {network.bridge} is " + ("not there" if seen.bridge is None else "down"))
    if seen.port is None:
        problems.append(f"link {port}, the host's end, is not there")
    elif seen.bridge is not None and seen.port.master != seen.bridge.ifindex:
        problems.append(f"link {port} is not a port of bridge {network.bridge}")
    if seen.interface is None:
        return [*problems, f"link {request.ifname} is not in {request.netns}"]
    if not seen.interface.up and not network.starts_down:
        problems.append(f"link {request.ifname} is down")
    limits = network.bandwidth
    for name, rate, now in (
        (port, limits.to_pod, seen.port_rate),
        (request.ifname, limits.from_pod, seen.interface_rate),
    ):
        if rate is not None and not same_rate(rate, now):
            problems.append(f"link {name} is not limited to {rate.rate * 8} bits a second")
    problems += _check_addresses(request, held.ips if held else (), seen, _mine(previous, request))
    for route in previous.get("routes") or ():
        destination = str(ranges.subnet(str(route.get("dst", ""))))
        table = route.get("table") or MAIN_TABLE
        there = [r for r in seen.routes if (r.destination, r.table) == (destination, table)]
        if not any(r.gateway == (route.get("gw") or r.gateway) for r in there):
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
