"""Defaults of Pods, and of the pod templates in workloads."""

from typing import Any

from api import images, quantity, resources
from api.core_v1 import (
    Container,
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    EnvVar,
    EphemeralContainer,
    HTTPGetAction,
    LifecycleHandler,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    PodSpec,
    Probe,
    ResourceFieldSelector,
    Volume,
)
from api.fields import Type, fields_of

_FILE_MODE = 0o644
_VOLUME_DEFAULTS: dict[str, dict[str, Any]] = {
    "secret": {"default_mode": _FILE_MODE},
    "config_map": {"default_mode": _FILE_MODE},
    "downward_api": {"default_mode": _FILE_MODE},
    "projected": {"default_mode": _FILE_MODE},
    "host_path": {"type": ""},
    "iscsi": {"iscsi_interface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azure_disk": {"caching_mode": "ReadWrite", "fs_type": "ext4", "read_only": False, "kind": "Shared"},
    "scale_io": {"storage_mode": "ThinProvisioned", "fs_type": "xfs"},
}


def pod(obj: Pod) -> None:
    """Defaults of a Pod: those of its spec, and some that templates do not get."""
    spec = obj.spec
    pod_spec(spec)
    for container in (*spec.containers, *spec.init_containers):
        if container.resources is not None and container.resources.limits:
            container.resources.requests = container.resources.limits | container.resources.requests
        if spec.host_network:
            for port in container.ports:
                port.host_port = port.host_port or port.container_port
    _pod_level_requests(spec)
    if (spec.termination_grace_period_seconds or 0) < 0:
        spec.termination_grace_period_seconds = 1
    if spec.enable_service_links is None:
        spec.enable_service_links = True


def _pod_level_requests(spec: PodSpec) -> None:
    """Requests of the pod as a whole, if it has limits: what the containers ask for, else the limits."""
    if spec.resources is None or not spec.resources.limits:
        return
    requests = dict(spec.resources.requests)
    try:
        of_containers = resources.container_requests(spec)
    except quantity.QuantityError:
        return  # validation will say where
    for name, limit in spec.resources.limits.items():
        if name in resources.POD_LEVEL and name not in requests:
            amount = of_containers.get(name)
            requests[name] = limit if amount is None else quantity.format_quantity(*amount)
    for name in sorted(resources.POD_LEVEL & of_containers.keys() - requests.keys()):
        requests[name] = quantity.format_quantity(*of_containers[name])
    spec.resources.requests = requests


def pod_spec(spec: PodSpec) -> None:
    """Defaults that Pods and pod templates share."""
    spec.dns_policy = spec.dns_policy or "ClusterFirst"
    spec.restart_policy = spec.restart_policy or "Always"
    spec.scheduler_name = spec.scheduler_name or "default-scheduler"
    if spec.security_context is None:
        spec.security_context = PodSecurityContext()
    if spec.termination_grace_period_seconds is None:
        spec.termination_grace_period_seconds = 30
    # serviceAccount is the old name of serviceAccountName: both are always written alike.
    spec.service_account_name = spec.service_account = spec.service_account_name or spec.service_account
    for volume in spec.volumes:
        _volume(volume)
    containers: list[Container | EphemeralContainer] = [*spec.init_containers, *spec.containers]
    for container in (*containers, *spec.ephemeral_containers):
        _container(container)


def _container(container: Container | EphemeralContainer) -> None:
    container.image_pull_policy = container.image_pull_policy or images.pull_policy(container.image or "")
    container.termination_message_path = container.termination_message_path or "/dev/termination-log"
    container.termination_message_policy = container.termination_message_policy or "File"
    for port in container.ports:
        port.protocol = port.protocol or "TCP"
    for variable in container.env:
        _variable(variable)
    for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
        if probe is not None:
            _probe(probe)
    if container.lifecycle is not None:
        for handler in (container.lifecycle.post_start, container.lifecycle.pre_stop):
            if handler is not None:
                _http_get(handler)


def _variable(variable: EnvVar) -> None:
    source = variable.value_from
    if source is None:
        return
    if source.field_ref is not None:
        _field_ref(source.field_ref)
    if source.resource_field_ref is not None:
        _whole(source.resource_field_ref)
    if source.file_key_ref is not None and source.file_key_ref.optional is None:
        source.file_key_ref.optional = False


def _field_ref(selector: ObjectFieldSelector) -> None:
    selector.api_version = selector.api_version or "v1"


def _whole(selector: ResourceFieldSelector) -> None:
    """Undivided: it is always said by what an amount is divided."""
    selector.divisor = selector.divisor or "0"


def _probe(probe: Probe) -> None:
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.success_threshold = probe.success_threshold or 1
    probe.failure_threshold = probe.failure_threshold or 3
    if probe.grpc is not None and probe.grpc.service is None:
        probe.grpc.service = ""
    _http_get(probe)


def _http_get(handler: Probe | LifecycleHandler) -> None:
    action: HTTPGetAction | None = handler.http_get
    if action is not None:
        action.path = action.path or "/"
        action.scheme = action.scheme or "HTTP"


def volume_source(name: str, source: Type) -> None:
    """Defaults of what stands in a volume's field of this name, of pods and others."""
    for field, value in _VOLUME_DEFAULTS.get(name, {}).items():
        if getattr(source, field) is None:
            setattr(source, field, value)


def _volume(volume: Volume) -> None:
    sources = [name for name in source_names() if getattr(volume, name) is not None]
    if not sources:
        volume.empty_dir = EmptyDirVolumeSource()
    for name in sources:
        volume_source(name, getattr(volume, name))
    if volume.image is not None:
        volume.image.pull_policy = volume.image.pull_policy or images.pull_policy(volume.image.reference or "")
    if volume.downward_api is not None:
        for item in volume.downward_api.items:
            _downward_file(item)
    if volume.ephemeral is not None and volume.ephemeral.volume_claim_template is not None:
        claim = volume.ephemeral.volume_claim_template.spec
        if claim.volume_mode is None:
            claim.volume_mode = "Filesystem"
    _projections(volume)


def _projections(volume: Volume) -> None:
    for source in volume.projected.sources if volume.projected is not None else []:
        if source.service_account_token is not None and source.service_account_token.expiration_seconds is None:
            source.service_account_token.expiration_seconds = 3600
        for item in source.downward_api.items if source.downward_api is not None else []:
            _downward_file(item)


def _downward_file(item: DownwardAPIVolumeFile) -> None:
    if item.field_ref is not None:
        _field_ref(item.field_ref)
    if item.resource_field_ref is not None:
        _whole(item.resource_field_ref)


def source_names() -> list[str]:
    """The fields of a Volume that say where it comes from; exactly one is set."""
    return [field.name for field in fields_of(Volume).values() if field.name != "name"]
