"""A real etcd cluster on loopback ports and a temporary folder, to be killed and started again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from controlplane.store.choice import Etcd
from testbed.ports import free_port

START_SECONDS = 120.0


@dataclass(frozen=True)
class Tls:
    """Certificate files that members and clients use alike."""

    ca: Path
    cert: Path
    key: Path


@dataclass
class Member:
    """One etcd process."""

    name: str
    folder: Path
    client_port: int
    peer_port: int
    metrics_port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)


class EtcdCluster:
    """`with EtcdCluster(folder) as etcd: await EtcdStore.open(etcd.place())`."""

    def __init__(self, folder: Path, members: int = 1, tls: Tls | None = None) -> None:
        self._tls = tls
        self.members = [
            Member(f"m{n}", folder / f"m{n}", free_port(), free_port(), free_port()) for n in range(members)
        ]

    def __enter__(self) -> EtcdCluster:
        for member in self.members:
            self.start(member)
        for member in self.members:
            self.wait_healthy(member)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members:
            self.kill(member)
            shutil.rmtree(member.folder, ignore_errors=True)

    @property
    def scheme(self) -> str:
        """How clients speak to it."""
        return "https" if self._tls else "http"

    def place(self, prefix: str = "/wherry") -> Etcd:
        """How the store reaches it."""
        endpoints = tuple(f"{self.scheme}://127.0.0.1:{member.client_port}" for member in self.members)
        tls = self._tls
        files = {"ca_cert": str(tls.ca), "cert": str(tls.cert), "key": str(tls.key)} if tls else {}
        return Etcd(endpoints=endpoints, prefix=prefix, **files)

    def start(self, member: Member) -> None:
        """Start a member, with the data it has."""
        client, peer = f"{self.scheme}://127.0.0.1:{member.client_port}", f"http://127.0.0.1:{member.peer_port}"
        options = {
            "name": member.name,
            "data-dir": str(member.folder),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(f"{m.name}=http://127.0.0.1:{m.peer_port}" for m in self.members),
            "listen-metrics-urls": f"http://127.0.0.1:{member.metrics_port}",
            "heartbeat-interval": "20" if len(self.members) == 1 else "100",
            "election-timeout": "200" if len(self.members) == 1 else "1000",
            "log-level": "error",
        }
        if self._tls:
            options |= {"trusted-ca-file": str(self._tls.ca), "cert-file": str(self._tls.cert)}
            options |= {"key-file": str(self._tls.key), "client-cert-auth": "true"}
        words = [f"--{name}={value}" for name, value in options.items()]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD")}
        member.folder.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{member.folder}.log", "ab") as log:
            member.process = subprocess.Popen(["etcd", *words], stdout=log, stderr=log, env=environment)

    def kill(self, member: Member) -> None:
        """As a power loss has it."""
        if member.process is not None:
            member.process.kill()
            member.process.wait()
            member.process = None

    def wait_healthy(self, member: Member) -> None:
        """Until it serves."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{member.metrics_port}/health", timeout=1) as answer:
                    if b'"true"' in answer.read():
                        return
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > until:
                tail = Path(f"{member.folder}.log").read_text()[-2000:]
                raise TimeoutError(f"etcd {member.name} does not become healthy: {tail}")
            time.sleep(0.02)
