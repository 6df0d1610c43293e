"""Defaults of FlowSchemas and priority levels."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration
from api.kinds import Kind


def flow_schema(obj: FlowSchema) -> None:
    """Defaults of a FlowSchema."""
    obj.spec.matching_precedence = obj.spec.matching_precedence or 1000


def priority_level(obj: PriorityLevelConfiguration) -> None:
    """Defaults of a PriorityLevelConfiguration."""
    exempt, limited = obj.spec.exempt, obj.spec.limited
    if exempt is not None:
        exempt.nominal_concurrency_shares = exempt.nominal_concurrency_shares or 0
        exempt.lendable_percent = exempt.lendable_percent or 0
    if limited is None:
        return
    if limited.nominal_concurrency_shares is None:
        limited.nominal_concurrency_shares = 30
    limited.lendable_percent = limited.lendable_percent or 0
    queuing = limited.limit_response.queuing if limited.limit_response is not None else None
    if queuing is not None:
        queuing.hand_size = queuing.hand_size or 8
        queuing.queues = queuing.queues or 64
        queuing.queue_length_limit = queuing.queue_length_limit or 50


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.FLOW_SCHEMA: flow_schema,
    kinds.PRIORITY_LEVEL_CONFIGURATION: priority_level,
}
