"""The network configuration that a runtime sends, checked. Pure.

Keys and defaults are those of the `bridge`, `host-local` and `portmap` plugins that everybody has, so that a configuration
for those works here; `clusterCidr` (with `ipMasq`) is ours. Keys we do not know are left alone, as the specification asks;
keys that we know and cannot honour are errors. `ipam.dataDir` is accepted and has no effect: all networks of a host share
one store. `isolation` (a pod sends nothing in another's name) is ours, and on wherever pods get addresses from us.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from cni import ranges
from cni.errors import CONFIG, DECODE, FIELD, VERSION, CniError
from cni.ranges import Range, RangeSet, Subnet
from linux.links import Rate

VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEWEST = VERSIONS[-1]
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
BRIDGE = "wherry0"
LEAST_BURST, MOST_BURST = (
    64 * 1024,
    256 * 1024 * 1024,
)  # one packet after segmentation offload; what the kernel can count
IPAM_TYPES = ("", "host-local", "wherry-cni")
GUARD_MAC, GUARD_ALL = "mac", "all"
_SCOPES = (0, 200, 253, 254, 255)  # global, site, link, host, nowhere


class PortMapping(NamedTuple):
    """A port of this host that leads to a port of the pod. No host address: all of them."""

    protocol: str
    host_port: int
    pod_port: int
    host_ip: str = ""


class ConfigRoute(NamedTuple):
    """A route for the pod; without a gateway through that of the first range of its family."""

    destination: str
    gateway: str = ""
    mtu: int = 0
    metric: int = 0
    advmss: int = 0
    table: int = 0
    scope: int | None = None


class Bandwidth(NamedTuple):
    """How fast traffic may flow to the pod and from it; None: as it can."""

    to_pod: Rate | None = None
    from_pod: Rate | None = None


class Vlans(NamedTuple):
    """The VLANs of a pod's port: one for untagged frames (0: none), others tagged, and whether it keeps the default one."""

    native: int = 0
    tagged: tuple[int, ...] = ()
    keep_default: bool = True

    @property
    def any(self) -> bool:
        """Whether the bridge must look at VLANs at all."""
        return bool(self.native or self.tagged)


