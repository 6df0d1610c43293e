"""Pods and templates of pods."""

from typing import Any

from api.core_v1 import PodSpec, PodTemplateSpec, Volume
from api.meta_v1 import ObjectMeta
from api.warnings import addresses, amounts, containers, labels, paths, volumes
from api.warnings.text import child, quoted

_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_NO_POD = "a null labelSelector results in matching no pod"

_VOLUMES = (
    ("photon_persistent_disk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("git_repo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scale_io", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("ephemeral", "ephemeral", ""),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)


def of_pod(path: str, pod: Any) -> list[str]:
    """A pod, or with its path a template."""
    spec: PodSpec = pod.spec
    meta: ObjectMeta = pod.metadata
    here = child(path, "spec")
    found = _of_placement(here, spec)
    found += [f"{child(path, 'metadata')}.annotations[{key}]: {why}" for key, why in _annotated(meta)]
    for index, volume in enumerate(spec.volumes):
        found += _of_volume(f"{here}.volumes[{index}]", volume)
    found += paths.of_volumes(spec.volumes)
    found += _of_lists(here, spec)
    for resource in amounts.BYTES:
        found += amounts.fractional(f"{here}.overhead", spec.overhead, resource)
    found += _of_profiles(path, spec, meta)
    found += containers.of_ports(here, spec)
    if (spec.termination_grace_period_seconds or 0) < 0:
        found.append(
            f"{here}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        )
    found += _of_affinity(f"{here}.affinity", spec)
    if spec.dns_config is not None:
        for index, server in enumerate(spec.dns_config.nameservers):
            found += addresses.of_ip(f"{here}.dnsConfig.nameservers[{index}]", server)
    for index, alias in enumerate(spec.host_aliases):
        found += addresses.of_ip(f"{here}.hostAliases[{index}].ip", alias.ip)
    return found


def of_template(path: str, template: PodTemplateSpec | None) -> list[str]:
    """A template; AppArmor's annotations are told of here, of a pod where they become fields."""
    return [] if template is None else of_pod(path, template)


def _of_placement(here: str, spec: PodSpec) -> list[str]:
    found = [f"{here}.nodeSelector[{key}]: {why}" for key in spec.node_selector if (why := labels.deprecated(key))]
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    if affinity is not None:
        place = f"{here}.affinity.nodeAffinity"
        required = affinity.required_during_scheduling_ignored_during_execution
        for index, term in enumerate(required.node_selector_terms if required is not None else ()):
            where = f"{place}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{index}]"
            found += labels.of_expressions(where, term.match_expressions)
        for index, weighted in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
            where = f"{place}.preferredDuringSchedulingIgnoredDuringExecution[{index}].preference"
            found += labels.of_expressions(where, weighted.preference.match_expressions)
            found += labels.of_values(where, weighted.preference.match_expressions)
    for index, constraint in enumerate(spec.topology_spread_constraints):
        where, key = f"{here}.topologySpreadConstraints[{index}]", constraint.topology_key
        if why := labels.deprecated(key):
            found.append(f"{where}.topologyKey: {key} is {why}")
        if constraint.label_selector is None:
            found.append(f"{where}.labelSelector: {_NO_POD}")
    return found


def _annotated(meta: ObjectMeta) -> list[tuple[str, str]]:
    return [(key, why) for key, why in _ANNOTATIONS.items() if key in meta.annotations]


def _of_volume(here: str, volume: Volume) -> list[str]:
    found = []
    for name, json, why in _VOLUMES:
        if getattr(volume, name) is None:
            continue
        if why:
            found.append(f"{here}.{json}: {why}")
        elif volume.ephemeral is not None and volume.ephemeral.volume_claim_template is not None:
            spec = volume.ephemeral.volume_claim_template.spec
            found += volumes.of_claim_spec(f"{here}.ephemeral.volumeClaimTemplate.spec", spec)
    return found


def _of_lists(here: str, spec: PodSpec) -> list[str]:
    found = []
    seen = set[str]()
    for index, alias in enumerate(spec.host_aliases):
        if alias.ip in seen:
            found.append(f"{here}.hostAliases[{index}].ip: duplicate ip {quoted(alias.ip)}")
        seen.add(alias.ip)
    seen = set()
    for index, secret in enumerate(spec.image_pull_secrets):
        if (name := secret.name or "") in seen:
            found.append(f"{here}.imagePullSecrets[{index}].name: duplicate name {quoted(name)}")
        seen.add(name)
    found += [
        f'{here}.imagePullSecrets[{index}].name: invalid empty name ""'
        for index, secret in enumerate(spec.image_pull_secrets)
        if not secret.name
    ]
    return found


def _of_profiles(path: str, spec: PodSpec, meta: ObjectMeta) -> list[str]:
    """Security profiles in annotations, and all else that each container is asked for."""
    annotations = f"{child(path, 'metadata')}.annotations"
    found, context = [], spec.security_context
    if (context is None or context.seccomp_profile is None) and _SECCOMP_POD in meta.annotations:
        found.append(f"{annotations}[{_SECCOMP_POD}]: {_SECCOMP}")
    for place, container in containers.each(child(path, "spec"), spec):
        own = container.security_context
        key = _SECCOMP_CONTAINER + container.name
        if (own is None or own.seccomp_profile is None) and key in meta.annotations:
            found.append(f"{annotations}[{key}]: {_SECCOMP}")
        key = _APPARMOR + container.name
        if (own is None or own.app_armor_profile is None) and key in meta.annotations:
            of_pod_itself = context.app_armor_profile if context is not None else None
            if of_pod_itself is None or _profile(meta.annotations[key]) != _fields(of_pod_itself):
                found.append(f'{annotations}[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead')
        found += containers.of_resources(place, container)
        found += containers.of_environment(place, container.env)
    return found


def _profile(annotation: str) -> tuple[str, str]:
    """What AppArmor's annotation means as a field."""
    if annotation.startswith("localhost/"):
        return "Localhost", annotation.removeprefix("localhost/").strip()
    return {"unconfined": "Unconfined", "runtime/default": "RuntimeDefault"}.get(annotation, ""), ""


def _fields(profile: Any) -> tuple[str, str]:
    return profile.type, profile.localhost_profile or ""


def _of_affinity(here: str, spec: PodSpec) -> list[str]:
    if spec.affinity is None:
        return []
    found = []
    for name, terms in (
        ("podAffinity", spec.affinity.pod_affinity),
        ("podAntiAffinity", spec.affinity.pod_anti_affinity),
    ):
        if terms is None:
            continue
        found += [
            f"{here}.{name}.requiredDuringSchedulingIgnoredDuringExecution[{index}].labelSelector: {_NO_POD}"
            for index, term in enumerate(terms.required_during_scheduling_ignored_during_execution)
            if term.label_selector is None
        ]
        found += [
            f"{here}.{name}.preferredDuringSchedulingIgnoredDuringExecution[{index}].podAffinityTerm.labelSelector: {_NO_POD}"
            for index, weighted in enumerate(terms.preferred_during_scheduling_ignored_during_execution)
            if weighted.pod_affinity_term.label_selector is None
        ]
    return found
