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


def render(
    network: NetworkConfig,
    interfaces: tuple[Interface, ...],
    addresses: tuple[GivenAddress, ...],
    routes: tuple[PodRoute, ...],
) -> dict[str, Any]:
    """The result object; the pod's interface is the last."""
    newest = network.version == "1.1.0"
    return {
        "cniVersion": network.version,
        "interfaces": [_interface(one, with_mtu=newest) for one in interfaces],
        "ips": [_address(one, network, len(interfaces) - 1) for one in addresses],
        "routes": [_route(one, with_more=newest) for one in routes],
        "dns": dict(network.dns),
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
    body: dict[str, Any] = {"dst": one.destination, "gw": one.gateway}
    if with_more and one.mtu:
        body["mtu"] = one.mtu
    if with_more and one.metric:
        body["priority"] = one.metric
    return body
