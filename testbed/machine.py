"""A machine with a kernel of its own, for what the kernel of the tests has not: User-Mode Linux, Debian's `user-mode-linux`.

    with Machine("two", memory="1G") as machine:
        machine.run(["cat", "/sys/fs/cgroup/cgroup.controllers"])

Its root is an overlay: below it the machine's own `/`, read-only, above it memory of the guest, so nothing that the guest
writes reaches the disk of the machine. It has one CPU, pure cgroup v2, every capability, Debian's modules (IPVS, iptables,
bridges, overlays; but no nf_tables for IP), no pressure stall information, and no way out to any network. It runs as an
ordinary process in a PID namespace of its own: whoever ends that, or its parent, ends the whole guest at once.

The first process in the guest (testbed/guest.py) takes commands from a serial line and answers on it with what they print;
the kernel's own messages go to another one, kept for errors.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from linux.process import Finished, ProcessFailed
from testbed import names
from testbed.checkout import CHECKOUT
from testbed.guest import ENVIRONMENT, Spec

KERNEL = "linux.uml"
NEEDED = {KERNEL: "user-mode-linux", "modprobe": "kmod"}
PATH = ENVIRONMENT["PATH"]
BOOT_SECONDS = 300.0
SIZES = {"M": 1 << 20, "G": 1 << 30}


class MachineError(Exception):
    """The guest could not be booted, or died; reads "cannot X: reason"."""


class Machine:
    """A booted guest; commands run in it one at a time."""

    def __init__(self, name: str, *, memory: str = "512M", systemd: bool = False) -> None:
        names.sweep()
        self.name = name
        self.scratch = names.scratch_root() / names.owned(name)
        self.scratch.mkdir()
        self._heard = bytearray()
        self._outer: subprocess.Popen[bytes] | None = None
        self._open = contextlib.ExitStack()
        try:
            self._boot(memory, Spec(name, sys.executable, str(CHECKOUT), systemd))
        except BaseException:
            self.close()
            raise

    def run(
        self, argv: Sequence[str], *, timeout: float = 120, check: bool = True, env: Mapping[str, str] | None = None
    ) -> Finished:
        """Run a program in the guest to its end; the whole guest is ended when the time is over."""
        order = json.dumps({"argv": list(argv), "env": dict(env or {})}).encode() + b"\n"
        end = time.monotonic() + timeout
        out, err = bytearray(), bytearray()
        with contextlib.suppress(BrokenPipeError):  # then it has ended, and reading says so
            self._orders.write(order)
        while True:
            try:
                kind, content = self._frame(end)
            except TimeoutError:
                self.close()
                raise ProcessFailed([f"{self.name}:", *argv], None, bytes(out), bytes(err)) from None
            if kind == "exit":
                done = Finished(int(content), bytes(out), bytes(err))
                break
            (out if kind == "out" else err).extend(content)
        if check and done.code != 0:
            raise ProcessFailed([f"{self.name}:", *argv], done.code, done.out, done.err)
        return done

    def sh(self, script: str, *, timeout: float = 120, check: bool = True) -> Finished:
        """Run a shell script in the guest."""
        return self.run(["sh", "-ec", script], timeout=timeout, check=check)

    def console(self) -> str:
        """The last lines that the guest's kernel and its first process printed."""
        try:
            return (self.scratch / "console.log").read_text(errors="replace")[-3000:]
        except OSError:
            return "no console"

    def close(self) -> None:
        """End the guest; nothing of it is left."""
        if self._outer is not None:
            self._outer.kill()  # and the kernel kills whatever is in its PID namespace
            self._outer.wait()
        self._outer = None
        self._open.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- inner parts ------------------------------------------------------------------------------------------

    def _boot(self, memory: str, spec: Spec) -> None:
        for program, package in NEEDED.items():
            if shutil.which(program, path=PATH) is None:
                raise MachineError(f"cannot boot machine {self.name}: {program} is missing; apt-get install {package}")
        folder = self._memory_folder(memory)
        (self.scratch / "spec.json").write_text(json.dumps(asdict(spec)))
        first = self.scratch / "init"
        first.write_text(f"#!/bin/sh\ncd {CHECKOUT}\nexec {sys.executable} -m testbed.guest {self.scratch}/spec.json\n")
        first.chmod(0o755)
        orders_in, orders = os.pipe()
        answers, answers_out = os.pipe()
        self._orders: IO[bytes] = self._open.enter_context(os.fdopen(orders, "wb", buffering=0))
        self._answers: IO[bytes] = self._open.enter_context(os.fdopen(answers, "rb", buffering=0))
        lines = [
            *(f"mem={memory}", f"uml_dir={self.scratch}", "umid=guest"),
            *("rootfstype=hostfs", "rootflags=/", "ro", f"init={first}", "quiet", "panic=-1"),
            *("con=null", "con0=null,fd:1", "ssl=null", f"ssl0=fd:{orders_in},fd:{answers_out}"),
        ]
        died = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child"]
        with open(self.scratch / "console.log", "ab") as console:
            self._outer = subprocess.Popen(
                [*died, KERNEL, *lines],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=[orders_in, answers_out],
                env={"PATH": PATH, "TMPDIR": str(folder)},
                start_new_session=True,
            )
        os.close(orders_in)
        os.close(answers_out)
        try:
            kind, _ = self._frame(time.monotonic() + BOOT_SECONDS)
        except TimeoutError:
            raise MachineError(f"cannot boot machine {self.name}: it says nothing: {self.console()}") from None
        if kind != "ready":
            raise MachineError(f"cannot boot machine {self.name}: it said {kind}: {self.console()}")

    def _memory_folder(self, memory: str) -> Path:
        """Where the file that is the guest's memory lies: in memory, if that much may be there."""
        found = re.fullmatch(r"(\d+)([MG])", memory)
        if found is None:
            raise MachineError(f"cannot boot machine {self.name}: memory {memory!r} is not a number with M or G")
        shared = Path("/dev/shm")
        fits = shared.is_dir() and shutil.disk_usage(shared).free > int(found[1]) * SIZES[found[2]]
        return shared if fits else self.scratch

    def _frame(self, end: float) -> tuple[str, bytes]:
        """The next message of the guest: a line of kind and length, then the content."""
        while True:
            head, newline, rest = bytes(self._heard).partition(b"\n")
            if newline:
                kind, _, length = head.decode().partition(" ")
                if len(rest) >= int(length):
                    del self._heard[: len(head) + 1 + int(length)]
                    return kind, rest[: int(length)]
            left = end - time.monotonic()
            ready, _, _ = select.select([self._answers], [], [], max(0.0, left))
            if not ready:
                raise TimeoutError
            more = os.read(self._answers.fileno(), 1 << 16)
            if not more:
                raise MachineError(f"machine {self.name} is gone: {self.console()}")
            self._heard += more
