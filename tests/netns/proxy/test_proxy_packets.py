"""What takes more than one look: affinity, flows, changes under traffic; the rest is in the packet-flow table.

Pod a is on this node, pod b on another. Answers are "POD SOURCE-AS-SEEN-BY-THE-POD".
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from linux import conntrack
from proxy.backends.nftables import NftablesBackend
from proxy.plan.diff import Change
from proxy.plan.flows import allowed_after, stale_flows
from tests.netns.proxy.bed import (
    ANSWER,
    BACKENDS,
    GATEWAY,
    NODE_IP,
    REFUSED,
    Bed,
    make_backend,
    more_clients,
    pod,
    service,
    slices,
    vip,
)

pytestmark = pytest.mark.root
BOTH = [("a", 0), ("b", 0)]


@pytest.fixture(scope="module", params=BACKENDS)
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """One set of namespaces per backend; each test programs its own Services."""
    with Bed(request.param.replace("tables", ""), request.param) as bed:
        with bed.inside("node"):
            backend = make_backend(request.param)
        bed.use(backend)
        yield bed
        with bed.inside("node"):
            backend.cleanup()
        backend.close()


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def family(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(autouse=True)
def fresh(bed: Bed) -> None:
    assert bed.backend is not None
    bed.use(bed.backend)


def answers(bed: Bed, origin: str, address: str, port: int, *, udp: bool = False) -> set[str]:
    """All different answers; two endpoints are both met in 32 connections but once in two thousand million runs."""
    return set(bed.ask_often(origin, address, port, udp=udp))


def test_udp(bed: Bed, family: int) -> None:
    bed.put(service("dns", 2, protocol="UDP"), slices("dns", BOTH, protocol="UDP"))
    assert answers(bed, "a", vip(2, family), 80, udp=True) == {f"a {GATEWAY['a'][family]}", f"b {pod('a', family)}"}
    assert bed.ask("a", vip(2, family), 80) == REFUSED  # the other protocol is a closed port


def test_node_port_is_not_on_loopback(bed: Bed, family: int) -> None:
    bed.put(service("web", 3, nodePort=30080), slices("web", BOTH))
    assert bed.ask("node", "127.0.0.1" if family == 4 else "::1", 30080) == REFUSED


def test_affinity_holds_a_client_and_lets_go_of_an_endpoint_that_went(bed: Bed, family: int) -> None:
    bed.put(service("web", 8, sessionAffinity="ClientIP", nodePort=30080), slices("web", BOTH))
    chosen = {}
    for client in more_clients(family):
        seen = Counter(bed.ask("client", vip(8, family), 80, source=client)[0] for _ in range(6))
        assert len(seen) == 1
        chosen[client] = next(iter(seen))
        # The same Service through another frontend is the same to the client.
        assert bed.ask("client", NODE_IP[family], 30080, source=client)[0] == chosen[client]
    bed.put(service("web", 8, sessionAffinity="ClientIP", nodePort=30080), slices("web", [("a", 0), ("b", 1)]))
    for client, before in chosen.items():
        seen = Counter(bed.ask("client", vip(8, family), 80, source=client)[0] for _ in range(4))
        assert len(seen) == 1
        assert before == "b" or seen == {"a": 4}  # whose endpoint stayed stays


def test_affinity_survives_a_rebuild_by_a_new_process(bed: Bed, family: int) -> None:
    bed.put(service("web", 8, sessionAffinity="ClientIP"), slices("web", BOTH))
    before = {c: bed.ask("client", vip(8, family), 80, source=c)[0] for c in more_clients(family)}
    with bed.inside("node"):
        backend = make_backend(bed.kind)
        backend.replace(list(bed.ledger.all()), bed.ledger.facts)
        backend.close()
    assert {c: bed.ask("client", vip(8, family), 80, source=c)[0] for c in more_clients(family)} == before


def affine(seconds: int) -> dict[str, Any]:
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}


def chosen(bed: Bed, number: int) -> dict[str, str]:
    """The pod that each of the outside client's addresses gets, of both families."""
    return {c: bed.ask("client", vip(number, f), 80, source=c)[0] for f in (4, 6) for c in more_clients(f)}


def test_affinity_ends_for_a_client_that_stays_away(bed: Bed) -> None:
    bed.put(service("short", 8, **affine(1)), slices("short", BOTH))
    bed.put(service("long", 12, **affine(86400)), slices("long", BOTH))
    short, long = chosen(bed, 8), chosen(bed, 12)
    moved: set[int] = set()
    for _ in range(60):  # each client has one chance in two to be sent elsewhere
        time.sleep(1.2)
        now = chosen(bed, 8)
        moved |= {6 if ":" in client else 4 for client in now if now[client] != short[client]}
        if moved == {4, 6}:
            break
    assert moved == {4, 6}
    assert chosen(bed, 12) == long


def test_affinity_lasts_as_long_as_it_is_used(bed: Bed) -> None:
    for seconds in (2, 4, 8, 16, 32, 64):  # a slow machine needs the longer ones
        bed.put(service(f"web{seconds}", seconds, **affine(seconds)), slices(f"web{seconds}", BOTH))
        began = before = time.monotonic()
        first = now = chosen(bed, seconds)
        longest = 0.0  # between two questions of one client, or more
        while now == first and before < began + 1.5 * seconds and longest < seconds:
            time.sleep(0.1 * seconds)
            started = time.monotonic()
            now = chosen(bed, seconds)
            longest, before = max(longest, time.monotonic() - before), started
        if longest < 0.8 * seconds:
            assert now == first
            return
    pytest.fail("this machine cannot ask 16 times within a minute")


