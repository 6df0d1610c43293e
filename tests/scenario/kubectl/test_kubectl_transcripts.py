"""Each transcript beside this file, with each kubectl, against a control plane of its own.

With WHERRY_REWRITE=1 what does not agree is written anew, with WHERRY_REWRITE=until beside what is there, for kubectls up to this one.
Review it: it must be what upstream prints.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import kubectls
from tests.scenario.kubectl import transcript, world
from tests.scenario.kubectl.transcript import Step, Version

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
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        pytest.fail(f"no end within {PATIENCE} s: {command}")
    return output.decode(), process.returncode or 0


def difference(step: Step, expected: str, printed: str) -> str:
    lines = difflib.unified_diff(expected.split("\n"), printed.split("\n"), "expected", "printed", lineterm="", n=2)
    return "\n".join([f"$ {step.command}", *list(lines)[2:], ""])


def judge(step: Step, version: Version, printed: str, code: int, known: Mapping[str, str]) -> str:
    """What is wrong with the output, "" if nothing; a step whose expectation is to be rewritten gets it."""
    if refusal := step.refusal(version):
        if refusal in printed and code:
            return ""
        return f"$ {step.command}\nthis version should refuse it with {refusal!r}, status {code}:\n{printed}"
    expected = step.expected(version)
    said = transcript.mask(printed, code, known=known)
    if transcript.agrees(expected.text, said):
        return ""
    wrong = difference(step, expected.text, said)
    step.rewrite(version, said, until=os.environ.get("WHERRY_REWRITE") == "until")
    return wrong


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
async def test_transcript(path: Path, kubectl: str, tmp_path: Path) -> None:
    steps = transcript.parse(path.read_text())
    assert any(step.command for step in steps), f"{path} has no command"
    version = kubectls.version(kubectl)
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin/kubectl").symlink_to(kubectl)
    wrong = []
    async with world.running(tmp_path, node="#: with a node" in path.read_text()) as place:
        environment = {
            "KUBECONFIG": str(place.kubeconfig),
            "HOME": str(home),
            "PATH": f"{home}/bin:/usr/bin:/bin",
            "SERVER": place.address,
            "TERM": "dumb",
        }
        known = {str(tmp_path): "TMP", place.address.rpartition(":")[2]: "PORT"}
        for step in steps:
            if step.command:
                printed, code = await shell(step.command, home, environment)
                wrong.append(judge(step, version, printed, code, known))
    wrong = [text for text in wrong if text]
    if wrong and os.environ.get("WHERRY_REWRITE"):
        path.write_text(transcript.write(steps))
    assert not wrong, "\n" + "\n".join(wrong)
