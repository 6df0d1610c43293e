"""What a terminating namespace says of itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left after everything was told to go: objects by resource, finalizers that hold some back, what went wrong."""

    objects: Mapping[str, int] = field(default_factory=dict)
    finalizers: Counter[str] = field(default_factory=Counter)
    failure: str = ""

    @property
    def empty(self) -> bool:
        return not self.objects and not self.failure


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    status: str
    reason: str
    message: str


def plan_conditions(rest: Rest) -> tuple[Condition, ...]:
    """All five conditions that users know."""
    return (
        Condition(
            "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"
        ),
        Condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        _content_failure(rest),
        _remaining(rest),
        _finalizers(rest),
    )


def _content_failure(rest: Rest) -> Condition:
    kind = "NamespaceDeletionContentFailure"
    if rest.failure:
        return Condition(kind, "True", "ContentDeletionFailed", rest.failure)
    return Condition(
        kind, "False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"
    )


def _remaining(rest: Rest) -> Condition:
    kind = "NamespaceContentRemaining"
    if not rest.objects:
        return Condition(kind, "False", "ContentRemoved", "All content successfully removed")
    listed = ", ".join(f"{resource} has {count} resource instances" for resource, count in sorted(rest.objects.items()))
    return Condition(kind, "True", "SomeResourcesRemain", f"Some resources are remaining: {listed}")


def _finalizers(rest: Rest) -> Condition:
    kind = "NamespaceFinalizersRemaining"
    if not rest.finalizers:
        return Condition(kind, "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    listed = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(rest.finalizers.items()))
    return Condition(
        kind, "True", "SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {listed}"
    )
