"""Names of container images."""


def tag(image: str) -> str:
    """The tag of an image name: `latest` if it names neither tag nor digest, empty if only a digest."""
    name, _, digest = image.partition("@")
    _, colon, found = name.rpartition("/")[2].partition(":")
    if colon:
        return found
    return "" if digest or not name else "latest"


def pull_policy(image: str) -> str:
    """When an image is pulled if nobody says: a moving tag always, anything else once."""
    return "Always" if tag(image) == "latest" else "IfNotPresent"
