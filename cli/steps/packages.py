"""The Debian packages that a node needs. They stay after `reset`."""

import re

from cli import checks
from cli.errors import CliError
from cli.machine import Machine, Step
from linux import packages, process, systemd
from linux.packages import Requirement

REQUIREMENTS = (
    Requirement("containerd", "containerd"),
    Requirement("ctr", "containerd"),
    Requirement("runc", "runc"),
    Requirement("nft", "nftables"),
    Requirement("iptables-restore", "iptables"),
    Requirement("conntrack", "conntrack"),
    Requirement("ip", "iproute2"),
    Requirement("/bin/busybox", "busybox-static"),
    Requirement("kubectl", "kubernetes-client"),
)


def missing() -> list[str]:
    """Packages to install. A busybox with shared libraries would not run in an image of its own."""
    found = packages.missing(REQUIREMENTS)
    if "busybox-static" not in found and not is_static("/bin/busybox"):
        found.append("busybox-static")
    return found


def done(machine: Machine) -> bool:
    """Whether all are there."""
    if missing():
        return False
    check_containerd()
    return True


def do(machine: Machine) -> str:
    """Install them; Debian's own containerd service stays off, ours has its own folders."""
    wanted = missing()
    machine.say(f"  packages             installing {' '.join(wanted)}; this may take a minute")
    try:
        packages.install(wanted)
    except packages.PackagesError as error:
        raise CliError(f"install {' '.join(wanted)}", error.reason, error.remedy) from error
    if "containerd" in wanted and systemd.is_running():
        systemd.disable(["containerd.service"])
    check_containerd()
    machine.notes.append(f"installed Debian packages, which stay: {' '.join(wanted)}")
    return f"installed {' '.join(wanted)}"


def check_containerd() -> None:
    """Refuse a containerd that is too old."""
    text = process.run(["containerd", "--version"]).text
    found = re.search(r"\bv?(\d+)\.(\d+)\.(\d+)", text)
    version = tuple(map(int, found.groups())) if found else ()
    problem = checks.containerd_problem(version, found[0] if found else text.strip())
    if problem:
        raise CliError("use this containerd", problem.reason, problem.remedy)


def is_static(path: str) -> bool:
    """Whether an ELF file needs no interpreter (program header of type 3)."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    offset, size, count = (int.from_bytes(head[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    kinds = [int.from_bytes(head[start : start + 4], "little") for start in range(offset, offset + size * count, size)]
    return head[:4] == b"\x7fELF" and 3 not in kinds


STEP = Step("packages", do, done)
