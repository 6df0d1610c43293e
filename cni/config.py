"""The network configuration that a runtime sends, checked. Pure.

Keys and defaults are those of the `bridge`, `host-local` and `portmap` plugins that everybody has, so that a configuration
for those works here; `clusterCidr` (with `ipMasq`) is ours. Keys we do not know are left alone, as the specification asks;
keys that we know and cannot honour are errors.
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


class Bandwidth(NamedTuple):
    """How fast traffic may flow to the pod and from it; None: as it can."""

    to_pod: Rate | None = None
    from_pod: Rate | None = None


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
    range_sets: tuple[RangeSet, ...] = ()
    routes: tuple[ConfigRoute, ...] = ()
    dns: Mapping[str, Any] = {}
    ports: tuple[PortMapping, ...] = ()
    ips: tuple[str, ...] = ()
    mac: str = ""
    bandwidth: Bandwidth = Bandwidth()
    previous: Mapping[str, Any] | None = None
    valid: frozenset[tuple[str, str]] | None = None

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
    """The configuration, checked. What removes things needs no ranges: it must work with what is left of a file."""
    name = _text(raw, "name")
    if not name or not all(c.isascii() and (c.isalnum() or c in "_.-") for c in name) or not name[0].isalnum():
        raise CniError(CONFIG, f"cannot use network name {name!r}: it must be letters, digits, '_', '.' and '-'")
    _refuse_unsupported(raw)
    ipam = _object(raw, "ipam")
    runtime = _object(raw, "runtimeConfig")
    sets = _range_sets(ipam) if needs_ranges else ()
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
        ports=_port_mappings(runtime),
        ips=tuple(str(ip) for ip in _array(runtime, "ips")),
        mac=_text(runtime, "mac"),
        bandwidth=_bandwidth(_object(runtime, "bandwidth")),
        previous=_object(raw, "prevResult") or None,
        valid=_valid_attachments(raw),
    )
    if not 0 < len(config.bridge) < 16 or any(c in "/: \t\n" for c in config.bridge):
        raise CniError(CONFIG, f"cannot use bridge {config.bridge!r}: it is not a name for a link (1 to 15 characters)")
    if config.hairpin and config.promiscuous:
        raise CniError(CONFIG, "cannot use hairpinMode with promiscMode: choose one of them")
    return config


def _refuse_unsupported(raw: Mapping[str, Any]) -> None:
    for key in ("vlan", "vlanTrunk", "macspoofchk", "disableContainerInterface"):
        if raw.get(key):
            raise CniError(FIELD, f"cannot honour {key}: {raw[key]!r}: it is not supported; remove it")
    kind = _text(_object(raw, "ipam"), "type")
    if kind not in IPAM_TYPES:
        raise CniError(FIELD, f"cannot use ipam.type {kind!r}: addresses are given by wherry-cni itself; remove it")


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
        mtu, metric = _whole(raw, "mtu", 0, 65535), _whole(raw, "priority", 0, 1 << 31)
        routes.append(ConfigRoute(str(destination), gateway, mtu, metric))
    return tuple(routes)


def _port_mappings(runtime: Mapping[str, Any]) -> tuple[PortMapping, ...]:
    mappings: dict[PortMapping, None] = {}
    for raw in _array(runtime, "portMappings"):
        if not isinstance(raw, dict):
            raise CniError(CONFIG, "cannot use portMappings: each must be an object with hostPort and containerPort")
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
    limits: list[Rate | None] = []
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


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CniError(CONFIG, f"cannot use {key}: {value!r} is not a text")
    return value


def _flag(raw: Mapping[str, Any], key: str) -> bool:
    value = raw.get(key, False)
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
