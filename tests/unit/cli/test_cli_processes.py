"""Which processes are ours, and whose children they are."""

from pathlib import Path

from cli.layout import Layout
from cli.processes import SeenProcess, below, programs, shims, supervisors

LAYOUT = Layout(Path("/"))
PYTHON = "/srv/wherry/.venv/bin/python"
AGENT = SeenProcess(10, 5, (PYTHON, "-P", "-m", "cli", "agent", "--config", "/etc/wherry/agent.yaml", ""))
CONTAINERD = SeenProcess(11, 5, ("/usr/bin/containerd", "--config", "/etc/wherry/containerd.toml", ""))
SUPERVISOR = SeenProcess(5, 1, (PYTHON, "-P", "-m", "cli.supervise", "/run/wherry", "/var/log/wherry", ""))
SHIM = SeenProcess(
    20, 1, ("/usr/bin/containerd-shim-runc-v2", "-address", "/run/wherry/containerd/containerd.sock", "")
)
POD = SeenProcess(21, 20, ("/pause", ""))
CHILD = SeenProcess(22, 21, ("httpd", ""))
OTHERS = [
    SeenProcess(30, 1, ("/usr/bin/containerd", "")),
    SeenProcess(31, 1, ("/usr/bin/containerd-shim-runc-v2", "-address", "/run/containerd/containerd.sock", "")),
    SeenProcess(32, 1, ("vi", "/etc/wherry/agent.yaml", "")),
    SeenProcess(33, 1, ("less", "/run/wherry", "")),
    SeenProcess(34, 2, ("",)),
]
ALL = [AGENT, CONTAINERD, SUPERVISOR, SHIM, POD, CHILD, *OTHERS]


def test_ours_and_nobody_elses() -> None:
    assert list(programs(ALL, LAYOUT)) == [AGENT, CONTAINERD]
    assert list(programs(ALL, LAYOUT, ["agent", "proxy"])) == [AGENT]
    assert list(supervisors(ALL, LAYOUT)) == [SUPERVISOR]
    assert list(shims(ALL, LAYOUT)) == [SHIM]


def test_descendants() -> None:
    assert set(below(ALL, [SHIM.pid])) == {POD.pid, CHILD.pid}
    assert below(ALL, [CHILD.pid]) == []
