"""The cluster's keys and certificates: one authority, and a certificate for each purpose."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.cluster import Cluster
from cli.layout import Layout
from kit import pki
from kit.clock import SystemClock
from kit.files import write_atomic

RENEW_BEFORE = 90 * 86400.0  # seconds; `up` renews what ends sooner
MASTERS = "system:masters"


@dataclass(frozen=True)
class Wanted:
    """One certificate: what it is called on disk and what it says."""

    name: str
    common_name: str
    organizations: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    server: bool = False


def wanted(cluster: Cluster) -> list[Wanted]:
    """Every certificate of a node with a control plane."""
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    service.append(f"kubernetes.default.svc.{cluster.cluster_domain}")
    own_ips = tuple(dict.fromkeys(("127.0.0.1", cluster.node_address)))
    node = f"system:node:{cluster.node_name}"
    return [
        Wanted(
            "apiserver",
            "kube-apiserver",
            dns=(*service, "localhost", cluster.node_name),
            ips=(*own_ips, cluster.kubernetes_service),
            server=True,
        ),
        # The API server towards agents: whoever pretends to be an agent must not be shown a master.
        Wanted("kubelet-client", "kube-apiserver-kubelet-client"),
        Wanted("admin", "kubernetes-admin", (MASTERS,)),
        Wanted("agent", node, ("system:nodes",)),
        Wanted("agent-serving", node, ("system:nodes",), ("localhost", cluster.node_name), own_ips, server=True),
        # Policies speak of pods of all nodes, of which an agent must not read.
        Wanted("network", "wherry:network"),
        Wanted("proxy", "system:kube-proxy", ("system:node-proxier",)),
    ]


def cert(layout: Layout, name: str) -> Path:
    return layout.pki / f"{name}.crt"


def key(layout: Layout, name: str) -> Path:
    return layout.pki / f"{name}.key"


def missing(cluster: Cluster, layout: Layout) -> Iterator[Wanted]:
    """Certificates that are not there, do not fit, or end soon."""
    now = SystemClock().now()
    for want in wanted(cluster):
        try:
            seen = pki.subject(pki.load_pair(cert(layout, want.name), key(layout, want.name)).cert)
        except pki.PkiError:
            yield want
            continue
        said = (seen.common_name, seen.organizations, set(seen.dns), set(seen.ips))
        fits = said == (want.common_name, want.organizations, set(want.dns), set(want.ips))
        if not fits or seen.expires - now < RENEW_BEFORE:
            yield want


def complete(cluster: Cluster, layout: Layout) -> bool:
    """Whether nothing is to be made."""
    ca = cert(layout, "ca").exists() and key(layout, "ca").exists() and key(layout, "service-accounts").exists()
    return ca and not any(missing(cluster, layout))


def make(cluster: Cluster, layout: Layout) -> None:
    """Make what is missing; an authority that is there stays."""
    layout.pki.mkdir(mode=0o700, exist_ok=True)
    os.chmod(layout.pki, 0o700)
    if cert(layout, "ca").exists() and key(layout, "ca").exists():
        authority = pki.load_pair(cert(layout, "ca"), key(layout, "ca"))
    else:
        authority = pki.make_ca("wherry-ca")
        authority.save(cert(layout, "ca"), key(layout, "ca"))
    if not key(layout, "service-accounts").exists():
        write_atomic(key(layout, "service-accounts"), pki.make_key(), mode=0o600)
    for want in list(missing(cluster, layout)):
        pair = pki.issue(
            authority,
            want.common_name,
            want.organizations,
            want.dns,
            want.ips,
            server=want.server,
            client=not want.server,
        )
        pair.save(cert(layout, want.name), key(layout, want.name))
