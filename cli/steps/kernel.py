"""Kernel features: each is tried in a network namespace that vanishes at once, which also loads modules."""

from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError
from cli.machine import Machine, Step
from linux import process

NAT = """table ip t {
  chain c {
    type nat hook postrouting priority 100
    masquerade
  }
}
"""
OPTIONAL_MODULES = ("overlay", "br_netfilter", "nf_conntrack")


@dataclass(frozen=True)
class Feature:
    """Something the kernel must have, and a command that works only then."""

    name: str
    argv: tuple[str, ...]
    input: str | None = None


FEATURES = (
    Feature(
        "veth (virtual Ethernet pairs)", ("ip", "link", "add", "wherry-a", "type", "veth", "peer", "name", "wherry-b")
    ),
    Feature("bridge", ("ip", "link", "add", "wherry-a", "type", "bridge")),
    Feature("nf_tables", ("nft", "add", "table", "ip", "t")),
    Feature("nf_tables with NAT", ("nft", "-f", "-"), NAT),
)


def do(machine: Machine) -> str:
    """Try each."""
    for module in OPTIONAL_MODULES:  # built in, loaded by use, or here
        try:
            process.run(["modprobe", "-q", module], check=False)
        except process.NotInstalled:
            break
    lacking = [feature.name for feature in FEATURES if not works(feature)]
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        lacking.append("overlay (file system)")
    if lacking:
        remedy = "Use a kernel that has it, for example Debian's linux-image-amd64"
        raise CliError("run pods on this machine", f"the kernel lacks {', '.join(lacking)}", remedy)
    return "veth, bridge, nf_tables, overlay"


def works(feature: Feature) -> bool:
    """Whether the kernel does it."""
    return process.run(["unshare", "--net", *feature.argv], input=feature.input, check=False).code == 0


STEP = Step("kernel", do, done=lambda machine: machine.layout.cluster.exists())
