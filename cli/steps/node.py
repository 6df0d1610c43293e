"""The node's agent and proxy, and what they leave in the kernel."""

from cli import outside, pods, processes
from cli.errors import CliError
from cli.health import QUICK
from cli.machine import Machine, Step

NAMES = ["agent", "proxy"]


def start(machine: Machine) -> str:
    """Start both."""
    machine.services.start(NAMES)
    return "started"


def undo(machine: Machine) -> None:
    """Stop both, remove the pods with their network, then the rules."""
    machine.services.stop(NAMES)
    processes.end_strays(machine.layout, NAMES)  # a proxy that still ran would put its rules back
    if machine.services.state("containerd").running:
        try:
            pods.stop_all(machine, grace=int(QUICK), remove=True)
        except CliError as error:  # the next step kills them, and removes what is left of them
            machine.say(f"  pods                 not stopped, so killed: {error}")
    errors = outside.remove_rules(machine.layout)
    errors += outside.restore_settings(machine.layout)
    if errors:
        raise ExceptionGroup("cannot remove all of the node", errors)


START = Step("agent and proxy", start, done=lambda machine: machine.services.running(NAMES), undo=undo)
