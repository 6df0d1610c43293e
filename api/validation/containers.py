"""Rules for containers of all sorts."""

from collections.abc import Sequence
from typing import NamedTuple

from api import choices, names
from api.core_v1 import (
    Container,
    ContainerPort,
    EphemeralContainer,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    ResourceRequirements,
    SecurityContext,
    Volume,
    VolumeMount,
)
from api.validation import resources
from api.validation.environment import environment, environment_from
from api.validation.paths import descending_path
from api.validation.problems import Problems
from api.validation.profiles import app_armor, seccomp
from api.validation.windows import windows_options

PROTOCOLS = choices.PROTOCOLS
_RESIZABLE = ("cpu", "memory")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
_RESTART_POLICIES = choices.RESTART_POLICIES
_NOT_EPHEMERAL = (
    ("ports", "ports"),
    ("resources", "resources"),
    ("lifecycle", "lifecycle"),
    ("livenessProbe", "liveness_probe"),
    ("readinessProbe", "readiness_probe"),
    ("startupProbe", "startup_probe"),
    ("resizePolicy", "resize_policy"),
    ("restartPolicy", "restart_policy"),
    ("restartPolicyRules", "restart_policy_rules"),
)


class Surroundings(NamedTuple):
    """What the rules for a container need to know of its pod."""

    volumes: dict[str, Volume]
    claims: frozenset[str]
    grace_seconds: int | None
    host_users: bool
    is_pod: bool
    restart_policy: str | None = None


def containers(found: Problems, path: str, items: list[Container], pod: Surroundings) -> None:
    """The ordinary containers of a pod."""
    if not items:
        found.required(path)
        return
    seen: set[str] = set()
    for index, container in enumerate(items):
        where = f"{path}[{index}]"
        _container(found, where, container, pod)
        if container.name in seen:
            found.duplicate(f"{where}.name", container.name)
        seen.add(container.name)
        _running(found, where, container, pod)
        _restart_policy(found, where, container)
    _host_ports(found, path, items)


def init_containers(
    found: Problems, path: str, items: list[Container], ordinary: list[Container], pod: Surroundings
) -> None:
    """The containers that run first, and those that start first and stay."""
    seen = {container.name for container in ordinary}
    for index, container in enumerate(items):
        where = f"{path}[{index}]"
        _container(found, where, container, pod)
        if container.name in seen:
            found.duplicate(f"{where}.name", container.name)
        seen.add(container.name)
        _host_ports(found, path, [container])
        _restart_policy(found, where, container)
        if container.restart_policy == "Always":
            _running(found, where, container, pod)
            continue
        for name, value in (
            ("lifecycle", container.lifecycle),
            ("livenessProbe", container.liveness_probe),
            ("readinessProbe", container.readiness_probe),
            ("startupProbe", container.startup_probe),
        ):
            if value is not None:
                found.forbidden(f"{where}.{name}", "may not be set for init containers without restartPolicy=Always")


def ephemeral_containers(
    found: Problems, path: str, items: list[EphemeralContainer], others: Sequence[Container], pod: Surroundings
) -> None:
    """Containers added for debugging."""
    targets = {container.name for container in others}
    seen = set(targets)
    for index, container in enumerate(items):
        where = f"{path}[{index}]"
        _container(found, where, container, pod)
        if container.name in seen:
            found.duplicate(f"{where}.name", container.name)
        seen.add(container.name)
        if container.target_container_name and container.target_container_name not in targets:
            found.not_found(f"{where}.targetContainerName", container.target_container_name)
        for json, name in _NOT_EPHEMERAL:
            if getattr(container, name) not in (None, [], ResourceRequirements()):
                found.forbidden(f"{where}.{json}", "cannot be set for an Ephemeral Container")
        for place, mount in enumerate(container.volume_mounts):
            if mount.sub_path:
                found.forbidden(f"{where}.volumeMounts[{place}].subPath", "cannot be set for an Ephemeral Container")
            if mount.sub_path_expr:
                found.forbidden(
                    f"{where}.volumeMounts[{place}].subPathExpr", "cannot be set for an Ephemeral Container"
                )


