"""Hosts for the tests of whole clusters."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linux.process import Finished, ProcessFailed
from testbed import Node, Snapshot, Switch
from testbed.checkout import CHECKOUT

WHERRY = str(CHECKOUT / "wherry")
KUBECONFIG = "/etc/wherry/admin.kubeconfig"
KUBECTL_CACHE = "/dev/shm/kubectl"
DEMO = "wherry.local/demo:1"
# A network namespace ends some time after its last process, and what was in it, and its other ends here, with it.
IN_ITS_OWN_TIME = {"links", "addresses", "routes", "namespaces"}


class NotYet(Exception):
    """What was seen instead of what is waited for."""


class Host:
    """A test host with the words that these tests need."""

    def __init__(self, node: Node, switch: Switch, wherry: str = WHERRY) -> None:
        self.node = node
        self.switch = switch
        self.program = wherry
        self.node.environment["KUBECONFIG"] = KUBECONFIG

    def wherry(self, *arguments: str, check: bool = True, timeout: float = 180) -> Finished:
        """Run ./wherry; a failure shows all that it printed."""
        done = self.node.run([self.program, *arguments], check=False, timeout=timeout)
        if check and done.code != 0:
            pytest.fail(
                f"wherry {' '.join(arguments)}: status {done.code}\n{done.text}\n{done.err.decode()}\n{self.logs()}"
            )
        return done

    def kubectl(self, command: str, *, input: str | None = None) -> str:  # noqa: A002
        """Run the real kubectl; what it printed."""
        return self.node.run(
            ["kubectl", f"--cache-dir={KUBECTL_CACHE}", *shlex.split(command)], input=input, timeout=90
        ).text

    def get(self, command: str) -> Any:
        """Objects as kubectl gets them."""
        return json.loads(self.kubectl(f"get {command} -o json"))

    def status(self) -> dict[str, dict[str, Any]]:
        """Components by name, as `wherry status` says."""
        said = json.loads(self.wherry("status", "--json", check=False).text)
        return {one["name"]: one for one in said["components"]}

    def curl(self, url: str, seconds: int = 5) -> str:
        """An answer to a request from this host, "" when there is none; who asks but once gives it longer."""
        return self.node.run(["curl", "-sS", "-m", str(seconds), url], check=False).text.strip()

    def answered_by(self, url: str, names: set[str], times: int = 20) -> bool:
        """So many requests are answered by exactly these pods; NotYet says by whom else."""
        seen = {self.curl(url) for _ in range(times)}
        if seen != names:
            raise NotYet(f"answers of {sorted(seen)}, not of {sorted(names)}")
        return True

    def curl_from_outside(self, url: str) -> str:
        """An answer to a request from elsewhere on the network."""
        return self.switch.run(["curl", "-sS", "-m", "5", url], check=False).text.strip()

    def leftovers(self, before: Snapshot) -> dict[str, list[str]]:
        """What differs from before; what the kernel takes away in its own time has that time."""
        deadline = time.monotonic() + 60
        while found := Snapshot.take(self.node).leftovers(before):
            if found.keys() - IN_ITS_OWN_TIME or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return found

    def other_node(self, name: str, address: str, pods: str) -> None:
        """A Node without a machine: ways to its pods are made all the same."""
        spec = {"podCIDR": pods, "podCIDRs": [pods]}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
        self.kubectl("create -f -", input=json.dumps(node))
        status = {"status": {"addresses": [{"type": "InternalIP", "address": address}]}}
        self.kubectl(f"patch node {name} --subresource=status --type=merge -p '{json.dumps(status)}'")

    def ways(self) -> dict[str, str]:
        """The link that leads to each range of other nodes' pods."""
        routes = [line.split() for line in self.node.run(["ip", "route", "show", "proto", "88"]).text.splitlines()]
        return {words[0]: words[words.index("dev") + 1] for words in routes}

    def in_pod(self, address: str, command: str) -> str:
        """Run a program of this host in the network of the demo pod with that address."""
        script = f"""
            for pid in $(pgrep -x httpd); do
                if nsenter -t $pid -n ip -4 -o address | grep -q ' {address}/'; then
                    exec nsenter -t $pid -n {command}
                fi
            done
            echo no pod has {address} >&2
            exit 1
        """
        return self.node.sh(script).text.strip()

    def until(self, what: str, condition: Callable[[], Any], seconds: float = 180) -> Any:
        """Look again and again until it is so; what it gave."""
        deadline = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < deadline:
            try:
                if last := condition():
                    return last
            except (ProcessFailed, json.JSONDecodeError, KeyError, NotYet) as error:
                last = error
            time.sleep(0.1)
        pytest.fail(f"not within {seconds} s: {what} (last: {last!r})\n{self.logs()}")

    def ready_pods(self, label: str) -> list[dict[str, Any]]:
        """Pods with a label that are ready and not on their way out."""
        return [
            pod
            for pod in self.get(f"pods -l {label}")["items"]
            if "deletionTimestamp" not in pod["metadata"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        ]

    def started_again(self, label: str, count: int = 1) -> list[dict[str, Any]]:
        """The ready pods if they are so many, each of one container that was started anew; else none.

        Until the agent has looked, pods are told to be as ready as they were before it stopped.
        """
        pods = self.ready_pods(label)
        restarts = [status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]]
        return pods if len(restarts) == count and all(restarts) else []

    def logs(self) -> str:
        """The ends of all logs, for a failure's report."""
        script = """
            tail -n 60 /var/log/wherry/*.log
            [ -e $KUBECONFIG ] && timeout 20 kubectl get all,events,endpointslices -A -o wide
            [ -e $KUBECONFIG ] && timeout 20 kubectl describe pods,endpointslices -A
            nft list ruleset
            ps -eo pid,etimes,stat,args
        """
        return self.node.run(["sh", "-c", f"({script}) 2>&1"], check=False, timeout=90).text

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """A program of this host that goes on, whatever it prints."""
        return self.node.popen(argv, log=Path("/dev/null"))


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch() as made:
        yield made


@pytest.fixture
def host(switch: Switch) -> Iterator[Host]:
    """An empty host."""
    with Node("one", switch) as node:
        yield Host(node, switch)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Host]:
    """A host with a running cluster, shared by the tests of a file."""
    with Switch() as switch, Node("one", switch) as node:
        made = Host(node, switch)
        made.wherry("up")
        yield made
