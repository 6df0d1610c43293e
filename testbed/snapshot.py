"""Everything on a test host that a program could leave behind, to be compared before and after."""

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from testbed.node import Node

# Network settings that a Kubernetes node usually changes.
SETTINGS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.default.forwarding",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
)
VOLATILE = ("run", "tmp", "dev/shm")
# Counters and handles differ without anybody having left anything.
NOISE = re.compile(r"\[\d+:\d+\]|# handle \d+|counter packets \d+ bytes \d+|^# .*$", re.MULTILINE)


@dataclass(frozen=True)
class Snapshot:
    """Sorted lists of lines; equal when nothing was left."""

    nft: tuple[str, ...]
    iptables: tuple[str, ...]
    links: tuple[str, ...]
    addresses: tuple[str, ...]
    routes: tuple[str, ...]
    rules: tuple[str, ...]
    settings: tuple[str, ...]
    namespaces: tuple[str, ...]
    mounts: tuple[str, ...]
    cgroups: tuple[str, ...]
    processes: tuple[str, ...]
    files: tuple[str, ...]

    @classmethod
    def take(cls, node: "Node") -> Self:
        """Look at a host."""
        return cls(
            nft=_lines(node, "nft list ruleset"),
            iptables=_lines(node, "for t in iptables iptables-legacy ip6tables ip6tables-legacy; do $t-save; done"),
            links=_lines(node, "ip -o link | sed 's/^[0-9]*: //; s/ qlen .*//; s/@if[0-9]*//'"),
            addresses=_lines(node, "ip -o address | awk '{print $2, $3, $4}'"),
            routes=_lines(node, "ip route show table all; ip -6 route show table all"),
            rules=_lines(node, "ip rule; ip -6 rule"),
            settings=_lines(node, f"sysctl -e {' '.join(SETTINGS)} 2>/dev/null || true"),
            namespaces=_lines(
                node, "ls /run/netns 2>/dev/null; lsns -n -o TYPE,COMMAND | grep -v 'lsns\\|sh -ec' || true"
            ),
            mounts=_lines(node, "awk '{print $4, $5}' /proc/1/mountinfo"),
            cgroups=_lines(node, "find /sys/fs/cgroup -mindepth 2 -type d"),
            processes=_lines(node, "ps -eo args= | grep -v '^\\[\\|^ps -eo\\|^sh -ec\\|^grep -v'"),
            files=tuple(sorted([*node.changed_files(), *_volatile(node), *_disks(node)])),
        )

    def leftovers(self, before: Self) -> dict[str, list[str]]:
        """What is here that was not there before (+), and what is gone (-), by kind; empty when nothing is."""
        found: dict[str, list[str]] = {}
        for field in fields(self):
            was, now = set(getattr(before, field.name)), set(getattr(self, field.name))
            lines = [f"+ {line}" for line in sorted(now - was)] + [f"- {line}" for line in sorted(was - now)]
            if lines:
                found[field.name] = lines
        return found


def _lines(node: "Node", script: str) -> tuple[str, ...]:
    said = node.run(["sh", "-ec", script], timeout=120, check=False)
    text = NOISE.sub("", said.text)
    return tuple(sorted(line.rstrip() for line in text.splitlines() if line.strip()))


def _volatile(node: "Node") -> list[str]:
    return [path for folder in VOLATILE for path in _tree(node.path(folder), f"/{folder}")]


def _disks(node: "Node") -> list[str]:
    from testbed.node import DISKS

    return [path for disk in DISKS for path in _tree(node.path(disk), disk)]


def _tree(folder: Path, inside: str) -> list[str]:
    found = []
    for parent, folders, files in os.walk(folder):
        relative = os.path.relpath(parent, folder)
        found += [os.path.normpath(f"{inside}/{relative}/{name}") for name in (*folders, *files)]
    return found
