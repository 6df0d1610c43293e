"""A host of its own for the CNI plugin: a network namespace with a way out, pods, the plugin installed, the daemon started.

Nothing of the machine's own network is touched. The benchmark and the tests of `cni` use it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cni import install
from linux import netns, packages

GO_PLUGINS = "/usr/lib/cni"
HOST_IP, OUTSIDE_IP, IN_CLUSTER_IP = "198.51.100.7", "198.51.100.1", "10.244.9.9"
_T = TypeVar("_T")
_ROOT = Path(__file__).resolve().parents[1]
_SERVE = "import asyncio, sys; from cni.daemon import serve; asyncio.run(serve(sys.argv[1], sys.argv[2]))"


class Answer(NamedTuple):
    """What one call of a plugin said."""

    code: int
    output: bytes
    seconds: float

    @property
    def body(self) -> Any:
        """The JSON on standard output."""
        return json.loads(self.output) if self.output else None


class Space:
    """A network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = f"/run/netns/{name}"
        netns.create(self.path)
        self.fd = netns.open_path(self.path)

    def visit(self, work: Callable[[], _T]) -> _T:
        """Do something inside, in this thread."""
        with netns.inside(self.fd):
            return work()

    def run(self, *argv: str) -> str:
        """Run a program inside; what it printed."""
        done = subprocess.run(["nsenter", f"--net={self.path}", *argv], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def listen(self, port: int, ip: str = "0.0.0.0", kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A server's socket inside."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.settimeout(60)
            made.bind((ip, port))
            if kind == socket.SOCK_STREAM:
                made.listen(16)
            return made

        return self.visit(make)

    def connect(self, ip: str, port: int, timeout: float = 60) -> socket.socket:
        """A TCP connection from inside."""
        return self.visit(lambda: socket.create_connection((ip, port), timeout))

    def close(self) -> None:
        """End the namespace."""
        os.close(self.fd)
        netns.remove(self.path)


class Lab:
    """A host, what is outside of it, and any number of pods."""

    def __init__(self, tag: str = "lab") -> None:
        self._prefix = f"cn-{tag}-{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix=self._prefix))
        self.data, self.socket, self.bin = self.folder / "data", self.folder / "cni.sock", self.folder / "bin"
        self.spaces: dict[str, Space] = {}
        self.host, self.outside = self.space("host"), self.space("out")
        for space in (self.host, self.outside):
            space.run("ip", "link", "set", "lo", "up")
        self.host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.outside.name)
        for space, ip in ((self.host, HOST_IP), (self.outside, OUTSIDE_IP)):
            space.run("ip", "addr", "add", f"{ip}/24", "dev", "eth0")
            space.run("ip", "link", "set", "eth0", "up")
        self.host.run("ip", "route", "add", "default", "via", OUTSIDE_IP)
        self.outside.run("ip", "addr", "add", f"{IN_CLUSTER_IP}/32", "dev", "lo")
        self.outside.run("ip", "route", "add", "10.244.7.0/24", "via", HOST_IP)
        self.plugin = str(install.install(self.bin, sys.executable, self.socket, data_dir=self.data)[0])

    def space(self, name: str) -> Space:
        """A new namespace."""
        made = self.spaces[name] = Space(f"{self._prefix}-{name}")
        return made

    def owns(self, namespace: str) -> bool:
        """Whether a namespace has a name of ours."""
        return namespace.startswith(self._prefix)

    def names(self) -> set[str]:
        """The names of our namespaces."""
        return {space.name for space in self.spaces.values()}

    def end(self, name: str) -> None:
        """End a namespace."""
        self.spaces.pop(name).close()

    def network(self, **more: Any) -> dict[str, Any]:
        """The plugin's configuration of the pod network."""
        return {
            "cniVersion": "1.0.0",
            "name": "pods",
            "type": "wherry-cni",
            "bridge": "wherry0",
            "isGateway": True,
            "isDefaultGateway": True,
            "hairpinMode": True,
            "ipMasq": True,
            "clusterCidr": "10.244.0.0/16",
            "ipam": {"ranges": [[{"subnet": "10.244.7.0/24"}]]},
        } | more

    def go_network(self, **more: Any) -> dict[str, Any]:
        """The same for Debian's plugins, on a bridge and with a data directory of their own."""
        ipam = {
            "type": "host-local",
            "dataDir": str(self.folder / "go"),
            "ranges": [[{"subnet": "10.245.7.0/24"}]],
        }
        return self.network(type="bridge", name="gopods", bridge="gobr0", ipam=ipam, ipMasq=False) | more

    def call(
        self, command: str, pod: str, network: Mapping[str, Any] | bytes | None = None, *, plugin: str = "", **env: str
    ) -> Answer:
        """Call a plugin as a runtime does, with the whole process timed; bytes are standard input as they are."""
        given = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod,
            "CNI_IFNAME": "eth0",
            "CNI_NETNS": f"/run/netns/{self._prefix}-{pod}",
            "CNI_PATH": GO_PLUGINS,
            "PATH": os.environ["PATH"],
        }
        body = (
            network
            if isinstance(network, bytes)
            else json.dumps(self.network() if network is None else network).encode()
        )
        return self._spawn(plugin or self.plugin, body, {**given, **env})

    def _spawn(self, plugin: str, body: bytes, env: dict[str, str]) -> Answer:
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        os.write(write_in, body)
        os.close(write_in)
        actions = [
            (os.POSIX_SPAWN_DUP2, read_in, 0),
            (os.POSIX_SPAWN_DUP2, write_out, 1),
            (os.POSIX_SPAWN_CLOSE, read_out),
        ]
        with netns.inside(self.host.fd):
            started = time.perf_counter()
            pid = os.posix_spawn(plugin, [plugin], env, file_actions=actions)
        os.close(write_out)
        output = b""
        while part := os.read(read_out, 65536):
            output += part
        _, status = os.waitpid(pid, 0)
        seconds = time.perf_counter() - started
        os.close(read_in)
        os.close(read_out)
        return Answer(os.waitstatus_to_exitcode(status), output, seconds)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """The daemon, as a process on the host; ready when the block begins."""
        argv = ["nsenter", f"--net={self.host.path}", sys.executable, "-c", _SERVE, str(self.socket), str(self.data)]
        process = subprocess.Popen(argv, cwd=_ROOT)
        try:
            while not self._answers():
                if process.poll() is not None:
                    raise RuntimeError(f"the CNI daemon ended with status {process.returncode}")
                time.sleep(0.01)
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True

    def links(self) -> list[str]:
        """The host's ends of pods that there are."""
        listed = json.loads(self.host.run("ip", "-j", "link"))
        return sorted(link["ifname"] for link in listed if link["ifname"].startswith("wv"))

    def close(self) -> None:
        """Remove it all."""
        for name in list(self.spaces):
            self.end(name)
        shutil.rmtree(self.folder, ignore_errors=True)


def need_go_plugins() -> None:
    """Install Debian's plugins if they are not here."""
    wanted = packages.Requirement(f"{GO_PLUGINS}/bridge", "containernetworking-plugins")
    packages.install(packages.missing([wanted]))


@contextmanager
def lab(tag: str = "lab") -> Iterator[Lab]:
    """A lab for a block."""
    made = Lab(tag)
    try:
        yield made
    finally:
        made.close()
