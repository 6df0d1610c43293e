"""What all controllers are made of, and how they are run."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from api.kinds import Kind
from client import Client
from client.errors import ApiError, Forbidden
from controlplane.controllers.informers import Informers
from controlplane.controllers.seen import Seen
from controlplane.controllers.settings import Settings
from controlplane.recorder import Recorder, Subject
from kit.backoff import Backoff
from kit.clock import Clock
from kit.queue import WorkQueue
from kit.supervisor import Supervisor
from kit.workers import run_workers


@dataclass(frozen=True, slots=True)
class Context:
    """What a controller is given."""

    client: Client
    clock: Clock
    informers: Informers
    settings: Settings = field(default_factory=Settings)
    rng: random.Random = field(default_factory=random.Random)

    def queue(self) -> WorkQueue[str]:
        """A queue whose back-offs follow this context's randomness."""
        return WorkQueue(self.clock, Backoff(base=0.005, cap=60.0, jitter=0.2, rng=self.rng))

    def recorder(self, component: str) -> Recorder:
        """A voice of its own; the controller lists it among its `recorders`, so that it is run."""
        return Recorder(self.client, self.clock, component, self.rng)


class Controller(Protocol):
    """Subscribes to caches when it is made, and looks at keys when they come up."""

    name: str
    workers: int
    queue: WorkQueue[str]

    @property
    def recorder(self) -> Recorder | None: ...

    async def reconcile(self, key: str) -> float | None:
        """Make what is seen into what is wanted; answer after how many seconds to look again, if at all."""


Factory = Callable[[Context], Controller]


def start(controller: Controller, supervisor: Supervisor) -> None:
    """Run the controller's workers. An answer of the API server that is an error is expected; anything else is a bug."""
    if controller.recorder is not None:
        supervisor.spawn(f"{controller.name}-events", controller.recorder.run, restart=True)
    run_workers(
        controller.queue,
        controller.reconcile,
        controller.workers,
        supervisor,
        name=controller.name,
        expected=(ApiError,),
    )


def subject(kind: Kind[Any], item: Seen) -> Subject:
    """Whom an event is about."""
    return Subject(kind.api_version, kind.name, item.namespace, item.name, item.uid)


def namespace_ends(error: ApiError) -> bool:
    """Nothing can be created in a namespace on its way out, and nothing needs to be."""
    details = error.status.details
    causes = details.causes if details else []
    return isinstance(error, Forbidden) and any(cause.reason == "NamespaceTerminating" for cause in causes)
