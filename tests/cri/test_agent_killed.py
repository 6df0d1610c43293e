"""SIGKILL, a hundred times: what agent and containerd do is finished or undone by who comes after them."""

import os
import sys
from collections.abc import Iterator

import pytest

from tests.cri.stage import CHECKOUT, Host

pytestmark = [pytest.mark.root, pytest.mark.containerd, pytest.mark.slow, pytest.mark.long]

AGENTS, RUNTIMES = 60, 40


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host("killed")
    yield host
    host.close()


def test_agent_and_containerd_are_killed_a_hundred_times(host: Host) -> None:
    """No container is lost or doubled; no sandbox, mount, control group, namespace or address stays behind."""
    seed = os.environ.get("KILL_SEED", "1")
    host.kill_containerd()  # the scene has its own
    argv = [sys.executable, "-m", "tests.cri.inside.killing", seed, str(AGENTS), str(RUNTIMES)]
    done = host.node.run(argv, timeout=900, check=False, env={"PYTHONPATH": str(CHECKOUT)})
    logs = host.node.sh("tail -n 60 /run/agent.log; echo; tail -n 20 /run/containerd.log", check=False).text
    said = (done.out + done.err).decode(errors="replace")
    assert done.code == 0, f"KILL_SEED={seed}\n{logs}\n{said[-8000:]}"
    print(said)
