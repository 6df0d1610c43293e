"""What the volumes of a pod contain: files as data, from ConfigMaps, Secrets, tokens and the pod itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.core_v1 import (
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from nodeagent.model.spec import all_containers
from nodeagent.render.fields import field_value, resource_value
from nodeagent.render.references import token_wish
from nodeagent.render.settings import ConfigProblem, NodeSettings, Sources
from nodeagent.volumes.ownership import fs_group, fs_user
from nodeagent.volumes.trust import trusted

DEFAULT_MODE = 0o644
PRIVATE_MODE = 0o600
WRITTEN = ("config_map", "secret", "downward_api", "projected")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume; without a user it is root's."""

    data: bytes
    mode: int
    user: int | None = None


Files = dict[str, File]


def volume_files(pod: Pod, volume: Volume, sources: Sources, ips: tuple[str, ...], node: NodeSettings) -> Files:
    """The files of a volume that is written by the agent."""
    if (cm := volume.config_map) is not None:
        mode = DEFAULT_MODE if cm.default_mode is None else cm.default_mode
        return _of_config_map(sources, cm.name, cm.items, mode, bool(cm.optional))
    if (secret := volume.secret) is not None:
        mode = DEFAULT_MODE if secret.default_mode is None else secret.default_mode
        return _of_secret(sources, secret.secret_name, secret.items, mode, bool(secret.optional))
    if (downward := volume.downward_api) is not None:
        mode = DEFAULT_MODE if downward.default_mode is None else downward.default_mode
        return _downward(pod, downward.items, mode, ips, node)
    assert volume.projected is not None
    return _projected(pod, volume.projected, sources, ips, node)


def nested_directories(pod: Pod, name: str) -> list[str]:
    """Where in this volume others are mounted: containers see it read-only, so the directories must be there."""
    found = set[str]()
    for container in all_containers(pod):
        mounts = [(mount.name, mount.mount_path.strip("/"), mount) for mount in container.volume_mounts]
        for _, outer, mount in (m for m in mounts if m[0] == name):
            if mount.sub_path or mount.sub_path_expr:
                continue
            found |= {inner[len(outer) + 1 :] for other, inner, _ in mounts if inner.startswith(f"{outer}/")}
    safe = [path for path in sorted(found) if ".." not in path.split("/") and not path.startswith("..")]
    return [path for path in safe if not any(path.startswith(f"{other}/") for other in safe)]


def _projected(
    pod: Pod, projected: ProjectedVolumeSource, sources: Sources, ips: tuple[str, ...], node: NodeSettings
) -> Files:
    """All sources in one; all that is wrong is told at once."""
    mode = DEFAULT_MODE if projected.default_mode is None else projected.default_mode
    files: Files = {}
    problems: list[str] = []
    for source in projected.sources:
        try:
            files |= _projection(pod, source, mode, sources, ips, node)
        except ConfigProblem as problem:
            problems.append(str(problem))
    if problems:
        raise ConfigProblem(problems[0] if len(problems) == 1 else f"[{', '.join(dict.fromkeys(problems))}]")
    return files


def _projection(
    pod: Pod, source: VolumeProjection, mode: int, sources: Sources, ips: tuple[str, ...], node: NodeSettings
) -> Files:
    if (cm := source.config_map) is not None:
        return _of_config_map(sources, cm.name, cm.items, mode, bool(cm.optional))
    if (secret := source.secret) is not None:
        return _of_secret(sources, secret.name, secret.items, mode, bool(secret.optional))
    if source.downward_api is not None:
        return _downward(pod, source.downward_api.items, mode, ips, node)
    if source.service_account_token is not None:
        return _token(pod, source.service_account_token, mode, sources)
    if (bundle := source.cluster_trust_bundle) is not None:
        return {_safe(bundle.path): File(trusted(sources.bundles, bundle), *_of_user(pod, mode))}
    raise ConfigProblem("podCertificate sources of projected volumes are not supported by this node agent")


def _token(pod: Pod, wanted: ServiceAccountTokenProjection, mode: int, sources: Sources) -> Files:
    """A token is for its user only; with an fsGroup the group is let in when the file is written."""
    token = sources.tokens.get(token_wish(wanted))
    if token is None or token.problem:
        raise ConfigProblem(token.problem if token is not None else "failed to fetch token: it was not asked for")
    return {_safe(wanted.path): File(token.text.encode(), *_of_user(pod, mode))}


def _of_user(pod: Pod, mode: int) -> tuple[int, int | None]:
    """The mode of a file that is its user's alone, where the pod names one, and that user."""
    user = fs_user(pod)
    return PRIVATE_MODE if user is not None or fs_group(pod) is not None else mode, user


def _of_config_map(sources: Sources, name: str | None, items: list[KeyToPath], mode: int, optional: bool) -> Files:
    found = sources.config_maps.get(name or "")
    if found is None and not optional:
        raise ConfigProblem(f'configmap "{name}" not found')
    data: Mapping[str, bytes] = {}
    if found is not None:
        data = {key: value.encode() for key, value in found.data.items()} | found.binary_data
    return _chosen(data, items, mode, optional, "configmap references non-existent config key")


def _of_secret(sources: Sources, name: str | None, items: list[KeyToPath], mode: int, optional: bool) -> Files:
    found = sources.secrets.get(name or "")
    if found is None and not optional:
        raise ConfigProblem(f'secret "{name}" not found')
    return _chosen(found.data if found is not None else {}, items, mode, optional, "references non-existent secret key")


def _chosen(data: Mapping[str, bytes], items: list[KeyToPath], mode: int, optional: bool, complaint: str) -> Files:
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    files: Files = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            raise ConfigProblem(f"{complaint}: {item.key}")
        files[_safe(item.path)] = File(data[item.key], mode if item.mode is None else item.mode)
    return files


def _downward(
    pod: Pod, items: list[DownwardAPIVolumeFile], mode: int, ips: tuple[str, ...], node: NodeSettings
) -> Files:
    files: Files = {}
    for item in items:
        if item.field_ref is not None:
            text = field_value(pod, item.field_ref, ips, node)
        elif item.resource_field_ref is not None:
            text = resource_value(pod, None, item.resource_field_ref, node)
        else:
            raise ConfigProblem(f"downwardAPI item {item.path} has no source")
        files[_safe(item.path)] = File(text.encode(), mode if item.mode is None else item.mode)
    return files


def _safe(path: str) -> str:
    """A path that stays inside the volume."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or not path or parts[0].startswith(".."):
        raise ConfigProblem(f'invalid path "{path}": it must be relative and stay inside the volume')
    return "/".join(part for part in parts if part not in ("", "."))
