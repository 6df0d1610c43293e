"""Questions about a pod's specification that plans, statuses and renderers all ask."""

import hashlib
from collections.abc import Iterator

from api.core_v1 import Container, ContainerStatus, EphemeralContainer, Pod, Volume
from nodeagent.model.seen import PodRef

AnyContainer = Container | EphemeralContainer
ROOT_CA = "kube-root-ca.crt"  # the ConfigMap that every namespace has
APPARMOR_KEY = "container.apparmor.security.beta.kubernetes.io/"  # of annotations; the container's name follows


def ref_of(pod: Pod) -> PodRef:
    """Who this pod is."""
    meta = pod.metadata
    return PodRef(meta.uid or "", meta.namespace or "", meta.name or "")


def long_name(pod: Pod) -> str:
    """A pod as messages name it."""
    ref = ref_of(pod)
    return f"{ref.name}_{ref.namespace}({ref.uid})"


def is_sidecar(container: AnyContainer) -> bool:
    """Whether an init container keeps running beside the others."""
    return container.restart_policy == "Always"


def sidecars(pod: Pod) -> list[str]:
    """The names of the sidecars in their order of starting."""
    return [c.name for c in pod.spec.init_containers if is_sidecar(c)]


def all_containers(pod: Pod) -> Iterator[AnyContainer]:
    """Init, app and ephemeral containers in this order."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from pod.spec.ephemeral_containers


def container_named(pod: Pod, name: str) -> AnyContainer | None:
    """The container of that name, of whatever sort."""
    return next((c for c in all_containers(pod) if c.name == name), None)


def container_type(pod: Pod, name: str) -> str:
    """What sort of container that is, as dashboards name it."""
    if any(c.name == name for c in pod.spec.init_containers):
        return "init_container"
    return "ephemeral_container" if any(c.name == name for c in pod.spec.ephemeral_containers) else "container"


def status_named(pod: Pod, name: str) -> ContainerStatus | None:
    """What the API server last heard of that container."""
    status = pod.status
    lists = (status.container_statuses, status.init_container_statuses, status.ephemeral_container_statuses)
    return next((s for statuses in lists for s in statuses if s.name == name), None)


def matching_rule(container: Container, exit_code: int) -> str:
    """What the first of its rules that fits says; empty if none does."""
    for rule in container.restart_policy_rules if container.restart_policy is not None else ():
        codes = rule.exit_codes
        if codes is not None and (exit_code in codes.values) == (codes.operator == "In"):
            return rule.action
    return ""


def should_restart(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether a container that ended with this code is to run again."""
    policy = pod.spec.restart_policy or "Always"
    if container.restart_policy is not None:
        if matching_rule(container, exit_code) in ("Restart", "RestartAllContainers"):
            return True
        policy = container.restart_policy
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def spec_hash(container: AnyContainer) -> str:
    """Changes when a running container must be replaced: only its image can."""
    return hashlib.blake2b(f"{container.name}\0{container.image}".encode(), digest_size=8).hexdigest()


def is_terminal(pod: Pod) -> bool:
    """Whether the API server already holds a final phase."""
    return pod.status.phase in ("Succeeded", "Failed")


def is_host_network(pod: Pod) -> bool:
    return bool(pod.spec.host_network)


def has_usual_volumes(pod: Pod) -> bool:
    """Whether its volumes need nothing that its owner could have forgotten, so that the sandbox need not wait for them."""
    return all(_is_usual(volume) for volume in pod.spec.volumes)


def _is_usual(volume: Volume) -> bool:
    if volume.projected is None:
        return volume.empty_dir is not None or volume.downward_api is not None
    return all(
        source.service_account_token is not None
        or source.downward_api is not None
        or (source.config_map is not None and source.config_map.name == ROOT_CA)
        for source in volume.projected.sources
    )
