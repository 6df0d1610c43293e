"""The client libraries' connections to real containers: exec, port-forward, logs, unchanged."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import DEMO, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "inside/streams.py"
ENDED = {"out": "out\n", "err": "err\n", "code": 3}
EXPECTED: dict[str, dict[str, Any]] = {
    "official": {**ENDED, "echo": "hello", "page": "web", "log": "last words\n"},
    "official_aio": {"out": "out\n"},
    "lightkube": {**ENDED, "echo": "hello\n", "log": "last words\n"},
    "kr8s": {**ENDED, "hostname": "web\n", "page": "web", "log": "last words"},
    "kr8s_async": {**ENDED, "log": "last words"},
}


@pytest.fixture(scope="module")
def pods(cluster: Host) -> Iterator[Host]:
    """A web server, and a pod that has said something."""
    cluster.kubectl(f"run web --image={DEMO} --port=8080 --labels=set=clients")
    talk = "echo first; echo last words; sleep 1000"
    cluster.kubectl(f"run web-log --image={DEMO} --labels=set=clients --command -- sh -c '{talk}'")
    cluster.until("they are ready", lambda: len(cluster.ready_pods("set=clients")) == 2)
    cluster.until("it has spoken", lambda: "last words" in cluster.kubectl("logs web-log"))
    yield cluster
    cluster.kubectl("delete pod -l set=clients --now")


@pytest.mark.parametrize("library", EXPECTED)
def test_streams(pods: Host, library: str) -> None:
    done = pods.node.run(
        [sys.executable, "-", library, "default", "web"], input=SCRIPT.read_text(), check=False, timeout=180
    )
    assert done.code == 0, done.err.decode()
    found = json.loads(done.text)
    assert {key: value.strip() if key == "page" else value for key, value in found.items()} == EXPECTED[library]
