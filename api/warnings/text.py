"""Values as warnings show them."""

import msgspec


def quoted(value: str) -> str:
    """A text in quotation marks, with escapes."""
    return msgspec.json.encode(value).decode()


def child(path: str, *names: str) -> str:
    """The path of a field within another; an empty path is the object itself."""
    return ".".join((path, *names) if path else names)
