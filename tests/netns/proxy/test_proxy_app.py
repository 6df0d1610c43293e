"""The whole proxy in a network namespace: informers, loop, real kernel, real packets; flushed by others and healed."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api import kinds
from api.core_v1 import Event
from client.client import Client
from client.fake import FakeTransport
from kit.supervisor import Supervisor
from linux import netns
from linux.nft import Kernel
from linux.nft.elements import Batch, Format
from linux.nft.wire import INET4
from proxy import cleanup
from proxy.app import start
from proxy.backends.choice import choose
from proxy.backends.interface import BackendError
from proxy.backends.nftables import NftablesBackend
from tests.netns.proxy.bed import NODE_IP, REFUSED, SILENCE, Bed, config, more_clients, put, service, slices, vip

pytestmark = pytest.mark.root


def about(event: Event) -> str:
    return f"{event.involved_object.kind} {event.involved_object.name}"


async def eventually(condition: Callable[[], object], seconds: float = 120) -> None:
    """Ask in a thread: the loop is the proxy's."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def in_node(bed: Bed, work: Callable[[Supervisor], Awaitable[None]]) -> None:
    """Run with this thread, and so the programs it starts, in the node's namespace."""

    def inside() -> None:
        with bed.inside("node"):
            asyncio.run(supervised())

    async def supervised() -> None:
        async with Supervisor(signals=False) as supervisor:
            await work(supervisor)
            supervisor.stop()

    await asyncio.to_thread(inside)


def flush(mode: str, variant: str) -> None:
    if mode == "nftables":
        subprocess.run(["nft", "flush", "ruleset"], check=True)
    else:
        subprocess.run([f"iptables-{variant}", "-t", "nat", "-F"], check=True)


@pytest.mark.parametrize(("mode", "variant"), [("nftables", "auto"), ("iptables", "nft"), ("iptables", "legacy")])
async def test_services_work_change_and_come_back_after_a_flush(mode: str, variant: str) -> None:
    server = FakeTransport()
    put(server, kinds.SERVICE, service("web", 1))
    for one in slices("web", [("a", 0), ("b", 0)]):
        put(server, kinds.ENDPOINT_SLICE, one)

    with Bed(f"app-{mode[:3]}-{variant}") as bed:

        async def work(supervisor: Supervisor) -> None:
            syncer = await start(config(mode, variant), Client(server), supervisor)
            await syncer.programmed.wait()

            def answering(times: int = 12) -> set[str]:
                return {bed.ask("a", vip(1, 4), 80, wait=SILENCE)[0] for _ in range(times)}

            await eventually(lambda: answering() == {"a", "b"})
            for one in slices("web", [("b", 0)]):
                put(server, kinds.ENDPOINT_SLICE, one)
            await eventually(lambda: answering() == {"b"})
            flush(mode, variant)
            await eventually(lambda: answering(1) == {"b"})
            server.remove(kinds.SERVICE, "web", "ns")
            await eventually(lambda: answering(1) != {"b"})

        await in_node(bed, work)
        with bed.inside("node"):
            assert cleanup() != []
            assert cleanup() == []


async def test_a_change_of_backend_cleans_the_old_one_up_when_the_new_one_works() -> None:
    server = FakeTransport()
    put(server, kinds.SERVICE, service("web", 1))
    for one in slices("web", [("a", 0)]):
        put(server, kinds.ENDPOINT_SLICE, one)
    with Bed("app-switch") as bed:

        async def rules() -> tuple[bool, bool]:
            door = Kernel()
            nft = "wherry-proxy" in door.tables(2)
            door.close()
            saved = subprocess.run(["iptables-nft-save"], check=True, capture_output=True, text=True).stdout
            return nft, "WHERRY-" in saved

        async def first(supervisor: Supervisor) -> None:
            syncer = await start(config("iptables", "nft"), Client(server), supervisor)
            await syncer.programmed.wait()
            assert await rules() == (False, True)

        async def second(supervisor: Supervisor) -> None:
            syncer = await start(config("auto"), Client(server), supervisor)
            assert syncer.backend.name == "nftables"
            await syncer.programmed.wait()
            async with asyncio.timeout(120):
                while await rules() != (True, False):
                    assert bed.ask("b", vip(1, 4), 80)[0] == "a"
                    await asyncio.sleep(0.01)
            assert bed.ask("b", vip(1, 4), 80)[0] == "a"

        await in_node(bed, first)
        assert bed.ask("b", vip(1, 4), 80)[0] == "a"  # rules outlive the process
        await in_node(bed, second)
        with bed.inside("node"):
            assert cleanup() == ["nftables table ip wherry-proxy", "nftables table ip6 wherry-proxy"]
        assert bed.ask("b", vip(1, 4), 80, wait=SILENCE) != REFUSED


