"""What is decided once for a cluster and kept: names, addresses, networks, and the checkout that made it."""

import ipaddress
import re

import yaml

from cli.errors import CliError
from cli.layout import CHECKOUT, Layout
from kit import config
from kit.files import write_atomic

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
API_PORT = 6443


class Cluster(config.Section, frozen=True, kw_only=True):
    """/etc/wherry/cluster.yaml."""

    checkout: str
    node_name: str
    node_address: str
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    node_port_range: str = "30000-32767"
    cluster_domain: str = "cluster.local"
    cgroup_driver: str = "cgroupfs"

    @property
    def service_network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self.service_cidr)

    @property
    def kubernetes_service(self) -> str:
        """The API server's ClusterIP."""
        return str(self.service_network[1])


def load(layout: Layout) -> Cluster | None:
    """The cluster of this machine, if there is one."""
    if not layout.cluster.exists():
        return None
    try:
        return config.load(Cluster, layout.cluster)
    except config.ConfigError as error:
        raise CliError("use this cluster", error, "Repair that file, or run 'wherry reset'") from error


def save(cluster: Cluster, layout: Layout) -> None:
    """Keep the decisions."""
    write_atomic(layout.cluster, render(cluster))


def render(settings: config.Section) -> bytes:
    """A configuration struct as YAML."""
    import msgspec

    return str(yaml.safe_dump(msgspec.to_builtins(settings), sort_keys=False)).encode()


def node_name(wanted: str | None, hostname: str) -> str:
    """The node's name, checked: the host's name unless one is given."""
    name = (wanted or hostname).lower()
    if len(name) > 253 or not NAME.fullmatch(name):
        remedy = "Give another one with --node-name: lower case letters, digits, '-' and '.'"
        raise CliError("name this node", f"{name!r} is not a DNS name", remedy)
    return name


def network(flag: str, text: str) -> str:
    """A network from the command line, checked."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError as error:
        raise CliError(f"use {flag}", error, "Give a network such as 10.244.0.0/16") from error
    if found.version != 4 or found.prefixlen > 24:
        raise CliError(
            f"use {flag}", f"{text} is not an IPv4 network of at least 256 addresses", "Give one such as 10.244.0.0/16"
        )
    return str(found)


def address(text: str, local: set[str]) -> str:
    """A node address from the command line, checked: it must be one of this machine's."""
    try:
        found = str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise CliError("use --node-address", error, "Give an IPv4 address of this machine") from error
    if found not in local:
        have = ", ".join(sorted(local))
        raise CliError("use --node-address", f"{found} is not an address of this machine", f"It has {have}")
    return found


def decide(options: "Wishes", hostname: str, found_address: str, *, systemd: bool) -> Cluster:
    """A new cluster's settings from flags and facts."""
    cluster = Cluster(
        checkout=str(CHECKOUT),
        node_name=node_name(options.node_name, hostname),
        node_address=options.node_address or found_address,
        pod_cidr=network("--pod-cidr", options.pod_cidr),
        service_cidr=network("--service-cidr", options.service_cidr),
        cgroup_driver="systemd" if systemd else "cgroupfs",
    )
    pods, services = ipaddress.IPv4Network(cluster.pod_cidr), cluster.service_network
    if pods.overlaps(services):
        raise CliError(
            "set up the network", f"--pod-cidr {pods} and --service-cidr {services} overlap", "Choose another one"
        )
    for inside, flag in ((pods, "--pod-cidr"), (services, "--service-cidr")):
        if ipaddress.IPv4Address(cluster.node_address) in inside:
            reason = f"this machine's address {cluster.node_address} lies in {inside}"
            raise CliError("set up the network", reason, f"Choose another network with {flag}")
    return cluster


class Wishes(config.Section, frozen=True, kw_only=True):
    """What the command line of `up` asked for; None where it said nothing."""

    node_name: str | None = None
    node_address: str | None = None
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
