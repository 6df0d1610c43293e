"""Looks at the kernel for a plan, and carries a plan out: the thin shell around cni.plan."""

import _blake2
from collections.abc import Callable, Iterable

from cni import plan
from cni.errors import KERNEL, CniError
from cni.host import Host, Pod
from cni.plan import AddRoute, GiveAddress, MakeBridge, MakePair, RemoveLink, Seen, SetLink, SetSysctl, Step, WriteRules
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
    return next((link.mtu for link in links.links() if link.ifindex == route.ifindex), 0)


def observe(host: Host, pod: Pod, *, bridge: str, port: str, ifname: str) -> Seen:
    """What the kernel has of a pod's interface and its bridge."""
    seen_bridge, interface = host.links.find(bridge), pod.links.find(ifname)
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
        port=host.links.find(port),
        interface=interface,
        addresses=tuple(f"{a.ip}/{a.prefix}" for a in on_interface),
        routes=tuple(pod.links.routes()) if interface else (),
        settings=settings,
    )


def carry_out(steps: Iterable[Step], host: Host, pod: Pod, write_rules: Callable[[], None]) -> None:
    """Do the steps in order. If one fails, undo in reverse what was done and say all that went wrong."""
    done: list[Step] = []
    try:
        for step in steps:
            _perform(step, host, pod, write_rules)
            done.append(step)
    except (NetlinkError, SysctlError, NetnsError, OSError, CniError) as error:
        failures = _undo(done, host, pod)
        if isinstance(error, CniError) and not failures:
            raise
        code, details = (error.code, error.details) if isinstance(error, CniError) else (KERNEL, "")
        raise CniError(code, str(error), "; ".join(filter(None, [details, *failures]))) from error


def _undo(done: list[Step], host: Host, pod: Pod) -> list[str]:
    failures = []
    for step in reversed(done):
        undoing = plan.inverse(step)
        if undoing is None:
            continue
        try:
            _perform(undoing, host, pod, lambda: None)
        except (NetlinkError, SysctlError, OSError) as error:
            failures.append(f"and then {error}")
    return failures


def _perform(step: Step, host: Host, pod: Pod, write_rules: Callable[[], None]) -> None:
    match step:
        case MakeBridge(bridge, mac, mtu):
            try:
                host.links.add(NewLink(bridge, Bridge(netfilter=True), mac=mac, mtu=mtu))
            except AlreadyExists:
                pass  # another request was quicker
        case MakePair(port, bridge, ifname, mac, mtu):
            kind = Veth(ifname, pod.number, mac)
            host.links.add(NewLink(port, kind, mtu=mtu, master=_index(host.links, bridge), up=True))
        case SetLink(in_pod, name, change):
            links = pod.links if in_pod else host.links
            links.change(_index(links, name), change)
        case GiveAddress(in_pod, name, ip, prefix):
            links = pod.links if in_pod else host.links
            links.add_address(Address(_index(links, name), ip, prefix))
        case AddRoute(ifname, route):
            index = _index(pod.links, ifname)
            pod.links.add_route(Route(route.destination, index, route.gateway, metric=route.metric, mtu=route.mtu))
        case RemoveLink(name):
            host.links.remove(name)
        case SetSysctl(name, value):
            host.sysctl.write(name, value)
        case WriteRules():
            write_rules()


def _index(links: Links, name: str) -> int:
    found = links.find(name)
    if found is None:
        raise NotFound(f"cannot use link {name}: it is not there any more", 19)
    return found.ifindex


def mend(links: Links, bridge: str, gateways: tuple[str, ...]) -> list[str]:
    """Put the addresses of a bridge back; a bridge that is gone took its ports along, and comes with the next ADD."""
    found = links.find(bridge)
    if found is None:
        return []
    mended = []
    if not found.up:
        links.change(found.ifindex, LinkChange(up=True))
        mended.append(f"link {bridge}, which was down")
    present = {f"{address.ip}/{address.prefix}" for address in links.addresses(found.ifindex)}
    for gateway in gateways:
        if gateway not in present:
            ip, _, prefix = gateway.partition("/")
            links.add_address(Address(found.ifindex, ip, int(prefix)))
            mended.append(f"address {gateway} of {bridge}")
    return mended
