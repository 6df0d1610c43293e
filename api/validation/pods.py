"""Rules for new Pods and for the pod templates of workloads."""

import re

from api import choices, names
from api.core_v1 import Binding, Pod, PodDNSConfig, PodSecurityContext, PodSpec, PodTemplateSpec
from api.validation import addresses, metadata, resources, scheduling
from api.validation.containers import Surroundings, containers, ephemeral_containers, init_containers
from api.validation.environment import file_key_volumes
from api.validation.every_container import every_container
from api.validation.pod_claims import pod_claims
from api.validation.problems import Problems
from api.validation.profiles import app_armor, seccomp
from api.validation.volumes import volumes
from api.validation.windows import host_process, of_system, windows_options

_LONGEST_DEADLINE = 2**31 - 1
_IPC_SYSCTLS = frozenset(
    f"kernel.{name}"
    for name in ("sem", "shm", "shmall", "shmmax", "shmmni", "shm_rmid_forced", "msg", "msgmax", "msgmnb", "msgmni")
)
_SYSCTL = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"


def create(found: Problems, pod: Pod) -> None:
    """A new Pod."""
    metadata.metadata(found, pod.metadata, True, names.dns_subdomain)
    pod_spec(found, "spec", pod.spec, is_pod=True, name=pod.metadata.name or "")


def template(found: Problems, path: str, value: PodTemplateSpec) -> None:
    """The template of a workload."""
    metadata.labels(found, f"{path}.labels", value.metadata.labels)
    metadata.annotations(found, f"{path}.annotations", value.metadata.annotations)
    pod_spec(found, f"{path}.spec", value.spec, is_pod=False)
    if value.spec.ephemeral_containers:
        found.forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def binding(found: Problems, value: Binding) -> None:
    """The scheduler's word on where a Pod runs."""
    if value.target.kind not in (None, "", "Node"):
        found.not_supported("target.kind", value.target.kind, ("Node", "<empty>"))
    if not value.target.name:
        found.required("target.name")
    else:  # upstream lets it through, and then nobody can change the pod
        found.invalid_all("target.name", value.target.name, names.dns_subdomain(value.target.name))


def pod_spec(found: Problems, path: str, spec: PodSpec, *, is_pod: bool, name: str = "") -> None:
    """The spec of a Pod of this name, or of a template."""
    if spec.termination_grace_period_seconds is None:
        found.required(f"{path}.terminationGracePeriodSeconds")
    pod = Surroundings(
        volumes=volumes(found, f"{path}.volumes", spec.volumes, name),
        claims=frozenset(claim.name for claim in spec.resource_claims),
        grace_seconds=spec.termination_grace_period_seconds,
        host_users=spec.host_users is not False,
        is_pod=is_pod,
        restart_policy=spec.restart_policy,
    )
    pod_claims(found, f"{path}.resourceClaims", spec.resource_claims)
    containers(found, f"{path}.containers", spec.containers, pod)
    init_containers(found, f"{path}.initContainers", spec.init_containers, spec.containers, pod)
    others = (*spec.containers, *spec.init_containers)
    ephemeral_containers(found, f"{path}.ephemeralContainers", spec.ephemeral_containers, others, pod)
    if spec.resources is not None:
        resources.of_pod(found, path, spec, spec.resources)
    _host(found, path, spec, is_pod)
    _policies(found, path, spec)
    _names(found, path, spec, is_pod)
    _network(found, path, spec)
    _placement(found, path, spec)
    if spec.security_context is not None:
        _security_context(found, f"{path}.securityContext", spec, spec.security_context)
    if spec.share_process_namespace and spec.host_pid:
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.invalid(f"{path}.securityContext.shareProcessNamespace", True, detail)
    resources.amounts(found, f"{path}.overhead.limits", spec.overhead)
    host_process(found, path, spec)
    file_key_volumes(found, path, spec)