def _container(found: Problems, path: str, container: Container | EphemeralContainer, pod: Surroundings) -> None:
    """The rules that all containers share."""
    if not container.name:
        found.required(f"{path}.name")
    else:
        found.invalid_all(f"{path}.name", container.name, names.dns_label(container.name))
    if not container.image:
        found.required(f"{path}.image")
    elif pod.is_pod and container.image.strip() != container.image:
        found.invalid(f"{path}.image", container.image, "must not have leading or trailing whitespace")
    found.one_of(
        f"{path}.terminationMessagePolicy", container.termination_message_policy, ("File", "FallbackToLogsOnError")
    )
    _ports(found, f"{path}.ports", container.ports)
    environment(found, f"{path}.env", container.env)
    environment_from(found, f"{path}.envFrom", container.env_from)
    _mounts(found, path, container, pod.volumes)
    _devices(found, path, container, pod.volumes)
    found.one_of(f"{path}.imagePullPolicy", container.image_pull_policy, choices.PULL_POLICIES)
    if container.resources is not None:
        resources.requirements(found, f"{path}.resources", container.resources, pod.claims)
    _resize_policy(found, f"{path}.resizePolicy", container, pod.restart_policy)
    if container.security_context is not None:
        _security_context(found, f"{path}.securityContext", container.security_context, pod.host_users)


def _resize_policy(
    found: Problems, path: str, container: Container | EphemeralContainer, restart_policy: str | None
) -> None:
    seen: set[str] = set()
    for index, policy in enumerate(container.resize_policy):
        if policy.resource_name in seen:
            found.duplicate(f"{path}[{index}]", policy.resource_name)
        seen.add(policy.resource_name)
        found.one_of(path, policy.resource_name, _RESIZABLE)
        found.one_of(path, policy.restart_policy, _RESIZE_POLICIES)
        if restart_policy == "Never" and policy.restart_policy != "NotRequired":
            detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            found.invalid(path, policy.restart_policy, detail)


def _ports(found: Problems, path: str, ports: list[ContainerPort]) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where = f"{path}[{index}]"
        if port.name:
            problems = names.port_name(port.name)
            found.invalid_all(f"{where}.name", port.name, problems)
            if port.name in seen:
                found.duplicate(f"{where}.name", port.name)
            if not problems:
                seen.add(port.name)
        if port.container_port == 0:
            found.required(f"{where}.containerPort")
        else:
            found.port(f"{where}.containerPort", port.container_port)
        if port.host_port:
            found.port(f"{where}.hostPort", port.host_port)
        found.one_of(f"{where}.protocol", port.protocol, PROTOCOLS)


def _host_ports(found: Problems, path: str, items: list[Container]) -> None:
    seen: set[str] = set()
    for index, container in enumerate(items):
        for place, port in enumerate(container.ports):
            if not port.host_port:
                continue
            key = f"{port.protocol}/{port.host_ip or ''}/{port.host_port}"
            if key in seen:
                found.duplicate(f"{path}[{index}].ports[{place}].hostPort", key)
            seen.add(key)


def _mounts(found: Problems, path: str, container: Container | EphemeralContainer, volumes: dict[str, Volume]) -> None:
    devices = {device.name for device in container.volume_devices}
    device_paths = {device.device_path for device in container.volume_devices}
    seen: set[str] = set()
    for index, mount in enumerate(container.volume_mounts):
        where = f"{path}.volumeMounts[{index}]"
        if not mount.name:
            found.required(f"{where}.name")
        if mount.name not in volumes:
            found.not_found(f"{where}.name", mount.name)
        if not mount.mount_path:
            found.required(f"{where}.mountPath")
        if mount.mount_path in seen:
            found.invalid(f"{where}.mountPath", mount.mount_path, "must be unique")
        seen.add(mount.mount_path)
        if mount.name in devices:
            found.invalid(f"{where}.name", mount.name, "must not already exist in volumeDevices")
        if mount.mount_path in device_paths:
            found.invalid(f"{where}.mountPath", mount.mount_path, "must not already exist as a path in volumeDevices")
        _mount_options(found, f"{path}.volumeMounts", where, mount, container)


