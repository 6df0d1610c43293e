"""The agent with real containers: one test a scene, all on one test host."""

import inspect
import sys
from collections.abc import Iterator

import pytest

from tests.cri.inside import basics, eviction, lives, pages, parts, rotation, server, static, streams, volumes
from tests.cri.stage import CHECKOUT, Host

pytestmark = [pytest.mark.root, pytest.mark.containerd]

SCENES = [
    f"{module.__name__.rpartition('.')[2]}.{name}"
    for module in (pages, rotation, static, basics, lives, parts, eviction, server, streams, volumes)
    for name, member in vars(module).items()
    if inspect.iscoroutinefunction(member) and not name.startswith("_") and member.__module__ == module.__name__
]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.mark.parametrize("scene", SCENES)
def test_scene(host: Host, scene: str) -> None:
    host.play(scene)


def test_containerd_dies_and_comes_back(host: Host) -> None:
    """Containers live on without it; what ended meanwhile is noticed, and pods can start again."""
    player = host.begin("trouble.runtime_goes_away")
    host.wait_for_file("/run/wherry/kill-now")
    host.kill_containerd()
    host.start_containerd()
    host.node.sh("touch /run/wherry/killed")
    host.finish(player)


def test_agent_is_killed_again_and_again(host: Host) -> None:
    host.play("trouble.agent_killed_again_and_again", timeout=400)


def test_a_node_alone_from_the_command_line(host: Host) -> None:
    """`wherry agent --standalone DIR` needs nothing but a runtime; its API is read with curl, as documented."""
    host.node.sh(
        f"mkdir -p /etc/wherry/alone; cat > /etc/wherry/alone/web.yaml <<'E'\n{static.POD.replace('WHO', 'here')}E"
    )
    argv = [sys.executable, "-m", "cli", "agent", "--standalone", "/etc/wherry/alone"]
    agent = host.node.popen(argv, env={"PYTHONPATH": str(CHECKOUT)})
    try:
        host.node.wait_until("curl -sf http://127.0.0.1:10255/pods | grep -q '\"running\":'")
        pki = "/var/lib/wherry/agent/pki"
        curl = f"curl -sf --cacert {pki}/ca.crt --cert {pki}/admin.crt --key {pki}/admin.key https://127.0.0.1:10250"
        name = f"web-{host.node.run(['hostname']).out.decode().strip().lower()}"
        host.node.wait_until(f"{curl}/containerLogs/default/{name}/a | grep -qx 'I am here'")
        done = host.node.run(
            ["sh", "-c", f"{curl}/run/default/{name}/a -X POST -d '' -G --data-urlencode 'cmd=echo x'"]
        )
        assert done.out == b"x\n", done
        assert host.node.run(["curl", "-sk", "https://127.0.0.1:10250/pods"]).out == b"Unauthorized"
        host.node.sh("rm /etc/wherry/alone/web.yaml")
        host.node.wait_until('test -z "$(ls /var/log/pods)"')
    finally:
        agent.terminate()
        agent.wait()
