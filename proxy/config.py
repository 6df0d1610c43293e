"""The proxy's configuration: `proxy.yaml`."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from kit.config import ConfigError, Section
from kit.config import load as load_config
from proxy.model.addresses import BadAddress
from proxy.model.facts import Facts, parse_networks, parse_node_ports

Mode = Literal["auto", "nftables", "iptables", "ipvs"]


class Ipvs(Section, frozen=True, kw_only=True):
    """What counts with mode ipvs."""

    scheduler: str = "rr"  # how IPVS chooses an endpoint: rr, wrr, lc, wlc, sh, mh, ...
    strict_arp: bool = msgspec.field(default=False, name="strictARP")  # do not answer for Services' addresses


class Config(Section, frozen=True, kw_only=True):
    """What the proxy needs to know; see docs for the meaning of each field."""

    node_name: str
    kubeconfig: str
    mode: Mode = "auto"
    cluster_cidr: str = ""  # pod network, one per family; traffic to cluster IPs from elsewhere is masqueraded
    healthz: str = "0.0.0.0:10256"  # "" for none
    metrics: str = "127.0.0.1:10249"  # "" for none
    iptables_variant: Literal["auto", "nft", "legacy"] = "auto"
    node_port_addresses: list[str] = []  # networks of the node's addresses that have node ports; none: all but loopback
    ipvs: Ipvs = Ipvs()
    external_ips: bool = False  # Services' externalIPs: whoever may write Services could take any address with them


def load(path: str | Path) -> Config:
    """Read and check the configuration: ours, or a KubeProxyConfiguration."""
    from proxy import kubeproxy  # which makes a Config too

    if kubeproxy.is_kubeproxy(load_config(dict[str, Any], path)):
        return kubeproxy.load(path)
    config = load_config(Config, path)
    if not config.node_name:
        raise ConfigError(f"cannot use {path}: field nodeName must not be empty")
    check(config, path)
    return config


def check(config: Config, path: str | Path, cluster_cidr: str = "clusterCidr") -> None:
    """Refuse what cannot be understood, by the name that it has in the file."""
    try:
        parse_networks(config.cluster_cidr)
    except BadAddress as error:
        raise ConfigError(f"cannot use {path}: field {cluster_cidr}: {error}") from error
    try:
        parse_node_ports(config.node_port_addresses)
    except BadAddress as error:
        raise ConfigError(f"cannot use {path}: field nodePortAddresses: {error}") from error


def facts(config: Config) -> Facts:
    """What of the configuration decisions depend on."""
    networks, nodes = parse_networks(config.cluster_cidr), parse_node_ports(config.node_port_addresses)
    return Facts(config.node_name, networks, config.external_ips, node_ports=nodes)
