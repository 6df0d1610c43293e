"""A matrix of policies and pairs, with real packets of both families: who is let through, and who is not."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio

from cni.pods import PodInterface
from tests.netns.policy.bed import OUTSIDE, PATIENCE, Bed

pytestmark = pytest.mark.root
PODS = {
    "a/web": {"app": "web"},
    "a/db": {"app": "db"},
    "b/web": {"app": "web"},
    "b/cli": {"app": "cli"},
}
NAMESPACES = {"a": {"team": "x"}, "b": {"team": "y"}}
DB = {"matchLabels": {"app": "db"}}
WEB = {"matchLabels": {"app": "web"}}
Case = tuple[list[dict[str, Any]], dict[tuple[str, str, str, int], bool]]


def pods(selector: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": selector}


MATRIX: dict[str, Case] = {
    "nothing is isolated by default": (
        [],
        {("a/web", "a/db", "TCP", 80): True, ("b/cli", "a/db", "UDP", 53): True, ("outside", "a/db", "TCP", 80): True},
    ),
    "an empty policy lets nobody in, but out, and only its own namespace": (
        [{}],
        {
            ("a/web", "a/db", "TCP", 80): False,
            ("outside", "a/db", "TCP", 80): False,
            ("b/cli", "a/db", "SCTP", 7): False,
            ("a/db", "b/web", "TCP", 80): True,
            ("a/db", "outside", "UDP", 53): True,
            ("b/web", "b/cli", "TCP", 80): True,
        },
    ),
    "an empty rule lets everybody in": (
        [{"ingress": [{}]}],
        {("outside", "a/db", "TCP", 80): True, ("b/cli", "a/db", "UDP", 53): True, ("a/web", "a/db", "SCTP", 7): True},
    ),
    "a pod selector is of the policy's own namespace": (
        [{"podSelector": DB, "ingress": [{"from": [pods(WEB)]}]}],
        {
            ("a/web", "a/db", "TCP", 80): True,
            ("b/web", "a/db", "TCP", 80): False,
            ("a/db", "a/web", "TCP", 80): True,  # not selected
        },
    ),
    "a namespace selector takes all of its pods": (
        [{"podSelector": DB, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "y"}}}]}]}],
        {("a/web", "a/db", "TCP", 80): False, ("b/cli", "a/db", "TCP", 80): True, ("b/web", "a/db", "UDP", 54): True},
    ),
    "both selectors of one peer must hold": (
        [{"podSelector": DB, "ingress": [{"from": [{"namespaceSelector": {}, "podSelector": WEB}]}]}],
        {("a/web", "a/db", "TCP", 80): True, ("b/web", "a/db", "TCP", 80): True, ("b/cli", "a/db", "TCP", 80): False},
    ),
    "peers of one rule are alternatives": (
        [
            {
                "podSelector": DB,
                "ingress": [{"from": [pods(WEB), {"namespaceSelector": {"matchLabels": {"team": "y"}}}]}],
            }
        ],
        {("a/web", "a/db", "TCP", 80): True, ("b/cli", "a/db", "TCP", 80): True, ("outside", "a/db", "TCP", 80): False},
    ),
    "policies add up": (
        [
            {"name": "none"},
            {"name": "web", "podSelector": DB, "ingress": [{"from": [pods(WEB)], "ports": [{"port": 80}]}]},
            {"name": "names", "podSelector": DB, "ingress": [{"ports": [{"protocol": "UDP", "port": 53}]}]},
        ],
        {
            ("a/web", "a/db", "TCP", 80): True,
            ("a/web", "a/db", "TCP", 81): False,
            ("b/cli", "a/db", "UDP", 53): True,
            ("b/cli", "a/db", "UDP", 54): False,
            ("b/cli", "a/web", "UDP", 53): False,
        },
    ),
    "addresses, but for some": (
        [
            {
                "podSelector": DB,
                "ingress": [
                    {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"ipBlock": {"cidr": "2001:db8:9::/64"}}]},
                    {"from": [{"ipBlock": {"cidr": "10.244.1.0/24", "except": ["10.244.1.4/30"]}}]},
                    {"from": [{"ipBlock": {"cidr": "fd00:244::/64", "except": ["fd00:244::4/126"]}}]},
                ],
            }
        ],
        {
            ("outside", "a/db", "TCP", 80): True,
            ("a/web", "a/db", "TCP", 80): False,  # 5
            ("b/cli", "a/db", "TCP", 80): True,  # 8
        },
    ),
    "ports: a number, a range, a name, a protocol": (
        [
            {
                "podSelector": DB,
                "ingress": [
                    {
                        "ports": [
                            {"port": 81},
                            {"port": "web"},
                            {"protocol": "UDP", "port": 53, "endPort": 53},
                            {"protocol": "SCTP", "port": "calls"},
                        ]
                    }
                ],
            }
        ],
        {
            ("a/web", "a/db", "TCP", 80): False,
            ("a/web", "a/db", "TCP", 81): True,
            ("a/web", "a/db", "TCP", 8080): True,
            ("a/web", "a/db", "TCP", 8085): False,
            ("a/web", "a/db", "UDP", 53): True,
            ("a/web", "a/db", "UDP", 54): False,
            ("a/web", "a/db", "SCTP", 7): True,
            ("a/web", "a/db", "SCTP", 8): False,
        },
    ),
    "a range of ports": (
        [{"podSelector": DB, "ingress": [{"from": [pods({})], "ports": [{"port": 81, "endPort": 8080}]}]}],
        {
            ("a/web", "a/db", "TCP", 80): False,
            ("a/web", "a/db", "TCP", 81): True,
            ("a/web", "a/db", "TCP", 8080): True,
            ("a/web", "a/db", "TCP", 8085): False,
            ("b/web", "a/db", "TCP", 81): False,
        },
    ),
    "a protocol as a whole": (
        [{"podSelector": DB, "ingress": [{"ports": [{"protocol": "UDP"}]}]}],
        {("a/web", "a/db", "UDP", 54): True, ("a/web", "a/db", "TCP", 80): False},
    ),
    "out: to pods, by a port's name": (
        [
            {
                "podSelector": WEB,
                "policyTypes": ["Egress"],
                "egress": [{"to": [pods(DB)], "ports": [{"port": "web"}, {"protocol": "UDP", "port": 53}]}],
            }
        ],
        {
            ("a/web", "a/db", "TCP", 8080): True,
            ("a/web", "a/db", "TCP", 80): False,
            ("a/web", "a/db", "UDP", 53): True,
            ("a/web", "b/cli", "TCP", 8080): False,
            ("a/web", "outside", "TCP", 80): False,
            ("b/cli", "a/web", "TCP", 80): True,
        },
    ),
    "out: to the world, but not to pods": (
        [
            {
                "policyTypes": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]}},
                            {"ipBlock": {"cidr": "::/0", "except": ["fd00:244::/48"]}},
                        ]
                    }
                ],
            }
        ],
        {
            ("a/web", "outside", "TCP", 80): True,
            ("a/web", "a/db", "TCP", 80): False,
            ("b/cli", "a/db", "TCP", 80): True,
        },
    ),
    "out and in: both sides must agree": (
        [
            {"name": "out", "podSelector": WEB, "policyTypes": ["Egress"], "egress": [{"to": [pods(DB)]}]},
            {"name": "in", "podSelector": DB, "ingress": [{"ports": [{"port": 80}]}]},
        ],
        {
            ("a/web", "a/db", "TCP", 80): True,
            ("a/web", "a/db", "TCP", 81): False,  # out is allowed, in is not
            ("a/web", "b/web", "TCP", 80): False,
        },
    ),
    "out by name to anybody": (
        [{"podSelector": WEB, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": "web"}]}]}],
        {("a/web", "b/cli", "TCP", 8080): True, ("a/web", "outside", "TCP", 8080): False},
    ),
    "an expression": (
        [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}],
        {("b/cli", "a/db", "TCP", 80): False, ("b/cli", "a/web", "TCP", 80): True},
    ),
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def made() -> AsyncIterator[Bed]:
    bed = Bed(PODS, NAMESPACES)
    try:
        bed.show()
        await bed.known()
        yield bed
    finally:
        await bed.close()


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("case", MATRIX)
@pytest.mark.asyncio(loop_scope="module")
async def test_who_is_let_through(made: Bed, case: str, family: int) -> None:
    policies, expected = MATRIX[case]
    await made.policies(*policies)
    seen = {pair: await made.reaches(*pair, family) for pair in expected}
    assert seen == expected
    for pod in PODS:  # what a policy never forbids: a pod to itself, and its own node to it
        assert await made.reaches(pod, pod, "UDP", 53, family)
        assert await made.reaches("node", pod, "TCP", 80, family)
    made.node.run("nft", "list", "ruleset")  # the program can show it


@pytest.mark.asyncio(loop_scope="module")
async def test_a_change_of_labels_counts_at_once(made: Bed) -> None:
    await made.policies({"podSelector": DB, "ingress": [{"from": [pods({"matchLabels": {"friend": "yes"}})]}]})
    before = made.facts("a/web")
    assert not await made.reaches("a/web", "a/db", "TCP", 80, 4)
    made.enforcer.on_pod("a/web", before, before._replace(labels={"app": "web", "friend": "yes"}))
    await made.known()
    assert await made.reaches("a/web", "a/db", "TCP", 80, 4)
    made.enforcer.on_pod("a/web", None, before)
    await made.policies(
        {"podSelector": DB, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"z": "1"}}}]}]}
    )
    assert not await made.reaches("b/cli", "a/db", "TCP", 80, 4)
    made.enforcer.on_namespace("b", None, {"z": "1"})
    await made.known()
    assert await made.reaches("b/cli", "a/db", "TCP", 80, 4)
    made.enforcer.on_namespace("b", None, NAMESPACES["b"])


@pytest.mark.asyncio(loop_scope="module")
async def test_through_a_services_address_the_pods_own_counts(made: Bed) -> None:
    """As the proxy does it: DNAT before, masquerading after."""
    await made.policies({"podSelector": DB, "ingress": [{"from": [pods(WEB)]}]})
    target = made.ip("a/db", 4)
    rules = "add table ip px; add chain ip px pre { type nat hook prerouting priority dstnat; };"
    rules += f" add rule ip px pre ip daddr 10.96.0.9 dnat to {target};"
    rules += " add chain ip px post { type nat hook postrouting priority srcnat; };"
    rules += f" add rule ip px post ip daddr {target} masquerade"
    made.node.run("nft", rules)
    made.node.run("ip", "route", "add", "10.96.0.9/32", "dev", "eth0")
    real = made.ip
    made.listening["a/db", "10.96.0.9", 80] = made.listening["a/db", target, 80]
    try:
        made.ip = lambda key, family: "10.96.0.9" if key == "a/db" else real(key, family)  # type: ignore[method-assign]
        assert await made.reaches("a/web", "a/db", "TCP", 80, 4)
        assert not await made.reaches("b/cli", "a/db", "TCP", 80, 4)
    finally:
        made.ip = real  # type: ignore[method-assign]
        made.node.run("nft", "delete", "table", "ip", "px")
        made.node.run("ip", "route", "del", "10.96.0.9/32")


@pytest.mark.asyncio(loop_scope="module")
async def test_established_connections_go_on_and_new_ones_do_not(made: Bed) -> None:
    await made.policies()
    going_on = made.spaces["a/web"].connect(made.ip("a/db", 4), 80, timeout=PATIENCE)
    listening = made.listening["a/db", made.ip("a/db", 4), 80]
    listening.settimeout(PATIENCE)
    taken = listening.accept()[0]
    await made.policies({})
    assert not await made.reaches("a/web", "a/db", "TCP", 80, 4)
    going_on.sendall(b"still here")
    taken.settimeout(PATIENCE)
    assert taken.recv(100) == b"still here"
    going_on.close()
    taken.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_who_gets_an_address_next_inherits_no_connections(made: Bed) -> None:
    await made.policies({"namespace": "n", "ingress": []})  # somewhere there are policies
    await made.enforcer.attach(PodInterface("a/db", "first", "eth0"), [f"{made.ip('a/db', 4)}/24"])
    asking = made.spaces["b/web"].listen(999, made.ip("b/web", 4), socket.SOCK_DGRAM)
    serving = made.serving["a/db", 4, socket.IPPROTO_UDP, 53]
    target = (made.ip("a/db", 4), 53)
    drained(made, "a/db")

    async def heard(sock: socket.socket) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(BlockingIOError):
                return bool(sock.recv(10))
            await a_moment()
        return False

    asking.setblocking(False)
    asking.sendto(b"hello", target)
    assert await heard(serving)
    serving.sendto(b"answer", asking.getsockname())  # now it stands
    assert await heard(asking)
    await made.policies({})  # pods of a are isolated, but what stands goes on
    asking.sendto(b"again", target)
    assert await heard(serving)
    await made.enforcer.detach(PodInterface("a/db", "first", "eth0"), [])
    await made.enforcer.attach(PodInterface("a/db", "second", "eth0"), [f"{made.ip('a/db', 4)}/24"])
    before = made.refusals()
    asking.sendto(b"to the next", target)
    deadline = time.monotonic() + PATIENCE
    while made.refusals() == before:
        assert time.monotonic() < deadline
        await a_moment()
    assert drained(made, "a/db") == 0
    asking.close()
    await made.enforcer.attach(
        PodInterface("a/db", "third", "eth0"), [f"{made.ip('a/db', 4)}/24", f"{made.ip('a/db', 6)}/64"]
    )


FLOOD = """
import socket, sys, time
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for ip in sys.argv[1:]:
        try:
            made.sendto(b"leak", (ip, 53))
        except OSError:
            pass
    time.sleep(0.0005)
