"""Links to logs under names that tell pod, namespace, container and id, where collectors of logs look for them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from nodeagent.model.seen import PodRef

LONGEST = 255  # bytes of a file's name


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """Links to make, by name, and names of links to remove."""

    make: Mapping[str, str]
    remove: tuple[str, ...]


def link_name(pod: PodRef, container: str, ident: str) -> str:
    """The name of the link to a container's log; what is too long loses its middle, never the id."""
    ending = f"-{ident}.log"
    return f"{pod.name}_{pod.namespace}_{container}"[: LONGEST - len(ending)] + ending


def plan_links(wanted: Mapping[str, str], there: Mapping[str, str], logs: str) -> LinkPlan:
    """What to change so that all that are wanted are there. Links to anywhere else than below `logs` are not ours."""
    make = {name: target for name, target in wanted.items() if there.get(name) != target}
    old = (name for name, target in there.items() if target.startswith(f"{logs}/") and wanted.get(name) != target)
    return LinkPlan(make, tuple(sorted(old)))
