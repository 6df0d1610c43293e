"""What is wrong between Services and the records of their numbers is found and mended; what is right is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.apiserver.allocators.repair import (
    DropAddress,
    DropPort,
    MakeAddress,
    Say,
    Seen,
    SeenAddress,
    SeenPort,
    SeenService,
    WritePort,
    plan,
)

WEB = SeenService("default", "web", "u1", ("10.0.0.5",), (30001,))
API = SeenService("default", "api", "u2", ("10.0.0.5",), (30001,))
ADDRESS = SeenAddress("10.0.0.5", "default/web")
PORT = SeenPort(30001, "default/web", 7)
NOW = 1000.0


def seen(*things: Any, **changes: Any) -> Seen:
    facts = {
        "services": {s.key: s for s in things if isinstance(s, SeenService)},
        "addresses": {a.name: a for a in things if isinstance(a, SeenAddress)},
        "ports": {p.port: p for p in things if isinstance(p, SeenPort)},
        "covers": lambda address: address.startswith(("10.0.0.", "fd00:")),
        "port_range": (30000, 32767),
        "now": NOW,
    }
    return Seen(**(facts | changes))


def reasons(actions: list[Any]) -> list[str]:
    return [action.reason for action in actions if isinstance(action, Say)]


def deeds(actions: list[Any]) -> list[Any]:
    return [action for action in actions if not isinstance(action, Say)]


@pytest.mark.parametrize(
    "things",
    [
        (),
        (WEB, ADDRESS, PORT),
        (SeenAddress("10.0.0.9", "", ours=False),),
        (SeenAddress("10.0.0.9", "default/gone", ours=False),),
        (SeenAddress("10.0.0.9", "default/coming", created=NOW - 30),),
        (SeenService("default", "v6", "", ("fd00:0::1",)), SeenAddress("fd00::1", "default/v6")),
    ],
)
def test_nothing_to_do(things: tuple[Any, ...]) -> None:
    assert plan(seen(*things)) == []


@pytest.mark.parametrize(
    ("things", "said", "done"),
    [
        ((WEB, PORT), ["ClusterIPNotAllocated"], [MakeAddress("10.0.0.5", WEB)]),
        ((WEB, ADDRESS), ["PortNotAllocated"], [WritePort(30001, WEB)]),
        (
            (WEB, PORT, SeenAddress("10.0.0.5", "default/gone")),
            ["ClusterIPNotAllocated"],
            [DropAddress(SeenAddress("10.0.0.5", "default/gone")), MakeAddress("10.0.0.5", WEB)],
        ),
        (
            (WEB, PORT, SeenAddress("10.0.0.5", "default/web", labelled=False, ours=False)),
            [],
            [
                DropAddress(SeenAddress("10.0.0.5", "default/web", labelled=False, ours=False)),
                MakeAddress("10.0.0.5", WEB),
            ],
        ),
        ((ADDRESS,), ["IPAddressNotAllocated"], [DropAddress(ADDRESS)]),
        ((SeenAddress("10.0.0.9", ""),), ["IPAddressNotAllocated"], [DropAddress(SeenAddress("10.0.0.9", ""))]),
        (
            (WEB, ADDRESS, PORT, SeenAddress("10.0.0.9", "default/web")),
            ["IPAddressWrongReference"],
            [DropAddress(SeenAddress("10.0.0.9", "default/web"))],
        ),
        ((PORT,), [], [DropPort(PORT)]),
        ((WEB, ADDRESS, SeenPort(30001, "default/gone", 9)), [], [WritePort(30001, WEB, 9)]),
        ((WEB, API, ADDRESS, PORT), ["ClusterIPAlreadyAllocated", "PortAlreadyAllocated"], []),
        ((SeenService("default", "far", "", ("192.0.2.1",)),), ["ClusterIPOutOfRange"], []),
        ((SeenService("default", "odd", "", ("nonsense",)),), ["ClusterIPNotValid"], []),
        (
            (SeenService("default", "low", "", (), (80,)), SeenPort(80, "default/low")),
            ["PortOutOfRange"],
            [],
        ),
    ],
)
def test_what_is_wrong_is_said_and_mended(things: tuple[Any, ...], said: list[str], done: list[Any]) -> None:
    actions = plan(seen(*things))
    assert reasons(actions) == said
    assert deeds(actions) == done


def test_a_repair_that_was_carried_out_leaves_nothing_to_do() -> None:
    broken = seen(WEB, SeenAddress("10.0.0.9", "default/web"), SeenPort(30009, "default/web"))
    addresses, ports = dict(broken.addresses), dict(broken.ports)
    for action in plan(broken):
        if isinstance(action, MakeAddress):
            addresses[action.address] = SeenAddress(action.address, action.service.key)
        elif isinstance(action, DropAddress):
            del addresses[action.address.name]
        elif isinstance(action, WritePort):
            ports[action.port] = SeenPort(action.port, action.service.key)
        elif isinstance(action, DropPort):
            del ports[action.record.port]
    assert plan(seen(WEB, *addresses.values(), *ports.values())) == []
