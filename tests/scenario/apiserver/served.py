"""An API server in a process of its own, to be killed: `python -m tests.scenario.apiserver.served FOLDER STORE`.

STORE is the path of a SQLite file or the address of an etcd. The port is printed once it answers.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.choice import Etcd
from controlplane.store.etcd import EtcdStore
from controlplane.store.interface import Store
from controlplane.store.sqlite import SqliteStore
from kit.clock import SystemClock
from kit.http.tls import ServerTls
from kit.supervisor import Supervisor


async def main(folder: Path, place: str) -> None:
    async with Supervisor(signals=False) as supervisor:
        clock = SystemClock()
        store: Store
        if place.startswith("http"):
            store = await EtcdStore.open(Etcd(endpoints=(place,), prefix="/wherry"))
        else:
            store = await SqliteStore.open(place, clock)
        server = ApiServer(store, Settings("192.0.2.10"), clock)
        await server.start(supervisor)
        tls = ServerTls(folder / "server.crt", folder / "server.key", folder / "ca.crt")
        (listening,) = await server.listen([("127.0.0.1", 0)], tls, supervisor)
        print(listening.port, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
