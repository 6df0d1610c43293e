"""Rules for the status of a Pod: its addresses, how its containers go on, and whose users and devices they have."""

from api import names
from api.core_v1 import Container, ContainerStatus, EphemeralContainer, Pod, PodSpec, PodStatus
from api.validation import addresses
from api.validation.problems import Problems

_ENDED = "may not be transitioned to non-terminated state"
_HEALTH = ("Healthy", "Unhealthy", "Unknown")
_LONGEST_HEALTH = 1024
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
_OF_A_CLAIM = (
    "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' "
    "or 'claim:<claimName>' if request is empty"
)


def status(found: Problems, new: Pod, old: Pod) -> None:
    """A changed status."""
    now, before, spec = new.status, old.status, new.spec
    _conditions(found, now)
    _node(found, new, old)
    _containers(found, now, before, spec)
    _claims(found, now, spec)
    _addresses(found, "status.podIPs", [item.ip for item in now.pod_ips])
    _addresses(found, "status.hostIPs", [item.ip for item in now.host_ips])
    if now.host_ips and (now.host_ip or "") != now.host_ips[0].ip:
        found.invalid("status.hostIPs[0].ip", now.host_ips[0].ip, "must be equal to `hostIP`")


def _conditions(found: Problems, now: PodStatus) -> None:
    for index, condition in enumerate(now.conditions):
        where = f"status.conditions[{index}]"
        if (condition.observed_generation or 0) < 0:
            detail = "must be a non-negative integer"
            found.invalid(f"{where}.observedGeneration", condition.observed_generation, detail)
        if condition.type not in _SYSTEM_CONDITIONS:
            found.invalid_all(f"{where}.Type", condition.type, names.label_key(condition.type))
    if now.observed_generation is not None and now.observed_generation < 0:
        found.invalid("status.observedGeneration", now.observed_generation, "must be a non-negative integer")


def _node(found: Problems, new: Pod, old: Pod) -> None:
    path, nominated = "status.nominatedNodeName", new.status.nominated_node_name
    if new.spec.node_name != old.spec.node_name:
        found.forbidden("status.nodeName", "may not be changed directly")
    if nominated and nominated != old.status.nominated_node_name:
        found.invalid_all(path, nominated, names.dns_subdomain(nominated))
        if old.spec.node_name:
            found.forbidden(path, "may not be set on pods that are already bound to a node")


def _containers(found: Problems, now: PodStatus, before: PodStatus, spec: PodSpec) -> None:
    lists = (
        ("containerStatuses", now.container_statuses, before.container_statuses, spec.containers),
        ("initContainerStatuses", now.init_container_statuses, before.init_container_statuses, spec.init_containers),
    )
    for field, fresh, known, containers in lists:
        if not _all_may_restart(spec):
            _transitions(found, f"status.{field}", fresh, known, (containers, spec))
        _devices(found, f"status.{field}", fresh, containers)
    path = "status.ephemeralContainerStatuses"
    _transitions(found, path, now.ephemeral_container_statuses, before.ephemeral_container_statuses)
    for index, one in enumerate(now.ephemeral_container_statuses):
        if one.allocated_resources_status:
            found.forbidden(f"{path}[{index}].allocatedResourcesStatus", "must not be specified in container status")
    system = spec.os.name if spec.os is not None else "linux"
    for field, fresh, _, _ in (*lists, ("ephemeralContainerStatuses", now.ephemeral_container_statuses, [], [])):
        _users(found, f"status.{field}", fresh, system)


def _transitions(
    found: Problems,
    path: str,
    new: list[ContainerStatus],
    old: list[ContainerStatus],
    place: tuple[list[Container], PodSpec] | None = None,
) -> None:
    """A container that ended for good stays ended; without a spec, each does."""
    fresh = {one.name: one for one in reversed(new)}
    containers = {one.name: one for one in reversed(place[0])} if place is not None else {}
    for index, one in enumerate(old):
        ended = one.state.terminated if one.state is not None else None
        now, container = fresh.get(one.name), containers.get(one.name)
        if ended is None or now is None or (now.state is not None and now.state.terminated is not None):
            continue
        if place is None or container is None or not _restarts(container, place[1], ended.exit_code):
            found.forbidden(f"{path}[{index}].state", _ENDED)


def _all_may_restart(spec: PodSpec) -> bool:
    every = (*spec.init_containers, *spec.containers)
    return any(rule.action == "RestartAllContainers" for one in every for rule in one.restart_policy_rules)


def _restarts(container: Container | EphemeralContainer, spec: PodSpec, code: int) -> bool:
    if container.restart_policy is not None:
        for rule in container.restart_policy_rules:
            codes = rule.exit_codes
            if codes is not None and (code in codes.values) == (codes.operator == "In"):
                if rule.action in ("Restart", "RestartAllContainers"):
                    return True
                break
    policy = container.restart_policy or spec.restart_policy
    return code != 0 if policy == "OnFailure" else policy != "Never"


