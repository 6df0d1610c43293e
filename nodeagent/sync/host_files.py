"""Files of the host of which pods see something. Administrators write them, so they may change, and hold any bytes."""

import os
from pathlib import Path

from api.core_v1 import Pod
from nodeagent.render.container import pod_directory
from nodeagent.render.network import hosts_file, parse_resolv_conf
from nodeagent.render.settings import NodeSettings, ResolvConf

HOSTS = Path("/etc/hosts")


def read_resolv_conf(path: str) -> ResolvConf:
    """Where the host asks for names now."""
    return parse_resolv_conf(_read(Path(path)).decode(errors="replace"))


def write_hosts(pod: Pod, ips: tuple[str, ...], node: NodeSettings, host: Path = HOSTS) -> str:
    """Write the pod's own /etc/hosts; where it is."""
    path = f"{pod_directory(pod.metadata.uid or '', node)}/etc-hosts"
    own = _read(host).decode(errors="surrogateescape") if pod.spec.host_network else ""
    with open(path, "wb") as file:  # in place: containers have it mounted by its inode
        file.write(hosts_file(pod, ips, node, own).encode(errors="surrogateescape"))
    os.chmod(path, 0o644)
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
