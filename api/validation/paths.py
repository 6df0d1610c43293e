"""Rules for the files and paths that volumes put into containers."""

from api.core_v1 import DownwardAPIVolumeFile, KeyToPath
from api.validation.environment import field_ref, resource_field_ref
from api.validation.problems import Problems

_VOLUME_FIELDS = frozenset(
    (
        "metadata.name",
        "metadata.namespace",
        "metadata.labels",
        "metadata.annotations",
        "metadata.uid",
    )
)
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def downward_file(found: Problems, path: str, item: DownwardAPIVolumeFile) -> None:
    """A file with something about the pod."""
    if not item.path:
        found.required(f"{path}.path")
    local_path(found, f"{path}.path", item.path)
    if item.field_ref is not None:
        field_ref(found, f"{path}.fieldRef", item.field_ref, _VOLUME_FIELDS)
        if item.resource_field_ref is not None:
            found.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif item.resource_field_ref is not None:
        resource_field_ref(found, f"{path}.resourceFieldRef", item.resource_field_ref, in_volume=True)
    else:
        found.required(path, "one of fieldRef and resourceFieldRef is required")
    mode(found, f"{path}.mode", item.mode)


def keys(found: Problems, path: str, items: list[KeyToPath]) -> None:
    """Which keys become which files."""
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if not item.key:
            found.required(f"{where}.key")
        if not item.path:
            found.required(f"{where}.path")
        local_path(found, f"{where}.path", item.path)
        mode(found, f"{where}.mode", item.mode)


def mode(found: Problems, path: str, value: int | None) -> None:
    """The mode of a file."""
    if value is not None and not 0 <= value <= 0o777:
        found.invalid(path, value, _MODE)


def descending_path(found: Problems, path: str, value: str) -> None:
    """A path that stays below the directory it starts in."""
    if value.startswith("/"):
        found.invalid(path, value, "must be a relative path")
    no_backsteps(found, path, value)


def local_path(found: Problems, path: str, value: str) -> None:
    """A path below a volume's root, and not one of those that the atomic writer keeps for itself."""
    descending_path(found, path, value)
    if value.startswith("..") and not value.startswith("../"):
        found.invalid(path, value, "must not start with '..'")


def no_backsteps(found: Problems, path: str, value: str) -> None:
    """A path that does not climb."""
    if ".." in value.split("/"):
        found.invalid(path, value, "must not contain '..'")