"""


def drained(bed: Bed, key: str) -> int:
    """How many datagrams have come to a pod since the last time."""
    count = 0
    try:
        while bed.serving[key, 4, 17, 53].recv(100):
            count += 1
    except BlockingIOError:
        return count
    return count


async def wait_for(bed: Bed, key: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not drained(bed, key):
        assert time.monotonic() < deadline
        await a_moment()


async def a_moment() -> None:
    await asyncio.sleep(0.02)


def unknown(bed: Bed) -> int:
    return bed.enforcer.packets()["unknown"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pod_that_sends_from_its_first_instant_leaks_nothing(made: Bed) -> None:
    # Only a pod that may connect to nobody but b/web.
    rule = {"to": [{"namespaceSelector": {}, **pods(WEB)}]}
    only_web = {"namespace": "n", "policyTypes": ["Egress"], "egress": [rule]}
    await made.policies(only_web)
    made.numbers["n/new"], made.pods["n/new"] = 30, {"app": "new"}
    space = made.space("n/new")
    argv = ["nsenter", f"--net={space.path}", sys.executable, "-c", FLOOD, made.ip("a/db", 4), made.ip("b/web", 4)]
    argv.append(OUTSIDE[4])
    flood = subprocess.Popen(argv)
    try:
        for key in ("a/db", "b/web", "outside"):
            drained(made, key)
        before = unknown(made)
        made.plug("n/new")
        deadline = time.monotonic() + PATIENCE
        while unknown(made) < before + 100:  # it is sending, and nobody has told of it yet
            assert time.monotonic() < deadline
            await a_moment()
        assert [drained(made, key) for key in ("a/db", "b/web", "outside")] == [0, 0, 0]
        made.enforcer.on_namespace("n", None, {})
        made.enforcer.on_pod("n/new", None, made.facts("n/new")._replace(ips=()))
        await made.enforcer.attach(PodInterface("n/new", "c1", "eth0"), [f"{made.ip('n/new', 4)}/24"])
        await wait_for(made, "b/web")
        refused = made.refusals()
        # A new agent takes over, and for a while knows nothing.
        await made.stop()
        assert made.refusals() >= refused
        made.start()
        for _ in range(10):
            await a_moment()
        made.show()
        await made.policies(only_web)
        await wait_for(made, "b/web")
        # It goes, and its address is nobody's.
        made.enforcer.on_pod("n/new", None, None)
        await made.known()
        assert [drained(made, key) for key in ("a/db", "outside")] == [0, 0]
    finally:
        flood.kill()
        flood.wait()
        made.pods.pop("n/new")
        made.enforcer.on_pod("n/new", None, None)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_somebody_flushes_comes_back(made: Bed) -> None:
    await made.policies({"podSelector": DB})
    assert not await made.reaches("a/web", "a/db", "TCP", 80, 4)
    parts = ("chain ip wherry-policy ingress", "set ip wherry-policy self", "map ip wherry-policy egress")
    for damage in ("flush ruleset", "delete table ip wherry-policy", *(f"flush {part}" for part in parts)):
        before = made.enforcer.repairs["policies"]
        made.node.run("nft", *damage.split())
        deadline = time.monotonic() + PATIENCE
        while made.enforcer.repairs["policies"] == before or not made.enforcer.settled.is_set():
            assert time.monotonic() < deadline
            await a_moment()
        assert not await made.reaches("a/web", "a/db", "TCP", 80, 4)
    await made.policies()
    assert await made.reaches("a/web", "a/db", "TCP", 80, 4)
