"""What the runtime shows of pods: frozen facts, newest first.

A container that was once seen to have exited stays exited (`overlay`): the runtime's event about an exit comes tens of
milliseconds before its own listings know of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum


class ContainerState(Enum):
    """Where a container is in its life."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a control group is given. Quota -1 and memory 0 mean no limit."""

    shares: int
    quota: int = -1
    memory: int = 0


@dataclass(frozen=True, slots=True)
class User:
    """Whom a container's first process runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenContainer:
    """A container as the runtime knows it. Times are seconds since 1970, 0 when not known."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    state: ContainerState
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_ref: str = ""
    spec_hash: str = ""
    log_path: str = ""
    limits: Limits | None = None  # not every runtime tells
    user: User | None = None

    @property
    def running(self) -> bool:
        return self.state is ContainerState.RUNNING

    @property
    def exited(self) -> bool:
        return self.state is ContainerState.EXITED

    @property
    def failed(self) -> bool:
        """It ended, and not well."""
        return self.exited and self.exit_code != 0


@dataclass(frozen=True, slots=True)
class SeenSandbox:
    """A pod sandbox as the runtime knows it; addresses only when its status was asked for."""

    id: str
    attempt: int
    ready: bool
    created_at: float = 0.0
    ips: tuple[str, ...] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class PodRef:
    """Who a pod is."""

    uid: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended, as an event told it."""

    code: int
    at: float

    @property
    def reason(self) -> str:
        """The word that statuses show, unless more is known."""
        return "Completed" if self.code == 0 else "Error"


@dataclass(frozen=True, slots=True)
class SeenPod:
    """All that the runtime holds for one pod, newest first."""

    sandboxes: tuple[SeenSandbox, ...] = ()
    containers: tuple[SeenContainer, ...] = ()

    @classmethod
    def of(cls, sandboxes: Iterable[SeenSandbox], containers: Iterable[SeenContainer]) -> "SeenPod":
        """Put in order: newest first."""
        return cls(
            tuple(sorted(sandboxes, key=lambda s: (s.created_at, s.attempt), reverse=True)),
            tuple(sorted(containers, key=lambda c: (c.created_at, c.attempt), reverse=True)),
        )

    @property
    def sandbox(self) -> SeenSandbox | None:
        """The newest sandbox."""
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def empty(self) -> bool:
        return not self.sandboxes and not self.containers

    def container(self, name: str) -> SeenContainer | None:
        """The newest container of that name, in whatever sandbox."""
        return next((c for c in self.containers if c.name == name), None)

    def current(self, name: str) -> SeenContainer | None:
        """The newest container of that name in the newest sandbox."""
        sandbox = self.sandbox
        return next((c for c in self.containers if sandbox and c.name == name and c.sandbox_id == sandbox.id), None)

    def running(self) -> list[SeenContainer]:
        """Everything that runs, or may run."""
        return [c for c in self.containers if c.state in (ContainerState.RUNNING, ContainerState.UNKNOWN)]

    def with_sandbox(self, sandbox: SeenSandbox) -> "SeenPod":
        """The same with this sandbox added or replaced."""
        rest = [s for s in self.sandboxes if s.id != sandbox.id]
        return SeenPod.of([sandbox, *rest], self.containers)

    def with_container(self, container: SeenContainer) -> "SeenPod":
        """The same with this container added or replaced."""
        rest = [c for c in self.containers if c.id != container.id]
        return SeenPod.of(self.sandboxes, [container, *rest])

    def without(self, ident: str) -> "SeenPod":
        """The same without that container, or without that sandbox and all in it."""
        return SeenPod(
            tuple(s for s in self.sandboxes if s.id != ident),
            tuple(c for c in self.containers if ident not in (c.id, c.sandbox_id)),
        )

    def overlay(self, exits: Mapping[str, Exit]) -> "SeenPod":
        """The same with what events told about exits."""
        if not exits:
            return self
        return SeenPod(
            tuple(replace(s, ready=False) if s.ready and s.id in exits else s for s in self.sandboxes),
            tuple(_exited(c, exits[c.id]) if not c.exited and c.id in exits else c for c in self.containers),
        )


def _exited(container: SeenContainer, how: Exit) -> SeenContainer:
    return replace(
        container,
        state=ContainerState.EXITED,
        exit_code=how.code,
        finished_at=how.at,
        reason=how.reason,
    )
