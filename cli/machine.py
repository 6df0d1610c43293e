"""What the steps of `up` and `reset` work on: this machine, its cluster's settings, and where to report progress."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from cli import services
from cli.cluster import Cluster, Wishes
from cli.errors import CliError
from cli.layout import Layout


def _print(text: str) -> None:
    """A line; on a terminal a text that ends in "..." is overwritten by the next."""
    passing = text.endswith("...") and sys.stdout.isatty()
    if text.endswith("...") and not passing:
        return
    try:
        print(("\r\033[K" if sys.stdout.isatty() else "") + text, end="" if passing else "\n", flush=True)
    except BrokenPipeError:  # nobody reads any more; the work goes on
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the run


@dataclass
class Machine:
    """This machine. `cluster` is None until it is decided; `notes` are said at the end."""

    layout: Layout = field(default_factory=Layout)
    wishes: Wishes = field(default_factory=Wishes)
    cluster: Cluster | None = None
    fresh: bool = False  # there was no cluster before this run
    say: Callable[[str], None] = _print
    notes: list[str] = field(default_factory=list)

    @cached_property
    def services(self) -> services.Services:
        """What keeps programs running here."""
        return services.find(self.layout)

    @property
    def settings(self) -> Cluster:
        """The cluster's settings, which the step before has decided."""
        if self.cluster is None:
            raise CliError("set up the cluster", "its settings are missing", "Run 'wherry reset', then 'wherry up'")
        return self.cluster


@dataclass(frozen=True)
class Step:
    """One small, idempotent step of `up`.

    `done` looks whether there is anything to do; `do` does it and says what it did in a few words; `undo` removes what
    `do` may have made, also when that was interrupted half-way or happened in another run: `reset` is all undos in
    reverse order, and a failed `up` calls those of the steps it had begun.
    """

    title: str
    do: Callable[[Machine], str]
    done: Callable[[Machine], bool] = lambda machine: False
    undo: Callable[[Machine], None] | None = None


@contextmanager
def alone() -> Iterator[None]:
    """Only one up, down or reset at a time on this machine: an abstract socket, which a killed process cannot leave behind."""
    import socket

    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind("\0wherry-setup")
    except OSError as error:
        lock.close()
        raise CliError("start", "another wherry up, down or reset is running", "Wait until it ends") from error
    try:
        yield
    finally:
        lock.close()
