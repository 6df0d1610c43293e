"""The security context of a container as a CRI message: what the container says over what the pod says."""

from api.core_v1 import AppArmorProfile, Pod, PodSecurityContext, SeccompProfile, SecurityContext
from nodeagent.cri.port import SeenImage
from nodeagent.model.spec import APPARMOR_KEY, AnyContainer, long_name
from nodeagent.render.sandbox import namespaces, supplemental_groups
from nodeagent.render.settings import ConfigProblem
from proto import cri_v1_pb2 as pb

MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def build_security(
    pod: Pod, container: AnyContainer, image: SeenImage, seccomp_root: str, seccomp_default: bool = False
) -> pb.LinuxContainerSecurityContext:
    """Users, groups, capabilities and what is hidden."""
    own = container.security_context or SecurityContext()
    whole = pod.spec.security_context or PodSecurityContext()
    usual = SeccompProfile(type="RuntimeDefault") if seccomp_default and not own.privileged else None
    masks = (own.proc_mount or "Default") == "Default"
    security = pb.LinuxContainerSecurityContext(
        privileged=bool(own.privileged),
        namespace_options=namespaces(pod),
        readonly_rootfs=bool(own.read_only_root_filesystem),
        supplemental_groups=supplemental_groups(pod),
        no_new_privs=own.allow_privilege_escalation is False,
        masked_paths=MASKED if masks else (),
        readonly_paths=READ_ONLY if masks else (),
        seccomp=_seccomp(own.seccomp_profile or whole.seccomp_profile or usual, seccomp_root),
        supplemental_groups_policy=pb.Strict if whole.supplemental_groups_policy == "Strict" else pb.Merge,
    )
    if own.capabilities is not None:
        security.capabilities.add_capabilities.extend(own.capabilities.add)
        security.capabilities.drop_capabilities.extend(own.capabilities.drop)
    _set_apparmor(security, pod, container)
    labels = own.se_linux_options or whole.se_linux_options
    if labels is not None:
        option = pb.SELinuxOption(user=labels.user, role=labels.role, type=labels.type, level=labels.level)
        security.selinux_options.CopyFrom(option)
    _set_user(security, own, whole, image, whose=f'pod: "{long_name(pod)}", container: {container.name}')
    return security


def _set_apparmor(security: pb.LinuxContainerSecurityContext, pod: Pod, container: AnyContainer) -> None:
    """The profile, also in the form that older runtimes read."""
    profile = apparmor_profile(pod, container)
    if profile is None:
        return
    if profile.type == "RuntimeDefault":
        security.apparmor.profile_type = pb.SecurityProfile.RuntimeDefault
        security.apparmor_profile = "runtime/default"
    elif profile.type == "Unconfined":
        security.apparmor.profile_type = pb.SecurityProfile.Unconfined
        security.apparmor_profile = "unconfined"
    elif profile.type == "Localhost":
        if not profile.localhost_profile:
            raise ConfigProblem("missing localhost apparmor profile name")
        security.apparmor.profile_type = pb.SecurityProfile.Localhost
        security.apparmor.localhost_ref = profile.localhost_profile
        security.apparmor_profile = f"localhost/{profile.localhost_profile}"
    else:
        raise ConfigProblem(f'unknown apparmor profile type: "{profile.type}"')


def apparmor_profile(pod: Pod, container: AnyContainer) -> AppArmorProfile | None:
    """The container's own, else the one that an old annotation names, else the pod's."""
    own, whole = container.security_context, pod.spec.security_context
    if own is not None and own.app_armor_profile is not None:
        return own.app_armor_profile
    note = pod.metadata.annotations.get(APPARMOR_KEY + container.name, "")
    if note == "runtime/default":
        return AppArmorProfile(type="RuntimeDefault")
    if note == "unconfined":
        return AppArmorProfile(type="Unconfined")
    if note.startswith("localhost/"):
        return AppArmorProfile(type="Localhost", localhost_profile=note.removeprefix("localhost/"))
    return whole.app_armor_profile if whole is not None else None


def _set_user(
    security: pb.LinuxContainerSecurityContext,
    own: SecurityContext,
    whole: PodSecurityContext,
    image: SeenImage,
    *,
    whose: str,
) -> None:
    user = own.run_as_user if own.run_as_user is not None else whole.run_as_user
    group = own.run_as_group if own.run_as_group is not None else whole.run_as_group
    not_root = own.run_as_non_root if own.run_as_non_root is not None else whole.run_as_non_root
    if not_root:
        _refuse_root(user, image, whose)
    if user is not None:
        security.run_as_user.value = user
    elif image.username:
        security.run_as_username = image.username
    else:
        security.run_as_user.value = image.uid or 0
    if group is not None:
        security.run_as_group.value = group


def _refuse_root(user: int | None, image: SeenImage, whose: str) -> None:
    if user is not None:
        if user == 0:
            raise ConfigProblem(f"container's runAsUser breaks non-root policy ({whose})")
    elif image.username:
        name = image.username
        raise ConfigProblem(
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root ({whose})"
        )
    elif not image.uid:
        raise ConfigProblem(f"container has runAsNonRoot and image will run as root ({whose})")


def _seccomp(profile: SeccompProfile | None, root: str) -> pb.SecurityProfile:
    if profile is None or profile.type == "Unconfined":
        return pb.SecurityProfile(profile_type=pb.SecurityProfile.Unconfined)
    if profile.type == "RuntimeDefault":
        return pb.SecurityProfile(profile_type=pb.SecurityProfile.RuntimeDefault)
    if not profile.localhost_profile:
        raise ConfigProblem("localhostProfile must be set if seccompProfile type is Localhost.")
    path = f"{root}/{profile.localhost_profile}"
    return pb.SecurityProfile(profile_type=pb.SecurityProfile.Localhost, localhost_ref=path)
