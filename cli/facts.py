"""What this machine is and has, as far as `up` needs to know. Observes only; cli/checks.py judges."""

import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CAP_SYS_RESOURCE = 24
NAT = "10.0.2."  # what VirtualBox and QEMU give each of their machines
OTHERS = (
    "wherry",
    "docker",
    "cni",
    "virbr",
    "br-",
    "veth",
    "flannel",
    "cali",
    "tunl",
    "kube-",
)  # bridges and tunnels of programs


@dataclass(frozen=True)
class Listener:
    """Who listens on a TCP port; pid 0 when the kernel does not say."""

    port: int
    pid: int
    program: str


@dataclass(frozen=True)
class Facts:
    """One look at the machine."""

    system: str
    machine: str
    hostname: str
    uid: int
    systemd: bool
    cgroups: str  # "v1", "v2" or ""
    controllers: frozenset[str]
    may_raise_limits: bool  # CAP_SYS_RESOURCE
    free_bytes: int
    listeners: tuple[Listener, ...]
    other_clusters: tuple[Listener, ...]  # port 0: programs of another Kubernetes


def observe(ports: Iterable[int], disk: Path) -> Facts:
    """Look at the machine; `disk` is where the data will lie."""
    name = os.uname()
    kind, controllers = _cgroups()
    status = _read("/proc/self/status")
    capabilities = int(next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), "0"), 16)
    while not disk.exists():
        disk = disk.parent
    free = os.statvfs(disk)
    return Facts(
        system=name.sysname,
        machine=name.machine,
        hostname=socket.gethostname(),
        uid=os.geteuid(),
        systemd=Path("/run/systemd/system").is_dir(),
        cgroups=kind,
        controllers=controllers,
        may_raise_limits=bool(capabilities >> CAP_SYS_RESOURCE & 1),
        free_bytes=free.f_bavail * free.f_frsize,
        listeners=_listeners(set(ports)),
        other_clusters=_other_clusters(),
    )


def node_address() -> tuple[str, str]:
    """This machine's address for other nodes and pods, and why this one."""
    import psutil

    addresses = {
        interface: [entry.address for entry in entries if entry.family == socket.AF_INET]
        for interface, entries in psutil.net_if_addrs().items()
    }
    return choose_address(addresses, default_route_interface())


def choose_address(addresses: Mapping[str, list[str]], route: str) -> tuple[str, str]:
    """The address for other nodes among those of all interfaces, and why this one; `route` has the default route. Pure.

    It is the one with the default route, but not if that is the NAT of a virtual machine, where each machine has the same address and
    none is reached by others (Vagrant's first interface in VirtualBox): then the first other one.
    """
    if route and addresses.get(route) and not addresses[route][0].startswith(NAT):
        return addresses[route][0], f"address of {route}, which has the default route"
    reason = f"the default route is by NAT ({route})" if route and addresses.get(route) else "there is no default route"
    for useless in (("127.", "169.254.", NAT), ("127.", "169.254.")):
        for interface, found in sorted(addresses.items()):
            usable = [address for address in found if not address.startswith(useless)]
            if usable and not interface.startswith(OTHERS):
                return usable[0], f"address of {interface}; {reason}"
    return "", "there is only the loopback interface"


def local_addresses() -> set[str]:
    """All IPv4 addresses of this machine."""
    import psutil

    return {
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET
    }


def default_route_interface() -> str:
    """The interface of the default route with the lowest metric."""
    best: tuple[int, str] | None = None
    for line in _read("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        interface, destination, metric, mask = fields[0], fields[1], int(fields[6]), fields[7]
        if destination == mask == "00000000" and (best is None or metric < best[0]):
            best = metric, interface
    return best[1] if best else ""


def _cgroups() -> tuple[str, frozenset[str]]:
    folder = Path("/sys/fs/cgroup")
    if (folder / "cgroup.controllers").exists():
        return "v2", frozenset(_read(folder / "cgroup.controllers").split())
    controllers: set[str] = set()
    for line in _read("/proc/self/mounts").splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[2] == "cgroup":
            controllers |= set(fields[3].split(","))
    return ("v1", frozenset(controllers)) if "memory" in controllers else ("", frozenset(controllers))


def _listeners(ports: set[int]) -> tuple[Listener, ...]:
    import psutil

    found = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in ports:
            port, pid = connection.laddr.port, connection.pid or 0
            found[port] = Listener(port, pid, _program(pid))
    return tuple(found[port] for port in sorted(found))


def _other_clusters() -> tuple[Listener, ...]:
    """Programs of another Kubernetes in this network namespace (a container's own do not count)."""
    import psutil

    names = {"kubelet", "kube-apiserver", "kube-proxy", "k3s", "k3s-server", "k0s", "microk8s", "kubelite", "rke2"}
    own = os.stat("/proc/self/ns/net").st_ino
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] in names:
            try:
                if os.stat(f"/proc/{process.pid}/ns/net").st_ino == own:
                    found.append(Listener(0, process.pid, process.info["name"]))
            except OSError:  # it ended
                continue
    return tuple(found)


def _program(pid: int) -> str:
    return _read(f"/proc/{pid}/comm").strip() or "another program" if pid else "another program"


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
