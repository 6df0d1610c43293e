"""What a volume of a pod really is: its own source, or that of the PersistentVolume behind its claim. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.core_v1 import Pod, Volume

REMOTE = frozenset({"nfs", "csi"})  # others have to answer before they are there


@dataclass(frozen=True, slots=True)
class Claimed:
    """The claim that a volume names and the PersistentVolume it is bound to, or why they cannot be used."""

    claim: Any = None
    volume: Any = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A volume of a pod. `label` is its name on disk and in messages: for claims, that of the PersistentVolume."""

    name: str
    label: str
    kind: str
    source: Any
    read_only: bool = False
    options: tuple[str, ...] = ()
    persistent: Any = None
    claim: Any = None

    @property
    def block(self) -> bool:
        """Whether it is a device and no file system."""
        return self.persistent is not None and self.persistent.spec.volume_mode == "Block"


def source_of(holder: Any, skip: str = "name") -> tuple[str, Any]:
    """Which of the exclusive sources is set; without any it is an emptyDir."""
    fields = (name for name in holder.__struct_fields__ if name != skip)
    kind = next((name for name in fields if getattr(holder, name) is not None), "empty_dir")
    return kind, getattr(holder, kind)


def resolve(volume: Volume, claims: Mapping[str, Claimed]) -> Resolved:
    """The volume with its claim, if it has one, replaced by what is behind it."""
    kind, source = source_of(volume)
    if kind not in ("persistent_volume_claim", "ephemeral"):
        return Resolved(volume.name, volume.name, kind, source, _read_only(kind, source))
    claim, found = claims[volume.name].claim, claims[volume.name].volume
    wish = bool(getattr(source, "read_only", None))
    kind, source = _persistent_source(found)
    read_only = wish or (found.spec.access_modes == ["ReadOnlyMany"] and kind != "csi") or _read_only(kind, source)
    options = tuple(found.spec.mount_options)
    return Resolved(volume.name, found.metadata.name or "", kind, source, read_only, options, found, claim)


def is_remote(pod: Pod) -> bool:
    """Whether taking its volumes away may take as long as some server pleases."""
    claims = ("nfs", "csi", "persistent_volume_claim", "ephemeral")
    return any(getattr(volume, kind) is not None for volume in pod.spec.volumes for kind in claims)


def driven(pod: Pod, claims: Mapping[str, Claimed]) -> list[Resolved]:
    """The volumes that storage drivers make."""
    return [one for one in (resolve(volume, claims) for volume in pod.spec.volumes) if one.kind == "csi"]


def waits_for_others(pod: Pod, claims: Mapping[str, Claimed]) -> bool:
    """Whether making its volumes may take as long as some server pleases."""
    return any(resolve(volume, claims).kind in REMOTE for volume in pod.spec.volumes)


def claim_names(pod: Pod) -> dict[str, str]:
    """The claims of a pod's volumes, by the names of the volumes."""
    names = {}
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            names[volume.name] = volume.persistent_volume_claim.claim_name
        elif volume.ephemeral is not None:
            names[volume.name] = f"{pod.metadata.name}-{volume.name}"
    return names


def spoken(kind: str) -> str:
    """The name of a source as manifests write it."""
    return re.sub(r"_(\w)", lambda m: m[1].upper(), kind)


_SOURCES = ("host_path", "nfs", "local", "csi", "iscsi", "fc", "rbd", "cephfs", "cinder", "glusterfs", "flex_volume")


def _persistent_source(volume: Any) -> tuple[str, Any]:
    spec = volume.spec
    others = (n for n in spec.__struct_fields__ if n not in _SOURCES and hasattr(getattr(spec, n), "__struct_fields__"))
    for name in (*_SOURCES, *others):
        source = getattr(spec, name)
        if source is not None and name not in ("claim_ref", "node_affinity"):
            return name, source
    return "none", None


def _read_only(kind: str, source: Any) -> bool:
    """What the agent writes is for reading; others say it themselves."""
    return kind in ("config_map", "secret", "downward_api", "projected", "image") or bool(
        getattr(source, "read_only", None)
    )