def _host(found: Problems, path: str, spec: PodSpec, is_pod: bool) -> None:
    """What a pod may share with its host."""
    if spec.host_network:
        for index, container in enumerate(spec.containers):
            for place, port in enumerate(container.ports):
                if (is_pod or port.host_port) and port.host_port != port.container_port:
                    where = f"{path}.containers[{index}].ports[{place}].hostPort"
                    detail = "must match `containerPort` when `hostNetwork` is true"
                    found.invalid(where, port.host_port or 0, detail)
    if spec.host_users is False:
        for name, shared in (
            ("hostNetwork", spec.host_network),
            ("HostPID", spec.host_pid),
            ("HostIPC", spec.host_ipc),
        ):
            if shared:
                found.forbidden(f"{path}.{name}", "when `hostUsers` is false")
        for where, one in every_container(path, spec):
            if one.volume_devices:
                found.forbidden(f"{where}.volumeDevices", "when `hostUsers` is false")


def _policies(found: Problems, path: str, spec: PodSpec) -> None:
    found.one_of(f"{path}.restartPolicy", spec.restart_policy, ("Always", "OnFailure", "Never"))
    dns_policies = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
    found.one_of(f"{path}.dnsPolicy", spec.dns_policy, dns_policies)
    if spec.preemption_policy is not None:
        found.one_of(f"{path}.preemptionPolicy", spec.preemption_policy, ("PreemptLowerPriority", "Never"))
    deadline = spec.active_deadline_seconds
    if deadline is not None:
        problems = names.in_range(deadline, 1, _LONGEST_DEADLINE)
        found.invalid_all(f"{path}.activeDeadlineSeconds", deadline, problems)
    if spec.os is not None:
        if not spec.os.name:
            found.required(f"{path}.os.name")
        else:
            found.optional_one_of(f"{path}.os", spec.os.name, ("linux", "windows"))
        if spec.os.name in ("linux", "windows"):
            of_system(found, path, spec)


def _names(found: Problems, path: str, spec: PodSpec, is_pod: bool) -> None:
    """Names of things outside of the pod."""
    for field, value in (
        ("serviceAccountName", spec.service_account_name),
        ("nodeName", spec.node_name),
        ("priorityClassName", spec.priority_class_name),
        ("runtimeClassName", spec.runtime_class_name),
    ):
        if value:
            found.invalid_all(f"{path}.{field}", value, names.dns_subdomain(value))
    if is_pod and not spec.service_account_name:  # a template's pods get one when they are made
        for index, volume in enumerate(spec.volumes):
            for place, source in enumerate(volume.projected.sources if volume.projected is not None else []):
                if source.service_account_token is not None:
                    where = f"{path}.volumes[{index}].projected.sources[{place}].serviceAccountToken"
                    found.forbidden(where, "must not be specified when serviceAccountName is not set")


def _network(found: Problems, path: str, spec: PodSpec) -> None:
    for field, value in (("hostname", spec.hostname), ("subdomain", spec.subdomain)):
        if value:
            found.invalid_all(f"{path}.{field}", value, names.dns_label(value))
    override = spec.hostname_override
    if override is not None:
        where = f"{path}.hostnameOverride"
        if spec.set_hostname_as_fqdn:
            found.forbidden(where, "may not be specified when setHostnameAsFQDN is true")
        if spec.host_network:
            found.forbidden(where, "may not be specified when hostNetwork is true")
        if len(override) > 64:
            found.too_long(where, 64)
        found.invalid_all(where, override, names.dns_subdomain(override))
    for index, alias in enumerate(spec.host_aliases):
        addresses.ip(found, f"{path}.hostAliases[{index}].ip", alias.ip)
        for place, name in enumerate(alias.hostnames):
            where = f"{path}.hostAliases[{index}].hostnames[{place}]"
            found.invalid_all(where, name, names.dns_subdomain(name))
    _dns(found, f"{path}.dnsConfig", spec.dns_policy, spec.dns_config)


