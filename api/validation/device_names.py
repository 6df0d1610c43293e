"""Rules for what devices, their pools, attributes and shares are called."""

import re
from collections.abc import Callable, Iterable

from api import names
from api.validation.problems import Problems
from api.validation.volumes import csi_driver

_LONGEST_POOL, _LONGEST_IDENTIFIER, _LONGEST_KEY = 253, 32, 63 + 1 + 32
_is_uuid = re.compile("[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}").fullmatch
_is_plain_uuid = re.compile("[0-9A-Fa-f]{32}").fullmatch
_NORMAL = (
    "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` "
    "with lowercase hexadecimal characters"
)


def label(found: Problems, path: str, name: str) -> None:
    """A device, a request or a counter."""
    found.invalid_all(path, name, names.dns_label(name))


def driver(found: Problems, path: str, name: str) -> None:
    """A driver: the rule of CSI drivers."""
    csi_driver(found, path, name)


def pool(found: Problems, path: str, name: str) -> None:
    """A pool: subdomains with slashes between them."""
    if not name:
        found.required(path)
        return
    if len(name.encode()) > _LONGEST_POOL:
        found.too_long(path, _LONGEST_POOL)
    for segment in name.split("/"):
        found.invalid_all(path, segment, names.dns_subdomain(segment))


def qualified(found: Problems, path: str, name: str) -> None:
    """An attribute or a capacity: an identifier, perhaps in a domain. Upstream looks at no name with two slashes."""
    parts = name.split("/")
    if len(parts) == 1:
        _identifier(found, path, name)
    elif len(parts) == 2:
        if not parts[0]:
            found.invalid(path, "", "the domain must not be empty")
        else:
            driver(found, path, parts[0])
        if not parts[1]:
            found.invalid(path, "", "the name must not be empty")
        else:
            _identifier(found, path, parts[1])


def fully_qualified(found: Problems, path: str, name: str) -> None:
    """An identifier in a domain."""
    qualified(found, path, name)
    if "/" not in name:
        found.invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash")


def keys(found: Problems, path: str, values: Iterable[str], rule: Callable[[Problems, str, str], None]) -> None:
    """The keys of a map, all told of at the place of the map."""
    for key in values:
        rule(found, path, key)


def at_key(path: str, key: str) -> str:
    """The place of a value in a map: a key that is too long is shown without its middle."""
    if len(key) > _LONGEST_KEY:
        rest = _LONGEST_KEY - len("...")
        key = f"{key[: (rest + 1) // 2]}...{key[len(key) - rest // 2 :]}"
    return f"{path}[{key}]"


def share(found: Problems, path: str, uid: str) -> None:
    """The id of a share of a device: a UUID in its usual form."""
    if problem := _uuid_problem(uid):
        found.invalid(path, uid, f"error validating uid: {problem}")
    elif len(uid) != 36 or uid != uid.lower():
        found.invalid(path, uid, _NORMAL)


def _identifier(found: Problems, path: str, name: str) -> None:
    if len(name.encode()) > _LONGEST_IDENTIFIER:
        found.too_long(path, _LONGEST_IDENTIFIER)
    found.invalid_all(path, name, names.c_identifier(name))


def _uuid_problem(text: str) -> str:
    """What keeps a text from being a UUID in any of the forms in which they are written."""
    match len(text.encode()):
        case 32:
            return "" if _is_plain_uuid(text) else "invalid UUID format"
        case 36:
            pass
        case 38 if text[0] == "{" and text[-1] == "}":
            text = text[1:-1]
        case 38:
            return "invalid bracketed UUID format"
        case 45 if text[:9].lower() == "urn:uuid:":
            text = text[9:]
        case 45:
            return f'invalid urn prefix: "{text[:9]}"'
        case length:
            return f"invalid UUID length: {length}"
    return "" if _is_uuid(text) else "invalid UUID format"
