"""The second look at tests that drive a machine: a single moment is told and passes, whatever fails twice or too often fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.testing import CHECKOUT, read_notes

pytestmark = pytest.mark.root  # as the tests that are played here say of themselves

HEAD = """
import pathlib

import pytest

PLACE = pathlib.Path(__file__).parent


def once(name):
    mark = PLACE / name
    if not mark.exists():
        mark.touch()
        raise OSError(f"{name} met its moment")


@pytest.fixture
def shaky():
    once("shaky")


@pytest.fixture(scope="module")
def shared():
    with (PLACE / "shared").open("a") as file:
        file.write("made ")
        yield
        file.write("ended ")
"""


def run(folder: Path, body: str) -> tuple[str, list[str]]:
    """What pytest printed, and the notes of the summary."""
    file, report = folder / "test_played.py", folder / "report.xml"
    file.write_text(HEAD + body)
    settings = ["-c", str(CHECKOUT / "pyproject.toml"), "-p", "tests.conftest", f"--junitxml={report}"]
    argv = [sys.executable, "-m", "pytest", *settings, "-o", "junit_family=xunit2", str(file)]
    done = subprocess.run(argv, check=False, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
    return done.stdout, list(read_notes(report))


def test_a_single_moment_is_told(tmp_path: Path) -> None:
    tests = (
        "@pytest.mark.root\ndef test_call(shared): once('call')\n",
        "@pytest.mark.root\nasync def test_setup(shared, shaky): pass\n",
        "@pytest.mark.root\ndef test_steady(shared): pass\n",
    )
    said, notes = run(tmp_path, "\n\n".join(tests))
    assert "3 passed" in said and "failed" not in said
    assert "OSError: call met its moment" in said and "once('call')" in said  # the whole failure
    assert [note.partition(" ")[0] for note in notes] == ["unsteady"] * 2
    assert notes[0].endswith("test_call: call: OSError: call met its moment")
    assert notes[1].endswith("test_setup: setup: OSError: shaky met its moment")
    assert (tmp_path / "shared").read_text() == "made ended "


def test_what_fails_twice_fails(tmp_path: Path) -> None:
    said, notes = run(tmp_path, "@pytest.mark.root\ndef test_wrong(): assert 1 == 2\n")
    assert "1 failed" in said and notes == []


def test_plain_python_gets_no_second_look(tmp_path: Path) -> None:
    said, notes = run(tmp_path, "def test_plain(): once('plain')\n")
    assert "1 failed" in said and notes == []


def test_many_moments_are_no_bad_luck(tmp_path: Path) -> None:
    said, notes = run(
        tmp_path, "@pytest.mark.root\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): once(f'n{n}')\n"
    )
    assert "2 failed, 3 passed" in said and len(notes) == 3