def _mount_options(
    found: Problems, path: str, where: str, mount: VolumeMount, container: Container | EphemeralContainer
) -> None:
    # Upstream names the list, not the item, in these.
    if mount.sub_path:
        descending_path(found, f"{path}.subPath", mount.sub_path)
    if mount.sub_path_expr:
        if mount.sub_path:
            detail = "subPathExpr and subPath are mutually exclusive"
            found.invalid(f"{where}.subPathExpr", mount.sub_path_expr, detail)
        descending_path(found, f"{path}.subPathExpr", mount.sub_path_expr)
    propagation = choices.MOUNT_PROPAGATION
    found.optional_one_of(f"{path}.mountPropagation", mount.mount_propagation, propagation)
    privileged = container.security_context is not None and container.security_context.privileged
    if mount.mount_propagation == "Bidirectional" and not privileged:
        detail = "Bidirectional mount propagation is available only to privileged containers"
        found.forbidden(f"{path}.mountPropagation", detail)
    recursive = ("Disabled", "Enabled", "IfPossible")
    found.optional_one_of(f"{path}.recursiveReadOnly", mount.recursive_read_only, recursive)
    if mount.recursive_read_only in ("Enabled", "IfPossible") and not mount.read_only:
        found.forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true")


def _devices(found: Problems, path: str, container: Container | EphemeralContainer, volumes: dict[str, Volume]) -> None:
    mounted = {mount.name for mount in container.volume_mounts}
    mount_paths = {mount.mount_path for mount in container.volume_mounts}
    seen: set[str] = set()
    seen_paths: set[str] = set()
    for index, device in enumerate(container.volume_devices):
        where = f"{path}.volumeDevices[{index}]"
        if not device.name:
            found.required(f"{where}.name")
        elif device.name in seen:
            found.invalid(f"{where}.name", device.name, "must be unique")
        seen.add(device.name)
        volume = volumes.get(device.name)
        if volume is None:
            found.not_found(f"{where}.name", device.name)
        elif volume.persistent_volume_claim is None and volume.ephemeral is None:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            found.invalid(f"{where}.name", device.name, detail)
        if not device.device_path:
            found.required(f"{where}.devicePath")
        if device.device_path in seen_paths:
            found.invalid(f"{where}.devicePath", device.device_path, "must be unique")
        if ".." in device.device_path.split("/"):
            found.invalid(f"{where}.devicePath", device.device_path, "can not contain backsteps ('..')")
        else:
            seen_paths.add(device.device_path)
        if device.name in mounted:
            found.invalid(f"{where}.name", device.name, "must not already exist in volumeMounts")
        if device.device_path in mount_paths:
            found.invalid(f"{where}.devicePath", device.device_path, "must not already exist as a path in volumeMounts")


def _running(found: Problems, path: str, container: Container, pod: Surroundings) -> None:
    """The rules for what happens while a container runs."""
    if container.lifecycle is not None:
        _lifecycle(found, f"{path}.lifecycle", container.lifecycle, pod)
    probes = (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    )
    for name, probe in probes:
        if probe is None:
            continue
        where = f"{path}.{name}"
        _probe(found, where, probe)
        if name == "readinessProbe":
            if probe.termination_grace_period_seconds is not None:
                value = probe.termination_grace_period_seconds
                found.invalid(f"{where}.terminationGracePeriodSeconds", value, "must not be set for readinessProbes")
        elif probe.success_threshold not in (None, 1):
            found.invalid(f"{where}.successThreshold", probe.success_threshold, "must be 1")


