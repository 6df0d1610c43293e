"""What a node says of itself, computed from what is known of machine and runtime. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from api import times
from api.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeFeatures,
    NodeRuntimeHandler,
    NodeRuntimeHandlerFeatures,
    NodeSpec,
    NodeStatus,
    NodeSwapStatus,
    NodeSystemInfo,
)
from api.meta_v1 import ObjectMeta
from nodeagent.cri.port import RuntimeStatus, SeenImage
from nodeagent.report.facts import VERSION, MachineFacts

MAX_IMAGES, MAX_NAMES = 50, 5
FEATURES = (  # what newer pods ask of a node
    "InPlacePodLevelResourcesVerticalScaling",
    "InPlacePodVerticalScalingInitContainers",
    "RestartAllContainersOnContainerExits",
)
# Of each condition: what is told while all is well, and what when it is not.
_PRESSURES = (
    (
        "MemoryPressure",
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    (
        "DiskPressure",
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    (
        "PIDPressure",
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What does not change while the agent runs."""

    name: str
    addresses: tuple[str, ...]
    port: int
    max_pods: int
    machine: MachineFacts


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What keeps the node from being ready, if anything; and the conditions of what runs low."""

    problem: str = ""
    pressures: Collection[str] = ()


def initial_node(identity: NodeIdentity) -> Node:
    """The object with which a node registers."""
    machine = identity.machine
    labels = {
        "kubernetes.io/hostname": identity.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": machine.architecture,
    }
    annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    return Node(metadata=ObjectMeta(name=identity.name, labels=labels, annotations=annotations), spec=NodeSpec())


def compute_node_status(
    identity: NodeIdentity,
    health: NodeHealth,
    runtime: str,
    images: list[SeenImage],
    old: list[NodeCondition],
    now: float,
) -> NodeStatus:
    """The whole status. Transition times move only when a condition does."""
    machine = identity.machine
    addresses = [NodeAddress(type="InternalIP", address=address) for address in identity.addresses]
    return NodeStatus(
        capacity=machine.capacity(identity.max_pods),
        allocatable=machine.allocatable(identity.max_pods),
        conditions=_conditions(health, old, now),
        addresses=[*addresses, NodeAddress(type="Hostname", address=identity.name)],
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=identity.port)),
        node_info=NodeSystemInfo(
            machine_id=machine.machine_id,
            system_uuid=machine.system_uuid,
            boot_id=machine.boot_id,
            kernel_version=machine.kernel,
            os_image=machine.os_image,
            container_runtime_version=runtime,
            kubelet_version=VERSION,
            operating_system="linux",
            architecture=machine.architecture,
            swap=NodeSwapStatus(capacity=machine.swap) if machine.swap else None,
        ),
        images=[
            ContainerImage(names=[*image.digests, *image.tags][:MAX_NAMES], size_bytes=image.size)
            for image in sorted(images, key=lambda i: i.size, reverse=True)[:MAX_IMAGES]
        ],
        declared_features=list(FEATURES),
    )


def tell_runtime(status: NodeStatus, runtime: RuntimeStatus) -> None:
    """What the runtime says that it can do; one that says nothing leaves nothing."""
    status.runtime_handlers = [
        NodeRuntimeHandler(
            name=handler.name,
            features=NodeRuntimeHandlerFeatures(
                recursive_read_only_mounts=handler.recursive_read_only, user_namespaces=handler.user_namespaces
            ),
        )
        for handler in sorted(runtime.handlers, key=lambda h: h.name)
    ]
    if runtime.strict_groups is not None:
        status.features = NodeFeatures(supplemental_groups_policy=runtime.strict_groups)


def tell_others(status: NodeStatus, others: Mapping[str, str]) -> None:
    """Resources that somebody else has given the node: pods may have all of them."""
    status.capacity = {**others, **status.capacity}
    status.allocatable = {**others, **status.allocatable}


def foreign_resources(capacity: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """What a node's object says it has that its machine does not know of."""
    return {name: amount for name, amount in capacity.items() if name not in own and not name.startswith("hugepages-")}


def _conditions(health: NodeHealth, old: list[NodeCondition], now: float) -> list[NodeCondition]:
    wanted = [
        (kind, str(kind in health.pressures), *(low if kind in health.pressures else fine))
        for kind, fine, low in _PRESSURES
    ]
    if health.problem:
        wanted.append(("Ready", "False", "KubeletNotReady", health.problem))
    else:
        wanted.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    before = {c.type: c for c in old}
    stamp = times.format_time(now)
    conditions = []
    for kind, status, reason, message in wanted:
        last = before.get(kind)
        since = last.last_transition_time if last is not None and last.status == status else stamp
        conditions.append(NodeCondition(kind, status, stamp, since, reason, message))
    return conditions


def runtime_problem(status: RuntimeStatus, unwritten: str = "") -> str:
    """What the node's readiness lacks, in upstream's words; `unwritten` is why the runtime could not be told of the pod network."""
    if not status.ready:
        return f"container runtime not ready: {status.problem}"
    if status.network_ready and not unwritten:
        return ""
    mine = f"NetworkReady=false reason:NetworkPluginNotReady message:cni config uninitialized: {unwritten}"
    return f"container runtime network not ready: {mine if unwritten else status.network_problem}"


def changed_pressures(before: Collection[str], now: Collection[str]) -> Iterator[str]:
    """How Events name the conditions that are others now."""
    for kind, fine, low in _PRESSURES:
        if (kind in now) != (kind in before):
            yield (low if kind in now else fine)[0].replace("Kubelet", "Node")
