"""The nodes that were known last, on disk: a machine that comes up without an API server still finds the others' pods.

It is written before anything is done about a change. So whoever begins from it takes nothing away that was right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cni import ranges
from cni.fabric.nodes import NodeFacts
from kit import log
from kit.files import write_atomic

_log = log.get("fabric")
_decoder = msgspec.json.Decoder(list[NodeFacts])


class Memory:
    """One file. Nothing depends on it but the time until an API server answers, so whatever fails is only told."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, NodeFacts] | None = None

    def recall(self) -> dict[str, NodeFacts]:
        """What was written last; nothing if there is nothing that can be used."""
        try:
            found = _decoder.decode(self._path.read_bytes())
            for node in found:
                for address in node.addresses:
                    ranges.parse(address)
                for cidr in node.pod_cidrs:
                    ranges.subnet(cidr)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:  # a DecodeError is one
            _log.warning("cannot recall the nodes of last time", file=str(self._path), error=error)
            return {}
        return {node.name: node for node in found}

    async def keep(self, nodes: Mapping[str, NodeFacts]) -> None:
        """Write the nodes if they are not what was written last."""
        if nodes == self._kept:
            return
        self._kept = dict(nodes)
        try:
            await asyncio.to_thread(self._write, msgspec.json.encode(list(self._kept.values())))
        except OSError as error:
            _log.warning("cannot keep the nodes for the next start", file=str(self._path), error=error)

    def _write(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, data, 0o600)