def _dns(found: Problems, path: str, policy: str | None, config: PodDNSConfig | None) -> None:
    if policy == "None" and config is None:
        found.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
    if config is None:
        return
    if policy == "None" and not config.nameservers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        found.required(f"{path}.nameservers", detail)
        return
    if len(config.nameservers) > 3:
        found.invalid(f"{path}.nameservers", config.nameservers, "must not have more than 3 nameservers")
    for index, server in enumerate(config.nameservers):
        addresses.ip(found, f"{path}.nameservers[{index}]", server)
    if len(config.searches) > 32:
        found.invalid(f"{path}.searches", config.searches, "must not have more than 32 search paths")
    if len(" ".join(config.searches)) > 2048:
        detail = "must not have more than 2048 characters (including spaces) in the search list"
        found.invalid(f"{path}.searches", config.searches, detail)
    for index, search in enumerate(config.searches):
        if search != ".":
            plain = search.removesuffix(".")
            found.invalid_all(f"{path}.searches[{index}]", plain, names.search_domain(plain))
    for index, option in enumerate(config.options):
        if not option.name:
            found.required(f"{path}.options[{index}]", "must not be empty")


def _placement(found: Problems, path: str, spec: PodSpec) -> None:
    metadata.labels(found, f"{path}.nodeSelector", spec.node_selector)
    if spec.affinity is not None:
        scheduling.affinity(found, f"{path}.affinity", spec.affinity)
    scheduling.tolerations(found, f"{path}.tolerations", spec.tolerations)
    scheduling.spread(found, f"{path}.topologySpreadConstraints", spec.topology_spread_constraints)
    for index, readiness in enumerate(spec.readiness_gates):
        where = f"{path}.readinessGates[{index}].conditionType"
        found.invalid_all(where, readiness.condition_type, names.label_key(readiness.condition_type))
    seen: set[str] = set()
    for index, gate in enumerate(spec.scheduling_gates):
        where = f"{path}.schedulingGates[{index}]"
        found.invalid_all(where, gate.name, names.label_key(gate.name))
        if gate.name in seen:
            found.duplicate(where, gate.name)
        seen.add(gate.name)


def _shared_with_host(sysctl: str, spec: PodSpec) -> str:
    """The namespace of the host that the parameter would be set in."""
    name = sysctl.replace("/", ".")
    if spec.host_network and name.startswith("net."):
        return "hostNetwork"
    return "hostIPC" if spec.host_ipc and (name in _IPC_SYSCTLS or name.startswith("fs.mqueue.")) else ""


def _security_context(found: Problems, path: str, spec: PodSpec, context: PodSecurityContext) -> None:
    for field, value in (
        ("fsGroup", context.fs_group),
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
    ):
        if value is not None:
            found.invalid_all(f"{path}.{field}", value, names.user_id(value))
    for index, group in enumerate(context.supplemental_groups):
        found.invalid_all(f"{path}.supplementalGroups[{index}]", group, names.user_id(group))
    seen: set[str] = set()
    for index, sysctl in enumerate(context.sysctls):
        where = f"{path}.sysctls[{index}].name"
        if not sysctl.name:
            found.required(where)
        elif len(sysctl.name) > 253 or not re.match(_SYSCTL, sysctl.name):
            found.invalid(where, sysctl.name, f"must have at most 253 characters and match regex {_SYSCTL}")
        elif sysctl.name in seen:
            found.duplicate(where, sysctl.name)
        elif shared := _shared_with_host(sysctl.name, spec):
            found.invalid(where, sysctl.name, f"may not be specified when '{shared}' is true")
        seen.add(sysctl.name)
    change = choices.FS_GROUP_CHANGES
    found.optional_one_of(f"{path}.fsGroupChangePolicy", context.fs_group_change_policy, change)
    groups = choices.GROUP_POLICIES
    found.optional_one_of(f"{path}.supplementalGroupsPolicy", context.supplemental_groups_policy, groups)
    found.optional_one_of(f"{path}.seLinuxChangePolicy", context.se_linux_change_policy, ("Recursive",))
    seccomp(found, f"{path}.seccompProfile", context.seccomp_profile)
    app_armor(found, f"{path}.appArmorProfile", context.app_armor_profile)
    if context.windows_options is not None:
        windows_options(found, f"{path}.windowsOptions", context.windows_options)
