"""The machine in memory: the fakes of all doors that a request needs, with pods as namespaces by path."""

from collections.abc import Iterator
from contextlib import contextmanager

from cni.config import PortMapping
from cni.errors import CONTAINER, CniError
from cni.host import Pod
from cni.ports import shaper_name
from linux.links import Address, LinkChange, Route
from linux.links_fake import FakeLinks, FakeNetworks
from linux.nft import Door, FakeKernel
from linux.sysctl import FakeSysctl


class FakeHost:
    """A host with a way out (MTU 1400) and any number of pods."""

    def __init__(self) -> None:
        self.machine = FakeNetworks()
        self.links: FakeLinks = self.machine.namespace()
        self.sysctl = FakeSysctl({"net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "0"})
        self.sysctl.values["net/ipv4/conf/wherry0/route_localnet"] = "0"
        self.rules = FakeKernel()
        self.pods: dict[str, FakeLinks] = {}
        self.pod_settings: dict[str, FakeSysctl] = {}
        self.forgotten_flows: list[int] = []
        self.links.change(1, LinkChange(mtu=1400, up=True))
        self.links.add_address(Address(1, "198.51.100.7", 24))
        self.links.add_route(Route("0.0.0.0/0", 1, "198.51.100.1"))

    def make_pod(self, path: str) -> FakeLinks:
        """A new namespace at a path."""
        made = self.pods[path] = self.machine.namespace()
        return made

    def end_pod(self, path: str) -> None:
        """The namespace goes, and its links."""
        self.machine.destroy(self.pods.pop(path).number)

    @contextmanager
    def pod(self, path: str) -> Iterator[Pod]:
        """A pod's network; an error of the specification if there is none."""
        if path not in self.pods:
            raise CniError(CONTAINER, f"cannot open network namespace {path}: No such file or directory")
        settings = self.pod_settings.setdefault(path, FakeSysctl({"net.core.somaxconn": "4096"}))
        yield Pod(self.pods[path], self.pods[path].number, settings)

    def remove_port(self, name: str) -> bool:
        """Remove the host's end of a pod's link, so the pod's, and what limits it; False if there was none."""
        if self.links.find(shaper_name(name)) is not None:
            self.links.remove(shaper_name(name))
        return self.links.remove(name)

    def pod_exists(self, path: str) -> bool:
        """Whether there is a namespace at this path."""
        return path in self.pods

    def has_table(self, family: int, name: str) -> bool:
        """Whether nf_tables has this table."""
        return name in self.rules.tables(family)

    def nft(self) -> Door:
        """nf_tables; the caller closes it."""
        return self.rules

    def forget_flows(self, family: int, ports: list[PortMapping], keep: tuple[bytes, ...]) -> None:
        """Forget tracked UDP flows to host ports."""
        self.forgotten_flows += [mapping.host_port for mapping in ports]

    def close(self) -> None:
        """Nothing to let go."""
