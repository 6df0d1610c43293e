"""Which volumes have to grow on this node, by what the claim and its volume say."""

from typing import Any

import pytest

from api import codec, kinds
from nodeagent.csi.growth import NOT_ON_NODES, Growth, finished, plan_growth

GI = 1 << 30
ONCE, MANY = "ReadWriteOnce", "ReadWriteMany"


def claim(stage: str = "", shown: str = "1Gi", given: str = "", mode: str = ONCE, wish: str = "2Gi") -> Any:
    status = {
        "capacity": {"storage": shown},
        "allocatedResources": {"storage": given} if given else {},
        "allocatedResourceStatuses": {"storage": stage} if stage else {},
    }
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": wish}}}
    return codec.from_dict(kinds.PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": "c"}, "spec": spec, "status": status})


def volume(size: str = "2Gi") -> Any:
    return codec.from_dict(kinds.PERSISTENT_VOLUME, {"spec": {"capacity": {"storage": size}}})


@pytest.mark.parametrize(
    ("found", "size", "known", "failed", "expected"),
    [
        pytest.param(claim(), "1Gi", GI, False, None, id="no larger"),
        pytest.param(claim(), "2Gi", GI, False, Growth("2Gi"), id="an older resizer says nothing in the claim"),
        pytest.param(claim(shown="2Gi"), "2Gi", GI, False, Growth("2Gi", told=True), id="the claim shows it already"),
        pytest.param(
            claim("NodeResizePending", given="2Gi"),
            "2Gi",
            GI,
            False,
            Growth("2Gi", careful=True),
            id="nodes are awaited",
        ),
        pytest.param(
            claim("NodeResizeInProgress", given="2Gi"), "2Gi", GI, False, Growth("2Gi", careful=True), id="begun before"
        ),
        pytest.param(claim("NodeResizeInfeasible", given="2Gi"), "2Gi", GI, False, None, id="it was found impossible"),
        pytest.param(claim("ControllerResizeInProgress", given="2Gi"), "2Gi", GI, False, None, id="not yet our turn"),
        pytest.param(claim(given="2Gi"), "2Gi", GI, False, None, id="nobody awaits us"),
        pytest.param(
            claim(given="2Gi", shown="2Gi"),
            "2Gi",
            GI,
            False,
            Growth("2Gi", ask=False, careful=True, told=True),
            id="nothing is left to do on nodes",
        ),
        pytest.param(
            claim(given="2Gi", shown="2Gi", mode=MANY),
            "2Gi",
            GI,
            False,
            Growth("2Gi", careful=True, told=True),
            id="each node that has it does its part",
        ),
        pytest.param(
            claim("NodeResizePending", given="2Gi", wish="3Gi"),
            "2Gi",
            GI,
            True,
            Growth("2Gi", careful=True, doubtful=True),
            id="it failed before, and another size is wished",
        ),
        pytest.param(
            claim("NodeResizePending", given="2Gi"),
            "2Gi",
            GI,
            True,
            Growth("2Gi", careful=True),
            id="failed, still wished",
        ),
    ],
)
def test_which_volumes_grow(found: Any, size: str, known: int, failed: bool, expected: Growth | None) -> None:
    assert plan_growth(found, volume(size), known, failed) == expected


def test_what_needs_no_node_is_not_asked_for() -> None:
    found = claim(given="2Gi", shown="2Gi", mode=MANY)
    found.metadata.annotations[NOT_ON_NODES] = "true"
    growth = plan_growth(found, volume(), GI, False)
    assert growth is not None and not growth.ask


def test_a_claim_that_another_has_changed_is_not_overwritten() -> None:
    found = claim()
    found.metadata.resource_version = "7"
    assert finished(found, "2Gi") == {"metadata": {"resourceVersion": "7"}, "status": {"capacity": {"storage": "2Gi"}}}
