"""The launcher: makes .venv once, again when the lock changes, whole or not at all."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.layout import CHECKOUT

MAIN = "import sys\nprint(*sys.argv[1:])\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose locks are empty, so that making .venv needs no network."""
    folder = tmp_path / "a checkout"
    (folder / "requirements").mkdir(parents=True)
    (folder / "cli").mkdir()
    (folder / "cli/__init__.py").touch()
    (folder / "cli/__main__.py").write_text(MAIN)
    for name in ("runtime", "dev"):
        (folder / f"requirements/{name}.lock").write_text("# nothing\n")
    shutil.copy(CHECKOUT / "wherry", folder / "wherry")
    return folder


def wherry(checkout: Path, *arguments: str, program: Path | None = None) -> subprocess.CompletedProcess[str]:
    argv = [str(program or checkout / "wherry"), *arguments]
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(argv, capture_output=True, text=True, cwd="/", env=environment, check=False, timeout=600)


def test_makes_the_environment_once(checkout: Path) -> None:
    first = wherry(checkout, "status", "a b")
    assert (first.returncode, first.stdout) == (0, "status a b\n"), first.stderr
    assert "making .venv" in first.stderr
    second = wherry(checkout, "status")
    assert (second.stdout, second.stderr) == ("status\n", "")
    assert not list(checkout.glob(".venv-*"))


def test_makes_it_again_when_the_lock_changes_and_for_tests(checkout: Path) -> None:
    wherry(checkout, "status")
    (checkout / "requirements/runtime.lock").write_text("# other\n")
    assert "(runtime;" in wherry(checkout, "status").stderr
    assert "(runtime dev;" in wherry(checkout, "test").stderr
    assert wherry(checkout, "status").stderr == ""
    (checkout / "requirements/runtime.lock").write_text("# third\n")
    assert "(runtime dev;" in wherry(checkout, "status").stderr, "the tools for tests stay"


def test_a_lock_that_cannot_be_installed_leaves_the_old_environment(checkout: Path) -> None:
    wherry(checkout, "status")
    lock = checkout / "requirements/runtime.lock"
    good = lock.read_text()
    lock.write_text("./no-such-file.whl --hash=sha256:00\n")  # pip refuses it without asking anybody
    failed = wherry(checkout, "status")
    assert failed.returncode == 1
    assert "wherry: cannot install requirements/runtime.lock" in failed.stderr.splitlines()[-1]
    assert not list(checkout.glob(".venv-*"))
    lock.write_text(good)
    assert wherry(checkout, "status").stderr == ""


def test_survives_a_kill(checkout: Path) -> None:
    argv = [checkout / "wherry", "status"]
    killed = False
    while not killed:
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True) as child:
            while child.poll() is None and not (checkout / ".venv-new").exists():
                time.sleep(0.01)
            if killed := child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
        if not killed:  # it was quicker than this test
            shutil.rmtree(checkout / ".venv")
    assert wherry(checkout, "status").stdout == "status\n"
    assert not list(checkout.glob(".venv-*"))


def test_two_at_once(checkout: Path) -> None:
    argv = [checkout / "wherry", "status"]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate(timeout=600) for child in both]
    assert [out for out, _ in said] == ["status\n", "status\n"]
    assert sum("making .venv" in err for _, err in said) == 1


def test_works_through_a_link_and_after_a_move(checkout: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkout / "wherry")
    assert wherry(checkout, "up", program=link).stdout == "up\n"
    moved = checkout.rename(tmp_path / "moved")
    again = wherry(moved, "up")
    assert again.stdout == "up\n"
    assert "making .venv" in again.stderr
