"""What a storage driver is asked for, from what a pod, its volume and the driver's own object say. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.core_v1 import Pod
from nodeagent.render.settings import Token, TokenWish
from nodeagent.volumes.resolved import Resolved
from proto import csi_v1_pb2 as pb

_MODE = pb.VolumeCapability.AccessMode
_MODES = {
    "ReadWriteOnce": _MODE.SINGLE_NODE_WRITER,
    "ReadOnlyMany": _MODE.MULTI_NODE_READER_ONLY,
    "ReadWriteMany": _MODE.MULTI_NODE_MULTI_WRITER,
    "ReadWriteOncePod": _MODE.SINGLE_NODE_WRITER,
}
_FINE_MODES = _MODES | {
    "ReadWriteOnce": _MODE.SINGLE_NODE_MULTI_WRITER,
    "ReadWriteOncePod": _MODE.SINGLE_NODE_SINGLE_WRITER,
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a CSIDriver object says; without one these are the terms."""

    known: bool = False
    attach: bool = True
    pod_info: bool = False
    modes: tuple[str, ...] = ("Persistent",)
    group_policy: str = "ReadWriteOnceWithFSType"
    tokens: tuple[TokenWish, ...] = ()
    tokens_in_secrets: bool = False
    republish: bool = False
    limits_change: bool = False


def terms_of(driver: Any) -> Terms:
    """The terms of a CSIDriver."""
    spec = driver.spec
    return Terms(
        known=True,
        attach=spec.attach_required is not False,
        pod_info=bool(spec.pod_info_on_mount),
        modes=tuple(spec.volume_lifecycle_modes) or ("Persistent",),
        group_policy=spec.fs_group_policy or "ReadWriteOnceWithFSType",
        tokens=tuple(TokenWish(one.audience, one.expiration_seconds or 3600) for one in spec.token_requests),
        tokens_in_secrets=bool(spec.service_account_token_in_secrets),
        republish=bool(spec.requires_republish),
        limits_change=bool(spec.node_allocatable_update_period_seconds),
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """One volume of one pod, as its driver knows it."""

    driver: str
    handle: str
    label: str
    inline: bool
    block: bool
    read_only: bool
    fs_type: str
    access: str
    options: tuple[str, ...]
    context: Mapping[str, str]
    stage_secret: tuple[str, str] = ("", "")  # namespace and name
    publish_secret: tuple[str, str] = ("", "")
    expand_secret: tuple[str, str] = ("", "")
    name: str = ""  # the pod's own for it
    access_modes: tuple[str, ...] = field(default=("ReadWriteOnce",))


def wanted_of(pod: Pod, volume: Resolved) -> Wanted:
    """What a CSI volume asks for: inline in a pod, or by a PersistentVolume."""
    source = volume.source
    inline = volume.persistent is None
    modes = ("ReadWriteOnce",) if inline else tuple(volume.persistent.spec.access_modes)
    namespace = pod.metadata.namespace or ""
    publish = source.node_publish_secret_ref
    stage = None if inline else source.node_stage_secret_ref
    return Wanted(
        driver=source.driver,
        handle=inline_handle(pod.metadata.uid or "", volume.name) if inline else source.volume_handle,
        label=volume.label,
        inline=inline,
        block=volume.block,
        read_only=volume.read_only,
        fs_type=source.fs_type or "",
        access=modes[0] if modes else "ReadWriteOnce",
        options=volume.options,
        context=dict(source.volume_attributes),
        stage_secret=_secret(stage, namespace),
        publish_secret=_secret(publish, namespace),
        expand_secret=_secret(None if inline else source.node_expand_secret_ref, namespace),
        access_modes=modes,
        name=volume.name,
    )


def _secret(ref: Any, namespace: str) -> tuple[str, str]:
    if ref is None or not ref.name:
        return "", ""
    return getattr(ref, "namespace", None) or namespace, ref.name


def inline_handle(uid: str, name: str) -> str:
    """The handle of a volume that lives and dies with a pod."""
    return f"csi-{hashlib.sha256(f'{uid}{name}'.encode()).hexdigest()}"


def attachment_name(handle: str, driver: str, node: str) -> str:
    """The VolumeAttachment that says that a volume is attached to a node."""
    return f"csi-{hashlib.sha256(f'{handle}{driver}{node}'.encode()).hexdigest()}"


def capability(wanted: Wanted, group: int | None, *, fine_modes: bool) -> pb.VolumeCapability:
    """How a volume is to be used; `group` only if the driver is to care for it."""
    modes = _FINE_MODES if fine_modes else _MODES
    mode = _MODE(mode=modes.get(wanted.access, _MODE.UNKNOWN))
    if wanted.block:
        return pb.VolumeCapability(block=pb.VolumeCapability.BlockVolume(), access_mode=mode)
    mount = pb.VolumeCapability.MountVolume(
        fs_type=wanted.fs_type, mount_flags=wanted.options, volume_mount_group="" if group is None else str(group)
    )
    return pb.VolumeCapability(mount=mount, access_mode=mode)


def gives_to_group(wanted: Wanted, terms: Terms, group: int | None) -> bool:
    """Whether the agent gives the volume's files to the pod's group."""
    if group is None or wanted.read_only or wanted.block or terms.group_policy == "None":
        return False
    if terms.group_policy == "File":
        return True
    return bool(wanted.fs_type) and "ReadWriteOnce" in wanted.access_modes


def lifecycle_problem(wanted: Wanted, terms: Terms) -> str:
    """Why a driver does not do volumes of this sort, "" if it does."""
    mode = "Ephemeral" if wanted.inline else "Persistent"
    if not terms.known:
        return f'volume mode "{mode}" not supported by driver {wanted.driver} (no CSIDriver object)' * wanted.inline
    if mode in terms.modes:
        return ""
    return f'volume mode "{mode}" not supported by driver {wanted.driver} (only supports {json.dumps(terms.modes)})'


def pod_facts(pod: Pod, wanted: Wanted) -> dict[str, str]:
    """What drivers that ask for it are told of a pod."""
    prefix, meta = "csi.storage.k8s.io", pod.metadata
    return {
        f"{prefix}/pod.name": meta.name or "",
        f"{prefix}/pod.namespace": meta.namespace or "",
        f"{prefix}/pod.uid": meta.uid or "",
        f"{prefix}/serviceAccount.name": pod.spec.service_account_name or "",
        f"{prefix}/ephemeral": "true" if wanted.inline else "false",
    }


def token_facts(tokens: Mapping[TokenWish, Token]) -> dict[str, str]:
    """The pod's tokens, for drivers that act for it."""
    if not tokens:
        return {}
    shown = {
        wish.audience: {"token": token.text, "expirationTimestamp": token.expires} for wish, token in tokens.items()
    }
    return {"csi.storage.k8s.io/serviceAccount.tokens": json.dumps(shown, separators=(",", ":"), sort_keys=True)}
