"""What rendering needs to know of the node, and what it found wrong with a pod."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.core_v1 import ConfigMap, Secret


class ConfigProblem(Exception):
    """A container cannot be made from this pod as things are: CreateContainerConfigError."""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """A resolver configuration."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """The node, as far as pods can tell."""

    name: str
    host_ips: tuple[str, ...]
    root_dir: str
    pod_logs: str
    memory_capacity: int
    allocatable: Mapping[str, str]
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: ResolvConf = ResolvConf()
    seccomp_default: bool = False  # containers that say nothing get the runtime's own profile
    unified: Mapping[str, str] = field(default_factory=dict)  # files of cgroup v2 that are the same for all containers


@dataclass(frozen=True, slots=True)
class ServiceLink:
    """What environment variables tell of a Service."""

    namespace: str
    name: str
    address: str
    ports: tuple[tuple[str, int, str], ...]  # name, number, protocol


@dataclass(frozen=True, slots=True)
class TokenWish:
    """A token that a pod's volume shows: for whom, and for how many seconds."""

    audience: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Token:
    """A token, or why there is none."""

    text: str = ""
    problem: str = ""
    expires: str = ""  # when it ends, as the API server said


@dataclass(frozen=True, slots=True)
class Bundle:
    """Certificates of authorities, and for which signer they stand."""

    signer: str
    labels: Mapping[str, str]
    certificates: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Sources:
    """The objects a pod refers to, as far as they exist, the Services there are, and the tokens of its account."""

    config_maps: Mapping[str, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    services: tuple[ServiceLink, ...] = ()
    files: Mapping[tuple[str, str], str] = field(default_factory=dict)  # volume and path -> text, for variables
    tokens: Mapping[TokenWish, Token] = field(default_factory=dict)
    bundles: Mapping[str, Bundle] = field(default_factory=dict)  # those of the whole cluster, if one is wanted
    claims: Mapping[str, Any] = field(default_factory=dict)  # of volumes, by name: `volumes.resolved.Claimed`
