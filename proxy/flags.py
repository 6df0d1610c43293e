"""The proxy's command line, for who has upstream's kube-proxy: its flags, each in the place of a field of its file.

What is refused in the file is refused here, by the flag's name; what tunes upstream's own way of working is taken without
effect. Beside `--config` only those flags count that do so there: the name of the node and the server's address.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import msgspec

from kit.config import ConfigError
from proxy import kubeproxy
from proxy.config import Config, load

FIELDS = {
    "bind-address": ("bindAddress", "this node's address"),
    "cluster-cidr": ("clusterCIDR", "the pods' networks, at most one per family, separated by commas"),
    "detect-local-mode": ("detectLocalMode", "ClusterCIDR"),
    "healthz-bind-address": ("healthzBindAddress", "where /healthz and /livez are; empty for nowhere"),
    "hostname-override": ("hostnameOverride", "the node's name, if it is not the host's"),
    "iptables-masquerade-bit": ("iptables.masqueradeBit", ""),
    "ipvs-scheduler": ("ipvs.scheduler", "how IPVS chooses: rr, wrr, lc, wlc, sh, mh, ..."),
    "ipvs-tcp-timeout": ("ipvs.tcpTimeout", ""),
    "ipvs-tcpfin-timeout": ("ipvs.tcpFinTimeout", ""),
    "ipvs-udp-timeout": ("ipvs.udpTimeout", ""),
    "kubeconfig": ("clientConnection.kubeconfig", "how to reach the API server; in a pod its service account will do"),
    "metrics-bind-address": ("metricsBindAddress", "where /metrics is; empty for nowhere"),
    "nodeport-addresses": ("nodePortAddresses", "networks of the node's addresses that have node ports, or primary"),
    "proxy-mode": ("mode", "nftables, iptables, ipvs or auto"),
}
SWITCHES = {
    "iptables-localhost-nodeports": ("iptables.localhostNodePorts", ""),
    "ipvs-strict-arp": ("ipvs.strictARP", "do not answer for the Services' addresses"),
    "masquerade-all": ("iptables.masqueradeAll", ""),
}
WITHOUT_EFFECT = (
    "config-sync-period", "conntrack-max-per-core", "conntrack-min", "conntrack-tcp-timeout-close-wait",
    "conntrack-tcp-timeout-established", "conntrack-udp-timeout", "conntrack-udp-timeout-stream", "feature-gates",
    "iptables-min-sync-period", "iptables-sync-period", "ipvs-exclude-cidrs", "ipvs-min-sync-period", "ipvs-sync-period",
    "kube-api-burst", "kube-api-content-type", "kube-api-qps", "log-flush-frequency", "log-json-info-buffer-size",
    "log-text-info-buffer-size", "logging-format", "oom-score-adj", "pod-bridge-interface", "pod-interface-name-prefix",
    "show-hidden-metrics-for-version", "vmodule",
)  # fmt: skip
SWITCHES_WITHOUT_EFFECT = (
    "bind-address-hard-fail", "conntrack-tcp-be-liberal", "log-json-split-stream", "log-text-split-stream", "profiling",
)  # fmt: skip
REFUSED = {
    "healthz-port": "give --healthz-bind-address",
    "init-only": "there is no such step: start the proxy with CAP_NET_ADMIN and /proc/sys writable",
    "metrics-port": "give --metrics-bind-address",
    "write-config-to": "there is nothing to write: what is left out of the configuration has its default",
}
_FLAGS = {field: flag for flag, (field, _) in (FIELDS | SWITCHES).items()}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything that may follow `wherry proxy`; in the answers each has the name of its flag."""
    parser.allow_abbrev = False
    parser.add_argument(
        "action", nargs="?", choices=["cleanup"], help="remove all rules of the proxy from the kernel, and end"
    )
    parser.add_argument("--config", metavar="FILE", help="its configuration: ours, or a KubeProxyConfiguration")
    switch = _switch("cleanup")
    parser.add_argument("--cleanup", **switch, default=False, help="the same as the word cleanup")
    parser.add_argument("--master", metavar="URL", help="the API server's address, if not the kubeconfig's")
    parser.add_argument("-v", "--v", help=argparse.SUPPRESS)
    for flag, (_, meaning) in FIELDS.items():
        parser.add_argument(f"--{flag}", metavar="X", dest=flag, help=meaning or argparse.SUPPRESS)
    for flag, (_, meaning) in SWITCHES.items():
        parser.add_argument(f"--{flag}", **_switch(flag), help=meaning or argparse.SUPPRESS)
    for flag in SWITCHES_WITHOUT_EFFECT:
        parser.add_argument(f"--{flag}", **_switch(flag), help=argparse.SUPPRESS)
    for flag in (*WITHOUT_EFFECT, *REFUSED):
        parser.add_argument(f"--{flag}", nargs="?", const="true", dest=flag, help=argparse.SUPPRESS)


def wants_cleanup(options: argparse.Namespace) -> bool:
    """Whether everything is to be removed, and nothing to be run."""
    return bool(options.action == "cleanup" or options.cleanup)


def configure(options: argparse.Namespace) -> Config:
    """The configuration that the command line asks for. Raises ConfigError."""
    given = {flag: value for flag, value in vars(options).items() if value is not None}
    for flag, remedy in REFUSED.items():
        if flag in given:
            raise ConfigError(f"cannot use flag --{flag}: {remedy}")
    config = _beside_file(given) if "config" in given else _from_flags(given)
    return msgspec.structs.replace(config, server=given.get("master") or config.server)


def _beside_file(given: dict[str, Any]) -> Config:
    path = given["config"]
    for flag, (field, _) in (FIELDS | SWITCHES).items():
        if flag in given and flag != "hostname-override":
            raise ConfigError(f"cannot use flag --{flag} beside --config: set {field} in {path}")
    config = load(path)
    name = given.get("hostname-override", "").strip().lower()
    return msgspec.structs.replace(config, node_name=name or config.node_name)


def _from_flags(given: dict[str, Any]) -> Config:
    document: dict[str, Any] = {"kind": kubeproxy.KIND, "apiVersion": kubeproxy.API_VERSION}
    for flag, (field, _) in (FIELDS | SWITCHES).items():
        if flag in given:
            read = _READ.get(flag)
            _set(document, field, read(given[flag]) if read else given[flag])
    try:
        config = kubeproxy.translate(msgspec.convert(document, kubeproxy.KubeProxyConfiguration))
    except kubeproxy.Refusal as refusal:
        raise ConfigError(f"cannot use flag --{_FLAGS[refusal.field]}: {refusal.reason}") from None
    # An empty address means none here, and the default one in a file.
    nowhere = {name: "" for name in ("healthz", "metrics") if given.get(f"{name}-bind-address") == ""}
    return msgspec.structs.replace(config, **nowhere)


def _set(document: dict[str, Any], field: str, value: object) -> None:
    section, _, name = field.rpartition(".")
    (document.setdefault(section, {}) if section else document)[name] = value


def _bit(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"cannot use flag --iptables-masquerade-bit: {text!r} is no number") from None


_READ: dict[str, Callable[[str], object]] = {
    "iptables-masquerade-bit": _bit,
    "nodeport-addresses": lambda text: [part.strip() for part in text.split(",") if part.strip()],
}


def _switch(flag: str) -> dict[str, Any]:
    """A flag that may stand alone or be given true or false."""
    return {"nargs": "?", "const": True, "type": _truth, "dest": flag, "metavar": "true|false"}


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "t", "f"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "1", "t")
