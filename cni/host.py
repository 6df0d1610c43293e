"""The doors that a request needs, opened together: the host's network, a pod's, kernel settings, nf_tables.

A `Host` is made for one request, in the thread that serves it. `linux.nft` is loaded only when rules must be written.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cni.config import PortMapping
from cni.errors import CONTAINER, KERNEL, CniError
from cni.ports import shaper_name
from linux import netns
from linux.links import Links, NetlinkError, pack
from linux.nft_presence import table_exists
from linux.rtnl import RtnlLinks, is_there, remove_unseen
from linux.sysctl import ProcSysctl, Sysctl

if TYPE_CHECKING:
    from linux.conntrack import Flow
    from linux.nft import Door

_UDP = 17


class Pod(NamedTuple):
    """A pod's network namespace, opened."""

    links: Links
    number: int
    """What names the namespace to the host's links."""
    sysctl: Sysctl


class Host(Protocol):
    """The machine, as one request needs it."""

    @property
    def links(self) -> Links:
        """The host's network."""
        ...

    @property
    def sysctl(self) -> Sysctl:
        """The host's settings."""
        ...

    def pod(self, path: str) -> AbstractContextManager[Pod]:
        """A pod's network; an error of the specification if there is none."""
        ...

    def remove_port(self, name: str) -> bool:
        """Remove the host's end of a pod's link, so the pod's, and what limits it; False if there was none."""
        ...

    def pod_exists(self, path: str) -> bool:
        """Whether there is a namespace at this path."""
        ...

    def has_table(self, family: int, name: str) -> bool:
        """Whether nf_tables has this table."""
        ...

    def nft(self) -> "Door":
        """nf_tables; the caller closes it."""
        ...

    def forget_flows(self, family: int, ports: list[PortMapping], keep: tuple[bytes, ...]) -> None:
        """Forget tracked UDP flows to host ports whose answers come from elsewhere than from the addresses to keep."""
        ...

    def close(self) -> None:
        """Let everything go."""
        ...


class KernelHost:
    """The machine itself. `lives_on`: the process outlives the request, and need not wait for the kernel to tidy up."""

    def __init__(self, *, lives_on: bool = False) -> None:
        self._lives_on = lives_on
        self.sysctl: Sysctl = ProcSysctl()
        try:
            self.links: Links = RtnlLinks()
        except OSError as error:
            raise CniError(KERNEL, f"cannot reach the kernel's network: {error.strerror}") from error

    @contextmanager
    def pod(self, path: str) -> Iterator[Pod]:
        """A pod's network; an error of the specification if there is none."""
        try:
            number = netns.open_path(path)
        except netns.NotFound as error:
            raise CniError(CONTAINER, str(error)) from error
        except netns.NetnsError as error:
            raise CniError(KERNEL, str(error)) from error
        try:
            with netns.inside(number):
                links = RtnlLinks()
            try:
                yield Pod(links, number, PodSysctl(number))
            finally:
                links.close()
        except (netns.NetnsError, OSError) as error:
            raise CniError(KERNEL, f"cannot use network namespace {path}: {error}") from error
        finally:
            os.close(number)

    def remove_port(self, name: str) -> bool:
        """Remove the host's end of a pod's link, so the pod's, and what limits it; False if there was none."""
        limited = is_there(shaper_name(name))
        found = remove_unseen(name) if self._lives_on else self.links.remove(name)
        if limited:
            self.links.remove(shaper_name(name))
        return found

    def pod_exists(self, path: str) -> bool:
        """Whether there is a namespace at this path."""
        return netns.exists(path)

    def has_table(self, family: int, name: str) -> bool:
        """Whether nf_tables has this table."""
        return table_exists(family, name)

    def nft(self) -> "Door":
        """nf_tables; the caller closes it."""
        from linux.nft import Kernel

        return Kernel()

    def forget_flows(self, family: int, ports: list[PortMapping], keep: tuple[bytes, ...]) -> None:
        """Forget tracked UDP flows to host ports whose answers come from elsewhere than from the addresses to keep."""
        from linux.conntrack import ConntrackError, Ends, Kernel

        own = {pack(address.ip) for address in self.links.addresses()}
        try:
            kernel = Kernel()
            try:
                for mapping in ports:  # the kernel looks for each: it may track a million others
                    flows = kernel.flows(family, _UDP, Ends(destination_port=mapping.host_port))
                    stale = [
                        flow
                        for flow in flows
                        if flow.destination in own and flow.reply_source not in keep and _leads_to(flow, mapping)
                    ]
                    kernel.delete(family, stale)
            finally:
                kernel.close()
        except ConntrackError as error:
            raise CniError(KERNEL, f"cannot forget UDP flows to host ports: {error}") from error

    def close(self) -> None:
        """Let everything go."""
        self.links.close()


class PodSysctl:
    """The settings of a pod's network; each visit to its namespace is as short as can be."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._settings = ProcSysctl()

    def read(self, name: str) -> str:
        """The value without the line's end; NotFound if there is no such setting."""
        with netns.inside(self._number):
            return self._settings.read(name)

    def write(self, name: str, value: str) -> bool:
        """Set the value; False if it was so already."""
        with netns.inside(self._number):
            return self._settings.write(name, value)


def _leads_to(flow: "Flow", mapping: PortMapping) -> bool:
    return not mapping.host_ip or not any(pack(mapping.host_ip)) or pack(mapping.host_ip) == flow.destination


__all__ = ["Host", "KernelHost", "NetlinkError", "Pod"]
