"""Kinds of which there is one thing to say."""

from api import quantity
from api.core_limits_v1 import ResourceQuota
from api.core_v1 import ServiceAccount
from api.node_v1 import RuntimeClass
from api.resource_v1 import ResourceSlice
from api.warnings import labels
from api.warnings.text import quoted

_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"
_STATIC = ".static.k8s.io"
_COUNTED = ("cpu", "memory", "storage", "ephemeral-storage")


def of_account(new: ServiceAccount, old: ServiceAccount | None) -> list[str]:
    """A ServiceAccount."""
    if _MOUNTABLE not in new.metadata.annotations or (old is not None and _MOUNTABLE in old.metadata.annotations):
        return []
    better = "prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{_MOUNTABLE}]: deprecated in v1.32+; {better}"]


def of_quota(quota: ResourceQuota) -> list[str]:
    """Requests that could never be reached under the limits."""
    hard, found = quota.spec.hard, []
    for resource in _COUNTED:
        asked = f"requests.{resource}"
        if asked not in hard and resource in ("cpu", "memory"):
            asked = resource
        limit = f"limits.{resource}"
        if asked not in hard or limit not in hard:
            continue
        try:
            if quantity.parse(hard[asked]) > quantity.parse(hard[limit]):
                shown = quantity.canonical(hard[asked]), quantity.canonical(hard[limit])
                found.append(f"ResourceQuota {asked} ({shown[0]}) should be less than {limit} ({shown[1]})")
        except quantity.QuantityError:
            continue  # for validation to refuse
    return found


def of_runtime_class(runtime: RuntimeClass) -> list[str]:
    """A RuntimeClass."""
    selector = runtime.scheduling.node_selector if runtime.scheduling is not None else {}
    return [f"scheduling.nodeSelector: {why}" for key in selector if (why := labels.deprecated(key))]


def of_resource_slice(found: ResourceSlice) -> list[str]:
    """A ResourceSlice."""
    driver = found.spec.driver or ""
    if driver == driver.lower():
        return []
    return [f"spec.driver: driver names should be lowercase; {quoted(driver)} contains uppercase characters"]


def of_static_name(name: str) -> list[str]:
    """A name that manifests on the server's disk would have."""
    if not name.endswith(_STATIC):
        return []
    why = "are reserved for static manifest-based configurations and cannot be managed via the API"
    return [f"metadata.name: names ending with {quoted(_STATIC)} {why}"]
