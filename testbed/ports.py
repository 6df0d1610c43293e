"""Ports for programs that are told where to listen before they do, and that come back to the same port after a death.

The kernel gives those of its own range to whoever asks, so they lie below it; each process of tests takes from a block of its own. A name
without a file says whose a block is: it goes with the process, however that ends.
"""

import functools
import itertools
import socket
from collections.abc import Iterator

FIRST, LAST, BLOCK = 15_000, 30_000, 250


def free_port() -> int:
    """A TCP port of the loopback on which nobody listens, and on which nobody else's test will."""
    for port in _own():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there is no end of ports")


@functools.cache
def _own() -> Iterator[int]:
    for start in range(FIRST, LAST, BLOCK):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0wherry-test-ports-{start}")
        except OSError:
            claim.close()
            continue
        claim.detach()  # held as long as this process lives
        return itertools.cycle(range(start, start + BLOCK))
    raise RuntimeError("cannot take ports: all blocks are taken")
