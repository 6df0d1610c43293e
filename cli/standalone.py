"""`wherry agent --standalone DIR`: a node that runs the pods of the manifests in DIR, without any API server.

What a configuration file would say is found out: the runtime's socket, the machine's name and address. The node has a pod network of its
own and certificates of its own, made when they are missing or end soon. Given the same name and manifests, an agent with a kubeconfig takes
its containers over as they are.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import facts
from cli.certificates import RENEW_BEFORE
from cli.errors import CliError
from cli.layout import Layout
from kit import pki
from kit.clock import SystemClock
from nodeagent import config as configuration
from nodeagent.config import Cni, Config, Pki

MASTERS = "system:masters"
POD_CIDR = "10.244.0.0/24"
LISTEN, READ_ONLY = "127.0.0.1:10250", "127.0.0.1:10255"


@dataclass(frozen=True)
class RuntimePlace:
    """A runtime's socket, and where it looks for networks."""

    socket: Path
    conf_dir: str
    bin_dir: str


def places(layout: Layout) -> list[RuntimePlace]:
    """Where a runtime may be, ours first."""
    own, usual = layout.lib / "cni", ("/etc/cni/net.d", "/opt/cni/bin")
    return [
        RuntimePlace(layout.containerd_socket, str(own / "net.d"), str(own / "bin")),
        RuntimePlace(layout.root / "run/containerd/containerd.sock", *usual),
        RuntimePlace(layout.root / "var/run/crio/crio.sock", *usual),
    ]


def make_config(directory: str, file: str = "", layout: Layout | None = None) -> Config:
    """The configuration of a node without an API server; `file` may give some of it. Raises CliError, ConfigError."""
    layout = layout or Layout()
    manifests = os.path.abspath(directory)
    if os.path.exists(manifests) and not os.path.isdir(manifests):
        raise CliError("run a standalone node", f"{manifests} is not a directory", "Name a directory of manifests")
    if file:
        given = configuration.load(file)
        return with_fields(given, kubeconfig="", static_pod_path=manifests, own_pod_cidr=given.own_pod_cidr or POD_CIDR)
    if os.geteuid() != 0:
        raise CliError("run a standalone node", "it needs root", "Run it as root, for example with sudo")
    place = next((place for place in places(layout) if place.socket.exists()), None)
    if place is None:
        tried = ", ".join(str(place.socket) for place in places(layout))
        raise CliError(
            "run a standalone node", f"there is no container runtime (tried {tried})", "Start containerd first"
        )
    name = socket.gethostname().lower()
    address = facts.node_address()[0] or "127.0.0.1"
    root = layout.lib / "agent"
    return Config(
        node_name=name,
        node_address=address,
        kubeconfig="",
        runtime_endpoint=f"unix://{place.socket}",
        pki=certificates(root / "pki", name, [address]),
        listen=LISTEN,
        read_only=READ_ONLY,
        root_dir=str(root),
        pod_logs=str(layout.pod_logs),
        cni=Cni(
            conf_dir=place.conf_dir,
            bin_dir=place.bin_dir,
            socket=str(layout.cni_socket),
            data_dir=str(layout.lib / "cni"),
        ),
        static_pod_path=manifests,
        own_pod_cidr=POD_CIDR,
    )


def with_fields(config: Config, **changes: str) -> Config:
    """The same configuration with some fields changed."""
    return Config(**{**{name: getattr(config, name) for name in config.__struct_fields__}, **changes})


def certificates(folder: Path, name: str, addresses: Sequence[str]) -> Pki:
    """A CA, what the agent serves with, and what an administrator calls it with: `admin.crt` and `admin.key`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, made = _authority(folder)
    ips = sorted({"127.0.0.1", *addresses})
    if made or not _holds(folder, "serving", ips):
        pki.issue(ca, name, dns=sorted({"localhost", name}), ips=ips, server=True).save(*_files(folder, "serving"))
    if made or not _holds(folder, "admin", ()):
        pki.issue(ca, "wherry-admin", [MASTERS], client=True).save(*_files(folder, "admin"))
    serving, key = _files(folder, "serving")
    return Pki(cert=str(serving), key=str(key), client_ca=str(_files(folder, "ca")[0]))


def _authority(folder: Path) -> tuple[pki.Pair, bool]:
    """The CA, and whether it is new."""
    if _holds(folder, "ca", ()):
        return pki.load_pair(*_files(folder, "ca")), False
    ca = pki.make_ca("wherry-standalone-ca")
    ca.save(*_files(folder, "ca"))
    return ca, True


def _holds(folder: Path, name: str, ips: Sequence[str]) -> bool:
    """Whether a certificate is there, for these addresses, and lasts."""
    try:
        seen = pki.subject(pki.load_pair(*_files(folder, name)).cert)
    except pki.PkiError:
        return False
    return set(ips) <= set(seen.ips) and seen.expires - SystemClock().now() > RENEW_BEFORE


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.crt", folder / f"{name}.key"
