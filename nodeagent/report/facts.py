"""What the machine is: capacity, names, versions. Read from the kernel once, at the start."""

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.quantity import format_quantity
from nodeagent.plan.reserved import Reserved, compute_allocatable

VERSION = "v1.36.0+wherry"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64", "s390x": "s390x"}


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The machine as its Node tells it."""

    cpus: int
    memory: int
    disk: int
    hugepages: Mapping[str, int]
    machine_id: str
    system_uuid: str
    boot_id: str
    kernel: str
    os_image: str
    architecture: str
    hostname: str
    swap: int = 0
    reserved: Reserved = field(default_factory=Reserved)

    def capacity(self, max_pods: int) -> dict[str, str]:
        """Everything there is."""
        pages = {f"hugepages-{size}": format_quantity(count, "binary") for size, count in self.hugepages.items()}
        return {
            "cpu": str(self.cpus),
            "memory": f"{self.memory // 1024}Ki",
            "ephemeral-storage": f"{self.disk // 1024}Ki",
            "pods": str(max_pods),
            **pages,
        }

    def allocatable(self, max_pods: int) -> dict[str, str]:
        """What pods may have of it."""
        return compute_allocatable(self.capacity(max_pods), self.reserved)


def read_machine(root_dir: str) -> MachineFacts:
    """Look at the machine we are on."""
    disk = os.statvfs(root_dir)
    machine_id = _text("/etc/machine-id") or _text("/var/lib/dbus/machine-id")
    return MachineFacts(
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk=disk.f_frsize * disk.f_blocks,
        hugepages=_hugepages(),
        machine_id=machine_id,
        system_uuid=_text("/sys/class/dmi/id/product_uuid") or machine_id,
        boot_id=_text("/proc/sys/kernel/random/boot_id"),
        kernel=platform.release(),
        os_image=_os_image(_text("/etc/os-release")),
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
        hostname=platform.node(),
        swap=_swap(_text("/proc/meminfo")),
    )


def runtime_version(name: str, version: str) -> str:
    """The runtime's version as others parse it: a distribution's additions are cut off."""
    found = re.match(r"v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)", version)
    return f"{name}://{found[1] if found else version}"


def _swap(meminfo: str) -> int:
    found = re.search(r"^SwapTotal:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _os_image(text: str) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', text, re.MULTILINE)
    return found[1] if found else "Linux"


def _hugepages() -> dict[str, int]:
    """Bytes of huge pages there are, by size."""
    found = {}
    for folder in sorted(Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB")):
        size = int(folder.name[10:-2]) * 1024
        count = int(_text(str(folder / "nr_hugepages")) or 0)
        name = f"{size >> 30}Gi" if size >= 1 << 30 else f"{size >> 20}Mi" if size >= 1 << 20 else f"{size >> 10}Ki"
        found[name] = size * count
    return found


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
