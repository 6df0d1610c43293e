"""Whom the kernel killed for memory, by what it counts in the pod's group: one pure function, `claim`.

The runtime's word of it may come late or never: some read the count of the container's own group, which is gone with the container.
"""

from dataclasses import dataclass, replace

SIGKILLED = 137


@dataclass(frozen=True, slots=True)
class Kills:
    """What the kernel has killed for memory in a pod's group and below: processes, and containers with all their processes."""

    processes: int = 0
    wholes: int = 0  # always 0 before Linux 5.17, and where a container's processes are killed one by one


def claim(accounted: Kills, counted: Kills) -> Kills | None:
    """One container was ended by SIGKILL: what is accounted for when the kernel did that for memory. None: it did not.

    Of containers that are killed at the same time each takes one; where processes are counted alone, the first takes them all.
    """
    if counted.wholes > accounted.wholes:
        return Kills(counted.processes, accounted.wholes + 1)
    if counted.processes > accounted.processes:
        return replace(accounted, processes=counted.processes)
    return None
