"""The account that a new pod acts as: it exists, its token is mounted, its pull secrets are used, its limits are kept.

A namespace's account `default` is made by a controller a moment after the namespace: who is that early is kept waiting (`AccountMissing`).
Mirror pods show what a node runs of itself: they have no account and none of what would be another's secret.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from api import codec, kinds
from api.core_v1 import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    ObjectFieldSelector,
    PodSpec,
    ProjectedVolumeSource,
    ServiceAccount,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from controlplane.apiserver import status
from controlplane.apiserver.admission.nodes import MIRROR
from controlplane.apiserver.entry import object_key
from controlplane.apiserver.status import StatusError
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

DEFAULT = "default"
VOLUME = "kube-api-access-"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
SECONDS = 3607  # an hour and a little: by this number a server knows tokens that nobody asked for by themselves
TRIES, PAUSE = 10, (0.1, 0.2)  # how often, and after how many seconds, an account is looked for again
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_rng = random.Random()


class AccountMissing(StatusError):
    """The account may appear in a moment: worth another try."""


def act_as(write: Write, core: Core) -> None:
    """Complete a new pod with its account."""
    if write.kind is not kinds.POD or write.operation != CREATE or write.subresource:
        return
    if MIRROR in write.new.metadata.annotations:
        _require_harmless(write)
        return
    spec: PodSpec = write.new.spec
    spec.service_account_name = spec.service_account_name or DEFAULT
    spec.service_account = spec.service_account_name
    if not core.accounts:
        return
    account = _find(write, core, spec.service_account_name)
    if _automount(account, spec):
        mount_token(spec)
    if not spec.image_pull_secrets:
        spec.image_pull_secrets = list(account.image_pull_secrets)
    if _enforced(account):
        _limit(write, account)


def limit_ephemeral(write: Write, core: Core) -> None:
    """What comes to a pod later may not take more from Secrets than what was there."""
    if write.kind is not kinds.POD or write.subresource != "ephemeralcontainers" or not core.accounts:
        return
    name = write.new.spec.service_account_name
    if not name:
        why = f"no service account specified for pod {write.call.target.namespace}/{write.new.metadata.name}"
        raise status.forbidden(write.subject, why)
    account = _find(write, core, name)
    if not _enforced(account):
        return
    allowed = {one.name for one in account.secrets}
    for container in write.new.spec.ephemeral_containers:
        _limit_container(write, account, allowed, "ephemeral container", container)


def mount_token(spec: PodSpec) -> None:
    """Show token, authority and namespace where clients look for them, in each container that has nothing there."""
    bare = [
        container
        for container in (*spec.init_containers, *spec.containers)
        if not any(mount.mount_path == MOUNT_PATH for mount in container.volume_mounts)
    ]
    present = next((volume.name for volume in spec.volumes if volume.name.startswith(VOLUME)), "")
    name = present or VOLUME + "".join(_rng.choices(_LETTERS, k=5))
    for container in bare:
        mount = VolumeMount(name=name, read_only=True, mount_path=MOUNT_PATH)
        container.volume_mounts = [*container.volume_mounts, mount]
    if bare and not present:
        spec.volumes = [*spec.volumes, Volume(name=name, projected=_token_source())]


def _token_source() -> ProjectedVolumeSource:
    namespace = ObjectFieldSelector(api_version="v1", field_path="metadata.namespace")
    return ProjectedVolumeSource(
        default_mode=0o644,
        sources=[
            VolumeProjection(
                service_account_token=ServiceAccountTokenProjection(path="token", expiration_seconds=SECONDS)
            ),
            VolumeProjection(
                config_map=ConfigMapProjection(name="kube-root-ca.crt", items=[KeyToPath(key="ca.crt", path="ca.crt")])
            ),
            VolumeProjection(
                downward_api=DownwardAPIProjection(items=[DownwardAPIVolumeFile(path="namespace", field_ref=namespace)])
            ),
        ],
    )


def _find(write: Write, core: Core, name: str) -> ServiceAccount:
    namespace = write.call.target.namespace
    entry = core.cache.resources[kinds.SERVICE_ACCOUNT].entries.get(object_key(namespace, name))
    if entry is not None:
        return codec.decode(kinds.SERVICE_ACCOUNT, entry.data)
    why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
    refusal = status.forbidden(write.subject, why)
    if name == DEFAULT:
        raise AccountMissing(refusal.code, refusal.reason, refusal.message, refusal.details)
    raise refusal


def _automount(account: ServiceAccount, spec: PodSpec) -> bool:
    """The pod's word, else the account's, else yes."""
    for wish in (spec.automount_service_account_token, account.automount_service_account_token):
        if wish is not None:
            return wish
    return True


def _enforced(account: ServiceAccount) -> bool:
    return account.metadata.annotations.get(_ENFORCE) in _TRUE


def _limit(write: Write, account: ServiceAccount) -> None:
    """An account may say that only its own Secrets are for its pods."""
    spec: PodSpec = write.new.spec
    allowed = {one.name for one in account.secrets}
    owner = f"because service account {account.metadata.name} does not reference that"
    for volume in spec.volumes:
        if volume.secret is not None and volume.secret.secret_name not in allowed:
            what = f'volume with secret.secretName="{volume.secret.secret_name}"'
            raise status.forbidden(write.subject, f"{what} is not allowed {owner} secret")
    for role, containers in (("init container", spec.init_containers), ("container", spec.containers)):
        for container in containers:
            _limit_container(write, account, allowed, role, container)
    pulled_by = {one.name for one in account.image_pull_secrets}
    for index, pull in enumerate(spec.image_pull_secrets):
        if pull.name not in pulled_by:
            what = f'imagePullSecrets[{index}].name="{pull.name}"'
            raise status.forbidden(write.subject, f"{what} is not allowed {owner} imagePullSecret")


def _limit_container(
    write: Write, account: ServiceAccount, allowed: set[str | None], role: str, container: Any
) -> None:
    for where, name in _secrets_of(container):
        if name not in allowed:
            what = f'{role} {container.name} with {where} referencing secret.secretName="{name}"'
            owner = f"because service account {account.metadata.name} does not reference that secret"
            raise status.forbidden(write.subject, f"{what} is not allowed {owner}")


def _secrets_of(container: Any) -> Iterator[tuple[str, str | None]]:
    """The Secrets that a container's variables come from, and where it says so."""
    for variable in container.env:
        if variable.value_from is not None and variable.value_from.secret_key_ref is not None:
            yield f"envVar {variable.name}", variable.value_from.secret_key_ref.name
    for origin in container.env_from:
        if origin.secret_ref is not None:
            yield "envFrom", origin.secret_ref.name


