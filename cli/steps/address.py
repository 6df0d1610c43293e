"""For machines without a network or without a default route: what pods and Services need all the same.

Pods cannot reach a loopback address, so a machine that has nothing else gets an address of its own on `lo`. And without any
route towards the Services the kernel refuses to send before the proxy's rules can turn a packet to a pod.
"""

import json

from cli import facts
from cli.machine import Machine, Step
from linux import process

# From the range for network tests (RFC 2544), which no network uses.
LONELY = "198.18.0.1"
OURS = ("proto", "87")  # who made a route; a number that rt_protos(5) leaves free


def wanted(machine: Machine) -> list[tuple[str, ...]]:
    """`ip` commands (without their verb) for what is missing here."""
    settings = machine.settings
    found: list[tuple[str, ...]] = []
    if settings.node_address == LONELY and LONELY not in facts.local_addresses():
        found.append(("address", f"{LONELY}/32", "dev", "lo"))
    if not facts.default_route_interface() and not routes("dev", "lo", "exact", settings.service_cidr):
        found.append(("route", settings.service_cidr, "dev", "lo", "src", settings.node_address, *OURS))
    return found


def do(machine: Machine) -> str:
    """Add them."""
    missing = wanted(machine)
    for kind, *arguments in missing:
        process.run(["ip", kind, "add", *arguments])
    return "added " + " and ".join(f"{kind} {words[0]}" for kind, *words in missing)


def undo(machine: Machine) -> None:
    """Remove them, known by their marks: a lost configuration must not leave them."""
    if LONELY in facts.local_addresses():
        process.run(["ip", "address", "delete", f"{LONELY}/32", "dev", "lo"])
    for route in routes("dev", "lo", *OURS):
        process.run(["ip", "route", "delete", route, "dev", "lo", *OURS])


def routes(*selector: str) -> list[str]:
    """Destinations of IPv4 routes of the main table."""
    try:
        text = process.run(["ip", "-j", "-4", "route", "show", *selector]).text
    except process.NotInstalled:
        return []
    return [route["dst"] for route in json.loads(text or "[]")]


STEP = Step("network", do, done=lambda machine: not wanted(machine), undo=undo)
