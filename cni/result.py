"""What a successful ADD answers, in the form of the version that was asked for. Pure."""

from typing import Any, NamedTuple

from cni.config import NetworkConfig
from cni.ranges import Range, show


class Interface(NamedTuple):
    """A link that the result names; sandbox is the path of its namespace, empty for the host's."""

    name: str
    mac: str
    mtu: int = 0
    sandbox: str = ""


class GivenAddress(NamedTuple):
    """An address of the pod and the range that it is from."""

    ip: bytes
    range: Range

    @property
    def text(self) -> str:
        """With the prefix of its subnet."""
        return f"{show(self.ip)}/{self.range.subnet.prefix}"


class PodRoute(NamedTuple):
    """A route in the pod."""

    destination: str
    gateway: str
    mtu: int = 0
    metric: int = 0
    advmss: int = 0
    table: int = 0
    scope: int | None = None


def render(
    network: NetworkConfig,
    interfaces: tuple[Interface, ...],
    addresses: tuple[GivenAddress, ...],
    routes: tuple[PodRoute, ...],
) -> dict[str, Any]:
    """The result object; the pod's interface is the last. What plugins before us in a chain said comes first."""
    newest = network.version == "1.1.0"
    before = network.previous or {}
    known = [*before.get("interfaces", ())]
    last = len(known) + len(interfaces) - 1
    return {
        "cniVersion": network.version,
        "interfaces": known + [_interface(one, with_mtu=newest) for one in interfaces],
        "ips": [*before.get("ips", ()), *(_address(one, network, last) for one in addresses)],
        "routes": [*before.get("routes", ()), *(_route(one, with_more=newest) for one in routes)],
        "dns": dict(network.dns or before.get("dns") or {}),
    }


def _interface(one: Interface, *, with_mtu: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"name": one.name, "mac": one.mac}
    if with_mtu and one.mtu:
        body["mtu"] = one.mtu
    return body | ({"sandbox": one.sandbox} if one.sandbox else {})


def _address(one: GivenAddress, network: NetworkConfig, interface: int) -> dict[str, Any]:
    body: dict[str, Any] = {"interface": interface, "address": one.text, "gateway": show(one.range.gateway)}
    if network.version in ("0.3.1", "0.4.0"):
        body["version"] = "4" if len(one.ip) == 4 else "6"
    return body


def _route(one: PodRoute, *, with_more: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"dst": one.destination}
    if one.gateway:
        body["gw"] = one.gateway
    more = {"mtu": one.mtu, "advmss": one.advmss, "priority": one.metric, "table": one.table}
    if with_more:
        body |= {key: value for key, value in more.items() if value}
        body |= {} if one.scope is None else {"scope": one.scope}
    return body