def _users(found: Problems, path: str, statuses: list[ContainerStatus], system: str) -> None:
    for index, one in enumerate(statuses):
        user = one.user.linux if one.user is not None else None
        where = f"{path}[{index}].user.linux"
        if user is None:
            continue
        if system == "windows":
            found.forbidden(where, "cannot be set for a windows pod")
        elif system == "linux":
            found.invalid_all(f"{where}.uid", user.uid, names.user_id(user.uid))
            found.invalid_all(f"{where}.gid", user.gid, names.user_id(user.gid))
            for place, group in enumerate(user.supplemental_groups):
                found.invalid_all(f"{where}.supplementalGroups[{place}]", group, names.user_id(group))


def _devices(found: Problems, path: str, statuses: list[ContainerStatus], containers: list[Container]) -> None:
    """How the devices do that a container was given: it must have asked for them."""
    asked = {one.name: one.resources for one in reversed(containers)}
    for index, one in enumerate(statuses):
        wanted = asked.get(one.name)
        claims = wanted.claims if wanted is not None else []
        known = {f"claim:{claim.name}" + (f"/{claim.request}" if claim.request else "") for claim in claims}
        for place, given in enumerate(one.allocated_resources_status):
            where = f"{path}[{index}].allocatedResourcesStatus[{place}]"
            if given.name.startswith("claim:"):
                if one.name in asked and given.name not in known:
                    found.invalid(f"{where}.name", given.name, _OF_A_CLAIM)
            elif one.name in asked and given.name not in (wanted.requests if wanted is not None else {}):
                found.invalid(f"{where}.name", given.name, "must match one of the container's resource requests")
            seen: set[str] = set()
            for number, device in enumerate(given.resources):
                part = f"{where}.resources[{number}]"
                if device.health not in _HEALTH:
                    found.not_supported(f"{part}.health", device.health or "", _HEALTH)
                if device.message == "":
                    found.required(f"{part}.message", "must be non-empty if specified")
                elif device.message is not None and len(device.message.encode()) > _LONGEST_HEALTH:
                    found.too_long(f"{part}.message", _LONGEST_HEALTH)
                if device.resource_id in seen:
                    found.duplicate(f"{part}.resourceID", device.resource_id)
                seen.add(device.resource_id)


def _claims(found: Problems, now: PodStatus, spec: PodSpec) -> None:
    path, seen = "status.resourceClaimStatuses", set[str]()
    wanted = {claim.name for claim in spec.resource_claims}
    for index, one in enumerate(now.resource_claim_statuses):
        where = f"{path}[{index}]"
        if one.name not in wanted:
            detail = "must match the name of an entry in `spec.resourceClaims`"
            found.invalid(f"{where}.name", one.name, detail)
        if one.name in seen:
            found.duplicate(f"{where}.name", one.name)
        seen.add(one.name)
        if one.resource_claim_name is not None:
            problems = names.dns_subdomain(one.resource_claim_name)
            found.invalid_all(f"{where}.resourceClaimName", one.resource_claim_name, problems)
    _extended(found, "status.extendedResourceClaimStatus", now, spec)


def _extended(found: Problems, path: str, now: PodStatus, spec: PodSpec) -> None:
    """The claim behind extended resources, and which of its requests is which container's."""
    status = now.extended_resource_claim_status
    if status is None:
        return
    if not status.request_mappings:
        found.required(f"{path}.requestMappings", "at least one request mapping is required")
    asked = {one.name: one.resources for one in (*spec.init_containers, *spec.containers)}
    seen: set[tuple[str, str, str]] = set()
    for index, one in enumerate(status.request_mappings):
        where = f"{path}.requestMappings[{index}]"
        wanted = asked.get(one.container_name)
        place = "spec.initContainers{0} or spec.containers{0}"
        if one.container_name not in asked:
            detail = f"must match the name of an entry in {place.format('.name')}"
            found.invalid(f"{where}.containerName", one.container_name, detail)
        elif wanted is None or one.resource_name not in wanted.requests:
            detail = f"must match the extended resource name of an entry in {place.format('.resources.requests')}"
            found.invalid(f"{where}.resourceName", one.resource_name, detail)
        # Upstream leaves the number out of this path.
        found.invalid_all(f"{path}.requestName", one.request_name, names.dns_label(one.request_name))
        key = (one.container_name, one.resource_name, one.request_name)
        if key in seen:
            for field, value in zip(("containerName", "resourceName", "requestName"), key, strict=True):
                found.duplicate(f"{where}.{field}", value)
        seen.add(key)
    name = status.resource_claim_name
    if not name:
        found.required(f"{path}.resourceClaimName")
    else:
        found.invalid_all(f"{path}.resourceClaimName", name, names.dns_subdomain(name))


def _addresses(found: Problems, path: str, values: list[str]) -> None:
    good = [addresses.ip(found, f"{path}[{index}]", value) for index, value in enumerate(values)]
    if len(values) > 1 and not (all(good) and addresses.one_of_each_family(values)):
        found.invalid(path, [{"ip": value} for value in values], "may specify no more than one IP for each IP family")
