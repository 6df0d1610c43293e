"""Scenes in a machine with a kernel of its own: cgroup v2, and the right to protect processes from the kernel.

Outside, a `Guest` boots it once; inside, one process plays scenes one after the other. That kernel has no nf_tables for IP: pods
get their bridge and addresses from the real CNI plugin, but host ports and masquerading lead nowhere.
"""

import asyncio
import importlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Self

from cni.host import KernelHost
from kit import log
from linux.nft import Door, FakeKernel
from linux.process import Finished, ProcessFailed
from testbed.machine import Machine
from tests.cri import stage
from tests.cri.stage import CHECKOUT, CONTAINERD, SOCKET, Stage, image_archives, play

CONTAINERD_LOG = "/var/log/wherry/containerd.log"
PLAYED = "PLAYED "
PATIENCE, SCENE = 400.0, 1200.0  # its one CPU is several times slower than ours
SYSTEMD = """\
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
"""


class Guest:
    """The machine, seen from outside."""

    def __init__(self, driver: str) -> None:
        self.driver = driver
        systemd = driver == "systemd"
        self.machine = Machine(driver, memory="1536M", systemd=systemd)
        try:
            self._start_containerd(CONTAINERD.replace("  restrict_oom_score_adj = true\n", "") + SYSTEMD * systemd)
        except BaseException:
            self.machine.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.machine.close()

    def _start_containerd(self, config: str) -> None:
        self.machine.sh(
            "mkdir -p /etc/wherry /var/log/wherry /run/wherry\n"
            f"cat > /etc/wherry/containerd.toml <<'E'\n{config}E\n"
            f"containerd -c /etc/wherry/containerd.toml </dev/null >{CONTAINERD_LOG} 2>&1 &\n"
            f"until ctr -a {SOCKET} version >/dev/null 2>&1; do sleep 0.1; done",
            timeout=PATIENCE,
        )
        for number, archive in enumerate(image_archives()):
            file = self.machine.scratch / f"{number}.tar"  # the guest sees the machine's files
            file.write_bytes(archive)
            self.machine.run(["ctr", "-a", SOCKET, "-n", "k8s.io", "images", "import", str(file)], timeout=PATIENCE)

    def play(self, scenes: Sequence[str]) -> dict[str, str]:
        """Play scenes until one fails; by name how each went, empty when well."""
        argv = [sys.executable, "-m", "tests.cri.guest", self.driver, *scenes]
        limit = SCENE + PATIENCE * len(scenes)
        try:
            done = self.machine.run(argv, timeout=limit, check=False, env={"PYTHONPATH": str(CHECKOUT)})
        except ProcessFailed as error:  # it took too long
            done = Finished(-signal.SIGKILL, error.out, error.err)
        played = [line.removeprefix(PLAYED) for line in done.text.splitlines() if line.startswith(PLAYED)]
        said = done.text[-2000:] + done.err.decode(errors="replace")[-20_000:]
        outcomes = dict.fromkeys(scenes, "not played, since one before failed")
        outcomes |= dict.fromkeys(played, "")
        if done.code != 0 and len(played) < len(scenes):
            outcomes[scenes[len(played)]] = f"exit status {done.code}:\n{said}"
        return outcomes


class BareHost(KernelHost):
    """The guest's network, but without the rules that its kernel cannot have."""

    def has_table(self, family: int, name: str) -> bool:
        return True

    def nft(self) -> Door:
        return FakeKernel()


class GuestStage(Stage):
    """The stage there."""

    make_host = partial(BareHost, lives_on=True)


async def play_all(driver: str, scenes: list[str]) -> None:
    """One after the other; says which went well."""
    for scene in scenes:
        began = time.monotonic()
        module, _, name = scene.rpartition(".")
        function = getattr(importlib.import_module(f"tests.cri.inside.{module}"), name)
        await play(function, GuestStage, cgroup_driver=driver)
        print(f"{scene} took {time.monotonic() - began:.1f} s\n{PLAYED}{scene}", flush=True)


def main() -> None:
    """Play the scenes that the command line names, after the control groups' driver."""
    log.configure(os.environ.get("STAGE_LOG", "info"))
    stage.PATIENCE, stage.SCENE = PATIENCE, SCENE
    asyncio.run(play_all(sys.argv[1], sys.argv[2:]))


if __name__ == "__main__":
    main()