@contextmanager
def listening_pod(bed: Bed, family: int) -> Iterator[tuple[list[Any], socket.socket, socket.socket]]:
    """Pod a accepts connections itself: the slices that lead there, its socket, and one of the client's that is not connected."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    here = slices("web", [("a", 0)])
    for one in here:
        one["ports"][0]["port"] = 9090
    with bed.inside("a"):
        listening = socket.create_server((pod("a", family), 9090), family=kind)
    with bed.inside("client"):
        client = socket.socket(kind, socket.SOCK_STREAM)
    with listening, client:
        listening.settimeout(ANSWER)
        client.settimeout(ANSWER)
        yield here, listening, client


def test_a_connection_outlives_its_endpoint(bed: Bed, family: int) -> None:
    there = slices("web", [("b", 0)])
    with listening_pod(bed, family) as (here, listening, client):
        bed.put(service("web", 11), here)
        client.connect((vip(11, family), 80))
        accepted, _ = listening.accept()
        with accepted:
            accepted.settimeout(ANSWER)
            for endpoints, answer in ((here, ""), (there, f"b {GATEWAY['b'][family]}"), (slices("web", []), REFUSED)):
                bed.put(service("web", 11), endpoints)
                assert not answer or bed.ask("client", vip(11, family), 80) == answer
                client.sendall(b"?")
                assert accepted.recv(1) == b"?"
                accepted.sendall(b"!")
                assert client.recv(1) == b"!"


def test_stale_udp_flows_are_deleted_and_healthy_ones_left(bed: Bed, family: int) -> None:
    bed.put(service("dns", 9, protocol="UDP"), slices("dns", BOTH, protocol="UDP"))
    assert {answer[:2] for answer in answers(bed, "a", vip(9, family), 80, udp=True)} == {"a ", "b "}
    old = bed.ledger.of("ns/dns")
    bed.put(service("dns", 9, protocol="UDP"), slices("dns", [("a", 0)], protocol="UDP"))
    changes = [Change(one, two) for one, two in zip(old, bed.ledger.of("ns/dns"), strict=True)]
    with bed.inside("node"):
        door = conntrack.Kernel()
    destination = bytes([10, 96, 0, 9]) if family == 4 else bytes.fromhex("fd000096") + b"\0" * 11 + b"\x09"
    before = [flow for flow in door.flows(family, 17) if flow.destination == destination]
    stale = list(stale_flows(door.flows(family, 17), family, allowed_after(changes)))
    assert stale and len(stale) < len(before)
    assert {flow.reply_source[-1] for flow in stale} == {10}
    assert door.delete(family, stale) == len(stale)
    after = [flow for flow in door.flows(family, 17) if flow.destination == destination]
    assert sorted(map(hash, after)) == sorted(map(hash, (flow for flow in before if flow not in stale)))
    assert door.delete(family, stale) == 0
    door.close()


@pytest.mark.parametrize("left", [[], [("b", 0)]], ids=["nobody", "another"])
def test_a_connection_to_an_endpoint_that_is_gone_is_reset_if_asked_for(bed: Bed, family: int, left: list[Any]) -> None:
    with bed.inside("node"):
        door = conntrack.Kernel()
    with listening_pod(bed, family) as (here, _, client):
        bed.put(service("web", 13), here)
        client.connect((vip(13, family), 80))
        old = bed.ledger.of("ns/web")
        bed.put(service("web", 13), slices("web", left))
        changes = [Change(one, two) for one, two in zip(old, bed.ledger.of("ns/web"), strict=True)]
        stale = stale_flows(door.flows(family, 6), family, allowed_after(changes, (6, 17)))
        assert door.delete(family, stale) == 1
        client.sendall(b"?")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    door.close()


def test_endpoints_come_and_go_and_no_connection_is_refused(bed: Bed) -> None:
    bed.put(service("web", 10), slices("web", [("a", 0), ("b", 0)]))
    done = threading.Event()
    seen: Counter[str] = Counter()

    def connect() -> None:
        while not done.is_set():
            seen[bed.ask("client", vip(10, 4), 80)[0]] += 1

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for thread in threads:
        thread.start()
    rounds = 500 if isinstance(bed.backend, NftablesBackend) else 25
    number = 0
    while number < rounds or sum(seen.values()) <= rounds:  # both go on until there is enough of either
        number += 1
        some = [("a", number % 8), ("b", number % 5), ("a", (number * 3 + 1) % 8)]
        bed.put(service("web", 10), slices("web", list(dict.fromkeys(some))[: 1 + number % 3]))
        if number % 10 == 9:  # everything anew, as after damage
            with bed.inside("node"):
                assert bed.backend is not None
                bed.backend.replace(list(bed.ledger.all()), bed.ledger.facts)
    done.set()
    for thread in threads:
        thread.join()
    assert set(seen) == {"a", "b"}
