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
from proxy.config import Config, Ipvs, Mode, problem
from proxy.model.facts import PRIMARY

KIND, API_VERSION = "KubeProxyConfiguration", "kubeproxy.config.k8s.io/v1alpha1"
HEALTHZ_PORT, METRICS_PORT = 10256, 10249
MASQUERADE_BIT = 14
_Ignored = Any  # taken, without effect


class Refusal(Exception):
    """A field's value cannot be had, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"field {field}: {reason}")
        self.field = field
        self.reason = reason


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

    def timeouts(self) -> dict[str, str | None]:
        """Those that IPVS has, by field."""
        return {
            "tcpTimeout": self.tcp_timeout,
            "tcpFinTimeout": self.tcp_fin_timeout,
            "udpTimeout": self.udp_timeout,
        }


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
    try:
        return translate(load_config(KubeProxyConfiguration, path))
    except Refusal as refusal:
        raise ConfigError(f"cannot use {path}: field {refusal.field}: {refusal.reason}") from None


def translate(given: KubeProxyConfiguration) -> Config:
    """What it means here. Raises Refusal."""
    field, reason = _refusal(given)
    if field:
        raise Refusal(field, reason)
    six = ":" in (given.bind_address or "")
    config = Config(
        node_name=(given.hostname_override or socket.gethostname()).strip().lower(),
        kubeconfig=given.client_connection.kubeconfig or "",
        mode=given.mode or "auto",  # type: ignore[arg-type] # one of Mode: see _refusal
        cluster_cidr=given.cluster_cidr or "",
        healthz=_address(given.healthz_bind_address, "::" if six else "0.0.0.0", HEALTHZ_PORT),
        metrics=_address(given.metrics_bind_address, "::1" if six else "127.0.0.1", METRICS_PORT),
        node_port_addresses=_node_ports(given),
        ipvs=Ipvs(scheduler=given.ipvs.scheduler or "rr", strict_arp=bool(given.ipvs.strict_arp)),
        external_ips=True,
    )
    field, reason = problem(config)
    if field:
        raise Refusal({"clusterCidr": "clusterCIDR"}.get(field, field), reason)
    return config


def _refusal(given: KubeProxyConfiguration) -> tuple[str, str]:
    """What cannot be had, and what to do about it."""
    if (given.kind, given.api_version) != (KIND, API_VERSION):
        return "kind", f"it is a {given.kind} of {given.api_version}; give a {KIND} of {API_VERSION}"
    if (given.mode or "auto") not in get_args(Mode):
        return "mode", f"there is no {given.mode}; use one of {', '.join(get_args(Mode))}, or leave it out"
    if given.detect_local_mode not in (None, "", "ClusterCIDR"):
        return "detectLocalMode", f"cannot do {given.detect_local_mode}; leave it out and give the pods' networks"
    for name, rules in (("iptables", given.iptables), ("nftables", given.nftables)):
        if rules.masquerade_bit not in (None, MASQUERADE_BIT):
            return f"{name}.masqueradeBit", f"the bit is {MASQUERADE_BIT}; leave it out"
        if rules.masquerade_all:
            return f"{name}.masqueradeAll", "traffic within the cluster keeps its source; set it to false"
        if rules.localhost_node_ports:
            return f"{name}.localhostNodePorts", "node ports are not on loopback addresses; set it to false"
    for name, timeout in given.ipvs.timeouts().items():
        if timeout not in (None, "", "0", "0s"):
            return f"ipvs.{name}", "timeouts are the kernel's; set it to 0s"
    if PRIMARY in (given.node_port_addresses or []) and len(given.node_port_addresses or []) > 1:
        return "nodePortAddresses", f"give {PRIMARY} alone, or networks"
    return "", ""


def _node_ports(given: KubeProxyConfiguration) -> list[str]:
    """As upstream: with nftables only on the node's own addresses; where a bind address is given it is that one."""
    wanted = given.node_port_addresses or ([PRIMARY] if given.mode == "nftables" else [])
    bind = given.bind_address or ""
    if wanted != [PRIMARY] or bind in ("", "0.0.0.0", "::"):
        return wanted
    return [PRIMARY, bind]


def _address(given: str | None, host: str, port: int) -> str:
    """An address with a port, as upstream completes what it is given."""
    if not given:
        given = host
    if given.startswith("[") or given.count(":") == 1:
        return given if given.rpartition(":")[2].isdecimal() else f"{given}:{port}"
    return f"[{given}]:{port}" if ":" in given else f"{given}:{port}"
