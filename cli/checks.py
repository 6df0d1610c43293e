"""Whether a cluster can run on this machine: facts in, problems out. Pure, and all of them before anything is touched."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cli.cluster import Cluster
from cli.facts import Facts
from cli.images.archive import ARCHITECTURES
from cli.layout import CHECKOUT

PORTS = {
    6443: "the API server",
    10250: "the node agent",
    10248: "the node agent's health",
    10256: "the proxy's health",
    10249: "the proxy's metrics",
}
CONTROLLERS = {"v1": {"memory", "cpu", "pids"}, "v2": {"memory", "cpu", "pids"}}
FREE_BYTES = 512 << 20
CONTAINERD_AT_LEAST = (1, 6)


@dataclass(frozen=True)
class Problem:
    """What is wrong, and what to do."""

    reason: str
    remedy: str


def problems(facts: Facts, cluster: Cluster | None, ours: Callable[[int], bool]) -> Iterator[Problem]:
    """All that stands in the way. `ours` tells whether a process belongs to the cluster that already runs here."""
    if facts.system != "Linux":
        yield Problem(f"this is {facts.system}, not Linux", "Use a Linux machine, for example the one in vagrant/")
        return
    if facts.uid != 0:
        yield Problem("it needs root", "Run it as root, for example with sudo")
        return
    if facts.machine not in ARCHITECTURES:
        yield Problem(f"architecture {facts.machine} is not supported", f"Use one of {', '.join(ARCHITECTURES)}")
    if cluster is not None and cluster.checkout != str(CHECKOUT):
        remedy = f"Use that checkout's wherry, or remove its cluster with '{cluster.checkout}/wherry reset'"
        yield Problem(f"this machine already has the cluster of {cluster.checkout}", remedy)
    for other in facts.other_clusters:
        reason = f"{other.program} (process {other.pid}) of another Kubernetes runs here"
        yield Problem(reason, "Remove that cluster first, or use another machine")
    for listener in facts.listeners:
        if not ours(listener.pid):
            who = f"{listener.program} (process {listener.pid})" if listener.pid else listener.program
            reason = f"port {listener.port}, needed by {PORTS[listener.port]}, is in use by {who}"
            yield Problem(reason, "Stop that program, then try again")
    yield from _cgroup_problems(facts)
    if facts.free_bytes < FREE_BYTES:
        reason = f"only {facts.free_bytes >> 20} MiB are free on the disk of /var/lib/wherry"
        yield Problem(reason, f"Free at least {FREE_BYTES >> 20} MiB")


def _cgroup_problems(facts: Facts) -> Iterator[Problem]:
    if not facts.cgroups:
        yield Problem(
            "no cgroups are mounted on /sys/fs/cgroup", "Mount them: systemd does, or the package cgroupfs-mount"
        )
        return
    lacking = CONTROLLERS[facts.cgroups] - facts.controllers
    if lacking:
        names = ", ".join(sorted(lacking))
        yield Problem(f"the cgroup controllers {names} are missing", "Enable them in the kernel's command line")


def containerd_problem(version: tuple[int, ...], text: str) -> Problem | None:
    """What is wrong with this containerd."""
    if version >= CONTAINERD_AT_LEAST:
        return None
    wanted = ".".join(map(str, CONTAINERD_AT_LEAST))
    return Problem(f"containerd {text} is too old, {wanted} or newer is needed", "Upgrade the package containerd")
