"""Namespaces, nodes, and what extends or guards the API."""

from __future__ import annotations

from typing import Any

from api.apiregistration_v1 import APIServiceCondition
from api.core_v1 import NamespaceStatus
from controlplane.apiserver.strategies.base import Counted, Strategy, WithStatus, WithStatusAlone, Workload

SYSTEM_FINALIZER = "kubernetes"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_DECISIONS = ("Approved", "Denied")


class Namespaces(Strategy):
    """A namespace is held by a finalizer in its spec until it is empty."""

    def prepare_create(self, new: Any) -> None:
        """Active, and held."""
        new.status = NamespaceStatus(phase="Active")
        if SYSTEM_FINALIZER not in new.spec.finalizers:
            new.spec.finalizers = [*new.spec.finalizers, SYSTEM_FINALIZER]
        self._label(new)

    def prepare_update(self, new: Any, old: Any) -> None:
        """Only metadata can be changed."""
        new.spec.finalizers = old.spec.finalizers
        new.status = old.status
        self._label(new)

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old spec."""
        new.spec = old.spec

    def _label(self, new: Any) -> None:
        new.metadata.labels = {**new.metadata.labels, NAMESPACE_LABEL: new.metadata.name}


class Nodes(WithStatus):
    """Agents register nodes with their status."""

    def prepare_create(self, new: Any) -> None:
        """The status that it came with; nothing of configurations that come by way of the API, which are gone."""
        new.spec.config_source = new.status.config = None

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old status."""
        super().prepare_update(new, old)
        if old.spec.config_source is None:
            new.spec.config_source = None

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old spec; nothing of configurations that come by way of the API, which are gone."""
        super().prepare_status(new, old, now)
        if old.status.config is None:
            new.status.config = None


class Leases(Strategy):
    """Elections that the server coordinates are not there yet: what they are told by is left out."""

    def prepare_create(self, new: Any) -> None:
        """Without strategy and favourite."""
        new.spec.strategy = new.spec.preferred_holder = None

    def prepare_update(self, new: Any, old: Any) -> None:
        """The same, unless they are there."""
        if old.spec.strategy is None:
            new.spec.strategy = None
        if old.spec.preferred_holder is None:
            new.spec.preferred_holder = None


class EndpointSlices(Counted):
    """Labels count as well: proxies go by them."""

    def _changed(self, new: Any, old: Any) -> bool:
        return super()._changed(new, old) or bool(new.metadata.labels != old.metadata.labels)

    def prepare_create(self, new: Any) -> None:
        """Without the old form of topology, which is only kept where it is."""
        super().prepare_create(new)
        for endpoint in new.endpoints:
            endpoint.deprecated_topology = {}

    def prepare_update(self, new: Any, old: Any) -> None:
        """The same, if the endpoints changed."""
        super().prepare_update(new, old)
        if new.endpoints != old.endpoints:
            for endpoint in new.endpoints:
                endpoint.deprecated_topology = {}


class Definitions(Workload):
    """A definition knows from the start in which version its objects are stored."""

    def prepare_create(self, new: Any) -> None:
        """A fresh status but for that."""
        super().prepare_create(new)
        new.status.stored_versions = [version.name for version in new.spec.versions if version.storage][:1]

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old status; what is stored from now on is added to what may be stored already."""
        super().prepare_update(new, old)
        known = new.status.stored_versions
        stored = next((version.name for version in new.spec.versions if version.storage), None)
        if stored is not None and stored not in known:
            new.status.stored_versions = [*known, stored]


class CertificateRequests(WithStatus):
    """What is asked for never changes; who decides and who signs write different parts of the status."""

    def prepare_update(self, new: Any, old: Any) -> None:
        """Only metadata can be changed."""
        new.spec, new.status = old.spec, old.status

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old request, and the decision as it is."""
        new.spec = old.spec
        decided = [condition for condition in old.status.conditions if condition.type in _DECISIONS]
        others = [condition for condition in new.status.conditions if condition.type not in _DECISIONS]
        new.status.conditions = [*decided, *others]
        _date(new, old, now)

    def prepare_approval(self, new: Any, old: Any, now: str) -> None:
        """Everything as it was but for the conditions."""
        _date(new, old, now)
        conditions = new.status.conditions
        new.spec, new.status = old.spec, old.status
        new.status.conditions = conditions


class ApiServices(WithStatusAlone):
    """What this server serves itself is there from the start."""

    def prepare_create(self, new: Any) -> None:
        """A fresh status, and available if nobody else serves it."""
        super().prepare_create(new)
        if new.spec.service is None:
            local = APIServiceCondition(
                type="Available",
                status="True",
                reason="Local",
                message="Local APIServices are always available",
                last_transition_time=new.metadata.creation_timestamp,
            )
            new.status.conditions = [local]


def _date(new: Any, old: Any, now: str) -> None:
    """Times of conditions for those who do not give them: of the last change, which is old if the condition was there already."""
    for condition in new.status.conditions:
        condition.last_update_time = condition.last_update_time or now
        if condition.last_transition_time is None:
            same = (c for c in old.status.conditions if (c.type, c.status) == (condition.type, condition.status))
            condition.last_transition_time = next((c.last_transition_time for c in same), None) or now
