"""Debian packages: what is missing, and installing it quietly.

A package's own services are not started: a `policy-rc.d` says no while apt runs (Debian's documented way), unless the
machine has one of its own already. Errors say what apt said and what to do about it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from linux.process import NotInstalled, ProcessFailed, last_lines, run

POLICY = Path("/usr/sbin/policy-rc.d")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INSTALL_SECONDS = 900
# What apt says -> what it means and what helps.
MEANINGS = (
    ("Could not get lock", "another apt or dpkg is running", "Wait for it to end, then try again"),
    ("No space left on device", "the disk is full", "Free some space, then try again"),
    ("dpkg was interrupted", "an earlier installation was interrupted", "Run 'dpkg --configure -a', then try again"),
    ("Temporary failure resolving", "no package mirror can be reached", "Check the network and DNS"),
    ("Could not resolve", "no package mirror can be reached", "Check the network and DNS"),
    ("Could not connect", "no package mirror can be reached", "Check the network"),
    ("Failed to fetch", "a package could not be downloaded", "Check the network and /etc/apt/sources.list"),
    ("Unable to locate package", "a package is in none of the sources", "Check /etc/apt/sources.list (main of Debian)"),
    ("has no installation candidate", "a package is in none of the sources", "Check /etc/apt/sources.list"),
)


@dataclass(frozen=True)
class Requirement:
    """A program (a name in PATH, or an absolute path) and the Debian package that brings it."""

    program: str
    package: str


class PackagesError(Exception):
    """Packages could not be installed; `remedy` is what the user can do."""

    def __init__(self, packages: Iterable[str], reason: str, remedy: str) -> None:
        super().__init__(f"cannot install {' '.join(packages)}: {reason}")
        self.reason = reason
        self.remedy = remedy


def find_program(name: str) -> str | None:
    """The path of a program, also when the caller's PATH lacks the sbin folders."""
    return shutil.which(name, path=f"{SEARCH}:{os.environ.get('PATH', '')}")


def missing(requirements: Iterable[Requirement]) -> list[str]:
    """The packages, each once, of those programs that are not here."""
    return list(dict.fromkeys(want.package for want in requirements if find_program(want.program) is None))


def install(packages: list[str]) -> None:
    """Install packages without their recommendations and without starting any service."""
    if not packages:
        return
    with _services_stay_stopped():
        try:
            _apt("install", "--no-install-recommends", *packages)
        except ProcessFailed as first:
            # Stale or empty package lists are the usual reason: a fresh machine has none.
            try:
                _apt("update")
                _apt("install", "--no-install-recommends", *packages)
            except ProcessFailed as second:
                raise _explain(packages, second) from first
        except NotInstalled:
            names = " ".join(packages)
            raise PackagesError(packages, "this system has no apt-get", f"Install what {names} bring by hand") from None


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    options = [
        "-q",
        "-y",
        "-o",
        "DPkg::Lock::Timeout=120",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "APT::Update::Error-Mode=any",
        "-o",
        "Acquire::http::Timeout=20",
        "-o",
        "Acquire::https::Timeout=20",
    ]
    run(["apt-get", *options, *arguments], timeout=INSTALL_SECONDS, env=environment)


def _explain(packages: list[str], error: ProcessFailed) -> PackagesError:
    said = (error.err + error.out).decode(errors="replace")
    if error.timed_out:
        return PackagesError(
            packages, f"apt-get did not end in {INSTALL_SECONDS} s", "Check the network, then try again"
        )
    for sign, meaning, remedy in MEANINGS:
        if sign in said:
            line = next(line.strip() for line in said.splitlines() if sign in line)
            return PackagesError(packages, f"{meaning} (apt-get: {line[:160]})", remedy)
    remedy = f"Run 'apt-get install {' '.join(packages)}' to see all of it"
    return PackagesError(packages, f"apt-get failed: {last_lines(error.err, 2)[:300]}", remedy)


@contextmanager
def _services_stay_stopped() -> Iterator[None]:
    """Invoke-rc.d asks this script before it starts anything; 101 means "not allowed"."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
