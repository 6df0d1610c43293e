"""The configuration files of every program on a node, rendered from the cluster's settings and certificates."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from cli import certificates
from cli.cluster import API_PORT, Cluster
from cli.images.recipes import DEMO, PAUSE
from cli.layout import Layout

CLUSTER_NAME = "wherry"
SERVER = f"https://127.0.0.1:{API_PORT}"
# A tenth of a large disk is a lot: the agent's own default is for machines that only run pods.
EVICT_BELOW = {
    "memory.available": "100Mi",
    "nodefs.available": "5%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "5%",
    "imagefs.inodesFree": "5%",
}


@dataclass(frozen=True)
class RuntimeFacts:
    """What containerd's configuration depends on."""

    systemd_cgroups: bool
    may_raise_limits: bool
    apparmor: bool


def render(cluster: Cluster, layout: Layout, runtime: RuntimeFacts) -> dict[Path, bytes]:
    """Every file but the certificates. Kubeconfigs hold keys, so all of it is for root only."""
    documents = {
        "controlplane": _controlplane(cluster, layout),
        "agent": _agent(cluster, layout),
        "proxy": _proxy(cluster, layout),
    }
    files = {layout.config(name): _yaml(document) for name, document in documents.items()}
    files[layout.config("containerd")] = _containerd(layout, runtime).encode()
    for name in ("admin", "agent", "network", "proxy"):
        files[layout.kubeconfig(name)] = _kubeconfig(layout, name)
    return files


def _controlplane(cluster: Cluster, layout: Layout) -> Mapping[str, object]:
    return {
        "dataDir": str(layout.lib / "store"),
        "listen": [f"0.0.0.0:{API_PORT}"],
        "advertiseAddress": cluster.node_address,
        "pki": {
            "caCert": str(certificates.cert(layout, "ca")),
            "servingCert": str(certificates.cert(layout, "apiserver")),
            "servingKey": str(certificates.key(layout, "apiserver")),
            "kubeletClientCert": str(certificates.cert(layout, "kubelet-client")),
            "kubeletClientKey": str(certificates.key(layout, "kubelet-client")),
            "serviceAccountKey": str(certificates.key(layout, "service-accounts")),
        },
        "podCidr": cluster.pod_cidr,
        "nodeCidrSize": 24,
        "serviceCidr": cluster.service_cidr,
        "nodePortRange": cluster.node_port_range,
    }


def _agent(cluster: Cluster, layout: Layout) -> Mapping[str, object]:
    return {
        "nodeName": cluster.node_name,
        "nodeAddress": cluster.node_address,
        "kubeconfig": str(layout.kubeconfig("agent")),
        "runtimeEndpoint": f"unix://{layout.containerd_socket}",
        "listen": "0.0.0.0:10250",
        "healthz": "127.0.0.1:10248",
        "pki": {
            "cert": str(certificates.cert(layout, "agent-serving")),
            "key": str(certificates.key(layout, "agent-serving")),
            "clientCa": str(certificates.cert(layout, "ca")),
        },
        "rootDir": str(layout.lib / "agent"),
        "podLogs": str(layout.pod_logs),
        "containerLogLinks": str(layout.container_logs),
        "staticPodPath": str(layout.manifests),
        "cni": {
            "confDir": str(layout.lib / "cni/net.d"),
            "binDir": str(layout.lib / "cni/bin"),
            "socket": str(layout.cni_socket),
            "dataDir": str(layout.lib / "cni"),
            "bridge": "wherry0",
        },
        "network": {"kubeconfig": str(layout.kubeconfig("network"))},
        "cgroupDriver": cluster.cgroup_driver,
        "podCidr": cluster.pod_cidr,
        "clusterDomain": cluster.cluster_domain,
        "sandboxImage": PAUSE,
        "keptImages": [DEMO],  # nobody could pull it again
        "eviction": {"hard": EVICT_BELOW},
    }


def _proxy(cluster: Cluster, layout: Layout) -> Mapping[str, object]:
    return {
        "nodeName": cluster.node_name,
        "kubeconfig": str(layout.kubeconfig("proxy")),
        "mode": "auto",
        "clusterCidr": cluster.pod_cidr,
        "healthz": "0.0.0.0:10256",
        "metrics": "127.0.0.1:10249",
    }


def _containerd(layout: Layout, runtime: RuntimeFacts) -> str:
    """containerd's own TOML: its own folders and socket, our network plugins, our pause image."""
    cni = layout.lib / "cni"
    # Without CAP_SYS_RESOURCE the kernel refuses to make a process less likely to be killed.
    protected = -999 if runtime.may_raise_limits else 0
    return f"""\
version = 2
root = {_quoted(layout.containerd_root)}
state = {_quoted(layout.containerd_state)}
oom_score = {protected}
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = {_quoted(layout.containerd_socket)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = {_bool(not runtime.may_raise_limits)}
  disable_apparmor = {_bool(not runtime.apparmor)}
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = {_bool(runtime.systemd_cgroups)}
        Root = {_quoted(layout.run / "runc")}

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {_quoted(cni / "bin")}
    conf_dir = {_quoted(cni / "net.d")}
"""


def _kubeconfig(layout: Layout, user: str) -> bytes:
    """A kubeconfig with everything inside it, so that it can be copied."""
    certificate = {
        "client-certificate-data": _base64(certificates.cert(layout, user)),
        "client-key-data": _base64(certificates.key(layout, user)),
    }
    context = {"cluster": CLUSTER_NAME, "user": user}
    cluster = {"server": SERVER, "certificate-authority-data": _base64(certificates.cert(layout, "ca"))}
    return _yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CLUSTER_NAME, "cluster": cluster}],
            "users": [{"name": user, "user": certificate}],
            "contexts": [{"name": CLUSTER_NAME, "context": context}],
            "current-context": CLUSTER_NAME,
        }
    )


def _yaml(document: Mapping[str, object]) -> bytes:
    return str(yaml.safe_dump(dict(document), sort_keys=False)).encode()


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _quoted(path: Path) -> str:
    return json.dumps(str(path))
