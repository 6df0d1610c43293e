"""The proxy's configuration: `proxy.yaml`."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from kit.config import ConfigError, Section
from kit.config import load as load_config
from proxy.model.addresses import BadAddress
from proxy.model.facts import PRIMARY, Facts, parse_networks, parse_node_ports

Mode = Literal["auto", "nftables", "iptables", "ipvs"]


class Ipvs(Section, frozen=True, kw_only=True):
    """What counts with mode ipvs."""

    scheduler: str = "rr"  # how IPVS chooses an endpoint: rr, wrr, lc, wlc, sh, mh, ...
    strict_arp: bool = msgspec.field(default=False, name="strictARP")  # do not answer for Services' addresses


class Config(Section, frozen=True, kw_only=True):
    """What the proxy needs to know; see docs for the meaning of each field."""

    node_name: str
    kubeconfig: str = ""  # "" in a pod: by the pod's service account
    server: str = ""  # instead of the one that is named there
    mode: Mode = "auto"
    cluster_cidr: str = ""  # pod network, one per family; traffic to cluster IPs from elsewhere is masqueraded
    healthz: str = "0.0.0.0:10256"  # "" for none
    metrics: str = "127.0.0.1:10249"  # "" for none
    iptables_variant: Literal["auto", "nft", "legacy"] = "auto"
    # Networks of the node's addresses that have node ports, and "primary" for those in its Node; none: all but loopback.
    node_port_addresses: list[str] = []
    end_tcp_connections: bool = False  # those to endpoints that are gone are reset, not left to them
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
    field, reason = problem(config)
    if field:
        raise ConfigError(f"cannot use {path}: field {field}: {reason}")
    return config


def problem(config: Config) -> tuple[str, str]:
    """What cannot be understood: the field and why; "" for none."""
    try:
        parse_networks(config.cluster_cidr)
    except BadAddress as error:
        return "clusterCidr", str(error)
    try:
        parse_node_ports(config.node_port_addresses)
    except BadAddress as error:
        return "nodePortAddresses", str(error)
    return "", ""


def facts(config: Config) -> Facts:
    """What of the configuration decisions depend on."""
    networks, nodes = parse_networks(config.cluster_cidr), parse_node_ports(config.node_port_addresses)
    primary = () if PRIMARY in config.node_port_addresses else None
    return Facts(config.node_name, networks, config.external_ips, node_ports=nodes, primary=primary)
