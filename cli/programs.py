"""The programs of a node: how each is started, in which order, and how to see that it is well."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from cli.layout import CHECKOUT, Layout

PACKAGES = ("api", "kit", "client", "linux", "proto", "nodeagent", "cni", "proxy", "controlplane", "cli")


@dataclass(frozen=True)
class Program:
    """One program to keep running. A changed `digest` means that it has to be started again."""

    name: str
    argv: tuple[str, ...]
    digest: str
    stop_seconds: int = 20


# In the order of starting; stopping goes the other way round.
NAMES = ("containerd", "controlplane", "agent", "proxy")


def programs(layout: Layout) -> list[Program]:
    """All programs of this node, from what is on its disk."""
    code = code_digest(CHECKOUT)
    own = [
        Program(name, (sys.executable, "-P", "-m", "cli", name, "--config", str(layout.config(name))), code)
        for name in NAMES[1:]
    ]
    containerd = Program("containerd", ("containerd", "--config", str(layout.config("containerd"))), "")
    return [_with_files(program, layout) for program in (containerd, *own)]


def code_digest(checkout: Path) -> str:
    """Changes when the code or the locked dependencies do, by names, sizes and times: quick, and right after a git pull."""
    seen = hashlib.sha256()
    for path in sorted([checkout / "requirements/runtime.lock", *_sources(checkout)]):
        status = path.stat()
        seen.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def _sources(checkout: Path) -> list[Path]:
    return [path for package in PACKAGES for path in (checkout / package).rglob("*.py")]


def _with_files(program: Program, layout: Layout) -> Program:
    """Add what it reads at its start: configuration and certificates."""
    seen = hashlib.sha256(program.digest.encode())
    files = [layout.config(program.name), layout.kubeconfig(program.name)]
    if program.name != "containerd":
        files += sorted(layout.pki.glob("*.crt"))
    for path in files:
        if path.exists():
            seen.update(path.read_bytes())
    return Program(program.name, program.argv, seen.hexdigest()[:16], program.stop_seconds)
