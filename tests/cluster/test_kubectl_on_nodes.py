"""Each transcript beside this file, with each kubectl, against real containers: logs, run, rollouts, drain, top, debug.

exec, attach, cp, port-forward and proxy have `test_streaming.py`.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests import kubectls
from tests.cluster.conftest import DEMO, KUBECONFIG, KUBECTL_CACHE, Host
from tests.scenario.kubectl import transcript

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

TRANSCRIPTS = sorted(Path(__file__).parent.glob("transcripts/*.txt"))
PATIENCE = 300


@pytest.fixture(scope="module", params=kubectls.found(), ids=lambda place: place.rpartition("/")[2])
def kubectl(request: pytest.FixtureRequest, cluster: Host, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A kubectl: its path here, and the folder on the host where it has the plain name."""
    program = kubectls.program(request.param, tmp_path_factory.mktemp("kubectl"))
    folder = f"/opt/kubectls/{Path(program).name}-{'.'.join(map(str, kubectls.version(program)))}"
    cluster.node.run(["mkdir", "-p", folder])
    shutil.copy(program, cluster.node.path(folder) / "kubectl")
    return program, folder


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
async def test_transcript(path: Path, kubectl: tuple[str, str], cluster: Host) -> None:
    program, folder = kubectl
    version = kubectls.version(program)
    namespace = f"{path.stem}-{version[0]}-{version[1]}"
    home = f"/root/{namespace}"
    environment = {"KUBECONFIG": f"{home}/config", "HOME": home, "PATH": f"{folder}:/usr/bin:/bin", "DEMO": DEMO}

    async def shell(command: str) -> tuple[str, int]:
        script = ["bash", "-c", f"cd {home}; {{ {command}\n}} 2>&1"]
        done = await asyncio.to_thread(cluster.node.run, script, check=False, timeout=PATIENCE, env=environment)
        return done.text, done.code

    cluster.node.run(["mkdir", "-p", home, KUBECTL_CACHE])
    cluster.node.run(["cp", KUBECONFIG, f"{home}/config"])
    await shell(f"kubectl create namespace {namespace}; kubectl config set-context --current --namespace={namespace}")
    cluster.until(
        "its service account is there", lambda: "default" in cluster.kubectl(f"get sa -n {namespace} -o name")
    )
    steps = transcript.parse(path.read_text())
    known = {namespace: "NAMESPACE", DEMO: "DEMO"}
    try:
        wrong = await transcript.play(steps, version, shell, known)
    finally:
        await shell(f"kubectl delete namespace {namespace} --wait=false")
    transcript.close(path, steps, wrong)
