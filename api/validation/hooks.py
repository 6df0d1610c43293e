"""Rules for how a webhook is reached: by a URL or a Service."""

import re
from typing import Protocol
from urllib.parse import urlsplit

from api import names
from api.validation.problems import Problems

_FORM = "; desired format: https://host[/path]"


class ServiceReference(Protocol):
    """A Service, as several groups of the API name it."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def path(self) -> str | None: ...
    @property
    def port(self) -> int | None: ...


def client(found: Problems, path: str, url_: str | None, service_: ServiceReference | None) -> None:
    """One of both."""
    if (url_ is None) == (service_ is None):
        found.required(path, "exactly one of url or service is required")
    elif url_ is not None:
        url(found, f"{path}.url", url_)
    elif service_ is not None:
        service(found, f"{path}.service", service_)


def service(found: Problems, path: str, value: ServiceReference) -> None:
    """A Service and a path there."""
    for field, name in (("name", value.name), ("namespace", value.namespace)):
        if not name:
            found.required(f"{path}.{field}")
    for text in names.port_number(value.port) if value.port is not None else []:
        found.invalid(f"{path}.port", value.port, f"port is not valid: {text}")
    _path(found, f"{path}.path", value.path or "")


def _path(found: Problems, path: str, text: str) -> None:
    """A path of names, with or without a slash at the end."""
    if text in ("", "/"):
        return
    if text == "//":
        found.invalid(path, text, "segment[0] may not be empty")
        return
    if not text.startswith("/"):
        found.invalid(path, text, "must start with a '/'")
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            found.invalid(path, text, f"segment[{index}] may not be empty")
            continue
        found.invalid_all(path, text, [f"segment[{index}]: {problem}" for problem in names.dns_subdomain(step)])


def url(found: Problems, path: str, text: str) -> None:
    """An address of a web server that proves who it is."""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        found.required(path, f"url must be a valid URL: {error}{_FORM}")
        return
    if bad := _bad_escape(text):
        found.required(path, f'url must be a valid URL: parse "{text}": invalid URL escape "{bad}"{_FORM}')
        return
    if parts.scheme != "https":
        found.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}")
    if not parts.netloc:
        found.invalid(path, "", f"host must be specified{_FORM}")
    if "@" in parts.netloc:
        found.invalid(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL")
    if parts.fragment:
        found.invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        found.invalid(path, parts.query, "query parameters are not permitted in the URL")


def _bad_escape(text: str) -> str:
    bad = re.search("%(?![0-9A-Fa-f]{2})", text)
    return text[bad.start() : bad.start() + 3] if bad else ""
