"""KubeProxyConfiguration, the file that upstream's kube-proxy is given: what of it applies here.

A field that would change what packets meet, and cannot be had, is refused with what to do about it. Fields that tune how
upstream works inside (periods of syncing, logging, rates) are taken and have no effect: nothing here waits for a timer.
Service external IPs are on, as they are there.
"""

import socket
from pathlib import Path
from typing import Any, get_args

import msgspec

from kit.config import ConfigError, Section
from kit.config import load as load_config
from proxy.config import Config, Ipvs, Mode, check

KIND, API_VERSION = "KubeProxyConfiguration", "kubeproxy.config.k8s.io/v1alpha1"
HEALTHZ_PORT, METRICS_PORT = 10256, 10249
MASQUERADE_BIT = 14
_Ignored = Any  # taken, without effect


class _ClientConnection(Section, frozen=True, kw_only=True):
    kubeconfig: str | None = None
    accept_content_types: _Ignored = None
    content_type: _Ignored = None
    qps: _Ignored = None
    burst: _Ignored = None


class _Rules(Section, frozen=True, kw_only=True):
    """`iptables` or `nftables`."""

    masquerade_bit: int | None = None
    masquerade_all: bool | None = None
    localhost_node_ports: bool | None = None
    sync_period: _Ignored = None
    min_sync_period: _Ignored = None


class _Ipvs(Section, frozen=True, kw_only=True):
    """`ipvs`; virtual services of others are left alone without being told to."""

    scheduler: str | None = None
    strict_arp: bool | None = msgspec.field(default=None, name="strictARP")
    exclude_cidrs: _Ignored = msgspec.field(default=None, name="excludeCIDRs")
    tcp_timeout: str | None = None
    tcp_fin_timeout: str | None = None
    udp_timeout: str | None = None
    sync_period: _Ignored = None
    min_sync_period: _Ignored = None


class KubeProxyConfiguration(Section, frozen=True, kw_only=True):
    """The file's fields."""

    api_version: str
    kind: str
    client_connection: _ClientConnection = _ClientConnection()
    hostname_override: str | None = None
    bind_address: str | None = None
    healthz_bind_address: str | None = None
    metrics_bind_address: str | None = None
    mode: str | None = None
    iptables: _Rules = _Rules()
    nftables: _Rules = _Rules()
    ipvs: _Ipvs = _Ipvs()
    detect_local_mode: str | None = None
    cluster_cidr: str | None = msgspec.field(default=None, name="clusterCIDR")
    node_port_addresses: list[str] | None = None
    feature_gates: _Ignored = None
    logging: _Ignored = None
    bind_address_hard_fail: _Ignored = None
    enable_profiling: _Ignored = None
    show_hidden_metrics_for_version: _Ignored = None
    winkernel: _Ignored = None
    detect_local: _Ignored = None  # for modes that are refused
    oom_score_adj: _Ignored = None
    conntrack: _Ignored = None
    config_sync_period: _Ignored = None
    port_range: _Ignored = None
    windows_run_as_service: _Ignored = None


def is_kubeproxy(document: dict[str, Any]) -> bool:
    """Whether a file is meant for upstream's kube-proxy."""
    return "kind" in document or "apiVersion" in document


def load(path: str | Path) -> Config:
    """Our configuration from upstream's."""
    given = load_config(KubeProxyConfiguration, path)
    reason = _refusal(given)
    if reason:
        raise ConfigError(f"cannot use {path}: {reason}")
    config = Config(
        node_name=(given.hostname_override or socket.gethostname()).strip().lower(),
        kubeconfig=given.client_connection.kubeconfig or "",
        mode=given.mode or "auto",  # type: ignore[arg-type] # one of Mode: see _refusal
        cluster_cidr=given.cluster_cidr or "",
        healthz=_address(given.healthz_bind_address, given.bind_address or "0.0.0.0", HEALTHZ_PORT),
        metrics=_address(given.metrics_bind_address, "127.0.0.1", METRICS_PORT),
        node_port_addresses=given.node_port_addresses or [],
        ipvs=Ipvs(scheduler=given.ipvs.scheduler or "rr", strict_arp=bool(given.ipvs.strict_arp)),
        external_ips=True,
    )
    check(config, path, cluster_cidr="clusterCIDR")
    return config


def _refusal(given: KubeProxyConfiguration) -> str:
    """What cannot be had, and what to do about it."""
    if (given.kind, given.api_version) != (KIND, API_VERSION):
        return f"field kind: it is a {given.kind} of {given.api_version}; give a {KIND} of {API_VERSION}"
    if not given.client_connection.kubeconfig:
        return "field clientConnection.kubeconfig is missing: give the path of a kubeconfig file"
    if (given.mode or "auto") not in get_args(Mode):
        return f"field mode: there is no {given.mode}; use one of {', '.join(get_args(Mode))}, or leave it out"
    if given.detect_local_mode not in (None, "", "ClusterCIDR"):
        return f"field detectLocalMode: cannot do {given.detect_local_mode}; leave it out and give clusterCIDR"
    for name, rules in (("iptables", given.iptables), ("nftables", given.nftables)):
        if rules.masquerade_bit not in (None, MASQUERADE_BIT):
            return f"field {name}.masqueradeBit: the bit is {MASQUERADE_BIT}; leave it out"
        if rules.masquerade_all:
            return f"field {name}.masqueradeAll: traffic within the cluster keeps its source; set it to false"
        if rules.localhost_node_ports:
            return f"field {name}.localhostNodePorts: node ports are not on loopback addresses; set it to false"
    timeouts = {given.ipvs.tcp_timeout, given.ipvs.tcp_fin_timeout, given.ipvs.udp_timeout}
    if timeouts - {None, "", "0", "0s"}:
        return "field ipvs: timeouts are the kernel's; set them to 0s"
    return ""


def _address(given: str | None, host: str, port: int) -> str:
    """An address with a port, as upstream completes what it is given."""
    if not given:
        given = host
    if given.startswith("[") or given.count(":") == 1:
        return given if given.rpartition(":")[2].isdecimal() else f"{given}:{port}"
    return f"[{given}]:{port}" if ":" in given else f"{given}:{port}"
