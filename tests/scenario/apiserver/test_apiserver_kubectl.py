"""The real kubectl, as people use it, against our server: the one that is installed, and Debian's own (1.20)."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api import kinds
from tests.samples import GOOD

MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "app:1", ports: [{containerPort: 8080}], resources: {requests: {cpu: 100m}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""

# Each command with what its output must contain (a regular expression); "!" before it: the command must fail.
COMMANDS = [
    ("version", r'v1\.36\.0\+wherry|GitVersion:"v1\.36\.0\+wherry"'),
    ("api-versions", r"apps/v1\n(.|\n)*coordination.k8s.io/v1\ndiscovery.k8s.io/v1\n(.|\n)*v1"),
    ("api-resources", r"deployments +deploy +apps/v1 +true +Deployment"),
    ("cluster-info", r"Kubernetes control plane.* is running at"),
    ("get namespaces", r"NAME +STATUS +AGE\ndefault +Active +"),
    ("create namespace t", r"namespace/t created"),
    ("create namespace t", r'!Error from server \(AlreadyExists\): namespaces "t" already exists'),
    ("create configmap c --from-literal=a=b -n t", r"configmap/c created"),
    ("create secret generic s --from-literal=a=b -n t", r"secret/s created"),
    ("create serviceaccount robot -n t", r"serviceaccount/robot created"),
    ("create deployment web --image=app:1 -n t", r"deployment.apps/web created"),
    ("create deployment x --image=app:1 -n nowhere", r'!namespaces "nowhere" not found'),
    ("get deployments -n t", r"NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0/1 +0 +0 +"),
    ("get deployment web -n t -o wide", r"CONTAINERS +IMAGES +SELECTOR\nweb .* app +app:1 +app=web"),
    ("get deployment web -n t -o yaml", r"kind: Deployment\n(.|\n)*replicas: 1\n"),
    ("get deployment web -n t -o json", r'"kind": "Deployment"'),
    ("get deployment web -n t -o jsonpath={.spec.template.spec.containers[0].image}", r"^app:1$"),
    ("get deployment web -n t -o custom-columns=N:.metadata.name,R:.spec.replicas", r"N +R\nweb +1"),
    ("get deployments,configmaps -n t -o name", r"deployment.apps/web\nconfigmap/c"),
    ("get deployments -A -l app=web --show-labels", r"NAMESPACE +NAME.*\nt +web .*app=web"),
    ("get pods -n t --field-selector=spec.nodeName=n1", r"No resources found in t namespace."),
    ("get pods --field-selector=spec.nope=1", r"!field label not supported: spec.nope"),
    ("get pod nope", r'!Error from server \(NotFound\): pods "nope" not found'),
    ("get nope", r'!the server doesn\'t have a resource type "nope"'),
    ("scale deployment web --replicas=3 -n t", r"deployment.apps/web scaled"),
    ("label deployment web tier=front -n t", r"deployment.apps/web labeled"),
    ("annotate deployment web note=hello -n t", r"deployment.apps/web annotated"),
    ('patch deployment web -n t -p {"spec":{"replicas":2}}', r"deployment.apps/web patched"),
    ('patch deployment web -n t --type=merge -p {"spec":{"paused":true}}', r"deployment.apps/web patched"),
    (
        'patch deployment web -n t --type=json -p [{"op":"remove","path":"/spec/paused"}]',
        r"deployment.apps/web patched",
    ),
    ("set image deployment/web app=app:2 -n t", r"deployment.apps/web image updated"),
    ("describe deployment web -n t", r"Replicas: +2 desired \| 0 updated(.|\n)*Image: +app:2"),
    ("expose deployment web --port=80 --target-port=8080 --type=NodePort -n t", r"service/web exposed"),
    ("get service web -n t", r"web +NodePort +10\.\d+\.\d+\.\d+ +<none> +80:3\d{4}/TCP"),
    ("describe service web -n t", r"TargetPort: +8080/TCP"),
    ("create service clusterip taken --tcp=80 --clusterip=10.96.0.1 -n t", r"!provided IP is already allocated"),
    ("run p --image=app:1 -n t", r"pod/p created"),
    ("get pods -n t", r"NAME +READY +STATUS +RESTARTS +AGE\np +0/1 +Pending +0 +"),
    ("describe pod p -n t", r"Status: +Pending(.|\n)*QoS Class: +BestEffort"),
    ("logs p -n t", r"^$"),
    ("get all -n t", r"pod/p (.|\n)*service/web (.|\n)*deployment.apps/web "),
    ("delete pod p -n t", r'pod "p"( force)? deleted'),
    ("delete service,deployment web -n t", r'service "web" deleted(.|\n)*deployment.apps "web" deleted'),
    ("delete configmap --all -n t", r'configmap "c" deleted'),
    ("delete namespace default", r"!this namespace may not be deleted"),
    ("delete namespace t --wait=false", r'namespace "t" deleted'),
    ("get namespace t", r"t +Terminating"),
    ("get --raw /readyz", r"^ok$"),
]


class Kubectl:
    """One kubectl with a kubeconfig and a home of its own."""

    def __init__(self, program: str, kubeconfig: Path, home: Path) -> None:
        self._program = program
        self._environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(home), "PATH": "/usr/bin:/bin"}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A running command."""
        return await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def __call__(self, *arguments: str) -> tuple[int, str]:
        """Run a command; its exit status and output, without colours."""
        process = await self.start(*arguments)
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode or 0, re.sub(r"\x1b\[[0-9;]*m", "", output.decode())