class NetworkConfig(NamedTuple):
    """One network, and what the runtime wants of it this time."""

    version: str
    name: str
    type: str = ""
    bridge: str = BRIDGE
    is_gateway: bool = False
    is_default_gateway: bool = False
    masquerade: bool = False
    cluster: tuple[Subnet, ...] = ()
    hairpin: bool = False
    promiscuous: bool = False
    mtu: int = 0
    force_address: bool = False
    vlans: Vlans = Vlans()
    guard: str = ""
    """Whether a pod's frames are looked at: GUARD_ALL, only their MAC address (GUARD_MAC), or not ("")."""
    starts_down: bool = False
    duplicate_check: bool = False
    sysctls: Mapping[str, str] = {}
    range_sets: tuple[RangeSet, ...] = ()
    reserved: tuple[tuple[bytes, bytes], ...] = ()
    """From, to: addresses that only those get who ask for them."""
    resolver: str = ""
    """A file such as /etc/resolv.conf, for a network that says nothing of DNS."""
    routes: tuple[ConfigRoute, ...] = ()
    dns: Mapping[str, Any] = {}
    ports: tuple[PortMapping, ...] = ()
    ips: tuple[str, ...] = ()
    mac: str = ""
    bandwidth: Bandwidth = Bandwidth()
    previous: Mapping[str, Any] | None = None
    valid: frozenset[tuple[str, str]] | None = None

    @property
    def gateway_link(self) -> str:
        """The link of the host that has the gateways' addresses."""
        return f"{self.bridge}.{self.vlans.native}" if self.vlans.native else self.bridge

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """All subnets that pods of this network have addresses in."""
        return tuple(dict.fromkeys(one.subnet for one_set in self.range_sets for one in one_set))


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object on standard input."""
    try:
        raw = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise CniError(DECODE, "cannot read the network configuration: it is not JSON", str(error)) from error
    if not isinstance(raw, dict):
        raise CniError(DECODE, "cannot read the network configuration: it is not a JSON object")
    return raw


def version_of(raw: Mapping[str, Any]) -> str:
    """The version of the specification that the runtime speaks; it must be one of ours."""
    version = raw.get("cniVersion", "0.1.0")
    if version not in VERSIONS:
        details = f"supported: {', '.join(VERSIONS)}"
        raise CniError(VERSION, f"cannot work with cniVersion {version!r}: it is not supported", details)
    return str(version)


def parse(raw: Mapping[str, Any], *, needs_ranges: bool) -> NetworkConfig:
    """The configuration, checked. What removes things needs neither ranges nor ports: it must work with whatever came."""
    name = _text(raw, "name")
    if not name or not all(c.isascii() and (c.isalnum() or c in "_.-") for c in name) or not name[0].isalnum():
        raise CniError(CONFIG, f"cannot use network name {name!r}: it must be letters, digits, '_', '.' and '-'")
    ipam = _object(raw, "ipam")
    if (kind := _text(ipam, "type")) not in IPAM_TYPES:
        raise CniError(FIELD, f"cannot use ipam.type {kind!r}: addresses are given by wherry-cni itself; remove it")
    runtime = _object(raw, "runtimeConfig")
    arguments = _object(_object(raw, "args"), "cni")
    sets = _range_sets(ipam) if needs_ranges and "ipam" in raw else ()
    config = NetworkConfig(
        version=version_of(raw),
        name=name,
        type=_text(raw, "type"),
        bridge=_text(raw, "bridge") or BRIDGE,
        is_gateway=_flag(raw, "isGateway") or _flag(raw, "isDefaultGateway"),
        is_default_gateway=_flag(raw, "isDefaultGateway"),
        masquerade=_flag(raw, "ipMasq"),
        cluster=_cluster(raw),
        hairpin=_flag(raw, "hairpinMode"),
        promiscuous=_flag(raw, "promiscMode"),
        mtu=_whole(raw, "mtu", 0, 65535),
        range_sets=sets,
        routes=_routes(ipam),
        dns=_object(raw, "dns"),
        ports=_port_mappings(runtime) if needs_ranges else (),
        force_address=_flag(raw, "forceAddress"),
        vlans=_vlans(raw),
        guard=_guard(raw),
        starts_down=_flag(raw, "disableContainerInterface"),
        duplicate_check=_flag(raw, "enabledad"),
        sysctls=_sysctls(raw),
        reserved=_reserved(ipam),
        resolver=_text(ipam, "resolvConf"),
        ips=tuple(str(ip) for ip in _array(runtime, "ips") or _array(arguments, "ips")),
        mac=_text(runtime, "mac") or _text(arguments, "mac"),
        bandwidth=_bandwidth(_object(runtime, "bandwidth")),
        previous=_object(raw, "prevResult") or None,
        valid=_valid_attachments(raw),
    )
    if not 0 < len(config.bridge) < 16 or any(c in "/: \t\n" for c in config.bridge):
        raise CniError(CONFIG, f"cannot use bridge {config.bridge!r}: it is not a name for a link (1 to 15 characters)")
    if config.is_gateway and len(config.gateway_link) > 15:
        raise CniError(
            CONFIG, f"cannot use vlan: {config.gateway_link} is too long for a link; give the bridge a shorter name"
        )
    if config.hairpin and config.promiscuous:
        raise CniError(CONFIG, "cannot use hairpinMode with promiscMode: choose one of them")
    if config.starts_down and config.range_sets:
        raise CniError(CONFIG, "cannot use disableContainerInterface with ipam: a link that is down has no routes")
    return config


def _guard(raw: Mapping[str, Any]) -> str:
    """Pods that get no address from us may have any; their MAC address is looked at if somebody wants it."""
    wanted, mac = _flag(raw, "isolation", usual="ipam" in raw), _flag(raw, "macspoofchk")
    if wanted and "ipam" not in raw:
        raise CniError(CONFIG, "cannot use isolation without ipam: nobody knows the pod's addresses; use macspoofchk")
    return GUARD_ALL if wanted else GUARD_MAC if mac else ""


def _vlans(raw: Mapping[str, Any]) -> Vlans:
    tagged: dict[int, None] = {}
    for entry in _array(raw, "vlanTrunk"):
        if not isinstance(entry, dict):
            raise CniError(CONFIG, "cannot use vlanTrunk: each must be an object with id, or with minID and maxID")
        if "id" in entry:
            tagged[_whole(entry, "id", 1, 4094)] = None
        if "minID" in entry or "maxID" in entry:
            tagged |= dict.fromkeys(range(_whole(entry, "minID", 1, 4094), _whole(entry, "maxID", 1, 4094) + 1))
    vlans = Vlans(_whole(raw, "vlan", 0, 4094), tuple(tagged), _flag(raw, "preserveDefaultVlan", usual=True))
    if vlans.native and tagged:
        raise CniError(CONFIG, "cannot use vlan with vlanTrunk: choose one of them")
    return vlans


def _sysctls(raw: Mapping[str, Any]) -> Mapping[str, str]:
    settings = _object(raw, "sysctl")
    for name, value in settings.items():
        if not isinstance(value, str) or not name.replace("/", ".").startswith("net."):
            raise CniError(CONFIG, f"cannot use sysctl {name}: only texts for names that begin with net. are possible")
    return settings


def _reserved(ipam: Mapping[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    found = []
    for text in _array(ipam, "reserved"):
        try:
            found.append(ranges.span(str(text)))
        except ValueError as error:
            raise CniError(CONFIG, f"cannot use ipam.reserved: {error}") from error
    return tuple(found)


def _range_sets(ipam: Mapping[str, Any]) -> tuple[RangeSet, ...]:
    sets: list[RangeSet] = []
    if "subnet" in ipam:
        sets.append((_range(ipam, "ipam"),))
    for index, one_set in enumerate(_array(ipam, "ranges")):
        where = f"ipam.ranges[{index}]"
        if not isinstance(one_set, list) or not one_set or not all(isinstance(one, dict) for one in one_set):
            raise CniError(CONFIG, f'cannot use {where}: it must be a list such as [{{"subnet": "10.244.0.0/24"}}]')
        sets.append(tuple(_range(one, where) for one in one_set))
    if not sets:
        raise CniError(CONFIG, "cannot give addresses: the network configuration has no ipam.ranges")
    ranges.check_sets(tuple(sets))
    return tuple(sets)


def _range(raw: Mapping[str, Any], where: str) -> Range:
    names = ("subnet", "rangeStart", "rangeEnd", "gateway")
    try:
        return ranges.make_range(*(_text(raw, name) for name in names))
    except ValueError as error:
        raise CniError(CONFIG, f"cannot use {where}: {error}") from error


def _cluster(raw: Mapping[str, Any]) -> tuple[Subnet, ...]:
    try:
        return tuple(ranges.subnet(part.strip()) for part in _text(raw, "clusterCidr").split(",") if part.strip())
    except ValueError as error:
        raise CniError(CONFIG, f"cannot use clusterCidr: {error}") from error


def _routes(ipam: Mapping[str, Any]) -> tuple[ConfigRoute, ...]:
    routes = []
    for raw in _array(ipam, "routes"):
        if not isinstance(raw, dict):
            raise CniError(CONFIG, "cannot use ipam.routes: each must be an object with dst")
        try:
            gateway = _text(raw, "gw")
            destination = ranges.subnet(_text(raw, "dst"))
            if gateway and len(ranges.parse(gateway)) != destination.size:
                raise ValueError(f"{gateway} and {destination} are of different families")
        except ValueError as error:
            raise CniError(CONFIG, f"cannot use ipam.routes: {error}") from error
        numbers = (("mtu", 65535), ("priority", 1 << 31), ("advmss", 65535), ("table", (1 << 32) - 1))
        mtu, metric, advmss, table = (_whole(raw, name, 0, most) for name, most in numbers)
        scope = _whole(raw, "scope", 0, 255) if raw.get("scope") is not None else None
        if scope is not None and scope not in _SCOPES:
            raise CniError(CONFIG, f"cannot use ipam.routes: scope {scope} is none of {', '.join(map(str, _SCOPES))}")
        routes.append(ConfigRoute(str(destination), gateway, mtu, metric, advmss, table, scope))
    return tuple(routes)


def _port_mappings(runtime: Mapping[str, Any]) -> tuple[PortMapping, ...]:
    mappings: dict[PortMapping, None] = {}
    for given in _array(runtime, "portMappings"):
        if not isinstance(given, dict):
            raise CniError(CONFIG, "cannot use portMappings: each must be an object with hostPort and containerPort")
        raw = _small_initials(given)
        host_port = _whole(raw, "hostPort", 0, 65535)
        pod_port = _whole(raw, "containerPort", 1, 65535)
        protocol = (_text(raw, "protocol") or "tcp").lower()
        host_ip = _text(raw, "hostIP")
        if protocol not in PROTOCOLS:
            raise CniError(CONFIG, f"cannot map host port {host_port}: protocol {protocol!r} is not tcp, udp or sctp")
        try:
            host_ip = ranges.show(ranges.parse(host_ip)) if host_ip else ""
        except ValueError as error:
            raise CniError(CONFIG, f"cannot map host port {host_port}: hostIP {error}") from error
        if host_port:  # runtimes send 0 for a port that is only documented
            mappings[PortMapping(protocol, host_port, pod_port, host_ip)] = None
    return tuple(mappings)


def _bandwidth(raw: Mapping[str, Any]) -> Bandwidth:
    """Runtimes say bits and bits a second; a rate without a burst gets a tenth of a second's worth."""
    raw, limits = _small_initials(raw), list[Rate | None]()
    for direction in ("ingress", "egress"):
        rate = _whole(raw, f"{direction}Rate", 0, 1 << 50) // 8
        burst = _whole(raw, f"{direction}Burst", 0, 1 << 50) // 8
        limits.append(Rate(rate, min(max(burst or rate // 10, LEAST_BURST), MOST_BURST)) if rate else None)
    return Bandwidth(*limits)


def _valid_attachments(raw: Mapping[str, Any]) -> frozenset[tuple[str, str]] | None:
    key = "cni.dev/valid-attachments"
    if key not in raw:
        return None
    entries = _array(raw, key)
    if not all(isinstance(entry, dict) for entry in entries):
        raise CniError(CONFIG, f"cannot use {key}: each must be an object with containerID and ifname")
    return frozenset((_text(entry, "containerID"), _text(entry, "ifname")) for entry in entries)


def _small_initials(raw: Mapping[str, Any]) -> dict[str, Any]:
    """containerd 1.6 writes `HostPort` and `IngressRate`: whoever reads with Go's library does not see the difference."""
    return {key[:1].lower() + key[1:]: value for key, value in raw.items()}


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CniError(CONFIG, f"cannot use {key}: {value!r} is not a text")
    return value


def _flag(raw: Mapping[str, Any], key: str, *, usual: bool = False) -> bool:
    value = raw.get(key, usual)
    if not isinstance(value, bool):
        raise CniError(CONFIG, f"cannot use {key}: {value!r} is not true or false")
    return value


def _whole(raw: Mapping[str, Any], key: str, least: int, most: int) -> int:
    value = raw.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise CniError(CONFIG, f"cannot use {key}: {value!r} is not a whole number from {least} to {most}")
    return value


def _object(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CniError(CONFIG, f"cannot use {key}: it is not an object")
    return value


def _array(raw: Mapping[str, Any], key: str) -> list[Any]:
    value = raw.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise CniError(CONFIG, f"cannot use {key}: it is not a list")
    return value
