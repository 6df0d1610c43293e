"""`wherry reset`: every step's undo in reverse order, whatever state the cluster is in; errors are collected."""

import argparse
from collections.abc import Sequence

from cli.errors import CliError
from cli.machine import Machine, Step, alone

AGAIN = "Run 'wherry reset' again; if that does not help, reboot and run it then"


def run(options: argparse.Namespace) -> int:
    """Remove everything."""
    import os

    from cli.steps.order import STEPS

    if os.geteuid() != 0:
        raise CliError("reset this machine", "it needs root", "Run it as root, for example with sudo")
    machine = Machine()
    with alone():
        errors = remove_all(machine, STEPS)
    if errors:
        raise ExceptionGroup("reset", errors)
    print("wherry: removed; Debian packages and the checkout's .venv stay")
    return 0


def remove_all(machine: Machine, steps: Sequence[Step]) -> list[Exception]:
    """Undo all; what could not be undone."""
    errors: list[Exception] = []
    for step in reversed(steps):
        if step.undo is None:
            continue
        try:
            step.undo(machine)
            machine.say(f"  {step.title:20} removed")
        except ExceptionGroup as group:
            errors += group.exceptions
        except Exception as error:  # the edge: the other undos must have their turn
            errors.append(error if isinstance(error, CliError) else CliError(f"remove {step.title}", error, AGAIN))
    return errors
