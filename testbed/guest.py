"""The first process of a guest (testbed/machine.py): makes a root that can be written to, then runs what it is told.

With systemd it only makes the root and a unit for the second half, and becomes systemd.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import termios
import tty
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.init import LINKS, mount, pivot, prepare_systemd, reap_for_ever

MODULES = Path("/usr/lib/uml/modules")
LINE = "/dev/ttyS0"
IN_MEMORY = {"tmp": "mode=1777"} | dict.fromkeys(("run", "var/log", "var/lib/wherry", "var/lib/containerd"), "mode=755")
MODPROBE = "/sbin/modprobe"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
UNIT = """\
[Unit]
After=dbus.service
[Service]
ExecStart={python} -m testbed.guest
WorkingDirectory={checkout}
StandardOutput=null
StandardError=journal
KillMode=process
Delegate=yes
"""


@dataclass(frozen=True)
class Spec:
    """What a guest is."""

    name: str
    python: str
    checkout: str
    systemd: bool


def main(argv: list[str]) -> None:
    """With a specification: as the first process. Without: take commands."""
    if not argv:
        serve()
        return
    spec = Spec(**json.loads(Path(argv[0]).read_text()))
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    build(spec)
    socket.sethostname(spec.name)
    _raise_loopback()
    os.chdir(spec.checkout)
    if spec.systemd:
        os.execve("/lib/systemd/systemd", ["/lib/systemd/systemd"], {**ENVIRONMENT, "container": "wherry-testbed"})
    if os.fork() == 0:
        os.setsid()
        serve()
    reap_for_ever()


def build(spec: Spec) -> None:
    """Mount everything, and enter it."""
    mount("proc", "/proc", "proc")
    mount("tmpfs", "/run", "tmpfs")
    rack, root = Path("/run/rack"), Path("/run/root")
    for folder in (rack / "up", rack / "work", rack / "modules/lib", root):
        folder.mkdir(parents=True)
    (rack / "modules/lib/modules").symlink_to(MODULES)
    subprocess.run([MODPROBE, "-d", str(rack / "modules"), "overlay"], check=True)
    mount("overlay", root, "overlay", 0, f"lowerdir=/,upperdir={rack}/up,workdir={rack}/work")
    for name, options in IN_MEMORY.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        mount("tmpfs", root / name, "tmpfs", 0, options)
    mount("proc", root / "proc", "proc")
    mount("sysfs", root / "sys", "sysfs")
    mount("cgroup2", root / "sys/fs/cgroup", "cgroup2")
    _build_dev(root / "dev")
    (root / "run/lock").mkdir()
    shutil.rmtree(root / "usr/lib/modules", ignore_errors=True)
    (root / "usr/lib/modules").symlink_to(MODULES)
    (root / "etc/hostname").write_text(spec.name + "\n")
    (root / "etc/fstab").write_text("")
    if spec.systemd:
        prepare_systemd(root)
        units = root / "etc/systemd/system"
        (units / "testbed.service").write_text(UNIT.format(python=spec.python, checkout=spec.checkout))
        (units / "testbed.target.wants/testbed.service").symlink_to("../testbed.service")
    pivot(root)


def _build_dev(dev: Path) -> None:
    mount("devtmpfs", dev, "devtmpfs")
    for name, options in (("pts", "newinstance,ptmxmode=0666,mode=620"), ("shm", "mode=1777"), ("mqueue", "")):
        (dev / name).mkdir(exist_ok=True)
        mount(name, dev / name, {"pts": "devpts", "shm": "tmpfs"}.get(name, name), 0, options)
    for name, target in LINKS.items():
        (dev / name).unlink(missing_ok=True)
        (dev / name).symlink_to(target)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        request = bytearray(struct.pack("16sH14x", b"lo", 0))
        fcntl.ioctl(door, SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("H", request, 16)
        struct.pack_into("H", request, 16, flags | IFF_UP)
        fcntl.ioctl(door, SIOCSIFFLAGS, request)


def serve() -> None:
    """Run one command after the other, until there is nobody to give them."""
    line = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line, termios.TCSANOW)
    _send(line, "ready", b"")
    with os.fdopen(line, "rb", closefd=False) as orders:
        while order := orders.readline():
            _send(line, "exit", str(_run(line, json.loads(order))).encode())


def _run(line: int, order: dict[str, Any]) -> int:
    try:
        child = subprocess.Popen(
            order["argv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ENVIRONMENT, **order["env"]},
            start_new_session=True,
        )
    except OSError as error:
        _send(line, "err", f"{order['argv'][0]}: {error.strerror}\n".encode())
        return 127
    with selectors.DefaultSelector() as both, child:
        for kind, pipe in (("out", child.stdout), ("err", child.stderr)):
            assert pipe is not None
            both.register(pipe, selectors.EVENT_READ, kind)
        while both.get_map():
            for key, _ in both.select():
                if data := os.read(key.fd, 1 << 15):
                    _send(line, key.data, data)
                else:
                    both.unregister(key.fileobj)
    return child.returncode


def _send(line: int, kind: str, content: bytes) -> None:
    message = f"{kind} {len(content)}\n".encode() + content
    while message:
        message = message[os.write(line, message) :]


if __name__ == "__main__":
    main(sys.argv[1:])
