"""Machines with kernels of their own: what they can do, and that nothing of them is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linux.process import ProcessFailed
from testbed import machine, names
from testbed.checkout import CHECKOUT
from testbed.machine import Machine, MachineError

pytestmark = pytest.mark.root
MAKER = """
import sys
from testbed.machine import Machine
guest = Machine("orphan", memory="256M")
print(guest._outer.pid, guest.scratch, flush=True)
sys.stdin.read()
"""


def test_programs_in_a_guest() -> None:
    mark = Path("/etc", names.owned("mark"))
    with Machine("guest", memory="256M") as guest:
        assert guest.sh(f"echo out; echo err >&2; touch {mark}; hostname; exit 0").text == "out\nguest\n"
        assert "memory" in guest.sh("cat /sys/fs/cgroup/cgroup.controllers").text.split()
        assert guest.run(["printenv", "A"], env={"A": "b c"}).text == "b c\n"
        assert len(guest.run(["head", "-c", "300000", "/dev/zero"]).out) == 300_000
        assert guest.run(["none"], check=False).code == 127
        assert guest.sh("kill -9 $$", check=False).code == -9
        with pytest.raises(ProcessFailed, match="guest: sh -ec echo no >&2; exit 3: exit status 3: no"):
            guest.sh("echo no >&2; exit 3")
        guest.sh("modprobe ip_vs && grep -q ip_vs /proc/modules")
        scratch = guest.scratch
        with pytest.raises(ProcessFailed, match="timed out"):
            guest.run(["sleep", "1000"], timeout=1)
    assert not mark.exists() and not scratch.exists()


def test_a_guest_dies_with_its_maker() -> None:
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True
    )
    assert maker.stdout is not None and maker.stdin is not None
    with maker, maker.stdin:
        pid, scratch = maker.stdout.readline().split()
        assert Path(scratch, "guest/pid").exists() and Path("/proc", pid).exists()
        maker.send_signal(signal.SIGKILL)
    end = time.monotonic() + 120
    left = [Path("/proc", pid), Path(scratch)]
    while any(path.exists() for path in left) and time.monotonic() < end:
        names.sweep()  # as every test does that makes anything with such a name
        time.sleep(0.05)
    assert not any(path.exists() for path in left)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MachineError, match="memory '1' is not a number with M or G"):
        Machine("bad", memory="1")
    monkeypatch.setattr(machine, "PATH", os.devnull)
    with pytest.raises(MachineError, match="linux.uml is missing; apt-get install user-mode-linux"):
        Machine("bad")
