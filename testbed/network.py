"""The network between test hosts: a bridge in a network namespace of its own."""

import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from linux.process import Finished, run
from testbed import names

ADDRESS = "192.168.77.254"
PREFIX_LENGTH = 24


class Switch:
    """A bridge with an address in a namespace that stands for "elsewhere on the network"."""

    def __init__(self, name: str = "switch") -> None:
        names.sweep()
        self.id = names.owned(name)
        self.address = ADDRESS
        self._ports = 0
        run(["ip", "netns", "add", self.id])
        self._ip("link", "set", "lo", "up")
        self._ip("link", "add", "br0", "type", "bridge")
        self._ip("addr", "add", f"{ADDRESS}/{PREFIX_LENGTH}", "dev", "br0")
        self._ip("link", "set", "br0", "up")

    def plug(self, netns: str, *, default_route: bool = True) -> str:
        """Give a namespace an interface `eth0` on this switch; its address."""
        self._ports += 1
        port, address = f"p{self._ports}", f"192.168.77.{10 + self._ports}"
        run(["ip", "-n", netns, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", self.id])
        self._ip("link", "set", port, "master", "br0", "up")
        run(["ip", "-n", netns, "addr", "add", f"{address}/{PREFIX_LENGTH}", "dev", "eth0"])
        run(["ip", "-n", netns, "link", "set", "eth0", "up"])
        while "state UP" not in run(["ip", "-n", netns, "-o", "link", "show", "eth0"]).text:
            time.sleep(0.01)  # before that its link-local address and routes are missing, and appear later
        if default_route:
            run(["ip", "-n", netns, "route", "add", "default", "via", ADDRESS])
        return address

    def run(self, argv: Sequence[str], *, timeout: float = 60, check: bool = True) -> Finished:
        """Run a program as a host elsewhere on the network."""
        return run(["nsenter", f"--net=/run/netns/{self.id}", *argv], timeout=timeout, check=check)

    def listen(self, port: int) -> socket.socket:
        """A listening TCP socket on the switch's address, used from this process."""
        return socket_in(self.id, ADDRESS, port)

    def close(self) -> None:
        """Remove the namespace with all that is in it."""
        names.remove(self.id)

    def _ip(self, *arguments: str) -> None:
        run(["ip", "-n", self.id, *arguments])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def socket_in(netns: str, address: str, port: int) -> socket.socket:
    """A listening socket of another network namespace: only the thread that makes it enters that namespace."""
    made: list[socket.socket] = []
    errors: list[OSError] = []

    def make() -> None:
        try:
            with open(f"/run/netns/{netns}", "rb") as target:
                enter_netns(target.fileno())
            made.append(socket.create_server((address, port)))
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return made[0]


def enter_netns(descriptor: int) -> None:
    """Move the calling thread into a network namespace (Python 3.11 has no os.setns)."""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000
    if libc.setns(descriptor, clone_newnet) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot enter the network namespace: {os.strerror(number)}")
