"""Transcripts: commands with what they print, as somebody saw them at a terminal; read, compared, and written anew when asked.

    #: a remark; `#: since 1.24 else unknown flag` before a command: an older kubectl must refuse it with these words
    $ kubectl get pods
    > | sort                       goes on
    NAME   READY
    ...                            any number of lines
    | until 1.25                   what kubectls up to 1.25 print
    No resources found.
    | since 1.26                   and what later ones do
    [1]                            the exit status, unless it is 0

With WHERRY_REWRITE=1 what does not agree is written anew, with WHERRY_REWRITE=until beside what is there, for kubectls up to this one.
Review it: it must be what upstream prints.

What differs from run to run is masked (`mask`), and columns are three spaces apart however wide they are.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Version = tuple[int, int]
Shell = Callable[[str], Awaitable[tuple[str, int]]]  # what a command prints, and its exit status
FOREVER: Version = (99, 0)

MASKS = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"^( *)managedFields:\n(?:\1- .*\n(?:\1  .*\n)*)+", ""),
    (r"^( *)\"managedFields\": \[\n(?:\1 .*\n)*\1\],?\n", ""),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d| [+-]\d{4} \w+)", "TIME"),
    (r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
    (r'([rR]esourceVersion\\?"?: ?\\?"?)\d+', r"\1REVISION"),
    (r"\b10\.(?!96\.0\.[01]\b)(?:9[6-9]|10\d|11[01])\.\d+\.\d+\b", "CLUSTER-IP"),
    (r"\b10\.244\.0\.(?!0/)\d+\b", "POD-IP"),
    (r"\b3[0-2]\d{3}(/TCP|/UDP)", r"NODE-PORT\1"),
    (r"(nodePort\"?: )3[0-2]\d{3}\b", r"\1NODE-PORT"),
    (r"(?<=[a-z0-9]-)[bcdfghjklmnpqrstvwxz2456789]{8,10}\b", "HASH"),
    (r"(pod-template-hash\W+)[0-9a-z]+", r"\1HASH"),
    (r"(?<=\w-)[bcdfghjklmnpqrstvwxz2456789]{5}(?=[\s\"',)/:]|$)", "XXXXX"),
    (r"SHA256=[0-9a-f]{64}", "SHA256=DIGEST"),
    (r"\.[0-9a-f]{16}\b", ".STAMP"),
    (r"(?:(?<=  )|^)(?:\d+(?:ms|[smhd]))+(?= \(x\d| {2,}|$)", "AGE"),
    (r"(?<=\S) {2,}(?=\S)", "   "),
    (r"[ \t]+$", ""),
)

LOOKS = 150  # more than half a minute for all steps of a transcript together
_LOOK = re.compile(
    r"kubectl +(?:get|describe|logs|top|events|rollout +(?:status|history)|auth +can-i)\b[^;&|<>]*"
    r"(?:\| *(?:grep|sed|sort|wc|head|tail|cut|tr|python3 -m json\.tool)\b[^;&|<>]*)*"
)


@dataclass
class Expected:
    """What is printed by kubectls of these versions."""

    text: str
    first: Version = (0, 0)
    last: Version = FOREVER
    head: str = ""

    def fits(self, version: Version) -> bool:
        return self.first <= version <= self.last


@dataclass
class Step:
    """A command and what it prints."""

    remarks: list[str] = field(default_factory=list)
    command: str = ""
    outputs: list[Expected] = field(default_factory=list)

    def refusal(self, version: Version) -> str:
        """What a kubectl that is too old for the command says; "" when it is not."""
        for remark in self.remarks:
            match = re.fullmatch(r"#: since (\d+)\.(\d+) else (.+)", remark)
            if match and version < (int(match[1]), int(match[2])):
                return match[3]
        return ""

    def expected(self, version: Version) -> Expected:
        """What this version prints."""
        return next((output for output in self.outputs if output.fits(version)), Expected(""))

    def rewrite(self, version: Version, printed: str, *, until: bool) -> None:
        """Note what this version prints; with `until`, later ones go on with what is there."""
        output = self.expected(version)
        if not until:
            output.text = printed
            return
        following = (version[0], version[1] + 1)
        output.first, output.head = following, f"| since {following[0]}.{following[1]}"
        head = f"| until {version[0]}.{version[1]}"
        self.outputs.insert(self.outputs.index(output), Expected(printed, (0, 0), version, head))


def parse(text: str) -> list[Step]:
    """Read a transcript."""
    steps: list[Step] = [Step()]
    for line in text.splitlines():
        if line.startswith(("#: ", "$ ")) and steps[-1].command:
            steps.append(Step())
        if line.startswith("#: "):
            steps[-1].remarks.append(line)
        elif line.startswith("$ "):
            steps[-1].command = line[2:]
        elif line.startswith("> ") and not steps[-1].outputs:
            steps[-1].command += "\n" + line[2:]
        elif steps[-1].command:
            _output(steps[-1], line)
    for step in steps:
        step.outputs = step.outputs or [Expected("")]
        for output in step.outputs:
            output.text = output.text.strip("\n")
    return steps


def _output(step: Step, line: str) -> None:
    match = re.fullmatch(r"\| (since|until) (\d+)\.(\d+)(?: until (\d+)\.(\d+))?", line)
    if match:
        version = int(match[2]), int(match[3])
        if match[1] == "since":
            last = (int(match[4]), int(match[5])) if match[4] else FOREVER
            step.outputs.append(Expected("", version, last, line))
        else:
            step.outputs.append(Expected("", (0, 0), version, line))
        return
    if not step.outputs:
        step.outputs.append(Expected(""))
    step.outputs[-1].text += line + "\n"


def write(steps: list[Step]) -> str:
    """A transcript as text."""
    blocks = []
    for step in steps:
        lines = [*step.remarks]
        if step.command:
            first, *rest = step.command.split("\n")
            lines += [f"$ {first}", *(f"> {line}".rstrip() if line else "> " for line in rest)]
        for output in step.outputs:
            lines += [output.head] * bool(output.head) + [output.text] * bool(output.text)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def mask(printed: str, code: int, *, known: Mapping[str, str]) -> str:
    """Output with all that differs from run to run taken out; `known` are texts of this run and what to show for them."""
    for text, name in known.items():
        bounds = r"\b" if text.isdigit() else ""  # a port's digits may be in a uid or a time, too
        printed = re.sub(f"{bounds}{re.escape(text)}{bounds}", name, printed)
    for pattern, replacement in MASKS:
        printed = re.sub(pattern, replacement, printed, flags=re.MULTILINE)
    printed = printed.strip("\n")
    return f"{printed}\n[{code}]".lstrip("\n") if code else printed


def agrees(expected: str, printed: str) -> bool:
    """Whether the output is what was expected; a line of three dots stands for any lines."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "..." else re.escape(line) + "\n" for line in expected.split("\n")
    )
    return re.fullmatch(pattern, printed + "\n") is not None


