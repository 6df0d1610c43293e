"""Both commands of the README on a Debian 12 with git and Python and nothing else."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Node, Switch, names
from testbed.checkout import CHECKOUT
from testbed.outlet import Outlet
from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

HOME = "/root/wherry"
CERTIFICATES = "/etc/machine-ca.pem"


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A fresh Debian 12 with git and Python."""
    folder = names.scratch_root() / names.owned("debian")
    argv = ["mmdebstrap", "--variant=minbase", "--include=git,python3", "bookworm", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        said = done.stderr.strip().splitlines()
        pytest.skip(f"needs mmdebstrap and a Debian mirror: {said[-1] if said else done.returncode}")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def machine(root: Path) -> Iterator[Host]:
    """The fresh machine, with a copy of this checkout and a way to the registries."""
    binds = {"/mnt": CHECKOUT}
    with Switch() as switch, Outlet(switch) as outlet, Node("fresh", switch, root=root, binds=binds) as node:
        node.environment.update(outlet.environment)
        # Where this machine trusts an authority of its own for the registries, the fresh one must too.
        if bundle := os.environ.get("PIP_CERT"):
            node.path(CERTIFICATES).write_bytes(Path(bundle).read_bytes())
            node.environment["PIP_CERT"] = CERTIFICATES
        node.sh(f"mkdir {HOME}; cd /mnt; tar -c --exclude=./.venv --exclude=__pycache__ . | tar -x -C {HOME}")
        yield Host(node, switch, wherry=f"{HOME}/wherry")


def test_up(machine: Host) -> None:
    for program in ("containerd", "runc", "nft", "iptables", "kubectl", "busybox", "ip", "curl", "pip3"):
        assert machine.node.run(["sh", "-c", f"command -v {program}"], check=False).code != 0, (
            "the machine is not fresh"
        )
    said = machine.wherry("reset", timeout=600)
    assert "making .venv" in said.err.decode()
    said = machine.wherry("up", timeout=900)
    assert "installed containerd" in said.text
    assert machine.node.run(["pgrep", "-c", "-x", "containerd"], check=False).text.strip() in ("1", "")
    machine.kubectl(f"create deployment web --image={DEMO}")
    machine.kubectl("expose deployment web --port=80 --target-port=8080 --type=NodePort")
    machine.kubectl("scale deployment web --replicas=2")
    machine.until("pods are ready", lambda: len(machine.ready_pods("app=web")) == 2)
    pod = machine.ready_pods("app=web")[0]["metadata"]["name"]
    assert pod in machine.kubectl("get pods -o wide")
    port = machine.get("service web")["spec"]["ports"][0]["nodePort"]
    machine.until("an answer comes", lambda: machine.curl_from_outside(f"http://{machine.node.address}:{port}/"))
    machine.until(
        "requests are logged", lambda: any("url:/" in machine.kubectl(f"logs {p}") for p in names_of(machine))
    )
    machine.kubectl("delete service,deployment web")
    machine.until("pods are gone", lambda: not machine.get("pods -l app=web")["items"])


def test_test(machine: Host) -> None:
    """The launcher brings the tools for tests, apt the programs; a part of the suite runs. All of it is what CI runs."""
    done = machine.wherry("test", "tests/unit/cli/test_cli_images.py", "tests/unit/cli/test_cli_steps.py", timeout=900)
    assert "ok      pytest" in done.text
    assert " 0 failed, 0 skipped" in done.text


def test_reset(machine: Host) -> None:
    machine.wherry("reset")
    for folder in ("/etc/wherry", "/run/wherry", "/var/log/wherry"):
        assert not machine.node.path(folder).exists()


def names_of(machine: Host) -> list[str]:
    return [pod["metadata"]["name"] for pod in machine.ready_pods("app=web")]
