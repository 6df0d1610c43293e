"""User namespaces of pods: each has its own 65,536 ids of the host, noted in its directory so that no other gets them."""

from pathlib import Path

from proto import cri_v1_pb2 as pb

LENGTH = 65536
FILE = "userns"
MOST = 2**31 // LENGTH


class NoIdsLeft(Exception):
    """Every range is some pod's."""


def first_id(root_dir: str, uid: str) -> int:
    """The host's id for root of this pod; taken now if it has none yet."""
    own = Path(root_dir) / "pods" / uid / FILE
    if (known := _read(own)) is not None:
        return known
    taken = {_read(path) for path in own.parent.parent.glob(f"*/{FILE}")}
    free = next((n * LENGTH for n in range(1, MOST) if n * LENGTH not in taken), None)
    if free is None:
        raise NoIdsLeft("could not find an empty slot to allocate a user namespace")
    own.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    own.write_text(str(free))
    return free


def apply_ids(options: pb.NamespaceOption, first: int) -> None:
    """Let what has these options run with those ids."""
    users = options.userns_options
    users.mode = pb.POD
    for mapping in (users.uids, users.gids):
        mapping.add(host_id=first, container_id=0, length=LENGTH)


def apply_to_mounts(mounts: list[pb.Mount], first: int) -> None:
    """Files of volumes belong to the same ids inside."""
    for mount in mounts:
        for mapping in (mount.uidMappings, mount.gidMappings):
            mapping.add(host_id=first, container_id=0, length=LENGTH)


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
