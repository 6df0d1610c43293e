"""What the volumes of a pod contain: files as data, from ConfigMaps, Secrets and the pod itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.core_v1 import DownwardAPIVolumeFile, KeyToPath, Pod, Volume, VolumeProjection
from nodeagent.render.fields import field_value, resource_value
from nodeagent.render.settings import ConfigProblem, NodeSettings, Sources

DEFAULT_MODE = 0o644
WRITTEN = ("config_map", "secret", "downward_api", "projected")
SUPPORTED = (*WRITTEN, "empty_dir", "host_path")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int


Files = dict[str, File]


def kind_of(volume: Volume) -> str:
    """Which source a volume has; one without any is an emptyDir."""
    fields = (name for name in volume.__struct_fields__ if name != "name")
    return next((name for name in fields if getattr(volume, name) is not None), "empty_dir")


def volume_files(pod: Pod, volume: Volume, sources: Sources, ips: tuple[str, ...], node: NodeSettings) -> Files:
    """The files of a volume that is written by the agent."""
    if (cm := volume.config_map) is not None:
        mode = DEFAULT_MODE if cm.default_mode is None else cm.default_mode
        return _chosen(
            _config_map(sources, cm.name, cm.optional), cm.items, mode, bool(cm.optional), f"configmap {cm.name}"
        )
    if (secret := volume.secret) is not None:
        mode = DEFAULT_MODE if secret.default_mode is None else secret.default_mode
        data = _secret(sources, secret.secret_name, secret.optional)
        return _chosen(data, secret.items, mode, bool(secret.optional), f"secret {secret.secret_name}")
    if (downward := volume.downward_api) is not None:
        mode = DEFAULT_MODE if downward.default_mode is None else downward.default_mode
        return _downward(pod, downward.items, mode, ips, node)
    assert volume.projected is not None
    projected = volume.projected
    mode = DEFAULT_MODE if projected.default_mode is None else projected.default_mode
    files: Files = {}
    for source in projected.sources:
        files |= _projection(pod, source, mode, sources, ips, node)
    return files


def _projection(
    pod: Pod, source: VolumeProjection, mode: int, sources: Sources, ips: tuple[str, ...], node: NodeSettings
) -> Files:
    if (cm := source.config_map) is not None:
        data = _config_map(sources, cm.name, cm.optional)
        return _chosen(data, cm.items, mode, bool(cm.optional), f"configmap {cm.name}")
    if (secret := source.secret) is not None:
        data = _secret(sources, secret.name, secret.optional)
        return _chosen(data, secret.items, mode, bool(secret.optional), f"secret {secret.name}")
    if source.downward_api is not None:
        return _downward(pod, source.downward_api.items, mode, ips, node)
    kind = "serviceAccountToken" if source.service_account_token is not None else "this source"
    raise ConfigProblem(f"{kind} of a projected volume is not supported by this node agent")


def _config_map(sources: Sources, name: str | None, optional: bool | None) -> Mapping[str, bytes]:
    found = sources.config_maps.get(name or "")
    if found is None:
        if optional:
            return {}
        raise ConfigProblem(f'configmap "{name}" not found')
    return {key: value.encode() for key, value in found.data.items()} | found.binary_data


def _secret(sources: Sources, name: str | None, optional: bool | None) -> Mapping[str, bytes]:
    found = sources.secrets.get(name or "")
    if found is None:
        if optional:
            return {}
        raise ConfigProblem(f'secret "{name}" not found')
    return found.data


def _chosen(data: Mapping[str, bytes], items: list[KeyToPath], mode: int, optional: bool, what: str) -> Files:
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    files: Files = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            raise ConfigProblem(f"{what}: references non-existent config key: {item.key}")
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
