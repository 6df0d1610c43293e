"""One write on its way through the steps of `writes.STEPS`, and what they know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.kinds import Kind
from api.meta_v1 import ManagedFieldsEntry
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.call import Call
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.status import Subject, subject

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

CREATE, UPDATE = "CREATE", "UPDATE"


@dataclass(slots=True)
class Write:
    """`old` is None for a create. An attempt that met another writer starts again with a fresh `old`."""

    call: Call
    kind: Kind[Any]
    kept: Kept
    now: str  # the time of the write, as it stands in metadata
    dry_run: bool = False
    operation: str = CREATE
    entry: Entry | None = None  # what stands there now
    old: Any = None  # the same, decoded
    new: Any = None
    asked_revision: str = ""  # the resourceVersion that the writer believes to replace
    answer: bytes = b""  # the stored object, as clients get it
    generated: bool = False  # the name is of our choice
    remove: bool = False  # the update took away what held a deleted object
    undo: list[Callable[[], None]] = field(default_factory=list)  # reservations to give back if the write fails
    managed: list[ManagedFieldsEntry] | None = None  # who owns which fields, where what is applied decides it

    @property
    def warnings(self) -> list[str]:
        """What the client should know although the write is done."""
        return self.call.warnings

    @property
    def subresource(self) -> str:
        """status, scale, ... or "" for the object itself."""
        return self.call.target.subresource

    @property
    def asked(self) -> Kind[Any]:
        """The kind by the name that the client gave it: rules may differ between two views of one storage."""
        return self.call.target.shown_as or self.kind

    @property
    def subject(self) -> Subject:
        """What messages are about."""
        name = self.call.target.name
        if not name and self.new is not None:
            name = self.new.metadata.name or ""
        return subject(self.kind, name)

    def give_back(self) -> None:
        """Undo reservations, newest first."""
        while self.undo:
            self.undo.pop()()


Step = Callable[[Write, "Core"], None]
