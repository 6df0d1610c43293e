"""The few facts of the machine that containerd's configuration depends on."""

from pathlib import Path

from cli import facts
from cli.cluster import Cluster
from cli.configs import RuntimeFacts


def runtime_facts(settings: Cluster) -> RuntimeFacts:
    """Look."""
    seen = facts.observe((), Path("/"))
    return RuntimeFacts(
        systemd_cgroups=settings.cgroup_driver == "systemd",
        may_raise_limits=seen.may_raise_limits,
        apparmor=Path("/sys/kernel/security/apparmor").exists(),
    )
