"""What runs first inside a test host: builds its root file system, becomes its PID 1.

Started in fresh mount, uts, ipc, pid and cgroup namespaces with one argument, the host's `Spec` as JSON. The root is an overlay over the
machine's `/` (or over another root folder), so every file that anybody changes ends up in one upper folder. cgroup hierarchies are
mounted again, as the cgroup namespace shows them. After pivot_root it reaps orphans for ever, or becomes systemd.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 1, 32, 4096, 16384, 1 << 18, 2
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "kmsg", "fuse", "net/tun")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
# Units that would reach for the real machine, or for hardware.
MASKED = (
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "systemd-sysctl.service",
    "systemd-modules-load.service",
    "systemd-remount-fs.service",
    "modprobe@.service",
    "systemd-timesyncd.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "apparmor.service",
)


@dataclass(frozen=True)
class Spec:
    """What a test host is made of."""

    hostname: str
    scratch: str
    root: str
    ready: int
    systemd: bool = False
    binds: dict[str, str] = field(default_factory=dict)  # inside -> outside, read-only
    hierarchies: dict[str, str] = field(default_factory=dict)  # folder -> mount options; "" alone is cgroup v2
    disks: list[str] = field(default_factory=list)  # folders that get a real file system

    def encode(self) -> str:
        return json.dumps(asdict(self))


def main(argument: str) -> None:
    """Build the root, enter it, say so, and stay."""
    spec = Spec(**json.loads(argument))
    own_pid_outside = os.readlink("/proc/self")
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    root = build(spec)
    pivot(root)
    socket.sethostname(spec.hostname)
    os.write(spec.ready, own_pid_outside.encode())
    os.close(spec.ready)
    if spec.systemd:
        environment = {"container": "wherry-testbed", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"}
        os.execve("/lib/systemd/systemd", ["/lib/systemd/systemd"], environment)
    reap_for_ever()


def build(spec: Spec) -> Path:
    """Mount everything below the scratch folder's `mnt`."""
    scratch, root = Path(spec.scratch), Path(spec.scratch, "mnt")
    for folder in ("up", "work", "mnt", "disks"):
        (scratch / folder).mkdir(exist_ok=True)
    mount("overlay", root, "overlay", 0, f"lowerdir={spec.root},upperdir={scratch}/up,workdir={scratch}/work")
    (root / "etc/hostname").write_text(spec.hostname + "\n")
    mount("proc", root / "proc", "proc")
    mount("sysfs", root / "sys", "sysfs")
    build_dev(root / "dev")
    for folder in ("run", "tmp"):
        mount("tmpfs", root / folder, "tmpfs", 0, "mode=1777" if folder == "tmp" else "mode=755")
    (root / "run/lock").mkdir()
    build_cgroups(root / "sys/fs/cgroup", spec.hierarchies)
    for disk in spec.disks:
        behind = scratch / "disks" / disk.strip("/").replace("/", "-")
        behind.mkdir(exist_ok=True)
        (root / disk.strip("/")).mkdir(parents=True, exist_ok=True)
        mount(behind, root / disk.strip("/"), "", MS_BIND)
    for inside, outside in spec.binds.items():
        target = root / inside.strip("/")
        target.mkdir(parents=True, exist_ok=True)
        mount(outside, target, "", MS_BIND | MS_REC)
        mount("none", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY)
    if spec.systemd:
        prepare_systemd(root)
    return root


def build_dev(dev: Path) -> None:
    """A /dev of its own, with the harmless devices of the machine."""
    mount("tmpfs", dev, "tmpfs", 0, "mode=755")
    for name in ("pts", "shm", "mqueue", "net"):
        (dev / name).mkdir()
    mount("devpts", dev / "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    mount("tmpfs", dev / "shm", "tmpfs", 0, "mode=1777")
    for name in DEVICES:
        if Path("/dev", name).exists():
            (dev / name).touch()
            mount(f"/dev/{name}", dev / name, "", MS_BIND)
    for name, target in LINKS.items():
        (dev / name).symlink_to(target)


def build_cgroups(folder: Path, wanted: dict[str, str]) -> None:
    """The cgroup hierarchies as this cgroup namespace sees them: its own group is their root."""
    if list(wanted) == [""]:
        mount("cgroup2", folder, "cgroup2")
        return
    mount("tmpfs", folder, "tmpfs", 0, "mode=755")
    for name, options in wanted.items():
        (folder / name).mkdir()
        mount("cgroup", folder / name, "cgroup" if options else "cgroup2", 0, options)


def prepare_systemd(root: Path) -> None:
    """A small default target, and nothing enabled that belongs to the machine."""
    import shutil

    units = root / "etc/systemd/system"
    if (units / "testbed.target").exists():
        return  # not the first boot: what was enabled since then stays
    shutil.rmtree(units, ignore_errors=True)
    (units / "testbed.target.wants").mkdir(parents=True)
    (root / "etc/machine-id").write_text("")
    (units / "testbed.target").write_text("[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n")
    (units / "multi-user.target").symlink_to("testbed.target")
    (units / "default.target").symlink_to("testbed.target")
    (units / "testbed.target.wants/dbus.service").symlink_to("/lib/systemd/system/dbus.service")
    for unit in MASKED:
        (units / unit).symlink_to("/dev/null")


def pivot(root: Path) -> None:
    """Make `root` the root of this mount namespace and let go of the machine's."""
    os.chdir(root)
    old = root / ".old"
    old.mkdir(exist_ok=True)
    check(LIBC.pivot_root(b".", b".old"), "pivot_root")
    os.chdir("/")
    check(LIBC.umount2(b"/.old", MNT_DETACH), "umount /.old")
    os.rmdir("/.old")


def reap_for_ever() -> None:
    """The first duty of PID 1."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source: str | Path, target: str | Path, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    arguments = (
        str(source).encode(),
        str(target).encode(),
        kind.encode(),
        ctypes.c_ulong(flags),
        data.encode() or None,
    )
    check(LIBC.mount(*arguments), f"mount {kind} on {target}")


def check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1])
