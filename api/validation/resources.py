"""Rules for amounts of CPU, memory and other resources."""

from collections.abc import Callable
from fractions import Fraction

from api import names, quantity
from api.core_v1 import PodSpec, ResourceRequirements
from api.validation.pod_claims import container_claims
from api.validation.problems import Problems

_OF_CONTAINERS = frozenset(("cpu", "memory", "ephemeral-storage"))
_HUGE_PAGES = "hugepages-"
_OF_PODS = ("cpu", "memory")
_STANDARD = frozenset(
    (
        *("cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage"),
        *("limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services"),
        *("replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims", "storage", "requests.storage"),
        *("services.nodeports", "services.loadbalancers"),
    )
)


def requirements(found: Problems, path: str, asked: ResourceRequirements, claims: frozenset[str]) -> None:
    """The requests and limits of a container."""
    _requirements(found, path, asked, container_resource)
    container_claims(found, f"{path}.claims", asked.claims, claims)


def of_pod(found: Problems, path: str, spec: PodSpec, asked: ResourceRequirements) -> None:
    """What a pod as a whole asks for."""
    where = f"{path}.resources"
    if spec.os is not None and spec.os.name == "windows":
        found.forbidden(where, "may not be set for a windows pod")
        return
    if asked.claims:
        found.forbidden(f"{where}.claims", "claims may not be set for Resources at pod-level")
    requests, limits = _requirements(found, where, asked, _pod_resource)
    container_claims(found, f"{where}.claims", asked.claims, frozenset(claim.name for claim in spec.resource_claims))
    together = _together(spec)
    for name, amount_ in requests.items():
        if together.get(name, Fraction(0)) > amount_:
            shown = quantity.format_quantity(together[name])
            detail = f"must be greater than or equal to aggregate container requests of {shown}"
            found.invalid(f"{where}.requests[{name}]", asked.requests[name], detail)
    for index, container in enumerate(spec.containers):
        for name, text in (container.resources.limits if container.resources is not None else {}).items():
            value = _read(text)
            if name in limits and value is not None and value > limits[name]:
                detail = f"must be less than or equal to pod limits of {asked.limits[name]}"
                found.invalid(f"{where}.containers[{index}][{name}].limits", text, detail)


def amounts(found: Problems, path: str, texts: dict[str, str]) -> dict[str, Fraction]:
    """What a container may ask for, by resource; what cannot be read is left out."""
    return _amounts(found, path, texts, container_resource)


def _requirements(
    found: Problems, path: str, asked: ResourceRequirements, rule: Callable[[Problems, str, str], None]
) -> tuple[dict[str, Fraction], dict[str, Fraction]]:
    limits = _amounts(found, f"{path}.limits", asked.limits, rule)
    requests = _amounts(found, f"{path}.requests", asked.requests, rule)
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
    return requests, limits


def is_extended(name: str) -> bool:
    """Whether a resource is one that devices provide, and not one of the system's own."""
    return not _native(name) and _extended_name(name)


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


def _amounts(
    found: Problems, path: str, texts: dict[str, str], rule: Callable[[Problems, str, str], None]
) -> dict[str, Fraction]:
    read = {}
    for name, text in texts.items():
        where = f"{path}[{name}]"
        rule(found, where, name)
        value = amount(found, where, name, text)
        if value is not None:
            read[name] = value
    return read


def container_resource(found: Problems, path: str, name: str) -> None:
    """The name of a resource that containers ask for."""
    _resource_name(found, path, name)
    if "/" in name:
        if not _native(name) and not _extended_name(name):
            found.invalid(path, name, "doesn't follow extended resource name standard")
    elif name not in _OF_CONTAINERS and not name.startswith(_HUGE_PAGES):
        found.invalid(path, name, "must be a standard resource for containers")


def _pod_resource(found: Problems, path: str, name: str) -> None:
    before = len(found.causes)
    _resource_name(found, path, name)
    if len(found.causes) == before and name not in _OF_PODS and not name.startswith(_HUGE_PAGES):
        found.not_supported(path, name, _OF_PODS)


def _resource_name(found: Problems, path: str, name: str) -> None:
    problems = names.label_key(name)
    found.invalid_all(path, name, problems)
    if (
        not problems
        and "/" not in name
        and name not in _STANDARD
        and not name.startswith((_HUGE_PAGES, "requests.hugepages-"))
    ):
        found.invalid(path, name, "must be a standard resource type or fully qualified")


def _native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _extended_name(name: str) -> bool:
    return not name.startswith("requests.") and not names.label_key(f"requests.{name}")


def _read(text: str) -> Fraction | None:
    try:
        return quantity.parse(text)
    except quantity.QuantityError:
        return None


def _together(spec: PodSpec) -> dict[str, Fraction]:
    """What all containers of a pod ask for when they run."""
    total: dict[str, Fraction] = {}
    stay = [container for container in spec.init_containers if container.restart_policy == "Always"]
    for container in (*spec.containers, *stay):
        for name, text in (container.resources.requests if container.resources is not None else {}).items():
            total[name] = total.get(name, Fraction(0)) + (_read(text) or Fraction(0))
    return total


def _extended(name: str) -> bool:
    return "/" in name and "kubernetes.io/" not in name


def _overcommit(name: str) -> bool:
    """Whether more of the resource can be promised than there is."""
    return not _extended(name) and not name.startswith(_HUGE_PAGES)
