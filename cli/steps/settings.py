"""The node's folders, and the settings that are decided once."""

import os
from pathlib import Path

from cli import cluster, outside
from cli.machine import Machine, Step
from linux.mounts import KernelMounts, remove_tree


def do(machine: Machine) -> str:
    """Make the folders, keep the settings."""
    layout = machine.layout
    for folder in (*layout.folders, layout.pids, layout.images):
        folder.mkdir(parents=True, exist_ok=True)
    os.chmod(layout.etc, 0o700)
    os.chmod(layout.lib, 0o711)
    outside.note(layout)
    if not layout.cluster.exists():
        cluster.save(machine.settings, layout)
    settings = machine.settings
    return f"node {settings.node_name}, {settings.node_address}, pods {settings.pod_cidr}, services {settings.service_cidr}"


def done(machine: Machine) -> bool:
    """Whether all folders are there: /run is empty after a reboot."""
    layout = machine.layout
    return layout.cluster.exists() and all(path.is_dir() for path in (*layout.folders, layout.pids, layout.images))


def undo(machine: Machine) -> None:
    """Remove all that is ours, and nothing that is mounted in it."""
    layout = machine.layout
    outside.remove_logs(layout)
    layout.logind.unlink(missing_ok=True)
    for folder in layout.folders:
        remove_folder(folder)
    machine.cluster = None


def remove_folder(folder: Path) -> None:
    """Remove a folder; one that is a mount point of its own (a disk for our data) is emptied."""
    if not os.path.ismount(folder):
        if folder.is_symlink():
            folder.unlink()
        else:
            remove_tree(KernelMounts(), folder)
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(KernelMounts(), entry)
        else:
            entry.unlink()


STEP = Step("settings", do, done, undo)
