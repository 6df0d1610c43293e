"""The test hosts themselves: whole machines that leave nothing, also when a test is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed import Node, Switch, names
from testbed.checkout import CHECKOUT

pytestmark = [pytest.mark.root, pytest.mark.cluster]


def traces(owner: int) -> list[Path]:
    """All that carries the name of a process."""
    folders = (names.NETNS, names.scratch_root(), *names.hierarchies())
    return [path for folder in folders for path in folder.glob(f"{names.PREFIX}{owner}.*")]


def test_hosts_reach_each_other_and_nobody_else() -> None:
    with Switch() as switch, Node("one", switch) as one, Node("two", switch) as two:
        assert one.sh("hostname; cat /etc/hostname").text == "one\none\n"
        one.run(["ping", "-c1", "-W50", two.address])
        switch.run(["ping", "-c1", "-W50", one.address])
        assert one.run(["ping", "-c1", "-W1", "192.0.2.1"], check=False).code != 0
        assert "two" not in one.sh("ps ax").text
        one.sh("nft add table ip only_here")
        assert "only_here" not in two.sh("nft list ruleset").text


def test_changes_stay_on_the_host() -> None:
    with Node("one") as node:
        node.sh(
            "echo x > /etc/new; echo y >> /etc/passwd; rm /etc/group; mkdir /opt/d; touch /opt/d/f; chmod 600 /etc/shells"
        )
        found = set(node.changed_files())
        assert {"/etc/new", "/etc/passwd", "/etc/group", "/opt/d", "/opt/d/f", "/etc/shells"} <= found
        node.sh("rm /etc/new; cp /etc/shells /etc/s; chmod 644 /etc/shells; rm /etc/s")
        assert not {"/etc/new", "/etc/shells"} & set(node.changed_files())
    assert not Path("/etc/new").exists()


def test_a_power_cut_keeps_disks_and_nothing_else() -> None:
    with Node("one") as node:
        node.sh("touch /var/lib/wherry/kept /etc/kept /run/lost; setsid sleep 1000 >/dev/null 2>&1 & sleep 0.1")
        node.power_cut()
        node.start()
        assert node.sh("ls /var/lib/wherry/kept /etc/kept").code == 0
        assert node.run(["ls", "/run/lost"], check=False).code != 0
        assert "sleep" not in node.sh("ps -eo comm=").text


def test_nothing_is_left() -> None:
    with Switch() as switch, Node("one", switch) as node:
        node.sh("for c in /sys/fs/cgroup/*/; do mkdir -p $c/a/b; done; mount -t tmpfs tmpfs /mnt; ip netns add inside")
        assert traces(os.getpid())
        name = node.id
    assert not [path for path in traces(os.getpid()) if path.name == name]


def test_what_a_killed_test_leaves_is_swept_by_the_next() -> None:
    script = (
        "import time\nfrom testbed import Node, Switch\nswitch = Switch()\nnode = Node('one', switch)\n"
        "node.sh('setsid sleep 1000 >/dev/null 2>&1 &')\nprint('up', flush=True)\ntime.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert traces(child.pid)
        child.send_signal(signal.SIGKILL)
    names.sweep()  # if no other test's came first
    deadline = time.monotonic() + 60
    while traces(child.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert traces(child.pid) == []


def test_systemd_runs_without_failed_units() -> None:
    with Node("one", systemd=True) as node:
        assert node.sh("cat /proc/1/comm").text == "systemd\n"
        assert node.sh("systemctl --failed --no-legend").text == ""