def _difference(step: Step, expected: str, printed: str) -> str:
    lines = difflib.unified_diff(expected.split("\n"), printed.split("\n"), "expected", "printed", lineterm="", n=2)
    return "\n".join([f"$ {step.command}", *list(lines)[2:], ""])


def judge(step: Step, version: Version, printed: str, code: int, known: Mapping[str, str]) -> str:
    """What is wrong with the output, "" if nothing."""
    if refusal := step.refusal(version):
        if refusal in printed and code:
            return ""
        return f"$ {step.command}\nthis version should refuse it with {refusal!r}, status {code}:\n{printed}"
    expected = step.expected(version).text
    said = mask(printed, code, known=known)
    return "" if agrees(expected, said) else _difference(step, expected, said)


def only_looks(command: str) -> bool:
    """Whether a command changes nothing, so that it may be given again."""
    parts = re.sub(r"'[^']*'|\"[^\"]*\"", "", command).split(";")
    return all(_LOOK.fullmatch(part.strip()) for part in parts)


async def play(
    steps: list[Step],
    version: Version,
    shell: Shell,
    known: Mapping[str, str],
    rest: Callable[[], Awaitable[None]] | None = None,
) -> list[str]:
    """Give all commands; what is wrong with each, "" if nothing.

    Controllers do their part in their own time: who only looks, and does not see yet what is expected, looks again; who changes
    something does so when they are at rest, where that can be known.
    """
    wrong: list[str] = []
    looks = LOOKS
    for step in steps:
        if not step.command:
            continue
        if rest and not only_looks(step.command):
            await rest()
        printed, code = await shell(step.command)
        while (found := judge(step, version, printed, code, known)) and looks and only_looks(step.command):
            looks -= 1
            await asyncio.sleep(0.2)
            printed, code = await shell(step.command)
        if found and not step.refusal(version):
            until = os.environ.get("WHERRY_REWRITE") == "until"
            step.rewrite(version, mask(printed, code, known=known), until=until)
        wrong.append(found)
    return wrong


def close(path: Path, steps: list[Step], wrong: list[str]) -> None:
    """The end of a transcript's run: what is wrong is written anew if asked for, and told."""
    found = [text for text in wrong if text]
    if found and os.environ.get("WHERRY_REWRITE"):
        path.write_text(write(steps))
    assert not found, "\n" + "\n".join(found)