@pytest.fixture(scope="session")
def debian_kubectl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's kubectl, unpacked beside whatever is installed."""
    directory = tmp_path_factory.mktemp("kubectl")
    directory.chmod(0o755)
    subprocess.run(["apt-get", "download", "-q", "kubernetes-client"], cwd=directory, check=True, capture_output=True)
    (package,) = directory.glob("*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(directory)], check=True)
    return str(directory / "usr/bin/kubectl")


@pytest.fixture(params=["installed", "debian"])
def kubectl(request: pytest.FixtureRequest, secure, tmp_path) -> Kubectl:
    """Each kubectl in turn."""
    program = shutil.which("kubectl") if request.param == "installed" else None
    program = program or request.getfixturevalue("debian_kubectl")
    return Kubectl(program, secure.kubeconfig(), tmp_path)


async def test_everyday_commands(kubectl):
    for command, expected in COMMANDS:
        code, output = await kubectl(*command.split(" "))
        assert re.search(expected.removeprefix("!"), output, re.MULTILINE), f"kubectl {command}\n{output}"
        assert bool(code) is expected.startswith("!"), f"kubectl {command}: exit status {code}\n{output}"


async def test_manifests(kubectl, tmp_path):
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(MANIFEST)
    code, output = await kubectl("apply", "-f", str(manifest))
    assert (code, output.split()[1::2]) == (0, ["created"] * 3), output
    code, output = await kubectl("apply", "-f", str(manifest))
    assert (code, output.split()[1::2]) == (0, ["unchanged"] * 3), output
    manifest.write_text(MANIFEST.replace("replicas: 2", "replicas: 5").replace("app:1", "app:2"))
    code, output = await kubectl("apply", "-f", str(manifest))
    assert "deployment.apps/web configured" in output
    _, output = await kubectl(
        "get", "deploy", "web", "-n", "shop", "-o", "jsonpath={.spec.replicas} {.metadata.generation}"
    )
    assert output == "5 2"
    code, output = await kubectl("delete", "-f", str(manifest), "--wait=false")
    assert (code, output.count("deleted")) == (0, 3), output


async def test_a_manifest_with_a_mistake(kubectl, tmp_path):
    manifest = tmp_path / "bad.yaml"
    manifest.write_text(MANIFEST.replace("replicas", "replicsa").replace("shop", "default"))
    code, output = await kubectl("create", "-f", str(manifest))
    assert code
    assert re.search(r'unknown field "(spec\.|io\.k8s.*)?replicsa"', output), output


async def test_every_kind(kubectl, tmp_path):
    items = []
    for kind in kinds.ALL:
        document = json.loads(json.dumps(GOOD[kind]))
        del document["metadata"]["resourceVersion"]
        items.append({"apiVersion": kind.api_version, "kind": kind.name, **document})
    manifest = tmp_path / "all.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    code, output = await kubectl("create", "-f", str(manifest))
    assert (code, output.count(" created\n")) == (0, len(kinds.ALL)), output
    code, output = await kubectl("get", ",".join(kind.resource for kind in kinds.ALL), "-A")
    assert code == 0, output
    for kind in kinds.ALL:
        name = GOOD[kind]["metadata"]["name"]
        prefix = f"{kind.singular}.{kind.group}" if kind.group else kind.singular
        if kind is not kinds.EVENT:  # its columns show what it is about instead
            assert re.search(rf"(^|\s){re.escape(f'{prefix}/{name}')}(\s|$)", output, re.MULTILINE), f"{kind}\n{output}"


async def test_get_watch_prints_changes_as_they_come(kubectl):
    watching = await kubectl.start("get", "configmaps", "-n", "default", "--watch")
    try:
        await kubectl("create", "configmap", "news", "-n", "default")
        await kubectl("create", "configmap", "more", "--from-literal=a=b", "-n", "default")
        lines = [(await asyncio.wait_for(watching.stdout.readline(), 10)).decode().split() for _ in range(3)]
    finally:
        watching.kill()
        await watching.communicate()
    assert [line[:2] for line in lines] == [["NAME", "DATA"], ["news", "0"], ["more", "1"]]


async def test_wait_for_deletion(kubectl):
    await kubectl("create", "configmap", "brief", "-n", "default")
    waiting = await kubectl.start("wait", "--for=delete", "configmap/brief", "-n", "default", "--timeout=20s")
    await asyncio.sleep(0.5)
    await kubectl("delete", "configmap", "brief", "-n", "default")
    output, _ = await asyncio.wait_for(waiting.communicate(), 25)
    assert waiting.returncode == 0, output
