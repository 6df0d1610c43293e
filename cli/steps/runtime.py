"""containerd: an instance of our own, in folders of our own, whatever else runs on the machine."""

import os
from pathlib import Path

from cli import health, outside, processes
from cli.machine import Machine, Step
from linux import cgroup, systemd
from linux.mounts import KernelMounts

PODS = ("kubepods", "kubepods.slice")
SHIM_FOLDERS = ("run/containerd/s", "run/containerd/fifo", "run/containerd")


def start(machine: Machine) -> str:
    """Start it."""
    machine.services.start(["containerd"])
    return str(machine.layout.containerd_socket)


def ready(machine: Machine) -> str:
    """Wait for its socket."""
    health.wait_for(machine, "containerd", 60)
    return "ready"


def undo(machine: Machine) -> None:
    """Stop it, and remove what it and its helpers leave: processes, mounts, cgroups, sockets."""
    layout = machine.layout
    machine.services.remove()
    processes.kill_all(layout)
    groups = [tree / name for tree in trees() for name in PODS if (tree / name).is_dir()]
    processes.kill_in_groups(groups)
    mounts = KernelMounts()
    for point in (*mounts.below(str(layout.containerd_state)), *mounts.below(str(layout.containerd_root))):
        if point not in map(str, layout.folders):
            mounts.unmount(point)
    if groups:
        if systemd.is_running():
            systemd.stop(["kubepods.slice"])
        found = cgroup.open_cgroups()
        for name in PODS:
            found.remove(f"/{name}")
    remove_shim_folders(layout.root)
    outside.remove_cni_results(layout)


def trees() -> list[Path]:
    """The roots of the cgroup hierarchies."""
    if (cgroup.ROOT / "cgroup.controllers").exists():
        return [cgroup.ROOT]
    return [tree for tree in cgroup.ROOT.iterdir() if tree.is_dir() and not tree.is_symlink()]


def remove_shim_folders(root: Path) -> None:
    """containerd's helpers put their sockets here, whatever its configuration says. Others may use it too."""
    sockets = root / SHIM_FOLDERS[0]
    listening = {
        line.split()[-1] for line in Path("/proc/net/unix").read_text(errors="replace").splitlines() if "/" in line
    }
    for path in sockets.glob("*") if sockets.is_dir() else ():
        if str(path) not in listening:
            path.unlink(missing_ok=True)
    for name in SHIM_FOLDERS:
        try:
            os.rmdir(root / name)
        except OSError:  # not there, or not only ours
            pass


START = Step("containerd", start, done=lambda machine: machine.services.running(["containerd"]), undo=undo)
READY = Step("containerd ready", ready, done=lambda machine: False)
