"""The agent's configuration file."""

from pathlib import Path
from typing import Literal

import msgspec

from kit.config import Section
from kit.config import load as load_config
from nodeagent.plan.reserved import HARD


class Pki(Section, frozen=True, kw_only=True):
    """What the agent's own server proves itself with, and who signs those who may call it."""

    cert: str
    key: str
    client_ca: str


class Cni(Section, frozen=True, kw_only=True):
    """Where the runtime looks for the pod network, and where its daemon is."""

    conf_dir: str = "/var/lib/wherry/cni/net.d"
    bin_dir: str = "/var/lib/wherry/cni/bin"
    socket: str = "/run/wherry/cni.sock"
    data_dir: str = "/var/lib/wherry/cni"
    bridge: str = "wherry0"
    mtu: int = 0


class Network(Section, frozen=True, kw_only=True):
    """How pods of other nodes are reached. The numbers must be the same on all nodes.

    kubeconfig: of somebody who may read all nodes, pods, namespaces and NetworkPolicies; without it policies are not enforced, and
    nodes see their own addresses, not pods', in what pods send to them
    """

    kubeconfig: str = ""
    mode: Literal["auto", "routes", "vxlan", "wireguard"] = "auto"
    vni: int = 87
    vxlan_port: int = 8472
    wireguard_port: int = 51877


class CrashLoop(Section, frozen=True, kw_only=True):
    """Seconds between restarts of containers that keep ending: the first, doubled up to the last."""

    first: float = 10.0
    most: float = 300.0


class Eviction(Section, frozen=True, kw_only=True):
    """When pods have to go, by signal: quantities or percentages; times in seconds."""

    hard: dict[str, str] = msgspec.field(default_factory=lambda: dict(HARD))
    soft: dict[str, str] = {}
    soft_grace_period: dict[str, float] = {}
    minimum_reclaim: dict[str, str] = {}
    max_pod_grace_period: int = 0
    pressure_transition_period: float = 300.0


class Access(Section, frozen=True, kw_only=True):
    """Who may use the agent's API without the API server saying so, and for how many seconds its answers are kept."""

    anonymous: bool = False
    allow_all: bool = False
    token_seconds: float = 120.0
    allowed_seconds: float = 300.0
    denied_seconds: float = 30.0


class ImageGc(Section, frozen=True, kw_only=True):
    """When unused images go: above `high` percent of the disk, down to `low`, or by age. Seconds; a maximum age of 0 is none."""

    high_percent: int = 85
    low_percent: int = 80
    minimum_age: float = 120.0
    maximum_age: float = 0.0
    every: float = 300.0


class ShutdownShare(Section, frozen=True, kw_only=True):
    """Pods of this priority and above have so many seconds when the machine goes down."""

    priority: int
    seconds: int


class ShutdownGrace(Section, frozen=True, kw_only=True):
    """How many seconds pods have when the machine goes down, and the critical ones of that; or by priority. 0: no waiting."""

    period: int = 0
    critical: int = 0
    by_priority: list[ShutdownShare] = []


class Reservations(Section, frozen=True, kw_only=True):
    """Quantities by resource that pods do not get; nor do they get what `eviction.hard` keeps free."""

    kube: dict[str, str] = {}
    system: dict[str, str] = {}


class Config(Section, frozen=True, kw_only=True):
    """`agent.yaml`."""

    node_name: str
    node_address: str
    kubeconfig: str  # empty: there is no API server
    runtime_endpoint: str
    pki: Pki
    listen: str = "0.0.0.0:10250"
    healthz: str = "127.0.0.1:10248"
    root_dir: str = "/var/lib/wherry/agent"
    pod_logs: str = "/var/log/pods"
    cni: Cni = msgspec.field(default_factory=Cni)
    network: Network = msgspec.field(default_factory=Network)
    cgroup_root: str = ""
    cgroup_driver: Literal["cgroupfs", "systemd"] = "cgroupfs"
    pod_cidr: str = "10.244.0.0/16"
    max_pods: int = 110
    pod_pids_limit: int = 0  # processes that one pod may have; 0 is no limit
    cluster_dns: list[str] = []
    cluster_domain: str = "cluster.local"
    sandbox_image: str = ""
    kept_images: list[str] = []  # that are never removed, used or not
    resolv_conf: str = "/etc/resolv.conf"
    crash_loop: CrashLoop = msgspec.field(default_factory=CrashLoop)
    shutdown: ShutdownGrace = msgspec.field(default_factory=ShutdownGrace)
    seccomp_default: bool = True  # containers that name no seccomp profile get the runtime's own
    allowed_sysctls: list[str] = []  # beyond those that are safe; a star at the end stands for anything
    parallel_starts: int = 0  # 0: by the number of CPUs
    parallel_pulls: int = 3
    static_pod_path: str = ""
    own_pod_cidr: str = ""  # this node's pod addresses where nobody gives it any: without an API server
    container_log_max_size: str = "10Mi"
    container_log_max_files: int = 5
    container_log_links: str = ""  # for collectors of logs: a folder of links to them, as /var/log/containers
    read_only: str = ""  # a plain port, as 127.0.0.1:10255, that shows pods and numbers
    system_logs: str = ""  # the folder that /logs/ shows
    access: Access = msgspec.field(default_factory=Access)
    image_gc: ImageGc = msgspec.field(default_factory=ImageGc)
    reserved: Reservations = msgspec.field(default_factory=Reservations)
    eviction: Eviction = msgspec.field(default_factory=Eviction)


def load(path: str | Path) -> Config:
    """Read the file; raises `kit.config.ConfigError`."""
    return load_config(Config, path)
