"""Volumes and claims to them."""

from __future__ import annotations

from typing import Any

from api.core_v1 import TypedLocalObjectReference, TypedObjectReference
from controlplane.apiserver.strategies.base import CountedLater, WithStatus

# The sources of a claim that `dataSource` has always known; anything else is said in `dataSourceRef`.
_OLD_SOURCES = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


class Volumes(WithStatus):
    """Volumes and claims to them wait for each other at first."""

    def prepare_create(self, new: Any) -> None:
        """Pending."""
        new.status = type(new.status)(phase="Pending")


class Claims(Volumes):
    """What a claim is filled from is said in two fields, an old and a new one, which always agree."""

    def prepare_create(self, new: Any) -> None:
        """Pending, with both fields."""
        super().prepare_create(new)
        _normalize(new.spec, None)

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old status; both fields, also where they were not filled before."""
        super().prepare_update(new, old)
        _normalize(new.spec, old.spec)
        _agree(old.spec)


def _normalize(spec: Any, old: Any) -> None:
    """Both fields as upstream has them with its usual switches: no source is in another namespace."""
    known = old is not None and old.data_source_ref is not None
    if not known and spec.data_source_ref is not None and spec.data_source_ref.namespace:
        spec.data_source_ref = None
    used = old is not None and (old.data_source is not None or old.data_source_ref is not None)
    if not used and spec.data_source_ref is None and not _is_old(spec.data_source):
        spec.data_source = None
    _agree(spec)


def _is_old(source: TypedLocalObjectReference | None) -> bool:
    return source is not None and (source.api_group or "", source.kind) in _OLD_SOURCES


def _agree(spec: Any) -> None:
    source, ref = spec.data_source, spec.data_source_ref
    if source is not None and ref is None:
        spec.data_source_ref = TypedObjectReference(api_group=source.api_group, kind=source.kind, name=source.name)
    elif ref is not None and source is None and not ref.namespace:
        spec.data_source = TypedLocalObjectReference(api_group=ref.api_group, kind=ref.kind, name=ref.name)


class PersistentVolumes(Volumes):
    """It is known since when a volume is what it is."""

    def prepare_create(self, new: Any) -> None:
        """Pending from now on."""
        super().prepare_create(new)
        new.status.last_phase_transition_time = new.metadata.creation_timestamp

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old spec; the time of a change of phase, unless it was given."""
        super().prepare_status(new, old, now)
        known, told = old.status.last_phase_transition_time, new.status.last_phase_transition_time
        if new.status.phase == old.status.phase:
            new.status.last_phase_transition_time = told or known
        elif told is None or told == known:
            new.status.last_phase_transition_time = now


class Drivers(CountedLater):
    """Pods are placed whether a node has their drivers or not: upstream has the switch for it turned off."""

    def prepare_create(self, new: Any) -> None:
        """The generation as it came."""
        super().prepare_create(new)
        new.spec.prevent_pod_scheduling_if_missing = None

    def prepare_update(self, new: Any, old: Any) -> None:
        """A new generation if something changed."""
        new.spec.prevent_pod_scheduling_if_missing = None
        super().prepare_update(new, old)
