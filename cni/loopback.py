"""The `loopback` plugin: runtimes call it for each pod before ours. It brings `lo` up."""

from collections.abc import Mapping
from typing import Any

from cni.errors import CHECK_FAILED, CniError
from cni.host import Host
from cni.request import Request
from linux.links import LinkChange

_ADDRESSES = (("4", "127.0.0.1/8"), ("6", "::1/128"))


def serve(asked: Request, host: Host) -> Mapping[str, Any] | None:
    """Answer a request for a loopback network."""
    match asked.command:
        case "ADD":
            return _add(asked, host)
        case "CHECK":
            with host.pod(asked.netns) as pod:
                link = pod.links.find(asked.ifname)
            if link is None or not link.up:
                raise CniError(CHECK_FAILED, f"link {asked.ifname} in {asked.netns} is not up")
    return None  # there is nothing to take away: lo goes with its namespace


def _add(asked: Request, host: Host) -> Mapping[str, Any]:
    with host.pod(asked.netns) as pod:
        link = pod.links.find(asked.ifname)
        if link is None or link.ifindex != 1:
            raise CniError(
                CHECK_FAILED, f"cannot bring up {asked.ifname} in {asked.netns}: it is not the loopback link"
            )
        if not link.up:
            pod.links.change(link.ifindex, LinkChange(up=True))
        present = {f"{address.ip}/{address.prefix}" for address in pod.links.addresses(link.ifindex)}
    if asked.network.previous is not None:
        return asked.network.previous
    old = asked.network.version in ("0.3.1", "0.4.0")
    ips = [
        ({"version": family} if old else {}) | {"interface": 0, "address": address}
        for family, address in _ADDRESSES
        if address in present
    ]
    interface = {"name": asked.ifname, "mac": "00:00:00:00:00:00", "sandbox": asked.netns}
    return {"cniVersion": asked.network.version, "interfaces": [interface], "ips": ips, "dns": {}}
