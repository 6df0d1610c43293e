"""Times within objects."""

import pytest

from api import codec, moments
from api.codec import DecodeError
from api.coordination_v1 import Lease
from api.core_v1 import Event
from api.policy_v1 import PodDisruptionBudget

EAST = "2026-01-01T01:00:00.25+01:00"


def test_every_shape() -> None:
    budget = codec.from_dict(
        PodDisruptionBudget, {"status": {"disruptedPods": {"a": EAST}, "conditions": [{"lastTransitionTime": EAST}]}}
    )
    moments.normalize(budget)
    assert budget.status.disrupted_pods == {"a": "2026-01-01T00:00:00Z"}
    assert budget.status.conditions[0].last_transition_time == "2026-01-01T00:00:00Z"
    lease = codec.from_dict(Lease, {"spec": {"renewTime": EAST}})
    moments.normalize(lease)
    assert lease.spec.renew_time == "2026-01-01T00:00:00.250000Z"


@pytest.mark.parametrize(
    "text", ["", "x", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026-01-01 00:00:00Z", "2026-1-1T0:0:0Z"]
)
def test_what_is_no_time(text: str) -> None:
    event = codec.from_dict(Event, {"lastTimestamp": text})
    with pytest.raises(DecodeError, match="lastTimestamp: cannot read time") as caught:
        moments.normalize(event)
    assert caught.value.field == "lastTimestamp"
