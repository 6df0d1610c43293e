"""One call of a plugin: the CNI_* variables and standard input, checked. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from cni import config, ranges
from cni.config import NetworkConfig
from cni.errors import CONFIG, ENVIRONMENT, VERSION, CniError

COMMANDS = ("ADD", "DEL", "CHECK", "STATUS", "GC")
_SINCE = {"CHECK": "0.4.0", "STATUS": "1.1.0", "GC": "1.1.0"}


class Request(NamedTuple):
    """What the runtime asks for."""

    command: str
    network: NetworkConfig
    container: str = ""
    ifname: str = ""
    netns: str = ""


def parse(environment: Mapping[str, str], raw: Mapping[str, Any]) -> Request:
    """The request, or the specification's error about it."""
    command = environment.get("CNI_COMMAND", "")
    if command not in COMMANDS:
        raise CniError(
            ENVIRONMENT, f"cannot use CNI_COMMAND {command!r}: it must be one of {', '.join(COMMANDS)}, VERSION"
        )
    version = config.version_of(raw)
    since = _SINCE.get(command, config.VERSIONS[0])
    if config.VERSIONS.index(version) < config.VERSIONS.index(since):
        raise CniError(VERSION, f"cannot {command} with cniVersion {version}: it came with {since}")
    loopback = raw.get("type") == "loopback"
    network = config.parse(raw, needs_ranges=command in ("ADD", "STATUS") and not loopback)
    if command in ("STATUS", "GC"):
        return _checked(Request(command, network))
    container = environment.get("CNI_CONTAINERID", "")
    if not container or not container[0].isalnum() or not all(c.isalnum() or c in "_.-" for c in container):
        raise CniError(
            ENVIRONMENT, f"cannot use CNI_CONTAINERID {container!r}: it must be letters, digits, '_', '.', '-'"
        )
    ifname = environment.get("CNI_IFNAME", "")
    if not 0 < len(ifname.encode()) < 16 or ifname in (".", "..") or any(c in "/:" or c.isspace() for c in ifname):
        raise CniError(
            ENVIRONMENT, f"cannot use CNI_IFNAME {ifname!r}: it is not a name for a link (1 to 15 characters)"
        )
    netns = environment.get("CNI_NETNS", "")
    if not netns and command != "DEL":
        raise CniError(ENVIRONMENT, f"cannot {command}: CNI_NETNS is not set")
    return _checked(Request(command, _with_arguments(network, environment), container, ifname, netns))


def _with_arguments(network: NetworkConfig, environment: Mapping[str, str]) -> NetworkConfig:
    """CNI_ARGS asks for an address with IP=..., MAC=...; all else in it is an error unless IgnoreUnknown says that it is not."""
    given: dict[str, str] = {}
    for part in filter(None, environment.get("CNI_ARGS", "").split(";")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise CniError(ENVIRONMENT, f"cannot use CNI_ARGS: {part!r} is not KEY=VALUE")
        given[key] = value
    known = ("IP", "MAC", "IgnoreUnknown")
    unknown = [key for key in given if key not in known]
    if unknown and given.get("IgnoreUnknown", "").lower() not in ("1", "true", "t"):
        details = f"known are {', '.join(known)}; IgnoreUnknown=1 lets others pass"
        raise CniError(ENVIRONMENT, f"cannot use CNI_ARGS: {unknown[0]!r} is unknown", details)
    ips = tuple(ip for ip in given.get("IP", "").split(",") if ip)
    return network._replace(ips=(*network.ips, *ips), mac=network.mac or given.get("MAC", ""))


def _checked(request: Request) -> Request:
    network = request.network
    if request.command == "GC" and network.valid is None:
        raise CniError(CONFIG, "cannot GC: the configuration has no cni.dev/valid-attachments")
    for ip in network.ips:
        try:
            ranges.parse(ip.partition("/")[0])
        except ValueError as error:
            raise CniError(CONFIG, f"cannot give the address that was asked for: {error}") from error
    mac = network.mac.replace(":", "").lower()
    if network.mac and (len(mac) != 12 or any(c not in "0123456789abcdef" for c in mac) or int(mac[:2], 16) & 1):
        raise CniError(CONFIG, f"cannot give the MAC address {network.mac!r}: it is not one of a single host")
    ips = tuple(ranges.show(ranges.parse(ip.partition("/")[0])) for ip in network.ips)
    return request._replace(network=network._replace(ips=ips, mac=network.mac.lower()))
