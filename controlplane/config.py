"""What the control plane is told: its file `controlplane.yaml`."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import field

from kit import config
from kit.config import ConfigError, Section


class Pki(Section, frozen=True, kw_only=True):
    """Paths of certificates and keys, PEM."""

    ca_cert: str
    ca_key: str
    serving_cert: str
    serving_key: str
    kubelet_client_cert: str
    kubelet_client_key: str
    service_account_key: str


class Config(Section, frozen=True, kw_only=True):
    """One control plane: API server, scheduler, controllers and store in one process."""

    data_dir: str
    advertise_address: str
    pki: Pki
    listen: list[str] = field(default_factory=lambda: ["127.0.0.1:6443"])
    pod_cidr: str = "10.244.0.0/16"
    node_cidr_size: int = 24
    service_cidr: str = "10.96.0.0/12"
    node_port_range: str = "30000-32767"


def load(path: str | Path) -> Config:
    """Read and check the file. Raises ConfigError."""
    found = config.load(Config, path)
    port_range(found, str(path))
    return found


def port_range(settings: Config, source: str) -> tuple[int, int]:
    """The first and last node port."""
    match = re.fullmatch(r"(\d+)-(\d+)", settings.node_port_range)
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 < first <= last <= 65535:
        text = f"field nodePortRange: {settings.node_port_range!r} is not FIRST-LAST, such as 30000-32767"
        raise ConfigError(f"cannot use {source}: {text}")
    return first, last
