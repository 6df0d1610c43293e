"""CRI messages as our own facts."""

from collections.abc import Mapping

from nodeagent.cri.port import (
    CONTAINER_NAME,
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    SPEC_HASH,
    Handler,
    Owned,
    RuntimeStatus,
    SeenImage,
)
from nodeagent.model.seen import ContainerState, Limits, PodRef, SeenContainer, SeenSandbox, User
from proto import cri_v1_pb2 as pb

NANO = 1e9
_STATES = {
    pb.CONTAINER_CREATED: ContainerState.CREATED,
    pb.CONTAINER_RUNNING: ContainerState.RUNNING,
    pb.CONTAINER_EXITED: ContainerState.EXITED,
}


def moment(nanoseconds: int) -> float:
    """Seconds since 1970; 0 for a time that never was, which containerd may tell as one in the year 1."""
    return max(0, nanoseconds) / NANO


def status(answer: pb.StatusResponse) -> RuntimeStatus:
    """The two conditions that matter, and what the runtime can do."""
    found = answer.status
    named = {condition.type: condition for condition in found.conditions}
    runtime, network = named.get("RuntimeReady"), named.get("NetworkReady")
    return RuntimeStatus(
        ready=runtime is not None and runtime.status,
        network_ready=network is not None and network.status,
        problem="" if runtime and runtime.status else _problem(runtime, "RuntimeReady"),
        network_problem="" if network and network.status else _problem(network, "NetworkReady"),
        handlers=tuple(
            Handler(h.name, h.features.recursive_read_only_mounts, h.features.user_namespaces)
            for h in answer.runtime_handlers
        ),
        strict_groups=answer.features.supplemental_groups_policy if answer.HasField("features") else None,
    )


def _problem(condition: pb.RuntimeCondition | None, name: str) -> str:
    if condition is None:
        return f"{name}=unknown"
    return f"{name}=false reason:{condition.reason} message:{condition.message}"


def sandbox(found: pb.PodSandbox) -> Owned[SeenSandbox]:
    """From a listing: no addresses."""
    seen = SeenSandbox(found.id, found.metadata.attempt, found.state == pb.SANDBOX_READY, moment(found.created_at))
    return Owned(_owner(found.labels), seen)


def sandbox_status(found: pb.PodSandboxStatus) -> SeenSandbox:
    """With addresses."""
    first = [found.network.ip] if found.network.ip else []
    return SeenSandbox(
        id=found.id,
        attempt=found.metadata.attempt,
        ready=found.state == pb.SANDBOX_READY,
        created_at=moment(found.created_at),
        ips=(*first, *(more.ip for more in found.network.additional_ips)),
        host_network=found.linux.namespaces.options.network == pb.NODE,
    )


def container(found: pb.Container) -> Owned[SeenContainer]:
    """From a listing: no times and no exit code."""
    labels = found.labels
    seen = SeenContainer(
        id=found.id,
        sandbox_id=found.pod_sandbox_id,
        name=labels.get(CONTAINER_NAME, found.metadata.name),
        attempt=found.metadata.attempt,
        state=_STATES.get(found.state, ContainerState.UNKNOWN),
        created_at=moment(found.created_at),
        image=found.image.image,
        image_ref=found.image_ref,
        spec_hash=found.annotations.get(SPEC_HASH, ""),
    )
    return Owned(_owner(labels), seen)


def _owner(labels: Mapping[str, str]) -> PodRef:
    """The pod that labels name; what somebody made by hand has none, and no uid."""
    return PodRef(labels.get(POD_UID, ""), labels.get(POD_NAMESPACE, ""), labels.get(POD_NAME, ""))


def container_status(found: pb.ContainerStatus) -> SeenContainer:
    """Everything but the sandbox, which only listings name."""
    return SeenContainer(
        id=found.id,
        sandbox_id="",
        name=found.labels.get(CONTAINER_NAME, found.metadata.name),
        attempt=found.metadata.attempt,
        state=_STATES.get(found.state, ContainerState.UNKNOWN),
        created_at=moment(found.created_at),
        started_at=moment(found.started_at),
        finished_at=moment(found.finished_at),
        exit_code=found.exit_code,
        reason=found.reason,
        message=found.message,
        image=found.image.image,
        image_ref=found.image_ref,
        spec_hash=found.annotations.get(SPEC_HASH, ""),
        log_path=found.log_path,
        limits=limits_of(found.resources.linux) if found.resources.HasField("linux") else None,
        user=_user(found.user.linux) if found.user.HasField("linux") else None,
    )


def limits_of(found: pb.LinuxContainerResources) -> Limits:
    """What a container may use."""
    quota = found.cpu_quota if found.cpu_quota > 0 else -1
    return Limits(int(found.cpu_shares), int(quota), max(0, int(found.memory_limit_in_bytes)))


def _user(found: pb.LinuxContainerUser) -> User:
    return User(found.uid, found.gid, tuple(found.supplemental_groups))


def image(found: pb.Image) -> SeenImage:
    """One image."""
    return SeenImage(
        id=found.id,
        tags=tuple(found.repo_tags),
        digests=tuple(found.repo_digests),
        size=found.size,
        pinned=found.pinned,
        uid=found.uid.value if found.HasField("uid") else None,
        username=found.username,
    )
