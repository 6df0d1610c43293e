"""`wherry up`: the steps in order, with progress; undone in reverse when one fails."""

import argparse
import signal
from collections.abc import Sequence
from types import FrameType

from cli.cluster import Wishes
from cli.errors import CliError
from cli.machine import Machine, Step, alone
from kit.clock import SystemClock

FIRST_STEPS = """
The cluster runs. Next:

  export KUBECONFIG={kubeconfig}
  kubectl create deployment web --image=wherry.local/demo:1
  kubectl expose deployment web --port=80 --target-port=8080 --type=NodePort
  kubectl get pods,services -o wide

  {wherry} status    shows each component
  {wherry} down      stops, keeps the data
  {wherry} reset     removes everything"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `up` takes."""
    defaults = Wishes()
    parser.add_argument("--node-name", metavar="NAME", help="name of this node (default: the host's name)")
    parser.add_argument(
        "--node-address", metavar="IP", help="address of this node (default: that of the default route's interface)"
    )
    parser.add_argument(
        "--pod-cidr", metavar="NET", default=defaults.pod_cidr, help="network of all pods (default: %(default)s)"
    )
    parser.add_argument(
        "--service-cidr",
        metavar="NET",
        default=defaults.service_cidr,
        help="network of Services (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Set up and start."""
    from cli.steps.order import STEPS

    machine = Machine(
        wishes=Wishes(
            node_name=options.node_name,
            node_address=options.node_address,
            pod_cidr=options.pod_cidr,
            service_cidr=options.service_cidr,
        )
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with alone():
        bring_up(machine, STEPS)
    for note in machine.notes:
        print(f"  note: {note}")
    print(FIRST_STEPS.format(kubeconfig=machine.layout.admin, wherry=_wherry()))
    return 0


def bring_up(machine: Machine, steps: Sequence[Step]) -> None:
    """Do what is to be done; on failure undo what this run began."""
    begun: list[Step] = []
    for step in steps:
        started = SystemClock().monotonic()
        try:
            if step.done(machine):
                machine.say(f"  {step.title:20} ok")
                continue
            begun.append(step)
            machine.say(f"  {step.title:20} ...")
            what = step.do(machine)
        except BaseException as error:
            _undo(machine, begun)
            if isinstance(error, CliError | ExceptionGroup) or not isinstance(error, Exception):
                raise
            raise in_words(step, error) from error
        machine.say(f"  {step.title:20} {what} ({SystemClock().monotonic() - started:.2f} s)")


def in_words(step: Step, error: Exception) -> CliError:
    """An error from one of the doors, which is no surprise, as one line."""
    if isinstance(error, OSError) and error.errno == 28:
        return CliError(
            f"do step {step.title!r}",
            f"the disk is full ({error.filename or error})",
            "Free some space, then try again",
        )
    return CliError(f"do step {step.title!r}", error, "See 'wherry status', and the logs in /var/log/wherry")


def _undo(machine: Machine, begun: Sequence[Step]) -> None:
    undone = [step for step in reversed(begun) if step.undo is not None]
    if not undone:
        return
    if not machine.fresh:
        machine.say("  failed: the cluster was here before this run and stays; 'wherry status' shows it")
        return
    machine.say("  failed: undoing what this run made")
    for step in undone:
        try:
            assert step.undo is not None
            step.undo(machine)
        except Exception as error:  # the edge: the first error counts, later ones are only shown
            machine.say(f"  {step.title}: left behind: {error}. 'wherry reset' tries again")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wherry() -> str:
    from cli.layout import CHECKOUT

    return str(CHECKOUT / "wherry")
