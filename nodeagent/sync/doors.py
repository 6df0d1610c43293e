"""What a pod's worker works with: every door it may use, in one place."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from api.core_v1 import Pod, PodStatus
from kit.clock import Clock
from kit.threads import Threads
from nodeagent.cri.port import Runtime
from nodeagent.csi.volumes import NoCsi
from nodeagent.images.puller import Puller
from nodeagent.model.memory import BackoffPolicy
from nodeagent.model.seen import SeenPod
from nodeagent.plan.status import NodeFacts
from nodeagent.render.references import Reference
from nodeagent.render.settings import NodeSettings, ResolvConf, Sources, Token, TokenWish
from nodeagent.report.tally import Tally
from nodeagent.sources.claims import NoClaims
from nodeagent.sources.tokens import NoTokens
from nodeagent.sync.cgroups import PodCgroups
from nodeagent.sync.slots import Slots
from nodeagent.volumes.images import Blocking, NoImages
from nodeagent.volumes.pod import PodVolumes
from nodeagent.volumes.resolved import Claimed, Resolved

NORMAL, WARNING = "Normal", "Warning"


class PodEvents(Protocol):
    """Tells users what happened to a pod."""

    def tell(self, pod: Pod, kind: str, reason: str, message: str, container: str = "") -> None: ...


class Reporter(Protocol):
    """Tells the API server how pods are."""

    def publish(self, pod: Pod, status: PodStatus) -> None:
        """This is the status now; sent soon, and only if it differs from the last."""

    def observed(self, pod: Pod) -> None:
        """The API server shows the pod like this."""

    def finish(self, pod: Pod, status: PodStatus) -> None:
        """Nothing of the pod runs any more and it is to be deleted: send the last status, then delete it."""

    def forget(self, uid: str) -> None:
        """The pod is gone."""


class ObjectSource(Protocol):
    """The ConfigMaps, Secrets and Services that pods need."""

    def hold(self, pod: Pod, references: set[Reference]) -> None: ...

    def release(self, uid: str) -> None: ...

    async def sources(self, pod: Pod, references: set[Reference]) -> Sources: ...


class TokenSource(Protocol):
    """The tokens of pods' accounts."""

    async def fetch(self, pod: Pod, more: tuple[TokenWish, ...] = ()) -> dict[TokenWish, Token]: ...

    def release(self, uid: str) -> None: ...


class ClaimSource(Protocol):
    """What is behind the claims of pods."""

    async def fetch(self, pod: Pod) -> dict[str, Claimed]: ...


class StorageDrivers(Protocol):
    """Volumes that storage drivers show to pods."""

    async def publish(self, pod: Pod, volumes: list[Resolved]) -> None: ...

    async def unpublish(self, uid: str) -> None: ...


class Classes(Protocol):
    """How pods are to be run."""

    async def handler(self, pod: Pod) -> str: ...


class UsualHandler:
    """Every pod is run in the usual way."""

    async def handler(self, pod: Pod) -> str:
        """The runtime's own."""
        return ""


class ImageMounts(Protocol):
    """Images that pods have as volumes."""

    async def show(self, uid: str, name: str, image: str, blocking: Blocking) -> None: ...

    async def take(self, uid: str) -> None: ...


class Probing(Protocol):
    """Checks running containers."""

    def follow(self, pod: Pod, seen: SeenPod) -> None: ...

    def forget(self, uid: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """Everything a worker may touch."""

    runtime: Runtime
    puller: Puller
    volumes: PodVolumes
    cgroups: PodCgroups
    objects: ObjectSource
    events: PodEvents
    reporter: Reporter
    probing: Probing
    clock: Clock
    settings: NodeSettings
    facts: NodeFacts
    slots: Slots
    tokens: TokenSource = field(default_factory=NoTokens)
    claims: ClaimSource = field(default_factory=NoClaims)
    drivers: StorageDrivers = field(default_factory=NoCsi)
    image_volumes: ImageMounts = field(default_factory=NoImages)
    classes: Classes = field(default_factory=UsualHandler)
    resolver: Callable[[], ResolvConf] = ResolvConf  # where the host asks for names at this moment
    policy: BackoffPolicy = field(default_factory=BackoffPolicy)
    tally: Tally = field(default_factory=Tally)
    pulled: Callable[[str, float], None] = lambda uid, seconds: None  # an image had to be pulled for a pod
    register: Callable[[str, str], None] = lambda ident, uid: None
    network_problem: Callable[[], str] = lambda: "container runtime network not ready"
    blocking: Blocking = field(default_factory=lambda: Threads("volume", 8).run)  # for work on our own disks
    patient: Blocking = field(default_factory=lambda: Threads("far-volume", 64).run)  # for work that others may hold up

    def node(self) -> NodeSettings:
        """The settings, with what may be another at any moment."""
        return replace(self.settings, resolv_conf=self.resolver())
