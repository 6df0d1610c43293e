"""One node's fabric as a process inside the node's namespace: Nodes come as lines of JSON, findings go out as lines.

in:  a list of all Node objects          out:  {"told": text} | {"mtu": n} | {"settled": line number, "repairs": {...}}
"""

import asyncio
import json
import sys
from pathlib import Path

from cni.fabric import nodes
from cni.fabric.fabric import Fabric
from cni.fabric.ways import Settings
from kit.clock import SystemClock


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


async def main(name: str, mode: str, cluster: str, folder: str) -> None:
    async def tell(text: str) -> bool:
        say(told=text)
        return True

    said = 0

    def mtu_changed(mtu: int) -> None:
        nonlocal said
        if mtu != said:
            said = mtu
            say(mtu=mtu)

    fabric = Fabric(Settings(name, mode), cluster, Path(folder), SystemClock(), tell, mtu_changed)
    complete = asyncio.Event()
    running = asyncio.create_task(fabric.run(complete))
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    lines = 0

    async def report() -> None:
        while True:
            await fabric.settled.wait()
            say(settled=lines, repairs=dict(fabric.repairs))
            await asyncio.sleep(0.05)

    reporting = asyncio.create_task(report())
    while line := await reader.readline():
        known = {node.name: node for node in (nodes.extract(json.dumps(one).encode()) for one in json.loads(line))}
        for gone in fabric.nodes.keys() - known.keys():
            fabric.on_node(gone, fabric.nodes[gone], None)
        for key, node in known.items():
            fabric.on_node(key, fabric.nodes.get(key), node)
        lines += 1
        fabric.look()
        complete.set()
    reporting.cancel()
    running.cancel()
    await asyncio.gather(running, reporting, return_exceptions=True)


asyncio.run(main(*sys.argv[1:5]))
