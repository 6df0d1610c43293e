"""Facts in, problems out."""

from dataclasses import replace

import pytest

from cli import checks
from cli.checks import containerd_problem, problems
from cli.cluster import Cluster
from cli.facts import Facts, Listener
from cli.layout import CHECKOUT

GOOD = Facts(
    system="Linux",
    machine="x86_64",
    hostname="one",
    uid=0,
    systemd=False,
    cgroups="v1",
    controllers=frozenset({"cpu", "memory", "pids", "cpuset"}),
    may_raise_limits=True,
    free_bytes=10 << 30,
    listeners=(),
    other_clusters=(),
)
OURS = Cluster(checkout=str(CHECKOUT), node_name="one", node_address="192.0.2.1")
BAD = {
    "not Linux": ({"system": "Darwin"}, "this is Darwin, not Linux"),
    "no root": ({"uid": 1000}, "it needs root"),
    "architecture": ({"machine": "riscv64"}, "architecture riscv64 is not supported"),
    "port": (
        {"listeners": (Listener(6443, 7, "nginx"),)},
        "port 6443, needed by the API server, is in use by nginx (process 7)",
    ),
    "port, unknown": ({"listeners": (Listener(10250, 0, "another program"),)}, "in use by another program"),
    "kubelet": (
        {"other_clusters": (Listener(0, 9, "kubelet"),)},
        "kubelet (process 9) of another Kubernetes runs here",
    ),
    "no cgroups": ({"cgroups": ""}, "no cgroups are mounted"),
    "no memory controller": ({"controllers": frozenset({"cpu", "pids"})}, "the cgroup controllers memory are missing"),
    "full disk": ({"free_bytes": 3 << 20}, "only 3 MiB are free"),
}


def test_a_good_machine_has_none() -> None:
    assert list(problems(GOOD, None, lambda pid: False)) == []


@pytest.mark.parametrize("name", BAD)
def test_each_problem_is_named_with_a_remedy(name: str) -> None:
    changes, reason = BAD[name]
    found = list(problems(replace(GOOD, **changes), None, lambda pid: False))
    assert len(found) == 1
    assert reason in found[0].reason
    assert found[0].remedy


def test_every_needed_port_has_a_name() -> None:
    for port in checks.PORTS:
        seen = replace(GOOD, listeners=(Listener(port, 5, "other"),))
        assert [problem for problem in problems(seen, None, lambda pid: False) if str(port) in problem.reason]


def test_our_own_listeners_are_no_problem() -> None:
    seen = replace(GOOD, listeners=(Listener(6443, 7, "python"),))
    assert list(problems(seen, OURS, {7}.__contains__)) == []


def test_the_cluster_of_another_checkout_is_refused() -> None:
    other = Cluster(checkout="/srv/other", node_name="one", node_address="192.0.2.1")
    found = list(problems(GOOD, other, lambda pid: False))
    assert "/srv/other" in found[0].reason
    assert "/srv/other/wherry reset" in found[0].remedy


@pytest.mark.parametrize(("version", "good"), [((1, 6, 20), True), ((2, 0, 0), True), ((1, 5, 9), False), ((), False)])
def test_containerd_versions(version: tuple[int, ...], good: bool) -> None:
    assert (containerd_problem(version, "1") is None) == good
