"""Rules for amounts of CPU, memory and other resources."""

from fractions import Fraction

from api import names, quantity
from api.core_v1 import ResourceRequirements
from api.validation.problems import Problems

_OF_CONTAINERS = frozenset(("cpu", "memory", "ephemeral-storage"))
_HUGE_PAGES = "hugepages-"


def requirements(found: Problems, path: str, asked: ResourceRequirements, claims: frozenset[str]) -> None:
    """The requests and limits of a container."""
    limits = _amounts(found, f"{path}.limits", asked.limits)
    requests = _amounts(found, f"{path}.requests", asked.requests)
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is None:
            if name not in asked.limits and not _overcommit(name):
                found.required(f"{path}.limits", "Limit must be set for non overcommitable resources")
        elif amount != limit and not _overcommit(name):
            detail = f"must be equal to {name} limit of {asked.limits[name]}"
            found.invalid(f"{path}.requests", asked.requests[name], detail)
        elif amount > limit:
            detail = f"must be less than or equal to {name} limit of {asked.limits[name]}"
            found.invalid(f"{path}.requests", asked.requests[name], detail)
    asked_for = limits.keys() | requests.keys()
    if any(name.startswith(_HUGE_PAGES) for name in asked_for) and not asked_for & {"cpu", "memory"}:
        found.forbidden(path, "HugePages require cpu or memory")
    seen: set[str] = set()
    for index, claim in enumerate(asked.claims):
        if claim.name not in claims:
            found.not_found(f"{path}.claims[{index}].name", claim.name)
        if claim.name in seen:
            found.duplicate(f"{path}.claims[{index}].name", claim.name)
        seen.add(claim.name)


def amount(found: Problems, path: str, name: str, text: str) -> Fraction | None:
    """One amount of a resource; None if it cannot be read."""
    try:
        value = quantity.parse(text)
    except quantity.QuantityError as error:
        found.invalid(path, text, str(error).partition(": ")[2])
        return None
    if value < 0:
        found.invalid(path, text, "must be greater than or equal to 0")
    if (_extended(name) or name == "pods") and value.denominator != 1:
        found.invalid(path, text, "must be an integer")
    return value


def _amounts(found: Problems, path: str, texts: dict[str, str]) -> dict[str, Fraction]:
    amounts = {}
    for name, text in texts.items():
        where = f"{path}[{name}]"
        _container_resource(found, where, name)
        value = amount(found, where, name, text)
        if value is not None:
            amounts[name] = value
    return amounts


def _container_resource(found: Problems, path: str, name: str) -> None:
    problems = names.label_key(name)
    found.invalid_all(path, name, problems)
    if problems or "/" in name or name in _OF_CONTAINERS or name.startswith(_HUGE_PAGES):
        return
    found.invalid(path, name, "must be a standard resource type or fully qualified")
    found.invalid(path, name, "must be a standard resource for containers")


def _extended(name: str) -> bool:
    return "/" in name and "kubernetes.io/" not in name


def _overcommit(name: str) -> bool:
    """Whether more of the resource can be promised than there is."""
    return not _extended(name) and not name.startswith(_HUGE_PAGES)
