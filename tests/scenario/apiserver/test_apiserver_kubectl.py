"""Every kind through the real kubectl: made from one manifest, and listed with columns. Its commands have tests/scenario/kubectl."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from api import kinds
from tests import kubectls
from tests.samples import GOOD


class Kubectl:
    """One kubectl with a kubeconfig and a home of its own."""

    def __init__(self, program: str, kubeconfig: Path, home: Path) -> None:
        self._program = program
        self._environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(home), "PATH": "/usr/bin:/bin"}

    async def __call__(self, *arguments: str) -> tuple[int, str]:
        """Run a command; its exit status and output."""
        process = await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, output.decode()


@pytest.fixture(params=kubectls.found(), ids=lambda place: place.rpartition("/")[2])
def kubectl(request: pytest.FixtureRequest, secure, tmp_path, tmp_path_factory) -> Kubectl:
    """Each kubectl in turn."""
    program = kubectls.program(request.param, tmp_path_factory.mktemp("kubectl"))
    return Kubectl(program, secure.kubeconfig(), tmp_path)


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
