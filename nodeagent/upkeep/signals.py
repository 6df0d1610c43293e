"""What is free on this machine, by eviction signal. A few small files of the kernel and one call a disk; may block."""

import os

from nodeagent.plan.pressure import Free
from nodeagent.server.disks import filesystem
from nodeagent.server.meter import read_machine_use
from nodeagent.server.survey import read_processes


def read_signals(root_dir: str, image_dir: str) -> dict[str, Free]:
    """All that can be read. Memory is what the kernel says programs could get without swapping."""
    memory = read_machine_use()
    found = {"memory.available": Free(memory.available, memory.memory + memory.available)}
    for name, path in (("nodefs", root_dir), ("imagefs", image_dir)):
        disk = filesystem(path)
        if disk is None:
            continue
        found[f"{name}.available"] = Free(disk.available, disk.capacity)
        if disk.inodes:  # some filesystems have no fixed number of them
            found[f"{name}.inodesFree"] = Free(disk.inodes_free, disk.inodes)
    running, most = read_processes()
    if most:
        found["pid.available"] = Free(max(0, most - running), most)
    return found


def same_disk(one: str, other: str) -> bool:
    """Whether two paths are on one filesystem; what does not exist is nowhere else."""
    try:
        return os.stat(one).st_dev == os.stat(other).st_dev
    except OSError:
        return True
