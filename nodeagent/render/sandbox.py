"""The sandbox of a pod as a CRI message."""

from api.core_v1 import Pod, PodSecurityContext
from nodeagent.cri.port import POD_NAME, POD_NAMESPACE, POD_UID
from nodeagent.model.seen import SeenContainer
from nodeagent.model.spec import all_containers, is_host_network, ref_of
from nodeagent.render.network import kernel_hostname, resolv_conf
from nodeagent.render.settings import NodeSettings
from proto import cri_v1_pb2 as pb

PROTOCOLS = {"TCP": pb.TCP, "UDP": pb.UDP, "SCTP": pb.SCTP}


def build_sandbox(pod: Pod, attempt: int, cgroup_parent: str, node: NodeSettings) -> pb.PodSandboxConfig:
    """Everything the runtime needs for RunPodSandbox."""
    ref = ref_of(pod)
    dns = resolv_conf(pod, node)
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=ref.name, uid=ref.uid, namespace=ref.namespace, attempt=attempt),
        hostname="" if is_host_network(pod) else kernel_hostname(pod, node),
        log_directory=log_directory(pod, node),
        dns_config=pb.DNSConfig(servers=dns.servers, searches=dns.searches, options=dns.options),
        port_mappings=port_mappings(pod),
        labels={**pod.metadata.labels, POD_NAME: ref.name, POD_NAMESPACE: ref.namespace, POD_UID: ref.uid},
        annotations=pod.metadata.annotations,
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=cgroup_parent,
            security_context=_security(pod),
            sysctls={s.name: s.value for s in _context(pod).sysctls},
        ),
    )


def log_directory(pod: Pod, node: NodeSettings) -> str:
    """Where the logs of a pod's containers are."""
    ref = ref_of(pod)
    return f"{node.pod_logs}/{ref.namespace}_{ref.name}_{ref.uid}"


def log_file(pod: Pod, container: SeenContainer, node: NodeSettings) -> str:
    """Where the log of a container is: the runtime knows best, but does not tell it in lists."""
    return container.log_path or f"{log_directory(pod, node)}/{container.name}/{container.attempt}.log"


def port_mappings(pod: Pod) -> list[pb.PortMapping]:
    """The ports of its containers; those without a host port are told too, as upstream does."""
    return [
        pb.PortMapping(
            protocol=PROTOCOLS.get(port.protocol or "TCP", pb.TCP),
            container_port=port.container_port,
            host_port=port.host_port or 0,
            host_ip=port.host_ip or "",
        )
        for container in pod.spec.containers
        for port in container.ports
    ]


def namespaces(pod: Pod) -> pb.NamespaceOption:
    """What the pod shares with the host, and its containers with each other."""
    pid = pb.NODE if pod.spec.host_pid else pb.POD if pod.spec.share_process_namespace else pb.CONTAINER
    return pb.NamespaceOption(
        network=pb.NODE if is_host_network(pod) else pb.POD,
        ipc=pb.NODE if pod.spec.host_ipc else pb.POD,
        pid=pid,
    )


def supplemental_groups(pod: Pod) -> list[int]:
    """The pod's groups: that of its volumes first."""
    context = _context(pod)
    return ([context.fs_group] if context.fs_group is not None else []) + context.supplemental_groups


def _context(pod: Pod) -> PodSecurityContext:
    return pod.spec.security_context or PodSecurityContext()


def _security(pod: Pod) -> pb.LinuxSandboxSecurityContext:
    context = _context(pod)
    privileged = any(c.security_context is not None and c.security_context.privileged for c in all_containers(pod))
    security = pb.LinuxSandboxSecurityContext(
        namespace_options=namespaces(pod),
        supplemental_groups=supplemental_groups(pod),
        privileged=bool(privileged),
        seccomp=pb.SecurityProfile(profile_type=pb.SecurityProfile.RuntimeDefault),
        supplemental_groups_policy=pb.Strict if context.supplemental_groups_policy == "Strict" else pb.Merge,
    )
    if context.run_as_user is not None:
        security.run_as_user.value = context.run_as_user
    if context.run_as_group is not None:
        security.run_as_group.value = context.run_as_group
    if (labels := context.se_linux_options) is not None:
        option = pb.SELinuxOption(user=labels.user, role=labels.role, type=labels.type, level=labels.level)
        security.selinux_options.CopyFrom(option)
    return security