async def test_health_and_metrics_are_served() -> None:
    async def get(port: int, path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    server = FakeTransport()
    put(server, kinds.SERVICE, service("web", 1, nodePort=30080, externalTrafficPolicy="Local"))
    for one in slices("web", [("a", 0), ("b", 0)]):
        put(server, kinds.ENDPOINT_SLICE, one)

    def body(answer: bytes) -> Any:
        return msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])

    with Bed("app-http") as bed:

        async def work(supervisor: Supervisor) -> None:
            given = config("nftables", healthz="127.0.0.1:10256", metrics="127.0.0.1:10249")
            syncer = await start(given, Client(server), supervisor)
            await syncer.programmed.wait()
            for path in ("/healthz", "/livez"):
                assert b" 200 " in (await get(10256, path)).splitlines()[0]
            text = await get(10249, "/metrics")
            assert b"kubeproxy_sync_proxy_rules_duration_seconds_count" in text
            assert (await get(10249, "/proxyMode")).endswith(b"\r\n\r\nnftables")
            wanted = body(await get(10249, "/debug/desired?service=ns/web"))
            assert [one["endpoints"] for one in wanted] == [
                ["10.244.1.10:8080", "10.244.2.10:8080"],
                ["[fd00:244:0:1::a]:8080", "[fd00:244:0:2::a]:8080"],
            ]
            assert body(await get(10249, "/debug/desired?service=ns/other")) == []
            rules = body(await get(10249, "/debug/rules"))
            assert rules["differences"] == [] and len(rules["frontends"]) == 4
            node_port = next(one for one in rules["frontends"] if one["address"] == "node:30080")
            assert node_port["endpoints"] == ["10.244.1.10:8080"] and node_port["route"] == "external local"
            assert node_port["fromInside"]["endpoints"] == ["10.244.1.10:8080", "10.244.2.10:8080"]

        await in_node(bed, work)


async def test_load_balancers_are_told_whether_the_node_has_endpoints() -> None:
    server = FakeTransport()
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32100}
    put(server, kinds.SERVICE, service("web", 1, **spec))
    for one in slices("web", [("a", 0), ("a", 1), ("b", 0)]):
        put(server, kinds.ENDPOINT_SLICE, one)

    with Bed("app-health") as bed:

        async def work(supervisor: Supervisor) -> None:
            await start(config("nftables"), Client(server), supervisor)

            def ask(address: str) -> tuple[str, dict[str, Any]]:
                with bed.inside("client"):
                    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
                with one:
                    one.settimeout(60)
                    try:
                        one.connect((address, 32100))
                        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
                        answer = b"".join(iter(lambda: one.recv(4096), b""))
                    except OSError:
                        return "", {}
                head, _, body = answer.decode().partition("\r\n\r\n")
                return head.lower(), msgspec.json.decode(body)

            def tells(status: str, count: int) -> bool:
                heads = [ask(NODE_IP[family]) for family in (4, 6)]
                body = {
                    "service": {"namespace": "ns", "name": "web"}, "localEndpoints": count, "serviceProxyHealthy": True,
                }  # fmt: skip
                return all(
                    head.startswith(f"http/1.1 {status} ")
                    and f"x-load-balancing-endpoint-weight: {count}" in head
                    and said == body
                    for head, said in heads
                )

            await eventually(lambda: tells("200", 2))
            put(server, kinds.SERVICE, service("late", 2, **spec))  # the same port: it is told, and the other goes on
            told = ["Node this-node", "Service late"]
            await eventually(lambda: sorted(about(event) for event in server.objects(kinds.EVENT)) == told)
            for one in slices("web", [("b", 0)]):
                put(server, kinds.ENDPOINT_SLICE, one)
            await eventually(lambda: tells("503", 0))
            # Nobody asks while a port is closed: what asyncio has just accepted then is never closed (Python 3.11).

        await in_node(bed, work)


def test_without_rights_or_programs_the_reason_is_said() -> None:
    path = f"/run/netns/px-{os.getpid()}-rights"
    netns.create(path)
    program = (
        "import ctypes, os, sys\n"
        "sys.path.insert(0, os.getcwd())\n"
        "os.environ['PATH'] = '/nowhere'\n"
        "from proxy.backends.choice import choose\n"
        "import proxy.backends.nftables.backend, proxy.backends.iptables.backend\n"  # while the checkout can be read
        "os.setuid(65534)\n"
        "try: choose('auto')\n"
        "except Exception as e: print(type(e).__name__, e)\n"
    )
    try:
        done = subprocess.run(
            ["ip", "netns", "exec", os.path.basename(path), sys.executable, "-c", program],
            cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        netns.remove(path)
    assert done.stdout.startswith("BackendError cannot use proxy mode auto: nftables: ")
    assert "CAP_NET_ADMIN" in done.stdout and "install the package iptables" in done.stdout


def test_an_unusable_mode_names_what_to_do() -> None:
    path = f"/run/netns/px-{os.getpid()}-mode"
    netns.create(path)
    fd = netns.open_path(path)
    old = os.environ["PATH"]
    try:
        os.environ["PATH"] = "/nowhere"
        with netns.inside(fd), pytest.raises(BackendError, match="install the package iptables"):
            choose("iptables")
    finally:
        os.environ["PATH"] = old
        os.close(fd)
        netns.remove(path)


@pytest.mark.parametrize("affinity", ["None", "ClientIP"])
def test_a_packet_that_draws_an_endpoint_just_removed_takes_another(affinity: str) -> None:
    """Between its two look-ups a packet may see the old count and then miss an index: that state, held still."""
    with Bed(f"race-{affinity.lower()}") as bed:
        with bed.inside("node"):
            kernel = Kernel()
        bed.use(NftablesBackend(kernel))
        bed.put(service("web", 1, sessionAffinity=affinity), slices("web", [("a", 0), ("a", 1), ("b", 0)]))
        name = "endpoints" if affinity == "None" else "aff_ids"
        (last,) = (e for e in kernel.elements(INET4, "wherry-proxy", name) if e.key[4:] == struct.pack("=I", 2))
        delete = Batch(INET4, "wherry-proxy", name, delete=True)
        kernel.commit(delete.mixed([Format(8, 4).bare(last.key)]))
        seen = Counter(
            bed.ask("client", vip(1, 4), 80, source=client)[0] for client in more_clients(4) for _ in range(6)
        )
        kernel.close()
        assert set(seen) <= {"a", "b"}
