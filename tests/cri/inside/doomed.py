"""An agent that is to die, or to see containerd die, at given points of its work.

There are points of four sorts: before, during and after each change that it asks the runtime for, at each file of a pod that it
changes, around each mount, and around each address that it gives or takes back. The command line names, death by death, who dies
at which point of which sort: `agent:file:17 containerd:runtime:4 agent:mount:3`.
"""

import asyncio
import ctypes
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from cli.main import main
from cni.ipam import Store
from linux.mounts import KernelMounts
from nodeagent.cri.client import GrpcRuntime

CONTAINERD = Path("/run/wherry/containerd.pid")
PODS = re.compile(r"/var/lib/wherry/agent/pods/|/var/log/pods/|/sys/fs/cgroup/.*/kubepods/")
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown", "open"}
ASKS = ("List", "Version", "Status", "Image", "ContainerStatus", "PodSandboxStatus")
IN_FLIGHT = (0.0, 0.002, 0.01, 0.03, 0.08)  # seconds: how far the runtime gets with what it was asked


class Fate:
    """Counts the points, and kills."""

    def __init__(self, deaths: list[str]) -> None:
        self._deaths = [(who, sort, int(points)) for who, sort, points in (one.split(":") for one in deaths)]
        self._passed = 0
        self._killed = 0  # the containerd that was killed last
        self._turn = threading.Lock()

    def point(self, sort: str) -> None:
        """One point of work, in any thread; those of the killing itself do not count."""
        if self._deaths and self._turn.acquire(blocking=False):
            try:
                self._pass(*self._deaths[0], sort)
            finally:
                self._turn.release()

    def _pass(self, who: str, wanted: str, points: int, sort: str) -> None:
        self._passed += sort == wanted
        if self._passed < points:
            return
        if who == "agent":
            os.kill(os.getpid(), signal.SIGKILL)
        if pid := _kill_containerd(self._killed):
            self._killed = pid
            self._deaths.pop(0)
            self._passed = 0


def _kill_containerd(killed: int) -> int:
    """Kill it, unless that was done already; its number, or 0 when there was none to be killed."""
    try:
        pid = int(CONTAINERD.read_text())
        if pid == killed or Path(f"/proc/{pid}/comm").read_text().strip() != "containerd":
            return 0
        os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return 0
    return pid


def watch(fate: Fate) -> None:
    """Have the points counted."""

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event not in CHANGES or not isinstance(args[0], str | os.PathLike):
            return
        if event == "open" and (not isinstance(args[2], int) or not args[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if PODS.match(os.fsdecode(args[0])):
            fate.point("file")

    sys.addaudithook(audit)
    KernelMounts._mount = _around(KernelMounts._mount, fate, "mount")  # type: ignore[method-assign]
    KernelMounts.unmount = _around(KernelMounts.unmount, fate, "mount")  # type: ignore[method-assign]
    for name in ("reserve", "release"):
        setattr(Store, name, _around(getattr(Store, name), fate, "address"))
    call, turn = GrpcRuntime._call, [0]

    async def called(self: GrpcRuntime, what: Any, *rest: Any) -> Any:
        if what.name.startswith(ASKS):
            return await call(self, what, *rest)
        fate.point("runtime")
        asked = asyncio.ensure_future(call(self, what, *rest))
        asked.add_done_callback(lambda over: over.cancelled() or over.exception())  # who asked may have been cancelled
        turn[0] += 1
        await asyncio.wait([asked], timeout=IN_FLIGHT[turn[0] % len(IN_FLIGHT)])
        fate.point("runtime")
        answer = await asked
        fate.point("runtime")
        return answer

    GrpcRuntime._call = called  # type: ignore[method-assign,assignment]


def _around(work: Callable[..., Any], fate: Fate, sort: str) -> Callable[..., Any]:
    @wraps(work)
    def watched(*args: Any) -> Any:
        fate.point(sort)
        answer = work(*args)
        fate.point(sort)
        return answer

    return watched


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # dies with the scene
    watch(Fate(sys.argv[2:]))
    sys.exit(main(["agent", "--config", sys.argv[1]]))
