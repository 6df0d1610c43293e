"""What the programs put into the kernel: settings noted before and put back, rules and links removed by those who know them."""

import json

from cli.layout import Layout
from kit.files import write_atomic
from linux.sysctl import NotFound, ProcSysctl, SysctlError

# All that agent and proxy may change; tests/cluster/test_reset.py sees it when one is missing here.
SETTINGS = (
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
)
NOTED = "sysctl.json"


def note_settings(layout: Layout) -> None:
    """Keep the values that the kernel's settings have before anything of ours runs."""
    path = layout.lib / NOTED
    if path.exists():
        return
    found = {}
    for name in SETTINGS:
        try:
            found[name] = ProcSysctl().read(name)
        except NotFound:
            continue
    write_atomic(path, json.dumps(found, indent=1).encode())


def restore_settings(layout: Layout) -> list[Exception]:
    """Put the noted values back; what could not be."""
    errors: list[Exception] = []
    try:
        noted = json.loads((layout.lib / NOTED).read_bytes())
    except (OSError, ValueError):
        return []
    for name, value in noted.items():
        try:
            ProcSysctl().write(name, value)
        except SysctlError as error:
            errors.append(error)
    return errors


def remove_rules(layout: Layout) -> list[Exception]:
    """Remove rules of the proxy, rules and links of the pod network; what could not be removed."""
    import proxy
    from cni.removal import remove_all

    errors: list[Exception] = []
    for remove in (proxy.cleanup, lambda: remove_all(str(layout.lib / "cni"))):
        try:
            remove()
        except ExceptionGroup as group:
            errors += group.exceptions
    return errors
