"""Hears about other programs' nf_tables transactions, so that damage is healed at once and not at the next check.

The kernel tells every transaction to the multicast group, ours too: they are known by their port. As long as somebody
listens the kernel writes a message for each element, which makes a load of 250,000 elements six times slower; so the
owner of a big transaction leaves the group for its time (`deaf`) and looks for itself afterwards.
"""

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from linux.nft import wire
from linux.nft.door import NftError, _messages
from linux.nft.wire import attrs, string

_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_ADD_MEMBERSHIP, _DROP_MEMBERSHIP = 1, 2
_GROUP = 7  # NFNLGRP_NFTABLES
_RCVBUFFORCE = 33


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody else changed these tables (family, name); `lost` says that there may have been more."""

    tables: frozenset[tuple[int, str]]
    lost: bool = False


class Monitor:
    """A socket to wait on (`fileno`) and to read notices from (`read`)."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER
        )
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 1 << 20)
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
        except OSError as error:
            self._socket.close()
            raise NftError("listen to nf_tables", error.errno or errno.EIO, "it needs CAP_NET_ADMIN") from error

    def fileno(self) -> int:
        """For the event loop."""
        return self._socket.fileno()

    def read(self, ours: int) -> Notice:
        """What was changed by others than `ours` (a Door's port) since the last read; never waits."""
        tables: set[tuple[int, str]] = set()
        lost = False
        while True:
            try:
                data = self._socket.recv(1 << 18)
            except BlockingIOError:
                return Notice(frozenset(tables), lost)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NftError("listen to nf_tables", error.errno or errno.EIO) from error
                lost = True
                continue
            for kind, _, _, start, end in _messages(data):
                port = int.from_bytes(data[start + 12 : start + 16], sys.byteorder)
                if port != ours and kind & 0xFF != wire.NEW_GENERATION:
                    name = string(attrs(data[start + 20 : end]).get(1))
                    tables.add((data[start + 16], name))

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Do not listen inside this block."""
        self._socket.setsockopt(_SOL_NETLINK, _DROP_MEMBERSHIP, _GROUP)
        try:
            yield
        finally:
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
