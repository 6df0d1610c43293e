"""Each transcript beside this file, with each kubectl, against a control plane of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests import kubectls
from tests.scenario.kubectl import transcript, world

TRANSCRIPTS = sorted(Path(__file__).parent.glob("transcripts/*.txt"))
PATIENCE = 120.0


async def shell(command: str, directory: Path, environment: dict[str, str]) -> tuple[str, int]:
    """What a command prints, and its exit status."""
    process = await asyncio.create_subprocess_exec(
        "/bin/bash",
        "-c",
        command,
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"no end within {PATIENCE} s: {command}")
    return output.decode(), process.returncode or 0


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
async def test_transcript(path: Path, kubectl: str, tmp_path: Path) -> None:
    steps = transcript.parse(path.read_text())
    assert any(step.command for step in steps), f"{path} has no command"
    version = kubectls.version(kubectl)
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin/kubectl").symlink_to(kubectl)
    async with world.running(tmp_path, node="#: with a node" in path.read_text()) as place:
        environment = {
            "KUBECONFIG": str(place.kubeconfig),
            "HOME": str(home),
            "PATH": f"{home}/bin:/usr/bin:/bin",
            "SERVER": place.address,
            "TERM": "dumb",
        }
        known = {str(tmp_path): "TMP", place.address.rpartition(":")[2]: "PORT"}
        wrong = await transcript.play(
            steps, version, lambda command: shell(command, home, environment), known, place.rest
        )
    transcript.close(path, steps, wrong)
