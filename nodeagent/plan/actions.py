"""What a plan can ask its shell to do. Frozen, so that a plan can be compared, logged and tested."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from nodeagent.model.memory import Verdict, Waiting


@dataclass(frozen=True, slots=True)
class PrepareVolumes:
    """Write and mount what the pod's volumes show, and make its directories and cgroup."""


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    """The network and the namespaces of the pod; `early`: while its volumes are still being prepared."""

    attempt: int
    early: bool = False


@dataclass(frozen=True, slots=True)
class StopSandbox:
    id: str


@dataclass(frozen=True, slots=True)
class RemoveSandbox:
    id: str


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Pull the image if needed, create and start."""

    name: str
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class StopContainer:
    """Run the preStop hook, then ask it to end within `grace` seconds. Neighbours in a plan are stopped together.

    Between the two it waits until those in `after` have ended, as long as there is time.
    """

    id: str
    name: str
    grace: int
    message: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResizePod:
    """Give the pod's group, and these of its running containers, the limits they are to have now."""

    containers: tuple[tuple[str, str], ...] = ()  # id and name


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Unmount and remove volumes, remove the cgroup."""


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Tell the API server that nothing of the pod runs any more."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing of the pod is left here: remove its logs and end its worker."""


Action = (
    PrepareVolumes
    | CreateSandbox
    | StopSandbox
    | RemoveSandbox
    | StartContainer
    | StopContainer
    | ResizePod
    | RemoveContainer
    | CleanUp
    | DeleteObject
    | Forget
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, when to look again, and what was decided on the way.

    `verdict` is the agent's own end for the pod; `ended` says that it ran to its end. Either is to be remembered.
    """

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    verdict: Verdict | None = None
    ended: bool = False
    reset_for: float | None = None  # all containers begin anew, for one that ended then
    lacks_network: bool = False  # that is all it waits for

    @property
    def converged(self) -> bool:
        """Nothing to do until something happens."""
        return not self.actions and self.verdict is None and not self.ended


def earliest(*times: float | None) -> float | None:
    """The first of several times to wake up at."""
    return min((t for t in times if t is not None), default=None)


def together(actions: tuple[Action, ...]) -> list[Action]:
    """The first of them, and those after it that begin at the same time."""
    first, rest = actions[0], actions[1:]
    if isinstance(first, StopContainer):
        return [first, *takewhile(lambda action: isinstance(action, StopContainer), rest)]
    if isinstance(first, PrepareVolumes) and rest and isinstance(rest[0], CreateSandbox) and rest[0].early:
        return [first, rest[0]]
    return [first]