def _require_harmless(write: Write) -> None:
    """A mirror pod refers to no account and no secret."""
    spec: PodSpec = write.new.spec
    if spec.service_account_name:
        raise status.forbidden(write.subject, "a mirror pod may not reference service accounts")
    if any(True for _ in _all_secrets(spec)):
        raise status.forbidden(write.subject, "a mirror pod may not reference secrets")
    projections = [one for volume in spec.volumes if volume.projected is not None for one in volume.projected.sources]
    if any(one.service_account_token is not None for one in projections):
        raise status.forbidden(write.subject, "a mirror pod may not use ServiceAccountToken volume projections")


def _all_secrets(spec: PodSpec) -> Iterator[str | None]:
    """Every Secret that a pod names, wherever."""
    yield from (one.name for one in spec.image_pull_secrets)
    for container in (*spec.init_containers, *spec.containers, *spec.ephemeral_containers):
        yield from (name for _, name in _secrets_of(container))
    for volume in spec.volumes:
        if volume.secret is not None:
            yield volume.secret.secret_name
        for projection in volume.projected.sources if volume.projected is not None else ():
            if projection.secret is not None:
                yield projection.secret.name
        if volume.azure_file is not None:
            yield volume.azure_file.secret_name
        for field in ("cephfs", "flex_volume", "rbd", "scale_io", "iscsi", "storageos"):
            source = getattr(volume, field, None)
            if source is not None and source.secret_ref is not None:
                yield source.secret_ref.name
        if volume.csi is not None and volume.csi.node_publish_secret_ref is not None:
            yield volume.csi.node_publish_secret_ref.name
