"""The runtime as the agent sees it. Two implementations: `cri.client` over gRPC and `cri.fake` in memory; one suite for both.

Configurations travel as CRI messages, what is seen comes back as our own frozen facts. Every call may raise a
`RuntimeFault`; after `RuntimeTimeout` or `RuntimeAway` nobody knows whether it happened, so observe again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from nodeagent.model.seen import PodRef, SeenContainer, SeenSandbox
from proto import cri_v1_pb2 as pb

T = TypeVar("T")

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
SPEC_HASH = "io.kubernetes.container.hash"


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """Who is behind the door."""

    name: str
    version: str
    api: str


@dataclass(frozen=True, slots=True)
class Handler:
    """A way of running containers, and what it can do."""

    name: str
    recursive_read_only: bool = False
    user_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """Whether it can run pods; `problem` says why not. Older runtimes tell nothing of handlers and groups."""

    ready: bool
    network_ready: bool
    problem: str = ""
    network_problem: str = ""
    handlers: tuple[Handler, ...] = ()
    strict_groups: bool | None = None


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command in a container printed, and how it ended."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Streams:
    """Which streams of a process somebody wants; with `tty` what it writes comes as one."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


@dataclass(frozen=True, slots=True)
class SeenImage:
    """An image in the runtime's store."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size: int = 0
    pinned: bool = False
    uid: int | None = None
    username: str = ""


@dataclass(frozen=True, slots=True)
class Owned(Generic[T]):
    """Something of a pod, and whose it is."""

    pod: PodRef
    thing: T


@dataclass(frozen=True, slots=True)
class Exited:
    """Event: the process of a container or of a sandbox ended."""

    id: str
    code: int
    at: float


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """Event: the kernel killed something in this container for memory."""

    id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Event: something happened to this container or sandbox: look again."""

    id: str


RuntimeEvent = Exited | OutOfMemory | Changed


class Runtime(Protocol):
    """A container runtime."""

    async def version(self) -> RuntimeVersion: ...

    async def status(self) -> RuntimeStatus: ...

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str = "") -> str: ...

    async def stop_sandbox(self, ident: str) -> None: ...

    async def remove_sandbox(self, ident: str) -> None: ...

    async def sandbox(self, ident: str) -> SeenSandbox: ...

    async def sandboxes(self, uid: str = "") -> list[Owned[SeenSandbox]]:
        """All sandboxes, or those of one pod; without addresses."""

    async def create_container(
        self, sandbox_id: str, config: pb.ContainerConfig, sandbox: pb.PodSandboxConfig
    ) -> str: ...

    async def start_container(self, ident: str) -> None: ...

    async def stop_container(self, ident: str, grace: int) -> None:
        """Ask it to end; after `grace` seconds it is killed. Returns when it has ended. Unknown ones are fine."""

    async def remove_container(self, ident: str) -> None: ...

    async def update_resources(self, ident: str, resources: pb.LinuxContainerResources) -> None:
        """Give a running container other limits."""

    async def container(self, ident: str) -> SeenContainer: ...

    async def containers(self, uid: str = "") -> list[Owned[SeenContainer]]:
        """All containers, or those of one pod; without times of start and end, exit codes and reasons."""

    async def exec_sync(self, ident: str, command: list[str], timeout: float) -> ExecResult: ...

    async def exec(self, ident: str, command: list[str], streams: Streams) -> str:
        """Where to connect, once and within moments, to run a command in a container with streams."""

    async def attach(self, ident: str, streams: Streams) -> str:
        """Where to connect, once and within moments, to a container's own process."""

    async def port_forward(self, sandbox_id: str, ports: list[int]) -> str:
        """Where to connect, once and within moments, to ports of a pod; they may be named later, on the connection."""

    async def image(self, name: str) -> SeenImage | None: ...

    async def images(self) -> list[SeenImage]: ...

    async def pull(self, name: str, auth: pb.AuthConfig | None, sandbox: pb.PodSandboxConfig | None) -> str: ...

    async def remove_image(self, name: str) -> None: ...

    async def image_filesystems(self) -> list[pb.FilesystemUsage]:
        """The filesystems that images are kept on."""

    async def checkpoint(self, ident: str, location: str, seconds: int) -> None:
        """Write the state of a container's processes into a file; 0 seconds for the usual time limit."""

    async def pod_stats(self) -> list[pb.PodSandboxStats]: ...

    async def reopen_log(self, ident: str) -> None: ...

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens, as it happens. Raises `Unsupported` if the runtime tells nothing, `RuntimeAway` when it goes."""

    async def close(self) -> None: ...
