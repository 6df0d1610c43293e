"""The address families of a Service: inferred from what its author gave and what the cluster has, as upstream does.

A Service never goes from one family to two, or back, because the cluster changed: only when its author says so.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from api.validation import Cause, services
from api.validation.addresses import version
from api.validation.problems import Problems
from controlplane.apiserver.allocators.addresses import family_of

HEADLESS = "None"
_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("SingleStack", "PreferDualStack", "RequireDualStack")


def has_address(spec: Any) -> bool:
    """Whether Services of this type have an address (or say that they want none)."""
    return bool(spec.type != "ExternalName")


def is_headless(spec: Any) -> bool:
    """Whether it wants no address."""
    return bool(spec.cluster_ip == HEADLESS or spec.cluster_ips[:1] == [HEADLESS])


def complete(spec: Any, old: Any, families: Collection[str]) -> list[Cause]:
    """Fill in policy and families; what is wrong with them. `old` is None for a new Service, `families` those of the cluster, in order."""
    if not has_address(spec) or unchanged(spec, old):
        return []
    if spec.ip_family_policy is None:
        spec.ip_family_policy = _policy(spec, old)
    found = Problems()
    services.cluster_ips(found, spec)
    if found.causes:
        return found.causes  # nothing else is said of such a Service
    problems = _reductions(spec, old) if old is not None and has_address(old) else []
    problems += _policy_problems(spec) + _infer(spec, families)
    if problems:
        return problems
    if is_headless(spec) and not spec.selector:
        spec.ip_families = spec.ip_families or [next(iter(families))]
        _add_second(spec, _FAMILIES)
        return []
    problems = _unknown(spec, families)
    if not problems:
        spec.ip_families = spec.ip_families or [next(iter(families))]
        _add_second(spec, families)
    return problems


def unchanged(new: Any, old: Any) -> bool:
    """Whether this is an update that leaves a PreferDualStack Service as it is."""
    return bool(
        old is not None
        and new.type == old.type != "ExternalName"
        and new.ip_family_policy == old.ip_family_policy == "PreferDualStack"
        and new.cluster_ips == old.cluster_ips
        and new.ip_families == old.ip_families
    )


def is_sound(spec: Any) -> bool:
    """Whether addresses, families and policy are such that validation will have nothing against any of them."""
    ips, families = spec.cluster_ips, spec.ip_families
    if bool(spec.cluster_ip) != bool(ips) or (ips and ips[0] != spec.cluster_ip) or len(ips) > 2:
        return False
    if any(family not in _FAMILIES for family in families) or len(set(families)) < len(families):
        return False
    if spec.ip_family_policy not in _POLICIES:
        return False
    if ips[:1] == [HEADLESS]:
        return len(ips) == 1
    if not all(version(ip) for ip in ips):
        return False
    own = [family_of(ip) for ip in ips]
    return len(set(own)) == len(own) and all(a == b for a, b in zip(own, families, strict=False))


def _policy(spec: Any, old: Any) -> str:
    if old is not None and old.ip_family_policy is not None:
        return str(old.ip_family_policy)
    return "RequireDualStack" if is_headless(spec) and not spec.selector else "SingleStack"


def _reductions(spec: Any, old: Any) -> list[Cause]:
    """To take away the second address or family is to say SingleStack."""
    if spec.ip_family_policy == "SingleStack":
        if spec.cluster_ips == old.cluster_ips:
            spec.cluster_ips = spec.cluster_ips[:1]
        if spec.ip_families == old.ip_families:
            spec.ip_families = spec.ip_families[:1]
        return []
    causes = []
    for new, before, what in (
        (spec.cluster_ips, old.cluster_ips, "cluster IP"),
        (spec.ip_families, old.ip_families, "IP family"),
    ):
        if new and len(new) < len(before):
            causes.append(_policy_cause(spec, f"must be 'SingleStack' to release the secondary {what}"))
    return causes


def _policy_problems(spec: Any) -> list[Cause]:
    if spec.ip_family_policy != "SingleStack":
        return []
    detail = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
    many = (("cluster IPs", spec.cluster_ips), ("IP families", spec.ip_families))
    return [_policy_cause(spec, detail.format(what)) for what, values in many if len(values) == 2]


def _policy_cause(spec: Any, detail: str) -> Cause:
    return Cause("spec.ipFamilyPolicy", "FieldValueInvalid", f'Invalid value: "{spec.ip_family_policy}": {detail}')


def _infer(spec: Any, families: Collection[str]) -> list[Cause]:
    """Families that follow from given addresses."""
    causes, found = [], list(spec.ip_families)
    for index, ip in enumerate(spec.cluster_ips):
        if ip == HEADLESS:
            break
        if index < len(found):
            continue
        family = family_of(ip)
        if family in families:
            found.append(family)
        else:
            shown = ",".join(f'"{address}"' for address in spec.cluster_ips)
            text = f"Invalid value: [{shown}]: {family} is not configured on this cluster"
            causes.append(Cause(f"spec.clusterIPs[{index}]", "FieldValueInvalid", text))
    spec.ip_families = found
    return causes


def _unknown(spec: Any, families: Collection[str]) -> list[Cause]:
    causes = []
    if spec.ip_family_policy == "RequireDualStack" and len(families) < 2:
        causes.append(_policy_cause(spec, "this cluster is not configured for dual-stack services"))
    for index, family in enumerate(spec.ip_families):
        if family not in families:
            text = f'Invalid value: "{family}": not configured on this cluster'
            causes.append(Cause(f"spec.ipFamilies[{index}]", "FieldValueInvalid", text))
    return causes


def _add_second(spec: Any, families: Collection[str]) -> None:
    if spec.ip_family_policy != "SingleStack" and len(spec.ip_families) == 1:
        spec.ip_families = [*spec.ip_families, *(f for f in families if f not in spec.ip_families)]
