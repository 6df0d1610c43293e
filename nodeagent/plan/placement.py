"""Whether a pod may be on this node at all: selectors, affinity, taints, host ports."""

from collections.abc import Iterable, Mapping, Sequence

from api.core_v1 import NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration


def selects(pod: Pod, name: str, labels: Mapping[str, str]) -> bool:
    """Whether its node selector and required affinity choose a node of that name with these labels."""
    if any(labels.get(key) != value for key, value in pod.spec.node_selector.items()):
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    return required is None or any_matches(required.node_selector_terms, name, labels)


def any_matches(terms: Iterable[NodeSelectorTerm], name: str, labels: Mapping[str, str]) -> bool:
    """Whether one of these terms chooses a node of that name with these labels."""
    return any(_matches(term, name, labels) for term in terms)


def _matches(term: NodeSelectorTerm, name: str, labels: Mapping[str, str]) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": name}
    return all(_holds(r, labels) for r in term.match_expressions) and all(_holds(r, fields) for r in term.match_fields)


def _holds(wish: NodeSelectorRequirement, values: Mapping[str, str]) -> bool:
    found = values.get(wish.key)
    match wish.operator:
        case "In":
            return found in wish.values
        case "NotIn":
            return found not in wish.values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt":
            try:
                left, right = int(found or ""), int(wish.values[0])
            except (ValueError, IndexError):
                return False
            return left > right if wish.operator == "Gt" else left < right
    return False


def untolerated(taints: Iterable[Taint], tolerations: Sequence[Toleration], effect: str) -> bool:
    """Whether a taint of that effect is not tolerated."""
    return any(taint.effect == effect and not any(_tolerates(t, taint) for t in tolerations) for taint in taints)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and (toleration.value or "") == (taint.value or "")


def ports_free(pod: Pod, others: Iterable[Pod]) -> bool:
    """Whether the host ports it wants are nobody else's."""
    wanted = _host_ports(pod)
    return not wanted or not any(_collide(a, b) for other in others for a in wanted for b in _host_ports(other))


HostPort = tuple[str, str, int]  # address, protocol, number


def _host_ports(pod: Pod) -> list[HostPort]:
    return [
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in (*pod.spec.containers, *pod.spec.init_containers)
        for port in container.ports
        if port.host_port
    ]


def _collide(one: HostPort, other: HostPort) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or "0.0.0.0" in (one[0], other[0]))
