"""Lists as long as a request's body can be: nobody else is served while they are looked at, so no item is compared with all others."""

from typing import Any

from api import codec, kinds
from api.apply import sets
from api.apply.objects import Compared
from api.validation import validate_create, validate_update
from tests import samples

LONG = 50_000
Document = dict[str, Any]


def test_owned_by_whoever_makes_them() -> None:
    """Names that are there twice are owned as a whole."""
    env: list[Document] = [{"name": f"E{number}"} for number in range(LONG)]
    container = {"name": "c", "image": "i", "env": [*env, {"name": "E7", "value": "again"}]}
    pod = codec.from_dict(kinds.POD, {"metadata": {"name": "x"}, "spec": {"containers": [container]}})
    found = sets.decode(Compared(kinds.POD.type).fresh(pod).encode())
    assert found is not None
    (owned,) = (value for key, value in found["f:spec"]["f:containers"].items() if key != ".")
    assert owned["f:env"]['k:{"name":"E7"}'] == {}
    assert owned["f:env"]['k:{"name":"E8"}'] == {".": {}, "f:name": {}}
    assert len(owned["f:env"]) == LONG + 1


def test_drivers_of_a_node() -> None:
    drivers = [{"name": f"d{number % (LONG - 1)}", "nodeID": "n"} for number in range(LONG)]
    node = codec.from_dict(kinds.CSI_NODE, samples.GOOD[kinds.CSI_NODE] | {"spec": {"drivers": drivers}})
    (cause,) = validate_create(kinds.CSI_NODE, node)
    assert (cause.field, cause.reason) == (f"spec.drivers[{LONG - 1}].name", "FieldValueDuplicate")


def test_conditions() -> None:
    said = {"status": "True", "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    conditions = [{"type": f"T{number % (LONG - 1)}", **said} for number in range(LONG)]
    kind = kinds.POD_DISRUPTION_BUDGET
    budget = codec.from_dict(kind, samples.GOOD[kind] | {"status": {"conditions": conditions}})
    (cause,) = validate_update(kind, budget, budget, "status")
    assert (cause.field, cause.reason) == (f"status.conditions[{LONG - 1}].type", "FieldValueDuplicate")
