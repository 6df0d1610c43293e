"""Rules for the claims to devices that pods make."""

from api import names
from api.core_v1 import PodResourceClaim, ResourceClaim
from api.validation.problems import Problems


def pod_claims(found: Problems, path: str, claims: list[PodResourceClaim]) -> None:
    """The claims of a pod."""
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        where = f"{path}[{index}]"
        if not claim.name:
            found.required(f"{where}.name")
        elif claim.name in seen:
            found.duplicate(f"{where}.name", claim.name)
        else:
            found.invalid_all(f"{where}.name", claim.name, names.dns_label(claim.name))
            seen.add(claim.name)
        refs = (
            ("resourceClaimName", claim.resource_claim_name),
            ("resourceClaimTemplateName", claim.resource_claim_template_name),
        )
        given = [name for _, name in refs if name is not None]
        if len(given) != 1:
            detail = (
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
                if given
                else "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            )
            found.invalid(where, claim, detail)
        for field, name in refs:
            if name is not None:
                found.invalid_all(f"{where}.{field}", name, names.dns_subdomain(name))


def container_claims(found: Problems, path: str, claims: list[ResourceClaim], known: frozenset[str]) -> None:
    """Which of the claims of its pod a container uses, and which requests of them."""
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        where = f"{path}[{index}]"
        if not claim.name:
            found.required(where)
            continue
        key = f"{claim.name}/{claim.request}" if claim.request else claim.name
        if claim.name in seen:
            found.duplicate(where, claim.name)
        else:
            if claim.request:
                found.invalid_all(f"{where}.request", claim.request, names.dns_label(claim.request))
            if key in seen:
                found.duplicate(where, key)
            elif not claim.request:
                for other in seen:
                    if other.startswith(f"{claim.name}/"):
                        found.duplicate(where, claim.name)
            seen.add(key)
        if claim.name not in known:
            there = f": {', '.join(sorted(known))}" if known else " which is empty"
            found.not_found(where, claim.name, f"must be one of the names in pod.spec.resourceClaims{there}")
