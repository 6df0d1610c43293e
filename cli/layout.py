"""Where things are on a node. Everything `up` makes lies under one of these, so that `reset` can remove it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The folders and files of one node, below `root` (another one only in tests)."""

    root: Path = Path("/")

    @property
    def etc(self) -> Path:
        return self.root / "etc/wherry"

    @property
    def manifests(self) -> Path:
        return self.etc / "manifests"

    @property
    def logind(self) -> Path:
        """Where the agent lets machines wait for pods when they go down (`linux/logind.py`)."""
        return self.root / "etc/systemd/logind.conf.d/99-wherry.conf"

    @property
    def lib(self) -> Path:
        return self.root / "var/lib/wherry"

    @property
    def run(self) -> Path:
        return self.root / "run/wherry"

    @property
    def log(self) -> Path:
        return self.root / "var/log/wherry"

    @property
    def pod_logs(self) -> Path:
        return self.root / "var/log/pods"

    @property
    def container_logs(self) -> Path:
        return self.root / "var/log/containers"

    @property
    def pki(self) -> Path:
        return self.etc / "pki"

    @property
    def cluster(self) -> Path:
        return self.etc / "cluster.yaml"

    @property
    def admin(self) -> Path:
        return self.etc / "admin.kubeconfig"

    @property
    def images(self) -> Path:
        return self.lib / "images"

    @property
    def containerd_root(self) -> Path:
        return self.lib / "containerd"

    @property
    def containerd_state(self) -> Path:
        return self.run / "containerd"

    @property
    def containerd_socket(self) -> Path:
        return self.containerd_state / "containerd.sock"

    @property
    def cni_socket(self) -> Path:
        return self.run / "cni.sock"

    @property
    def pids(self) -> Path:
        return self.run / "pids"

    @property
    def wanted(self) -> Path:
        return self.run / "supervisor.json"

    def config(self, program: str) -> Path:
        """A program's own configuration file."""
        return self.etc / ("containerd.toml" if program == "containerd" else f"{program}.yaml")

    def kubeconfig(self, name: str) -> Path:
        return self.etc / f"{name}.kubeconfig"

    @property
    def folders(self) -> tuple[Path, ...]:
        """What is ours alone; removed as a whole."""
        return (self.etc, self.lib, self.run, self.log)


CHECKOUT = Path(__file__).resolve().parent.parent
