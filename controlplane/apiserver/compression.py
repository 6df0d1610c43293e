"""gzip, for large answers to clients that take it: level 1, from 128 KiB on, as upstream does it; never for watches."""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from functools import lru_cache

THRESHOLD = 128 * 1024
HEADERS = (("Content-Encoding", "gzip"),)
VARY = (("Vary", "Accept-Encoding"),)
_LEVEL, _GZIP = 1, 31  # of window bits: the largest window, in gzip's format
_KEPT = 64


@lru_cache(maxsize=256)
def accepted(accept_encoding: str) -> bool:
    """Whether the header allows gzip: by name, or with all else by "*", and not with a weight of 0."""
    weights: dict[str, float] = {}
    for clause in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in clause.split(";"))
        weights.setdefault(coding, _weight(parameters))
    for name in ("gzip", "x-gzip", "*"):
        if name in weights:
            return weights[name] > 0
    return False


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


class Pieces:
    """Compresses a body that comes piece by piece, in a thread: zlib lets others run meanwhile."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    async def add(self, piece: bytes) -> bytes:
        """What there is to send after one more piece; perhaps nothing yet."""
        return await asyncio.to_thread(self._stream.compress, piece)

    def end(self) -> bytes:
        """The rest."""
        return self._stream.flush()


class Documents:
    """Compressed forms of documents that seldom change, kept by their ETags."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def packed(self, body: bytes, tag: str) -> bytes:
        """The body in gzip's format; without a tag it is made anew."""
        known = self._kept.get(tag) if tag else None
        if known is None:
            known = await asyncio.to_thread(zlib.compress, body, _LEVEL, _GZIP)
            if tag:
                self._kept[tag] = known
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return known
