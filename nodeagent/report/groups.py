"""Control groups, with a watch on how long work on them takes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kit.clock import Clock
from linux.cgroup import Cgroups, Limits


@dataclass(slots=True)
class TimedCgroups:
    """Passes everything on; `took` hears of seconds and of what was done: `create`, `update` or `destroy`."""

    inner: Cgroups
    clock: Clock
    took: Callable[[float, str], object]
    version: int = field(init=False)
    _made: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.version = self.inner.version

    def ensure(self, path: str, limits: Limits) -> None:
        """Make the group or give it other limits."""
        began = self.clock.monotonic()
        self.inner.ensure(path, limits)
        self.took(self.clock.monotonic() - began, "update" if path in self._made else "create")
        self._made.add(path)

    def remove(self, path: str) -> None:
        """Remove the group."""
        began = self.clock.monotonic()
        self.inner.remove(path)
        if path in self._made:
            self._made.discard(path)
            self.took(self.clock.monotonic() - began, "destroy")

    def kill(self, path: str) -> int:
        """Kill what runs in the group."""
        return self.inner.kill(path)

    def children(self, path: str) -> list[str]:
        """The groups directly below."""
        return self.inner.children(path)

    def kills(self, path: str) -> tuple[int, int]:
        """What the kernel killed there."""
        return self.inner.kills(path)
