"""From one backend to another and on, each in a proxy of its own, while packets flow: every connection is answered, and
nothing of the one before stays."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from api import kinds
from client.client import Client
from client.fake import FakeTransport
from kit.supervisor import Supervisor
from linux import iptables, nft
from linux.rtnl import RtnlLinks
from proxy import cleanup
from proxy.app import start
from proxy.plan.expected import expected_reading
from tests.netns.proxy.bed import ANSWER, NODE_IP, Bed, config, put, service, slices, vip

pytestmark = pytest.mark.root
MODES = (
    ["iptables-legacy", "ipvs", "iptables-legacy"]
    if "IPVS_MACHINE" in os.environ
    else ["nftables", "iptables-nft", "iptables-legacy", "nftables", "iptables-legacy", "iptables-nft", "nftables"]
)
PORT, NODE_PORT, KEPT_PORT = 80, 30080, 9090
ASKED = (("client", NODE_IP, NODE_PORT), ("client", None, PORT), ("a", None, PORT), ("node", None, PORT))
ENOUGH = 20  # answers for each who asks, while a proxy is at work and after


def held() -> set[str]:
    """Of which backends there is something in this namespace."""
    found = set()
    door = nft.Kernel()
    if "wherry-proxy" in door.tables(nft.FAMILIES[4]) | door.tables(nft.FAMILIES[6]):
        found.add("nftables")
    door.close()
    for variant in (iptables.NFT, iptables.LEGACY):
        for family in (4, 6):
            programs = iptables.Programs(variant)
            with_tables = (table for table in ("nat", "filter") if _has(programs, family, table))
            lines = [line for table in with_tables for line in programs.save(family, table)]
            found |= {f"iptables-{variant}" for line in lines if "WHERRY-" in line}
            found |= {f"ipvs-{variant}" for line in lines if "WHERRYVS-" in line}
    links = RtnlLinks()
    if links.find("wherry-ipvs0") is not None:
        found.add("ipvs link")
    links.close()
    return found


def _has(programs: iptables.Programs, family: int, table: str) -> bool:
    try:
        return bool(programs.save(family, table))
    except iptables.IptablesError:
        return False  # a kernel without nf_tables for IP


class Traffic:
    """New connections without end, from everywhere, and some that stay."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self.answers: dict[int, Counter[str]] = {place: Counter() for place in range(len(ASKED))}
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._connect, args=(place,)) for place in self.answers]

    def _connect(self, place: int) -> None:
        origin, host, port = ASKED[place]
        family = 4
        while not self._done.wait(0.002):  # no faster: ports are used again only after a minute
            address = host[family] if host is not None else vip(1, family)
            self.answers[place][self._bed.ask(origin, address, port)[:1]] += 1
            family = 10 - family

    def counts(self) -> list[int]:
        return [sum(seen.values()) for seen in self.answers.values()]

    @contextmanager
    def flowing(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in self._threads:
                thread.join()


async def more(traffic: Traffic) -> None:
    """Until everybody was answered some more times."""
    goal = [count + ENOUGH for count in traffic.counts()]
    async with asyncio.timeout(300):
        while any(count < wanted for count, wanted in zip(traffic.counts(), goal, strict=True)):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("modes", [MODES], ids=" to ".join)
def test_every_connection_is_answered_while_the_backend_changes(modes: list[str]) -> None:
    server = FakeTransport()
    put(server, kinds.SERVICE, service("web", 1, nodePort=NODE_PORT))
    for one in slices("web", [("a", 0), ("b", 0)]):
        put(server, kinds.ENDPOINT_SLICE, one)

    put(server, kinds.SERVICE, service("kept", 2))
    for one in slices("kept", [("b", 0)]):
        one["ports"][0]["port"] = KEPT_PORT
        put(server, kinds.ENDPOINT_SLICE, one)

    kept: tuple[socket.socket, ...] = ()
    with Bed("moves") as bed:
        traffic = Traffic(bed)

        async def proxy(kind: str, *, first: bool) -> None:
            async with Supervisor(signals=False) as supervisor:
                syncer = await start(config(*kind.split("-")), Client(server), supervisor)
                await syncer.programmed.wait()
                if not first:
                    await more(traffic)
                wanted = {"ipvs-legacy", "ipvs link"} if kind == "ipvs" else {kind}
                async with asyncio.timeout(300):
                    while await asyncio.to_thread(inside, held) != wanted:
                        await asyncio.sleep(0.05)
                reading = await syncer.reading()
                assert expected_reading(syncer.ledger.all()).differences(reading) == []
                await echo()
                supervisor.stop()

        def inside(work: Any) -> Any:
            with bed.inside("node"):
                return work()

        def run(kind: str, *, first: bool = False) -> None:
            with bed.inside("node"):
                asyncio.run(proxy(kind, first=first))

        async def echo() -> None:
            """The connection that was there before still carries bytes both ways."""
            if kept:
                client, accepted = kept
                client.sendall(b"?")
                assert accepted.recv(1) == b"?"
                accepted.sendall(b"!")
                assert client.recv(1) == b"!"

        run(modes[0], first=True)
        with bed.inside("b"):
            listening = socket.create_server(("0.0.0.0", KEPT_PORT))
        with bed.inside("client"):
            client = socket.socket()
        with listening, client, ExitStack() as stack:
            listening.settimeout(ANSWER)
            client.settimeout(ANSWER)
            client.connect((vip(2, 4), PORT))
            accepted = stack.enter_context(listening.accept()[0])
            accepted.settimeout(ANSWER)
            kept = (client, accepted)
            stack.enter_context(traffic.flowing())
            for kind in modes[1:]:
                run(kind)
                asyncio.run(more(traffic))  # also with no proxy running
        # A connection through IPVS ends with it: each asker has one at a time.
        ended = 1 if "ipvs" in modes else 0
        for place, seen in traffic.answers.items():
            assert seen["a"] and seen["b"], (ASKED[place], seen)
            assert seen.keys() <= {"a", "b", "l"} and seen["l"] <= ended, (ASKED[place], seen)
        with bed.inside("node"):
            assert cleanup() != []
            assert held() == set()
