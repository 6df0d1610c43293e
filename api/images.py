"""Names of container images."""

import re

_LONGEST_PATH = 255
_LONGEST = 1024  # of what is looked at: repository, tag and digest have no more
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_name = re.compile(
    rf"(?:{_HOST}/)?(?P<path>{_PART}(?:/{_PART})*)(?::\w[\w.-]{{0,127}})?(?:@{_DIGEST})?", re.ASCII
).fullmatch


def tag(image: str) -> str:
    """The tag of an image name: `latest` if it names neither tag nor digest, empty if only a digest."""
    name, _, digest = image.partition("@")
    _, colon, found = name.rpartition("/")[2].partition(":")
    if colon:
        return found
    return "" if digest or not name else "latest"


def pull_policy(image: str) -> str:
    """When an image is pulled if nobody says: a moving tag always, anything else once."""
    found = _name(image) if len(image) <= _LONGEST else None
    named = found is not None and len(found["path"]) <= _LONGEST_PATH
    return "Always" if named and tag(image) == "latest" else "IfNotPresent"
