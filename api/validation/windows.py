"""Rules for the options of Windows containers: there is no such node here, and yet their pods are kept as any others."""

import re
from typing import Any

from api import names
from api.core_v1 import PodSpec, WindowsSecurityContextOptions
from api.validation.every_container import every_container
from api.validation.problems import Problems

_NOT_FOR_WINDOWS = (
    ("hostUsers", "host_users"),
    ("hostPID", "host_pid"),
    ("hostIPC", "host_ipc"),
    ("shareProcessNamespace", "share_process_namespace"),
)
_TRI_STATE = ("host_users", "share_process_namespace")
_NOT_IN_CONTEXT = (
    ("appArmorProfile", "app_armor_profile"),
    ("seLinuxOptions", "se_linux_options"),
    ("seccompProfile", "seccomp_profile"),
    ("fsGroup", "fs_group"),
    ("fsGroupChangePolicy", "fs_group_change_policy"),
    ("sysctls", "sysctls"),
    ("runAsUser", "run_as_user"),
    ("runAsGroup", "run_as_group"),
    ("supplementalGroups", "supplemental_groups"),
    ("supplementalGroupsPolicy", "supplemental_groups_policy"),
    ("seLinuxChangePolicy", "se_linux_change_policy"),
    ("capabilities", "capabilities"),
    ("readOnlyRootFilesystem", "read_only_root_filesystem"),
    ("privileged", "privileged"),
    ("allowPrivilegeEscalation", "allow_privilege_escalation"),
    ("procMount", "proc_mount"),
)
_LONGEST_SPEC = 64 * 1024
_LONGEST_DOMAIN = 256
_LONGEST_USER = 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?)*")
_ONLY_DOTS = re.compile(r"[. ]+")
_STRANGE = re.compile(r'["/\\:;|=,+*?<>@\[\]]')


def windows_options(found: Problems, path: str, options: WindowsSecurityContextOptions) -> None:
    """Who a Windows container runs as."""
    if options.gmsa_credential_spec_name is not None:
        name = options.gmsa_credential_spec_name
        found.invalid_all(f"{path}.gmsaCredentialSpecName", name, names.dns_subdomain(name))
    spec = options.gmsa_credential_spec
    if spec == "":
        found.invalid(f"{path}.gmsaCredentialSpec", spec, "gmsaCredentialSpec cannot be an empty string")
    elif spec is not None and len(spec.encode()) > _LONGEST_SPEC:
        found.invalid(f"{path}.gmsaCredentialSpec", spec, "gmsaCredentialSpec size must be under 64 KiB")
    if options.run_as_user_name is not None:
        name = options.run_as_user_name
        found.invalid_all(f"{path}.runAsUserName", name, [f"runAsUserName{problem}" for problem in _user_name(name)])


def _user_name(name: str) -> list[str]:
    if not name:
        return [" cannot be an empty string"]
    if _CONTROL.search(name):
        return [" cannot contain control characters"]
    if name.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, divided, user = name.rpartition("\\")
    problems = []
    if len(domain) >= _LONGEST_DOMAIN:
        problems.append(f"'s Domain length must be under {_LONGEST_DOMAIN} characters")
    if divided and not (_NET_BIOS.fullmatch(domain) or _DNS.fullmatch(domain)):
        problems.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        problems.append("'s User cannot be empty")
    elif len(user) > _LONGEST_USER:
        problems.append(f"'s User length must not be longer than {_LONGEST_USER} characters")
    if _ONLY_DOTS.fullmatch(user):
        problems.append("'s User cannot contain only periods or spaces")
    if _STRANGE.search(user):
        problems.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return problems


def host_process(found: Problems, path: str, spec: PodSpec) -> None:
    """Containers that run as processes of their Windows host: all of a pod, or none, and in the host's network."""
    context = spec.security_context
    options = context.windows_options if context is not None else None
    of_pod = options.host_process if options is not None else None
    yes = no = 0
    for where, container in every_container(path, spec):
        inner = container.security_context
        mine = inner.windows_options.host_process if inner is not None and inner.windows_options is not None else None
        if of_pod is not None and mine is not None and mine is not of_pod:
            was = "true" if of_pod else "false"
            detail = f"pod hostProcess value must be identical if both are specified, was {was}"
            found.invalid(f"{where}.securityContext.windowsOptions.hostProcess", mine, detail)
        if of_pod if mine is None else mine:
            yes += 1
        else:
            no += 1
    if yes and no:
        detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        found.invalid(path, "", detail)
    if yes and not spec.host_network:
        detail = "hostNetwork must be true if pod contains any hostProcess containers"
        found.invalid(f"{path}.hostNetwork", False, detail)


def of_system(found: Problems, path: str, spec: PodSpec) -> None:
    """What a pod for one system may not set, because only the other knows it."""
    windows = spec.os is not None and spec.os.name == "windows"
    contexts: list[tuple[str, Any]] = [(f"{path}.securityContext", spec.security_context)]
    for where, container in every_container(path, spec):
        contexts.append((f"{where}.securityContext", container.security_context))
    if windows:
        for json, name in _NOT_FOR_WINDOWS:
            if getattr(spec, name) or (name in _TRI_STATE and getattr(spec, name) is not None):
                found.forbidden(f"{path}.{json}", "cannot be set for a windows pod")
    for where, context in contexts:
        if context is None:
            continue
        if not windows and context.windows_options is not None:
            found.forbidden(f"{where}.windowsOptions", "windows options cannot be set for a linux pod")
        for json, name in _NOT_IN_CONTEXT if windows else ():
            if getattr(context, name, None) not in (None, []):
                found.forbidden(f"{where}.{json}", "cannot be set for a windows pod")
