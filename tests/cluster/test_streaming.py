"""exec, attach, cp, port-forward and proxy with the real kubectl and real containers, over both transports."""

import json
from collections.abc import Iterator

import pytest

from kit.http.server import Limits
from linux.process import Finished
from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

TRANSPORTS = {
    "websocket": {},
    "spdy": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"},
}
MEGABYTES = 10


@pytest.fixture(scope="module")
def pod(cluster: Host) -> Iterator[Host]:
    """A cluster with a web server in a pod, and a service for it."""
    cluster.kubectl(f"run web --image={DEMO} --port=8080")
    cluster.kubectl("expose pod web --port=80 --target-port=8080")
    cluster.until("it is ready", lambda: cluster.ready_pods("run=web"))
    yield cluster
    cluster.kubectl("delete pod,service web --now")


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> dict[str, str]:
    return TRANSPORTS[request.param]


def run(host: Host, script: str, environment: dict[str, str] | None = None) -> Finished:
    """A shell script on the host, whatever it ends with."""
    return host.node.run(["bash", "-c", script], check=False, timeout=120, env=environment or {})


def test_exit_codes_and_both_outputs(pod: Host, transport: dict[str, str]) -> None:
    done = run(pod, "kubectl exec web -- sh -c 'echo out; echo err >&2; exit 7'", transport)
    assert (done.code, done.text) == (7, "out\n")
    assert done.err.decode() == "err\ncommand terminated with exit code 7\n"
    assert run(pod, "kubectl exec web -- true", transport).code == 0
    missing = run(pod, "kubectl exec web -- no-such-program", transport)
    assert missing.code == 1
    assert b"no-such-program" in missing.err
    nowhere = run(pod, "kubectl exec web -c none -- true", transport)
    assert b"container none is not valid for pod web" in nowhere.err


def test_ten_megabytes_there_and_back(pod: Host, transport: dict[str, str]) -> None:
    done = run(
        pod,
        f"""
        head -c {MEGABYTES}M /dev/urandom > /tmp/sent
        kubectl exec -i web -- cat < /tmp/sent > /tmp/came || exit 1
        kubectl exec -i web -- md5sum < /tmp/sent | cut -d' ' -f1
        md5sum < /tmp/sent | cut -d' ' -f1
        md5sum < /tmp/came | cut -d' ' -f1
        """,
        transport,
    )
    assert done.code == 0, done
    assert len(set(done.text.split())) == 1, done.text


def test_files_are_copied_both_ways(pod: Host, transport: dict[str, str]) -> None:
    done = run(
        pod,
        """
        set -e
        mkdir -p /tmp/tree/deep
        echo small > /tmp/tree/deep/file
        head -c 5M /dev/urandom > /tmp/tree/large
        kubectl cp /tmp/tree web:/tmp/copy
        rm -rf /tmp/back
        kubectl cp web:/tmp/copy /tmp/back
        diff -r /tmp/tree /tmp/back && echo same
        kubectl exec web -- rm -r /tmp/copy
        """,
        transport,
    )
    assert done.text.splitlines()[-1:] == ["same"], done


def test_a_terminal(pod: Host, transport: dict[str, str]) -> None:
    """`script` gives kubectl a terminal of a known size."""
    inside = "until stty size | grep -q 31.97; do sleep 0.1; done; tty; stty size; exit 5"
    talk = f"stty rows 31 cols 97; kubectl exec -it web -- sh -c '{inside}'"
    done = run(pod, 'script -qec "$TALK" /dev/null < /dev/null', {**transport, "TALK": talk})
    assert "/dev/pts/" in done.text, done
    assert "31 97" in done.text, done
    assert done.code == 5


def test_attach(pod: Host, transport: dict[str, str]) -> None:
    pod.kubectl(f"run talks --image={DEMO} --command -- sh -c 'while sleep 0.1; do echo still here; done'")
    pod.until("it is ready", lambda: pod.ready_pods("run=talks"))
    done = run(pod, "timeout 60 kubectl attach talks | head -n 3", transport)
    assert done.text.splitlines() == ["still here"] * 3
    pod.kubectl("delete pod talks --now")


