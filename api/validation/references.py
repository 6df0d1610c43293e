"""Rules for what names something elsewhere: other objects, controllers, time zones."""

import re

from api import names
from api.validation.problems import Problems

_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_is_path = re.compile(_PATH).fullmatch


def domain_path(found: Problems, path: str, value: str) -> None:
    """A path under a domain: `example.com/controller`."""
    if not value:
        found.required(path)
        return
    domain, _, rest = value.partition("/")
    if not domain or not rest:
        found.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    found.invalid_all(path, domain, names.dns_subdomain(domain))
    if not _is_path(rest):
        found.invalid(path, rest, f"Invalid path (regex used for validation is '{_PATH}')")


def typed(found: Problems, path: str, group: str | None, kind: str, name: str) -> None:
    """A reference by group, kind and name."""
    if group is not None:
        found.invalid_all(f"{path}.apiGroup", group, names.dns_subdomain(group))
    for field, value in (("kind", kind), ("name", name)):
        segment(found, f"{path}.{field}", value)


def segment(found: Problems, path: str, value: str | None) -> None:
    """A name that must be there and fit into a path."""
    if not value:
        found.required(path)
    else:
        found.invalid_all(path, value, names.path_segment(value))
