"""The ServiceCIDR of the ranges in the configuration: made when missing, said to be ready, given a second family when one is configured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api import kinds, times
from api.meta_v1 import Condition, ObjectMeta
from api.networking_v1 import ServiceCIDR, ServiceCIDRSpec
from controlplane.apiserver.bootstrap.ensure import Ensurer, Wanted
from kit import log
from kit.clock import Clock

NAME = "kubernetes"
_READY = "Kubernetes default Service CIDR is ready"

_log = log.get("apiserver.ranges")


class DefaultRange:
    """Keeps the object; ranges that do not fit the configuration are an administrator's decision and stay."""

    def __init__(self, ensurer: Ensurer, cidrs: Sequence[str], clock: Clock) -> None:
        self._ensurer, self._cidrs, self._clock = ensurer, list(cidrs), clock
        self._complained = False

    async def sync(self) -> None:
        """One look."""
        wanted = ServiceCIDR(metadata=ObjectMeta(name=NAME), spec=ServiceCIDRSpec(cidrs=self._cidrs))
        await self._ensurer.ensure([Wanted(kinds.SERVICE_CIDR, wanted, self._widen)])
        await self._ensurer.ensure([Wanted(kinds.SERVICE_CIDR, wanted, self._say_ready, status=True)])

    def _widen(self, found: Any, wanted: Any) -> Any:
        if len(self._cidrs) == 2 and found.spec.cidrs == self._cidrs[:1]:
            found.spec = wanted.spec
            return found
        return None

    def _say_ready(self, found: Any, wanted: Any) -> Any:
        if found.spec.cidrs != wanted.spec.cidrs:
            if not self._complained:
                _log.warning("ServiceCIDR kubernetes is not as configured", found=found.spec.cidrs, here=self._cidrs)
            self._complained = True
            return None
        said = any(condition.type == "Ready" for condition in found.status.conditions)
        if said or found.metadata.deletion_timestamp:
            return None
        now = times.format_time(self._clock.now())
        ready = Condition(type="Ready", status="True", reason="", message=_READY, last_transition_time=now)
        found.status.conditions = [*found.status.conditions, ready]
        return found