def test_run_with_input_waits_for_the_end(pod: Host, transport: dict[str, str]) -> None:
    command = (
        f"run once -i --image={DEMO} --restart=Never --quiet --command -- sh -c 'sleep 2; read x; echo got $x; exit 6'"
    )
    done = run(pod, f"echo line | kubectl {command}", transport)
    assert (done.code, done.text) == (6, "got line\n"), done
    pod.kubectl("delete pod once --now")


def test_port_forward(pod: Host, transport: dict[str, str]) -> None:
    done = run(
        pod,
        """
        cd $(mktemp -d)
        kubectl port-forward pod/web 18080:8080 > first 2>&1 &
        until grep -qs Forwarding first; do sleep 0.1; done
        for i in 1 2 3; do curl -sS -m 50 http://127.0.0.1:18080/; done
        kill %1; wait
        kubectl port-forward service/web 18081:80 > second 2>&1 &
        until grep -qs Forwarding second; do sleep 0.1; done
        curl -sS -m 50 http://127.0.0.1:18081/
        kill %1; wait
        """,
        transport,
    )
    assert done.text.splitlines() == ["web"] * 4, done


def test_proxy_subresources(pod: Host) -> None:
    done = run(
        pod,
        """
        cd $(mktemp -d)
        kubectl proxy --port=18001 > proxy 2>&1 &
        until grep -qs Starting proxy; do sleep 0.1; done
        base=http://127.0.0.1:18001/api/v1/namespaces/default
        for path in services/web:80 services/web pods/web pods/http:web:8080; do
            curl -sS -m 50 $base/$path/proxy/
        done
        curl -sS -m 50 -o /dev/null -w '%{http_code} %{redirect_url}\n' $base/pods/web/proxy
        curl -sS -m 50 http://127.0.0.1:18001/api/v1/nodes/one/proxy/pods | head -c 16
        echo
        curl -sS -m 50 $base/pods/web:81/proxy/
        kill %1; wait
        """,
    )
    lines = done.text.splitlines()
    assert lines[:4] == ["web"] * 4, done
    redirect, pods, *refusal = lines[4:]
    assert redirect == "301 http://127.0.0.1:18001/api/v1/namespaces/default/pods/web/proxy/"
    assert pods == '{"kind":"PodList'
    status = json.loads("".join(refusal))  # indented for curl
    assert (status["reason"], status["code"]) == ("ServiceUnavailable", 503)
    assert status["message"].startswith("error trying to reach service: ")


def test_nothing_stays_open(pod: Host) -> None:
    """Connections that ended, and those whose client was killed, leave no socket in the control plane and the agent."""

    def sockets() -> dict[str, int]:
        pids = {name: one["pid"] for name, one in pod.status().items() if name in ("controlplane", "agent")}
        return {
            name: int(pod.node.sh(f"ls -l /proc/{pid}/fd | grep -c 'socket:' || true").text)
            for name, pid in pids.items()
        }

    before = sockets()
    for environment in TRANSPORTS.values():
        script = """
            for i in 1 2 3 4 5; do kubectl exec web -- true; done
            for i in 1 2 3; do (sleep 100 | timeout -s KILL 3 kubectl exec -i web -- cat) & done
            timeout -s KILL 3 kubectl exec web -- cat /dev/zero > /dev/null &
            timeout -s KILL 3 kubectl port-forward pod/web 18085:8080 > /dev/null &
            wait
        """
        run(pod, script.replace("sleep 100", "sleep 4"), environment)
    pod.until(
        f"sockets are as before: {before}",
        lambda: all(now <= before[name] + 1 for name, now in sockets().items()),
        seconds=2 * Limits().idle_timeout,  # so long one that was needed for a moment is kept for the next
    )
