"""Who must know of pods' addresses is told before an ADD is answered, and before a DEL frees them."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cni.daemon import Daemon
from cni.host_fake import FakeHost
from cni.ipam import Owner, Store
from cni.pods import PodInterface
from kit.clock import FakeClock

NET = {"cniVersion": "1.0.0", "name": "pods", "type": "wherry-cni", "ipam": {"subnet": "10.1.0.0/16"}}
ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=x;K8S_POD_UID=u"
INTERFACE = PodInterface("a/x", "c", "eth0", "u")


class Gate:
    """Notes what it is told, and whether the address was taken then; lets an ADD wait."""

    def __init__(self, store: Store) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.open = asyncio.Event()
        self._store = store

    async def attach(self, interface: PodInterface, ips: Iterable[str]) -> None:
        self.told.append(("attach", interface, *ips))
        await self.open.wait()

    async def detach(self, interface: PodInterface, ips: Iterable[str]) -> None:
        there = self._store.find(Owner("pods", interface.container, interface.ifname)) is not None
        self.told.append(("detach", interface, there, *ips))


async def call(daemon: Daemon, command: str, args: str = ARGS, ifname: str = "eth0") -> tuple[int, bytes]:
    env = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c", "CNI_IFNAME": ifname, "CNI_NETNS": "/ns/c", "CNI_ARGS": args}
    return await daemon._answer(env, json.dumps(NET).encode())


async def test_an_add_waits_for_the_gate_and_a_del_tells_it_first(tmp_path: Path) -> None:
    host, store = FakeHost(), Store(str(tmp_path))
    host.make_pod("/ns/c")
    gate = Gate(store)
    daemon = Daemon(store, lambda: host, FakeClock(), gate)
    try:
        adding = asyncio.create_task(call(daemon, "ADD"))
        while not gate.told:
            await asyncio.sleep(0.001)
        assert not adding.done()
        gate.open.set()
        code, output = await adding
        assert code == 0
        address = json.loads(output)["ips"][0]["address"]
        assert gate.told == [("attach", INTERFACE, address)]
        assert (await call(daemon, "DEL"))[0] == 0
        assert gate.told[1:] == [("detach", INTERFACE, True, address.partition("/")[0])]
        assert (await call(daemon, "DEL"))[0] == 0
        assert gate.told[2:] == [("detach", INTERFACE, False)]
    finally:
        daemon.close()


async def test_what_is_no_pod_or_has_failed_is_not_told(tmp_path: Path) -> None:
    host, store = FakeHost(), Store(str(tmp_path))
    host.make_pod("/ns/c")
    gate = Gate(store)
    gate.open.set()
    daemon = Daemon(store, lambda: host, FakeClock(), gate)
    try:
        assert (await call(daemon, "ADD", args=""))[0] == 0
        assert (await call(daemon, "ADD"))[0] == 1  # it has its interface
        assert gate.told == []
    finally:
        daemon.close()
