"""What strategies have in common: which part a write may touch, and when `generation` rises."""

from __future__ import annotations

from typing import Any

from api.fields import Type
from api.zeros import without_zeros


class Strategy:
    """The rules of a kind without spec and status."""

    def __init__(
        self, *, create_on_update: bool = False, unconditional_update: bool = True, returns_deleted: bool = False
    ) -> None:
        self.create_on_update = create_on_update  # a PUT to a name that is not there creates it
        self.unconditional_update = unconditional_update  # a PUT need not say which revision it replaces
        self.returns_deleted = returns_deleted  # a DELETE is answered with the object, not with a Status

    def prepare_create(self, new: Any) -> None:
        """Clear and set what a client may not choose."""

    def prepare_update(self, new: Any, old: Any) -> None:
        """Keep what a write to the object may not change."""

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """Keep what a write to the status may not change."""

    def prepare_approval(self, new: Any, old: Any, now: str) -> None:
        """Keep what a decision may not change."""

    def prepare_part(self, part: str, new: Any, old: Any) -> None:
        """Keep all but what the subresource `part` is there to change."""

    def grace(self, obj: Any, asked: int | None) -> int | None:
        """Seconds that an object lives on after DELETE; None for kinds that go at once."""
        return None


class WithStatus(Strategy):
    """Spec for people, status for controllers: a write to one leaves the other alone; to some statuses also metadata."""

    status_keeps_metadata = False

    def prepare_create(self, new: Any) -> None:
        """A fresh status."""
        new.status = type(new.status)()

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old status."""
        new.status = old.status

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old spec."""
        new.spec = old.spec
        if self.status_keeps_metadata:
            keep_metadata(new, old)


class Counted(Strategy):
    """A generation that counts changes of anything but metadata."""

    def prepare_create(self, new: Any) -> None:
        """The first generation."""
        new.metadata.generation = 1

    def prepare_update(self, new: Any, old: Any) -> None:
        """A new generation if something changed."""
        if self._changed(new, old):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def _changed(self, new: Any, old: Any) -> bool:
        if _without_metadata(new) == _without_metadata(old):
            return False
        return _without_metadata(without_zeros(new)) != _without_metadata(without_zeros(old))


class CountedLater(Counted):
    """The same, but a new object has none yet."""

    def prepare_create(self, new: Any) -> None:
        """No generation."""


class FirstGeneration(Strategy):
    """A generation that never rises: what counts cannot be changed."""

    def prepare_create(self, new: Any) -> None:
        """The first generation."""
        new.metadata.generation = 1


class WithStatusAlone(WithStatus):
    """A write to the status changes nothing else, not even labels."""

    status_keeps_metadata = True


class Workload(WithStatus):
    """The same, with a generation that counts changes of the spec."""

    def prepare_create(self, new: Any) -> None:
        """A fresh status."""
        super().prepare_create(new)
        new.metadata.generation = 1

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old status; a new generation if the spec changed."""
        super().prepare_update(new, old)
        if self._changed(new, old):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def _changed(self, new: Any, old: Any) -> bool:
        return differ(new.spec, old.spec)


class WorkloadAlone(Workload):
    """The same, where a write to the status changes nothing else."""

    status_keeps_metadata = True


def differ(new: Type, old: Type) -> bool:
    """Whether two specs mean different things: a zero that tells nothing is none."""
    return new != old and without_zeros(new) != without_zeros(old)


def keep_metadata(new: Any, old: Any) -> None:
    """What only a write to the object itself changes."""
    for field in ("labels", "annotations", "finalizers", "owner_references", "deletion_timestamp"):
        setattr(new.metadata, field, getattr(old.metadata, field))


def _without_metadata(obj: Type) -> list[Any]:
    return [getattr(obj, name) for name in obj.__struct_fields__ if name != "metadata"]
