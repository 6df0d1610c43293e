"""What is wanted, and what the kernel holds, for people to read. Pure."""

from collections.abc import Iterable
from typing import Any

from proxy.model import addresses
from proxy.model.addresses import PROTOCOL_NAMES
from proxy.plan.desired import Desired, Route
from proxy.plan.expected import Reading, SeenFrontend, Slot, Target


def shown_desired(desired: Iterable[Desired]) -> list[dict[str, Any]]:
    """Each service port with its frontends and endpoints."""
    return [
        {
            "name": one.name,
            "family": one.family,
            "protocol": PROTOCOL_NAMES[one.protocol],
            "frontends": [
                {"address": _address(f.address, f.port), "route": _route(f.route), "guarded": f.guarded}
                for f in one.frontends
            ],
            "affinitySeconds": one.affinity,
            "internalLocal": one.internal_local,
            "sourceRanges": [str(source) for source in one.sources],
            "endpoints": _endpoints(one.every, one.family),
            "local": _endpoints(one.local, one.family),
            "draining": _endpoints(one.draining, one.family),
        }
        for one in desired
    ]


def shown_rules(seen: Reading, wanted: Reading) -> dict[str, Any]:
    """What the kernel does with each frontend, and where that is not what is wanted."""
    return {
        "differences": wanted.differences(seen, limit=100),
        "frontends": [_frontend(slot, seen.frontends[slot]) for slot in sorted(seen.frontends)],
        "clusterIPs": sorted(map(addresses.show, seen.cluster_ips)),
        "hairpin": sorted(map(addresses.show, seen.here)),
    }


def _frontend(slot: Slot, seen: SeenFrontend) -> dict[str, Any]:
    family, protocol, address, port = slot
    return {
        "address": _address(address, port),
        "family": family,
        "protocol": PROTOCOL_NAMES[protocol],
        "route": _route(seen.route),
        "guarded": bool(seen.sources),
        **_target(seen.outside),
        **({"fromInside": _target(seen.inside)} if seen.inside is not None else {}),
    }


def _target(target: Target) -> dict[str, Any]:
    endpoints = [addresses.show_endpoint(one) if one else "missing" for one in sorted(target.endpoints)]
    return {"endpoints": endpoints, "affinitySeconds": target.affinity, "otherwise": target.empty}


def _endpoints(packed: bytes, family: int) -> list[str]:
    return [addresses.show_endpoint(one) for one in addresses.split(packed, family)]


def _address(address: bytes, port: int) -> str:
    return addresses.show_endpoint(addresses.endpoint(address, port)) if address else f"node:{port}"


def _route(route: int) -> str:
    return Route(route).name.lower().replace("_", " ")
