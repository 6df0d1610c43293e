"""Where a PersistentVolume can be used: told once, and only put into today's words later."""

from api.core_v1 import NodeSelectorTerm
from api.core_volumes_v1 import VolumeNodeAffinity
from api.validation import scheduling
from api.validation.problems import Problems

# Labels of nodes by the names that they had before.
_TODAY = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
_FIXED = "field is immutable, except for updating from beta label to GA"


def places(found: Problems, path: str, value: VolumeNodeAffinity) -> None:
    """The nodes that reach a volume."""
    if value.required is None:
        found.required(f"{path}.required", "must specify required node constraints")
    else:
        scheduling.node_selector(found, f"{path}.required", value.required)


def places_changed(found: Problems, new: VolumeNodeAffinity | None, old: VolumeNodeAffinity | None) -> None:
    """What was told of them before stays."""
    if old is not None and not _is_same(new, old):
        found.invalid("nodeAffinity", new, _FIXED)


def _is_same(new: VolumeNodeAffinity | None, old: VolumeNodeAffinity) -> bool:
    if new is None or new.required is None or old.required is None:
        return new == old
    after, before = new.required.node_selector_terms, old.required.node_selector_terms
    return len(after) == len(before) and all(map(_is_same_term, after, before))


def _is_same_term(new: NodeSelectorTerm, old: NodeSelectorTerm) -> bool:
    pairs = (new.match_expressions, old.match_expressions), (new.match_fields, old.match_fields)
    return all(
        len(after) == len(before)
        and all(
            one.key in (other.key, _TODAY.get(other.key))
            and (one.operator, one.values) == (other.operator, other.values)
            for one, other in zip(after, before, strict=True)
        )
        for after, before in pairs
    )
