"""The control plane."""

from cli import health
from cli.cluster import API_PORT
from cli.machine import Machine, Step

NAMES = ["controlplane"]


def start(machine: Machine) -> str:
    """Start it."""
    machine.services.start(NAMES)
    return f"https://{machine.settings.node_address}:{API_PORT}"


def ready(machine: Machine) -> str:
    """Wait until the API server says so."""
    health.wait_for(machine, "controlplane", 60)
    return "the API answers"


def undo(machine: Machine) -> None:
    """Stop it."""
    machine.services.stop(NAMES)


START = Step("control plane", start, done=lambda machine: machine.services.running(NAMES), undo=undo)
READY = Step("control plane ready", ready)
