"""What pods may leave on a host: everything that is there of them, as lines to be shown.

Not looked at is what containerd keeps for itself: killed in the middle of a start it forgets that it had begun a shim, or a
namespace that nobody was put into, whoever asked it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from cni.ipam import Store
from linux.process import run
from nodeagent.config import Config

CONTAINERD = Path("/run/wherry/containerd")
PROCESSES = ("pause", "runc", "sh", "sleep")


def found(config: Config) -> set[str]:
    """Everything."""
    store = Store(config.cni.data_dir)
    try:
        attachments = {f"attachment {held.owner.container}" for held in store.state().attachments}
    finally:
        store.close()
    return {*attachments, *_files(config), *_groups(), *_links(), *_mounts(), *_processes(), *_containers()}


def _files(config: Config) -> Iterator[str]:
    for root in (config.root_dir, config.pod_logs, "/run/netns"):
        for folder, names, files in os.walk(root):
            yield from (f"file {folder}/{name}" for name in (*names, *files))


def _groups() -> Iterator[str]:
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        yield from (f"cgroup {folder}/{name}" for name in names)


def _links() -> Iterator[str]:
    for link in json.loads(run(["ip", "-j", "link"]).out):
        yield f"link {link['ifname']}"


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if not point.startswith(f"{CONTAINERD}/io.containerd."):
            yield f"mount {point}"


def _processes() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if (name := path.read_text().strip().partition(":")[0]) in PROCESSES:
                yield f"process {path.parent.name} {name}"
        except OSError:
            continue  # it has just ended


def _containers() -> Iterator[str]:
    ctr = ["ctr", "-a", str(CONTAINERD / "containerd.sock"), "-n", "k8s.io"]
    for what in ("containers", "tasks"):
        for name in run([*ctr, what, "ls", "-q"]).out.decode().split():
            yield f"{what[:-1]} {name}"
