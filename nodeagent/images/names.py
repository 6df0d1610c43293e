"""Image names as people write them, and as the runtime wants them."""

import re

_DOMAIN = r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?"
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_PATH}(?:/{_PATH})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)


DEFAULT = "docker.io"


class BadName(ValueError):
    """Text that names no image."""


def with_default_tag(name: str) -> str:
    """The name with `:latest` if it has neither tag nor digest; `BadName` if it is none."""
    found = _NAME.fullmatch(name)
    if found is None or len(found["path"]) > 255:
        path = _path_of(name)
        why = f": repository name ({path}) must be lowercase" if path != path.lower() else ""
        raise BadName(f'couldn\'t parse image name "{name}": invalid reference format{why}')
    return name if found["tag"] or found["digest"] else f"{name}:latest"


def _path_of(name: str) -> str:
    """What would be the path in a registry, whether it can be one or not."""
    head, slash, rest = name.partition("/")
    if not slash or (registry_of(name) == DEFAULT and head == head.lower()):
        rest = name if slash else f"library/{name}"
    return rest.partition("@")[0].partition(":")[0]


def registry_of(name: str) -> str:
    """The host that serves an image; names without one are Docker Hub's."""
    head, slash, _ = name.partition("/")
    return head if slash and ("." in head or ":" in head or head == "localhost") else DEFAULT


def full_name(name: str) -> str:
    """The name with its registry, as runtimes keep it."""
    if registry_of(name) != DEFAULT:
        return name
    path = name.removeprefix(f"{DEFAULT}/")
    return f"{DEFAULT}/{path if '/' in path else f'library/{path}'}"
