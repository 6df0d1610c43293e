"""The agent without an API server, as people start it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cri.inside import static
from tests.cri.stage import CHECKOUT, Host

pytestmark = [pytest.mark.root, pytest.mark.containerd]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host("alone")
    yield host
    host.close()


def test_a_node_alone_from_the_command_line(host: Host, tmp_path: Path) -> None:
    """`wherry agent --standalone DIR` needs nothing but a runtime; its API is read with curl, as documented."""
    host.node.sh(
        f"mkdir -p /etc/wherry/alone; cat > /etc/wherry/alone/web.yaml <<'E'\n{static.POD.replace('WHO', 'here')}E"
    )
    start = f"echo $$ > /run/alone.pid; exec {sys.executable} -m cli agent --standalone /etc/wherry/alone"
    agent = host.node.popen(["sh", "-c", start], env={"PYTHONPATH": str(CHECKOUT)}, log=tmp_path / "agent.log")
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
        host.node.sh("kill $(cat /run/alone.pid)")
        agent.wait(timeout=60)
