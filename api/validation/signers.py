"""The names of those who sign certificates."""

from api import names
from api.validation.problems import Problems


def signer_name(found: Problems, path: str, name: str) -> None:
    """A domain, and a path of one segment under it."""
    domain, _, rest = name.partition("/")
    if not name:
        found.required(path)
    elif not rest or "/" in rest or "." not in domain or names.dns_subdomain(domain):
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        found.invalid(path, name, detail)
