"""What a backend is. The sync loop knows nothing else about it.

`replace` and `apply` return when the kernel has acknowledged, atomically for each family at least. After a
BackendError the kernel may hold the old or the new state; the loop then calls `replace` with everything. `read` is the
truth for tests, `check` is what the loop asks now and then: cheap at scale.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from proxy.model.facts import Facts
from proxy.plan.desired import Desired
from proxy.plan.diff import Change
from proxy.plan.expected import Reading


class BackendError(Exception):
    """The kernel could not be brought to what is wanted."""


class RebuildNeeded(BackendError):
    """A change does not fit into what is there; `replace` with everything will do."""


PROBES = 3  # a kernel without a feature says so each time; one that was short of memory does not


class Backend(Protocol):
    """One way to put the plan into the kernel."""

    name: str
    quick: bool  # `apply` takes microseconds: the loop need not move it to a thread
    check_seconds: float  # how often to `check` without a reason

    def probe(self) -> str:
        """Why this kernel or machine cannot use the backend; empty if it can."""
        ...

    def families(self) -> tuple[int, ...]:
        """The address families that the kernel can do."""
        ...

    def replace(self, desired: Collection[Desired], facts: Facts) -> None:
        """Make the kernel hold exactly this, whatever it held."""
        ...

    def apply(self, changes: Sequence[Change]) -> None:
        """Make these changes to what the last `replace` and `apply` left."""
        ...

    def check(self) -> list[str]:
        """What in the kernel is not as this backend left it, in words."""
        ...

    def read(self) -> Reading:
        """What the kernel holds now."""
        ...

    def cleanup(self) -> list[str]:
        """Remove every trace; what was removed, in words."""
        ...

    def watch(self) -> "Watch | None":
        """Something that hears of others' changes, or None."""
        ...

    def rule_counts(self) -> Mapping[tuple[str, int], int]:
        """Rules by table and family, for metrics; empty if the backend does not work with rules."""
        ...

    def written(self) -> Mapping[tuple[str, int], int]:
        """How many rules the last change wrote, by table and family; empty as above."""
        ...

    def close(self) -> None:
        """Give sockets back; the rules stay."""
        ...


class Suspicion(enum.Enum):
    """What a watch makes of what it heard."""

    NONE = "none"
    LOOK = "look"  # something was changed: `check`
    DAMAGED = "damaged"  # something of ours was changed: `replace`


class Watch(Protocol):
    """Hears that somebody else may have damaged what the backend keeps in the kernel."""

    def fileno(self) -> int:
        """To wait on; -1 if it must be asked now and then."""
        ...

    def suspicion(self) -> Suspicion:
        """What was heard since the last call; never waits."""
        ...

    def quiet(self) -> AbstractContextManager[None]:
        """Around a big change of our own."""
        ...

    def close(self) -> None:
        """Stop."""
        ...
