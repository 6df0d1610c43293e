"""A test host: a whole Linux machine in namespaces (net, mount, uts, ipc, pid, cgroup) with an overlay as its root.

    with Switch() as switch, Node("one", switch) as node:
        node.run(["ip", "address"])

Starting takes a fraction of a second (with systemd as PID 1 about one second). `power_cut` kills everything at once;
`start` boots again with the same disks. Leaving the block removes all of it; what a killed test leaves is swept by the
next one (testbed/names.py).
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from linux.process import Finished, ProcessFailed, run
from testbed import changes, checkout, names
from testbed.checkout import CHECKOUT
from testbed.init import Spec
from testbed.network import Switch

DISKS = ("/var/lib/wherry", "/var/lib/containerd")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


class Node:
    """One test host."""

    def __init__(
        self,
        name: str,
        switch: Switch | None = None,
        *,
        root: Path = Path("/"),
        systemd: bool = False,
        default_route: bool = True,
        binds: Mapping[str, Path] | None = None,
    ) -> None:
        names.sweep()
        self.name = name
        self.id = names.owned(name)
        self.systemd = systemd
        self.root = root
        self.scratch = names.scratch_root() / self.id
        self.environment = dict(ENVIRONMENT)
        self.pid = 0
        self.address = ""
        self._outer: subprocess.Popen[bytes] | None = None
        self._binds = checkout.binds() if binds is None else {k: str(v) for k, v in binds.items()}
        try:
            self._make(switch, default_route)
            self.start()
        except BaseException:
            self.close()
            raise

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot: after construction this is only needed after `power_cut`."""
        reader, writer = os.pipe()
        spec = Spec(
            hostname=self.name,
            scratch=str(self.scratch),
            root=str(self.root),
            ready=writer,
            systemd=self.systemd,
            binds=self._binds,
            hierarchies=_hierarchies(),
            disks=list(DISKS),
        )
        inner = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"]
        argv = ["nsenter", f"--net=/run/netns/{self.id}", *inner, sys.executable, "-m", "testbed.init", spec.encode()]
        with open(self.scratch / "console.log", "ab") as console:
            self._outer = subprocess.Popen(
                self._in_cgroup(argv),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=[writer],
                cwd=CHECKOUT,
                start_new_session=True,
            )
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            heard, _, _ = select.select([ready], [], [], 120)
            said = os.read(ready.fileno(), 20) if heard else b""
        if not said:
            raise RuntimeError(f"cannot start node {self.name}: {self.console()}")
        self.pid = int(said)
        if self.systemd:
            self._wait_for_systemd()

    def power_cut(self) -> None:
        """Everything on this host dies at once; its disks stay."""
        if self._outer is not None:
            try:
                os.kill(self.pid or self._outer.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            try:
                self._outer.wait(10)
            except subprocess.TimeoutExpired:
                self._outer.kill()
                self._outer.wait()
        self._outer = None
        self.pid = 0
        for group in self._groups():
            names.kill_group(group)
            for child in [path for path in group.iterdir() if path.is_dir()]:
                names.remove_group(child)

    def close(self) -> None:
        """Remove the host and everything it had."""
        self.power_cut()
        names.remove(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- programs ---------------------------------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | None = None,  # noqa: A002
        timeout: float = 60,
        check: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a program on this host to its end."""
        environment = {**self.environment, **(env or {})}
        done = run(self.command(argv), input=input, timeout=timeout, check=False, env=environment)
        if check and done.code != 0:
            raise ProcessFailed([f"{self.name}:", *argv], done.code, done.out, done.err)
        return done

    def sh(self, script: str, *, timeout: float = 60, check: bool = True) -> Finished:
        """Run a shell script on this host."""
        return self.run(["sh", "-ec", script], timeout=timeout, check=check)

    def popen(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program on this host; its output goes to `log`, or can be read from `.stdout`."""
        target = open(log, "ab") if log is not None else None  # noqa: SIM115
        try:
            return subprocess.Popen(
                self.command(argv),
                stdin=subprocess.DEVNULL,
                stdout=target or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**self.environment, **(env or {})},
                start_new_session=True,
            )
        finally:
            if target is not None:
                target.close()

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that, run on the machine, runs `argv` on this host."""
        return self._in_cgroup(["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "-w", "--", *argv])

    def wait_until(self, script: str, *, timeout: float = 120) -> str:
        """Repeat a shell script until it succeeds; what it printed."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.sh(script, check=False, timeout=timeout)
            if done.code == 0:
                return done.text
            if time.monotonic() > deadline:
                raise ProcessFailed(["sh", "-ec", script], done.code, done.out, done.err)
            time.sleep(0.05)

    # -- files ------------------------------------------------------------------------------------------------

    def path(self, inside: str) -> Path:
        """A file of this host as seen from the machine, while it runs."""
        return Path(f"/proc/{self.pid}/root", inside.lstrip("/"))

    def changed_files(self) -> list[str]:
        """Files on the root overlay that differ from the machine's: new, changed or removed."""
        return changes.changed_files(self.scratch / "up", self.root)

    def console(self) -> str:
        """The last lines that the host's first process printed."""
        try:
            return (self.scratch / "console.log").read_text(errors="replace")[-2000:]
        except OSError:
            return "no console"

    # -- inner parts ------------------------------------------------------------------------------------------

    def _make(self, switch: Switch | None, default_route: bool) -> None:
        self.scratch.mkdir(parents=True)
        for group in self._groups():
            group.mkdir()
            for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 group, and then nothing may enter it
                if (group / name).exists() and not (group.parent / "cgroup.controllers").exists():
                    (group / name).write_text((group.parent / name).read_text())
        run(["ip", "netns", "add", self.id])
        # Without duplicate address detection: its addresses would appear late, in the middle of comparisons.
        run(
            [
                "ip",
                "netns",
                "exec",
                self.id,
                "sysctl",
                "-qw",
                *(f"net.ipv6.conf.{n}.accept_dad=0" for n in ("all", "default")),
            ]
        )
        run(["ip", "-n", self.id, "link", "set", "lo", "up"])
        if switch is not None:
            self.address = switch.plug(self.id, default_route=default_route)

    def _groups(self) -> list[Path]:
        return [folder / self.id for folder in names.hierarchies()]

    def _in_cgroup(self, argv: Sequence[str]) -> list[str]:
        files = " ".join(f"'{group}/cgroup.procs'" for group in self._groups())
        return ["sh", "-c", f'for f in {files}; do echo $$ >"$f" || exit 1; done; exec "$@"', "sh", *argv]

    def _wait_for_systemd(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            said = self.run(["systemctl", "is-system-running"], check=False).text.strip()
            if said in ("running", "degraded"):
                return
            time.sleep(0.05)
        raise RuntimeError(f"cannot start systemd on {self.name}: {self.console()}")


def _hierarchies() -> dict[str, str]:
    """This machine's cgroup hierarchies, as mount options by folder; v2 alone is {"": ""}."""
    if names.hierarchies() == [names.CGROUPS]:
        return {"": ""}
    found: dict[str, str] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, options = line.split()[:4]
        if Path(folder).parent != names.CGROUPS or kind not in ("cgroup", "cgroup2"):
            continue
        own = [word for word in options.split(",") if word not in ("rw", "ro", "relatime", "nosuid", "nodev", "noexec")]
        if kind == "cgroup2":
            found[Path(folder).name] = ""
        else:
            found[Path(folder).name] = ",".join(["none", *own] if any(w.startswith("name=") for w in own) else own)
    return found
