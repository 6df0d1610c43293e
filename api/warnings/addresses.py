"""Addresses that are understood today and written in a way that is not."""

import ipaddress
from typing import Any

from api.warnings.text import quoted

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def of_ip(path: str, value: str | None) -> list[str]:
    """What is odd about the text of an address; text that is no address is for validation to refuse."""
    if not value or (address := _loosely(value)) is None:
        return []
    plain = _strictly(value)
    if plain is None or _mapped(plain) is not None:
        return [f"{path}: non-standard IP address {quoted(value)} is invalid: use {quoted(str(address))}"]
    if plain.version == 6 and str(plain) != value:
        shown = quoted(str(plain))
        return [f"{path}: IPv6 address {quoted(value)} should be in RFC 5952 canonical format ({shown})"]
    return []


def of_cidr(path: str, value: str | None) -> list[str]:
    """What is odd about the text of a network."""
    if not value or (parsed := _network(value)) is None:
        return []
    address, network = parsed
    shown = quoted(value)
    found = []
    if address != network.network_address:
        single = quoted(f"{address}/{address.max_prefixlen}")
        better = quoted(str(network))
        found.append(f"{path}: CIDR value {shown} is ambiguous in this context (should be {better} or {single}?)")
    head, _, length = value.partition("/")
    plain = _strictly(head)
    if plain is None or _mapped(plain) is not None or (len(length) > 1 and length.startswith("0")):
        found.append(f"{path}: non-standard CIDR value {shown} is invalid: use {quoted(str(network))}")
    elif not found and plain.version == 6 and f"{plain}/{length}" != value:
        better = quoted(f"{plain}/{length}")
        found.append(f"{path}: IPv6 CIDR value {shown} should be in RFC 5952 canonical format ({better})")
    return found


def _network(value: str) -> tuple[Address, Any] | None:
    head, slash, length = value.partition("/")
    address = _loosely(head)
    if address is None or not slash or not (length.isascii() and length.isdigit()):
        return None
    bits = int(length)
    if (plain := _strictly(head)) is not None and _mapped(plain) is not None:
        bits -= 96
    if not 0 <= bits <= address.max_prefixlen:
        return None
    return address, ipaddress.ip_network((address, bits), strict=False)


def _strictly(value: str) -> Address | None:
    try:
        return ipaddress.ip_address(value) if "%" not in value else None
    except ValueError:
        return None


def _loosely(value: str) -> Address | None:
    """As old code reads it: numbers may begin with zeros, and IPv4 may hide in IPv6."""
    found = _strictly(value)
    if found is None:
        parts = value.split(".")
        if all(part.isascii() and part.isdigit() for part in parts):
            found = _strictly(".".join(part.lstrip("0") or "0" for part in parts))
    return found if found is None else _mapped(found) or found


def _mapped(address: Address) -> Address | None:
    return address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
