"""A container as a CRI message."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field

from api import quantity
from api.core_v1 import Pod
from nodeagent.cri.port import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID, SPEC_HASH, SeenImage
from nodeagent.model.spec import AnyContainer, ref_of, spec_hash
from nodeagent.plan import qos
from nodeagent.render.environment import expand
from nodeagent.render.mounts import Place, build_devices, build_volume_mounts
from nodeagent.render.security import build_security
from nodeagent.render.settings import ConfigProblem, NodeSettings
from proto import cri_v1_pb2 as pb

HUGE = "hugepages-"


@dataclass(frozen=True, slots=True)
class ContainerInputs:
    """What is known when a container is made, besides the pod."""

    attempt: int
    image: SeenImage
    environment: Mapping[str, str]
    volumes: Mapping[str, Place]
    hosts_file: str = ""
    target_id: str = ""  # ephemeral containers: whose processes to see
    subpaths: Mapping[int, str] = field(default_factory=dict)  # index of a mount -> the part of its volume, on the host
    recursive_read_only: bool = False  # whether the runtime can do that


def build_container(
    pod: Pod, container: AnyContainer, inputs: ContainerInputs, node: NodeSettings
) -> pb.ContainerConfig:
    """Everything the runtime needs for CreateContainer."""
    environment = inputs.environment
    linux = pb.LinuxContainerConfig(
        resources=build_resources(pod, container, node),
        security_context=build_security(pod, container, inputs.image, f"{node.root_dir}/seccomp", node.seccomp_default),
    )
    if inputs.target_id and not (pod.spec.host_pid or pod.spec.share_process_namespace):
        linux.security_context.namespace_options.pid = pb.TARGET
        linux.security_context.namespace_options.target_id = inputs.target_id
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=container.name, attempt=inputs.attempt),
        image=pb.ImageSpec(image=inputs.image.id, user_specified_image=container.image or ""),
        command=[expand(word, environment) for word in container.command],
        args=[expand(word, environment) for word in container.args],
        working_dir=container.working_dir or "",
        envs=[pb.KeyValue(key=key, value=value.encode()) for key, value in environment.items()],
        mounts=build_mounts(pod, container, inputs, node),
        devices=build_devices(container, inputs.volumes),
        labels=_labels(pod, container),
        annotations=_annotations(pod, container, inputs.attempt),
        log_path=f"{container.name}/{inputs.attempt}.log",
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdin_once),
        tty=bool(container.tty),
        linux=linux,
        stop_signal=_stop_signal(container),
    )


def build_resources(pod: Pod, container: AnyContainer, node: NodeSettings) -> pb.LinuxContainerResources:
    """Shares, quota, memory, huge pages and who dies first."""
    limits = qos.container_limits(pod, container)
    return pb.LinuxContainerResources(
        cpu_period=qos.PERIOD,
        cpu_quota=max(limits.quota, 0),
        cpu_shares=limits.shares,
        memory_limit_in_bytes=limits.memory,
        oom_score_adj=qos.oom_score_adj(pod, container, node.memory_capacity),
        hugepage_limits=_hugepage_limits(pod, container, node),
        unified=node.unified,
    )


def _hugepage_limits(pod: Pod, container: AnyContainer, node: NodeSettings) -> list[pb.HugepageLimit]:
    """For each size of huge pages that the node has: who asks for none gets none."""
    own = container.resources.limits if container.resources is not None else {}
    whole = pod.spec.resources.limits if pod.spec.resources is not None else {}
    limits = {**whole, **own}
    return [
        pb.HugepageLimit(
            page_size=_unit(quantity.ceil(name.removeprefix(HUGE))), limit=quantity.ceil(limits.get(name, "0"))
        )
        for name in sorted(node.allocatable)
        if name.startswith(HUGE)
    ]


def _unit(size: int) -> str:
    """As kernel and runtime name a size of pages."""
    for shift, name in ((30, "GB"), (20, "MB")):
        if size >= 1 << shift:
            return f"{size >> shift}{name}"
    return f"{size >> 10}KB"


def build_mounts(pod: Pod, container: AnyContainer, inputs: ContainerInputs, node: NodeSettings) -> list[pb.Mount]:
    """Volumes, /etc/hosts and the file for the termination message."""
    mounts = build_volume_mounts(container, inputs.volumes, inputs.subpaths, inputs.recursive_read_only)
    taken = {mount.container_path for mount in mounts}
    if inputs.hosts_file and "/etc/hosts" not in taken:
        mounts.append(pb.Mount(container_path="/etc/hosts", host_path=inputs.hosts_file))
    if container.termination_message_path:
        source = termination_file(pod, container.name, inputs.attempt, node)
        mounts.append(pb.Mount(container_path=container.termination_message_path, host_path=source))
    return mounts


def pod_directory(uid: str, node: NodeSettings) -> str:
    """Where the agent keeps what belongs to a pod."""
    return f"{node.root_dir}/pods/{uid}"


def termination_file(pod: Pod, name: str, attempt: int, node: NodeSettings) -> str:
    """Where a container leaves its last words, on the host."""
    return f"{pod_directory(pod.metadata.uid or '', node)}/containers/{name}/{attempt}"


def _labels(pod: Pod, container: AnyContainer) -> dict[str, str]:
    ref = ref_of(pod)
    return {POD_NAME: ref.name, POD_NAMESPACE: ref.namespace, POD_UID: ref.uid, CONTAINER_NAME: container.name}


def _annotations(pod: Pod, container: AnyContainer, attempt: int) -> dict[str, str]:
    annotations = {
        SPEC_HASH: spec_hash(container),
        "io.kubernetes.container.restartCount": str(attempt),
        "io.kubernetes.container.terminationMessagePath": container.termination_message_path or "",
        "io.kubernetes.container.terminationMessagePolicy": container.termination_message_policy or "",
    }
    if pod.spec.termination_grace_period_seconds is not None:
        annotations["io.kubernetes.pod.terminationGracePeriod"] = str(pod.spec.termination_grace_period_seconds)
    return annotations


def _stop_signal(container: AnyContainer) -> pb.Signal:
    wanted = container.lifecycle.stop_signal if container.lifecycle is not None else None
    if not wanted:
        return pb.RUNTIME_DEFAULT
    try:
        return typing.cast(pb.Signal, pb.Signal.Value(wanted.replace("+", "PLUS").replace("-", "MINUS")))
    except ValueError:
        raise ConfigProblem(f"unknown stop signal {wanted}") from None
