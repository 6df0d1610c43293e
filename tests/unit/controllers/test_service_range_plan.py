"""A ServiceCIDR is ready from the start, and goes when its last address has gone."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.controllers.seen.ranges import SeenRange, service_range
from controlplane.controllers.servicecidrs.plan import (
    FINALIZER,
    READY,
    TERMINATING,
    Condition,
    Hold,
    Release,
    Wait,
    plan,
    touches,
)

NOW = 1000.0
HELD = {"finalizers": (FINALIZER,)}
LEAVING: dict[str, Any] = {"deleting": True, "deleted": NOW - 60} | HELD


def seen(name: str = "more", *cidrs: str, **facts: Any) -> SeenRange:
    return SeenRange(name=name, cidrs=cidrs or ("10.97.0.0/24",), **facts)


@pytest.mark.parametrize(
    ("range_", "others", "addresses", "actions"),
    [
        (seen(), (), (), [Hold(), Condition(READY)]),
        (seen(**HELD), (), (), [Condition(READY)]),
        (seen(**HELD, ready=("True", "", "Kubernetes default Service CIDR is ready")), (), (), [Condition(READY)]),
        (seen(**HELD, ready=READY), (), ("10.97.0.1",), []),
        (seen(deleting=True), (), (), []),
        (seen(**LEAVING), (), ("10.97.0.1",), [Condition(TERMINATING)]),
        (seen(**LEAVING, ready=TERMINATING), (), ("10.97.0.1",), []),
        (seen(**LEAVING, ready=TERMINATING), (), ("10.98.0.1", "fd00::1"), [Release()]),
        (seen(**(LEAVING | {"deleted": NOW - 4})), (), (), [Wait(6.0)]),
        (seen(**LEAVING), (seen("wide", "10.96.0.0/12"),), ("10.97.0.1",), [Release()]),
        (seen(**LEAVING), (seen("same"),), ("10.97.0.1",), [Release()]),
        (seen(**LEAVING), (seen("part", "10.97.0.0/25"),), ("10.97.0.1",), [Release()]),
        (seen(**LEAVING), (seen("part", "10.97.0.0/25"),), ("10.97.0.1", "10.97.0.200"), [Condition(TERMINATING)]),
        (
            seen("more", "10.97.0.0/24", "fd00::/112", **LEAVING),
            (seen("wide", "10.96.0.0/12"),),
            ("fd00::5",),
            [Condition(TERMINATING)],
        ),
    ],
)
def test_what_a_range_needs_next(
    range_: SeenRange, others: tuple[SeenRange, ...], addresses: tuple[str, ...], actions: list[Any]
) -> None:
    assert plan(range_, (range_, *others), addresses, NOW) == actions


def test_which_addresses_are_of_a_range() -> None:
    assert touches(seen(), "10.97.0.1")
    assert not touches(seen(), "10.98.0.1")
    assert not touches(seen(), "fd00::1")
    assert not touches(seen("odd", "nonsense"), "10.97.0.1")


def test_what_is_read_of_a_range() -> None:
    found = service_range(
        b'{"metadata":{"name":"more","deletionTimestamp":"1970-01-01T00:00:09Z"},"spec":{"cidrs":["10.0.0.0/8"]},'
        b'"status":{"conditions":[{"type":"Ready","status":"False","reason":"Terminating","message":"m"}]}}'
    )
    assert (found.cidrs, found.ready, found.deleted) == (("10.0.0.0/8",), ("False", "Terminating", "m"), 9.0)
