"""Which kubectls there are to test with: those of this machine, and always Debian's own (1.20), which a bare machine can install."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

DEBIAN = "debian"


@cache
def found() -> tuple[str, ...]:
    """Each kubectl in PATH and in WHERRY_KUBECTLS (paths, separated by colons), and "debian" unless it is among them."""
    places = [f"{place}/kubectl" for place in os.environ.get("PATH", "").split(":") if place]
    places += os.environ.get("WHERRY_KUBECTLS", "").split(":")
    real = dict.fromkeys(os.path.realpath(place) for place in places if place and os.access(place, os.X_OK))
    return (*real, *(() if any(_is_debians(place) for place in real) else (DEBIAN,)))


def program(name: str, directory: Path) -> str:
    """The program behind a name of `found`; Debian's is unpacked below `directory`, beside whatever is installed."""
    if name != DEBIAN:
        return name
    directory.chmod(0o755)
    subprocess.run(["apt-get", "download", "-q", "kubernetes-client"], cwd=directory, check=True, capture_output=True)
    (package,) = directory.glob("*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(directory)], check=True)
    return str(directory / "usr/bin/kubectl")


@cache
def version(program_path: str) -> tuple[int, int]:
    """Major and minor version of a kubectl."""
    said = subprocess.run([program_path, "version", "--client"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"v(\d+)\.(\d+)\.", said)
    assert match, said
    return int(match[1]), int(match[2])


def _is_debians(place: str) -> bool:
    owner = subprocess.run(["dpkg", "-S", place], capture_output=True, text=True, check=False).stdout
    return owner.startswith("kubernetes-client:")
