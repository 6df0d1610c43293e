"""Rules for IP addresses and networks."""

import ipaddress

from api.validation.problems import Problems


def ip(found: Problems, path: str, value: str) -> bool:
    """An IP address without a zone; whether it is one."""
    try:
        if "%" in value:
            raise ValueError
        ipaddress.ip_address(value)
    except ValueError:
        found.invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        return False
    return True


def cidr(found: Problems, path: str, value: str) -> None:
    """A network."""
    try:
        if "/" not in value:
            raise ValueError
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        found.invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def endpoint(found: Problems, path: str, value: str) -> None:
    """An address that traffic may be sent to."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        found.invalid(path, value, "must be a valid IP address")
        return
    if address.is_unspecified:
        found.invalid(path, value, f"may not be unspecified ({value})")
    if address.is_loopback:
        found.invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        found.invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if value.startswith("224.0.0.") or value.lower().startswith("ff02:"):
        found.invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


def version(value: str) -> int:
    """4 or 6; 0 if it is no address."""
    try:
        return ipaddress.ip_address(value).version
    except ValueError:
        return 0


def one_of_each_family(values: list[str]) -> bool:
    """Whether no family has more than one of the addresses or networks."""
    families = [ipaddress.ip_network(value, strict=False).version for value in values]
    return len(families) == len(set(families))
