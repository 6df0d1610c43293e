"""What a container has mounted: its volumes or parts of them, /etc/hosts, and the file for its last words."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.core_v1 import VolumeMount
from nodeagent.model.spec import AnyContainer
from nodeagent.render.environment import REFERENCE, expand
from nodeagent.render.settings import ConfigProblem
from proto import cri_v1_pb2 as pb

PROPAGATIONS = {
    "None": pb.PROPAGATION_PRIVATE,
    "HostToContainer": pb.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": pb.PROPAGATION_BIDIRECTIONAL,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a volume is on the host; containers may only read it, or see it as a device."""

    path: str
    read_only: bool = False
    device: bool = False


def wanted_subpaths(container: AnyContainer, environment: Mapping[str, str]) -> dict[int, tuple[str, str]]:
    """The parts of volumes that a container mounts: index of the mount -> volume and path in it."""
    paths = ((index, mount.name, _subpath(mount, environment)) for index, mount in enumerate(container.volume_mounts))
    return {index: (name, path) for index, name, path in paths if path}


def _subpath(mount: VolumeMount, environment: Mapping[str, str]) -> str:
    path = mount.sub_path or ""
    if mount.sub_path_expr:
        names = {name for name in REFERENCE.findall(mount.sub_path_expr) if name}
        if missing := sorted(name for name in names if not environment.get(name)):
            raise ConfigProblem(f"missing value for {', '.join(missing)}")
        path = expand(mount.sub_path_expr, environment)
    if path.startswith("/"):
        raise ConfigProblem(f"error SubPath `{path}` must not be an absolute path")
    if ".." in path.split("/"):
        raise ConfigProblem(f"unable to provision SubPath `{path}`: must not contain '..'")
    return path


def build_volume_mounts(
    container: AnyContainer, places: Mapping[str, Place], subpaths: Mapping[int, str], recursive: bool
) -> list[pb.Mount]:
    """Its volumes. `recursive` says whether the runtime can make what is mounted inside of them read-only as well."""
    mounts = []
    for index, mount in enumerate(container.volume_mounts):
        place = places.get(mount.name)
        if place is None or place.device:
            raise ConfigProblem(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
        path = mount.mount_path
        mounts.append(
            pb.Mount(
                container_path=path if path.startswith("/") else f"/{path}",
                host_path=subpaths.get(index, place.path),
                readonly=bool(mount.read_only) or place.read_only,
                propagation=_propagation(mount),
                recursive_read_only=_recursive(mount, recursive),
            )
        )
    return mounts


def build_devices(container: AnyContainer, places: Mapping[str, Place]) -> list[pb.Device]:
    """The volumes that it has as devices."""
    devices = []
    for device in getattr(container, "volume_devices", ()):
        place = places.get(device.name)
        if place is None or not place.device:
            raise ConfigProblem(f'cannot find volume "{device.name}" to pass into container "{container.name}"')
        allowed = "r" if place.read_only else "mrw"
        devices.append(pb.Device(container_path=device.device_path, host_path=place.path, permissions=allowed))
    return devices


def _propagation(mount: VolumeMount) -> pb.MountPropagation:
    mode = mount.mount_propagation or "None"
    if mode not in PROPAGATIONS:
        raise ConfigProblem(f'invalid MountPropagation mode: "{mode}"')
    return PROPAGATIONS[mode]


def _recursive(mount: VolumeMount, able: bool) -> bool:
    mode = mount.recursive_read_only or "Disabled"
    if mode == "Disabled":
        return False
    refused = f'failed to resolve recursive read-only mode: volume "{mount.name}" requested recursive read-only mode, but it is'
    if not mount.read_only:
        raise ConfigProblem(f"{refused} not read-only")
    if (mount.mount_propagation or "None") != "None":
        raise ConfigProblem(f'{refused} not compatible with propagation "{mount.mount_propagation}"')
    if mode not in ("IfPossible", "Enabled"):
        raise ConfigProblem(f'failed to resolve recursive read-only mode: unknown recursive read-only mode "{mode}"')
    if mode == "Enabled" and not able:
        raise ConfigProblem(f"{refused} not supported by the runtime")
    return able
