"""The nodes of last time on disk, and what is done when the disk has something else; what news of a node are no news."""

import json
from pathlib import Path

import pytest

from cni.fabric.fabric import Fabric
from cni.fabric.memory import Memory
from cni.fabric.nodes import NodeFacts
from cni.fabric.ways import Settings
from kit.clock import FakeClock

NODES = {
    "a": NodeFacts("a", ("192.0.2.1", "fd00::1"), ("10.244.1.0/24",), "vxlan", "vxlan"),
    "b": NodeFacts("b", ("192.0.2.2",), key="key", key_port=5, told='{"mode":"vxlan"}', complaints=("odd",)),
}


async def test_what_was_kept_is_recalled(tmp_path: Path) -> None:
    path = tmp_path / "of" / "nobody" / "nodes.json"
    assert Memory(path).recall() == {}
    memory = Memory(path)
    await memory.keep(NODES)
    assert Memory(path).recall() == NODES
    path.unlink()
    await memory.keep(dict(NODES))  # the same again is not written again
    assert not path.exists()
    await memory.keep({"a": NODES["a"]})
    assert Memory(path).recall() == {"a": NODES["a"]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\0",
        b"{}",
        b'[["a"',
        b'[["a", 5]]',
        json.dumps([["a", ["nowhere"]]]).encode(),
        json.dumps([["a", [], ["10.0.0.0/99"]]]).encode(),
    ],
)
async def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "nodes.json"
    path.write_bytes(data)
    assert Memory(path).recall() == {}
    await Memory(path).keep(NODES)
    assert Memory(path).recall() == NODES


async def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    memory = Memory(tmp_path / "file" / "nodes.json")
    await memory.keep(NODES)
    assert memory.recall() == {}


async def test_a_heartbeat_makes_nobody_look(tmp_path: Path) -> None:
    async def tell(_: str) -> bool:
        return True

    fabric = Fabric(Settings("a"), "10.244.0.0/16", tmp_path, FakeClock(), tell, lambda _: None)
    for old, new, looks in ((None, "a", True), ("a", "a", False), ("a", "b", True), ("b", None, True)):
        fabric.settled.set()
        fabric.on_node("a", NODES[old] if old else None, NODES[new] if new else None)
        assert fabric.settled.is_set() == (not looks)
    assert fabric.nodes == {}
