"""The network configuration list that the runtime reads to learn of the pod network."""

import json
import os
from pathlib import Path
from typing import Any

from cni import ranges

FILE = "10-wherry.conflist"
NAME = "wherry"
DEFAULT_ROUTES = {4: "0.0.0.0/0", 16: "::/0"}


class ConflistError(Exception):
    """The configuration could not be written."""


def write(
    conf_dir: Path | str,
    pod_cidr: str,
    cluster_cidr: str,
    bridge: str = "wherry0",
    mtu: int = 0,
    *,
    masquerade: bool = True,
) -> Path:
    """Write the list atomically, only if it changed. CIDRs of both families are separated by a comma; mtu 0: by path.

    Without `masquerade` it is the fabric's, which knows all nodes and lets them see pods' own addresses.
    """
    path = Path(conf_dir) / FILE
    text = json.dumps(render(pod_cidr, cluster_cidr, bridge, mtu, masquerade), indent=2) + "\n"
    fresh = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_text() == text:
            return path
        fresh.write_text(text)
        fresh.chmod(0o644)
        fresh.rename(path)
    except OSError as error:
        raise ConflistError(f"cannot write {path}: {error.strerror}") from error
    return path


def render(pod_cidr: str, cluster_cidr: str, bridge: str, mtu: int, masquerade: bool) -> dict[str, Any]:
    """The list. Runtimes that know only one version take 1.0.0; newer ones choose from all."""
    try:
        subnets = [ranges.subnet(part.strip()) for part in pod_cidr.split(",") if part.strip()]
        for part in cluster_cidr.split(","):
            ranges.subnet(part.strip())
    except ValueError as error:
        raise ConflistError(f"cannot make a network configuration of {pod_cidr} in {cluster_cidr}: {error}") from error
    if not subnets:
        raise ConflistError("cannot make a network configuration: the node has no podCIDR yet")
    plugin = {
        "type": "wherry-cni",
        "bridge": bridge,
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": masquerade,
        "clusterCidr": cluster_cidr,
        "mtu": mtu,
        "capabilities": {"portMappings": True, "bandwidth": True, "ips": True, "mac": True},
        "ipam": {"ranges": [[{"subnet": str(net)}] for net in subnets]},
    }
    versions = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]
    return {"cniVersion": "1.0.0", "cniVersions": versions, "name": NAME, "plugins": [plugin]}
