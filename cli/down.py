"""`wherry down`: stops pods and programs, keeps all data."""

import argparse
import os

from cli import pods
from cli.errors import CliError
from cli.machine import Machine, alone

GRACE = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `down` takes."""
    parser.add_argument(
        "--grace", type=int, default=GRACE, metavar="SECONDS", help="time for containers to end (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Stop in reverse order of starting. Pods stop too: containers without their keeper would only confuse."""
    if os.geteuid() != 0:
        raise CliError("stop the cluster", "it needs root", "Run it as root, for example with sudo")
    machine = Machine()
    if not machine.layout.etc.exists():
        print("wherry: there is no cluster on this machine")
        return 0
    errors: list[CliError] = []
    with alone():
        services = machine.services
        services.stop(["agent"])
        if services.state("containerd").running:
            try:
                stopped = pods.stop_all(machine, grace=max(options.grace, 0), remove=False)
                machine.say(f"  pods                 stopped {stopped}")
            except CliError as error:  # a runtime that hangs keeps nobody else up
                errors.append(error)
        services.stop(["proxy"])
        services.stop(["controlplane"])
        services.remove()
    if errors:
        raise errors[0]
    print("wherry: stopped; data, images and certificates stay. 'wherry up' starts again, 'wherry reset' removes all")
    return 0