def _probe(found: Problems, path: str, probe: Probe) -> None:
    _handler(found, path, probe)
    for name, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        found.not_negative(f"{path}.{name}", value)
    grace = probe.termination_grace_period_seconds
    if grace is not None and grace <= 0:
        found.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def _lifecycle(found: Problems, path: str, lifecycle: Lifecycle, pod: Surroundings) -> None:
    for name, handler in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if handler is None:
            continue
        _handler(found, f"{path}.{name}", handler)
        grace = pod.grace_seconds
        if handler.sleep is not None and grace is not None and not 0 <= handler.sleep.seconds <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            found.invalid(f"{path}.{name}.sleep", handler.sleep.seconds, detail)


def _handler(found: Problems, path: str, handler: Probe | LifecycleHandler) -> None:
    """An action of a probe or hook: exactly one."""
    given = [
        name for name in ("exec", "http_get", "tcp_socket", "grpc", "sleep") if getattr(handler, name, None) is not None
    ]
    if not given:
        found.required(path, "must specify a handler type")
    for name in given[1:]:
        json = {"http_get": "httpGet", "tcp_socket": "tcpSocket"}.get(name, name)
        found.forbidden(f"{path}.{json}", "may not specify more than 1 handler type")
    # Only the first is looked at: the others are too much already.
    match given[0] if given else "":
        case "exec" if handler.exec is not None and not handler.exec.command:
            found.required(f"{path}.exec.command")
        case "http_get" if handler.http_get is not None:
            _http_get(found, f"{path}.httpGet", handler.http_get)
        case "tcp_socket" if handler.tcp_socket is not None:
            found.port(f"{path}.tcpSocket.port", handler.tcp_socket.port)
        case "grpc" if isinstance(handler, Probe) and handler.grpc is not None:
            found.port(f"{path}.grpc.port", handler.grpc.port)


def _http_get(found: Problems, path: str, action: HTTPGetAction) -> None:
    if not action.path:
        found.required(f"{path}.path")
    found.port(f"{path}.port", action.port)
    found.optional_one_of(f"{path}.scheme", action.scheme or "", choices.SCHEMES)
    for header in action.http_headers:
        found.invalid_all(f"{path}.httpHeaders", header.name, names.header_name(header.name))


def _restart_policy(found: Problems, path: str, container: Container) -> None:
    if container.restart_policy is None:
        if container.restart_policy_rules:
            found.required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
        return
    found.optional_one_of(f"{path}.restartPolicy", container.restart_policy, _RESTART_POLICIES)
    if len(container.restart_policy_rules) > 20:
        found.too_many(f"{path}.restartPolicyRules", len(container.restart_policy_rules), 20)
    for index, rule in enumerate(container.restart_policy_rules):
        where = f"{path}.restartPolicyRules[{index}]"
        found.optional_one_of(f"{where}.action", rule.action, ("Restart", "RestartAllContainers"))
        if rule.exit_codes is None:
            found.required(f"{where}.exitCodes", "must be specified")
            continue
        found.optional_one_of(f"{where}.exitCodes.operator", rule.exit_codes.operator, choices.EXIT_CODE_OPERATORS)
        if len(rule.exit_codes.values) > 255:
            found.too_many(f"{where}.exitCodes.values", len(rule.exit_codes.values), 255)


def _security_context(found: Problems, path: str, context: SecurityContext, host_users: bool) -> None:
    for name, value in (("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)):
        if value is not None:
            found.invalid_all(f"{path}.{name}", value, names.user_id(value))
    found.optional_one_of(f"{path}.procMount", context.proc_mount, choices.PROC_MOUNTS)
    if context.proc_mount == "Unmasked" and host_users:
        found.invalid(f"{path}.procMount", context.proc_mount, "`hostUsers` must be false to use `Unmasked`")
    seccomp(found, f"{path}.seccompProfile", context.seccomp_profile)
    if context.allow_privilege_escalation is False:
        if context.privileged:
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            found.invalid(path, context, detail)
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            found.invalid(path, context, detail)
    app_armor(found, f"{path}.appArmorProfile", context.app_armor_profile)
    if context.windows_options is not None:
        windows_options(found, f"{path}.windowsOptions", context.windows_options)
