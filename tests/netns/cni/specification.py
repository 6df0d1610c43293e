"""The form of a result as the CNI specification has it, version by version: keys, types, and how the parts refer to one another."""

import ipaddress
import re
from typing import Any

_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_INTERFACE = {"name": str, "mac": str, "sandbox": str}
_ADDRESS = {"address": str, "gateway": str, "interface": int}
_ROUTE = {"dst": str, "gw": str}
_DNS = {"nameservers": list, "domain": str, "search": list, "options": list}
_NEWER_ROUTE = {"mtu": int, "advmss": int, "priority": int, "table": int, "scope": int}
_NEWER_INTERFACE = {"mtu": int, "socketPath": str, "pciID": str}


def problems(result: dict[str, Any], version: str) -> list[str]:
    """What is wrong with the result of an ADD."""
    newest = version == "1.1.0"
    found = [] if result.get("cniVersion") == version else [f"cniVersion is {result.get('cniVersion')!r}"]
    found += _keys(result, {"cniVersion": str, "interfaces": list, "ips": list, "routes": list, "dns": dict}, "result")
    for one in result.get("interfaces", []):
        found += _keys(one, _INTERFACE | (_NEWER_INTERFACE if newest else {}), "interface")
        found += [] if _MAC.fullmatch(one.get("mac", "")) and one.get("name") else [f"interface {one}"]
    for one in result.get("ips", []):
        found += _address(one, version, len(result.get("interfaces", [])))
    for one in result.get("routes", []):
        found += _keys(one, _ROUTE | (_NEWER_ROUTE if newest else {}), "route")
        found += _parsed(lambda one=one: ipaddress.ip_network(one["dst"]), f"route {one}")
    return found + _keys(result.get("dns", {}), _DNS, "dns")


def _address(one: dict[str, Any], version: str, interfaces: int) -> list[str]:
    old = version in ("0.3.1", "0.4.0")
    found = _keys(one, _ADDRESS | ({"version": str} if old else {}), "address")
    found += _parsed(lambda: ipaddress.ip_interface(one["address"]), f"address {one}")
    if old and one.get("version") != ("6" if ":" in one.get("address", "") else "4"):
        found.append(f"version of {one}")
    if "gateway" in one:
        found += _parsed(lambda: ipaddress.ip_address(one["gateway"]), f"gateway of {one}")
    return found if 0 <= one.get("interface", 0) < interfaces else [*found, f"interface of {one}"]


def _keys(part: dict[str, Any], known: dict[str, type], what: str) -> list[str]:
    return [f"{what} has {key}: {value!r}" for key, value in part.items() if not isinstance(value, known.get(key, ()))]


def _parsed(parse: Any, what: str) -> list[str]:
    try:
        parse()
    except (ValueError, KeyError) as error:
        return [f"{what}: {error}"]
    return []
