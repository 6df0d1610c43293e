"""Whether a cluster can run here at all, before anything is touched."""

from cli import checks, cluster, facts
from cli.errors import CliError
from cli.machine import Machine, Step
from cli.programs import NAMES
from cli.steps import address


def do(machine: Machine) -> str:
    """Look at the machine and refuse what cannot work."""
    seen = facts.observe(checks.PORTS, machine.layout.lib)
    if seen.uid == 0:  # others could not read it
        machine.cluster = cluster.load(machine.layout)
    own = {machine.services.state(name).pid for name in NAMES} - {0} if machine.cluster else set()
    found = list(checks.problems(seen, machine.cluster, own.__contains__))
    errors = [CliError("set up a cluster on this machine", problem.reason, problem.remedy) for problem in found]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("several problems", errors)
    if machine.cluster is None:
        machine.cluster, machine.fresh = decide(machine, seen), True
    else:
        agree(machine)
    return f"{seen.machine}, cgroups {seen.cgroups}, {'systemd' if seen.systemd else 'no systemd'}"


def decide(machine: Machine, seen: facts.Facts) -> cluster.Cluster:
    """Settings of a new cluster."""
    wishes = machine.wishes
    if wishes.node_address:
        cluster.address(wishes.node_address, facts.local_addresses())
        found, why = wishes.node_address, "as asked for"
    else:
        found, why = facts.node_address()
        if not found:
            found, why = address.LONELY, f"{why}, so it gets this one; other machines cannot reach this node"
    machine.notes.append(f"node address {found}: {why}")
    return cluster.decide(wishes, seen.hostname, found, systemd=seen.systemd)


def agree(machine: Machine) -> None:
    """Flags must not contradict the cluster that is there."""
    wishes, settings = machine.wishes, machine.settings
    defaults = cluster.Wishes()
    for flag in ("node_name", "node_address", "pod_cidr", "service_cidr"):
        wanted, has = getattr(wishes, flag), getattr(settings, flag)
        if wanted not in (has, getattr(defaults, flag)):
            name = "--" + flag.replace("_", "-")
            remedy = "Leave the flag out, or run 'wherry reset' first"
            raise CliError(f"use {name} {wanted}", f"this cluster was made with {has}", remedy)
    if settings.node_address not in {*facts.local_addresses(), address.LONELY}:
        reason = f"its address {settings.node_address} is no longer one of this machine's"
        raise CliError("start this cluster", reason, "Give the address back, or run 'wherry reset', then 'wherry up'")


STEP = Step("this machine", do)
