"""The rules of one kind as a row of a table, for kinds that follow the common pattern.

A new object needs good metadata and passes `check` and `fresh`. A changed one keeps its identity, passes `check` again, and `change`
compares it with what it was. What is written through a subresource is compared by `parts`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from api import names
from api.kinds import Kind
from api.validation import metadata
from api.validation.metadata import NameRule
from api.validation.problems import Problems

Check = Callable[[Problems, Any], None]
Change = Callable[[Problems, Any, Any], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """What must hold for the objects of one kind."""

    check: Check | None = None
    change: Change | None = None
    parts: dict[str, Change] = field(default_factory=dict)
    name: NameRule = names.dns_subdomain
    fresh: Check | None = None

    def create(self, found: Problems, kind: Kind[Any], obj: Any) -> None:
        """A new object."""
        metadata.metadata(found, obj.metadata, kind.namespaced, self.name)
        for check in (self.check, self.fresh):
            if check is not None:
                check(found, obj)

    def update(self, found: Problems, new: Any, old: Any, subresource: str = "") -> None:
        """A changed object, or what was changed through a subresource."""
        metadata.metadata_update(found, new.metadata, old.metadata)
        if subresource:
            if part := self.parts.get(subresource):
                part(found, new, old)
            return
        if self.check is not None:
            self.check(found, new)
        if self.change is not None:
            self.change(found, new, old)
