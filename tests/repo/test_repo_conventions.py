"""Conventions of this repository, kept by test."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "api",
    "kit",
    "client",
    "linux",
    "proto",
    "nodeagent",
    "cni",
    "proxy",
    "controlplane",
    "dns",
    "cli",
    "testbed",
    "bench",
)


def tracked(pattern: str = "*") -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", pattern], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


SOURCES = [path for path in tracked("*.py") if not path.name.endswith(("_pb2.py", "_pb2_grpc.py"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_table(path: Path) -> bool:
    """The type modules of `api/` are tables: one declaration after the other."""
    return re.fullmatch(r"api/\w+_v\d\w*\.py", name(path)) is not None


def test_the_asked_layout_is_there() -> None:
    for wanted in (
        "pyproject.toml",
        "README.md",
        "nodeagent",
        "cni",
        "proxy",
        "proto",
        "systemd",
        "vagrant",
        "tests",
        ".ci/run",
        "wherry",
    ):
        assert (ROOT / wanted).exists(), wanted


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_must_not_do(package: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))
    assert docstring is not None
    assert "Must not" in docstring


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_file_is_longer_than_800_lines(path: Path) -> None:
    if not is_table(path):
        assert len(path.read_text().splitlines()) <= 800


@pytest.mark.parametrize("path", [p for p in SOURCES if not name(p).startswith("tests/")], ids=name)
def test_a_module_opens_with_its_purpose(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name(path)} has no docstring"


def test_modules_are_nouns() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert [name(path) for path in SOURCES if path.stem in vague] == []


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [name(p) for p in SOURCES if p != Path(__file__) and marks.search(p.read_text())]
    assert found == []


def test_the_lock_names_versions_and_hashes_only() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text
        for requirement in re.findall(r"^[a-z].*$", text, re.MULTILINE):
            assert "==" in requirement


def test_runtime_requirements_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    listed = (ROOT / "requirements/runtime.in").read_text().split("\n")
    assert sorted(project) == sorted(line for line in listed if line)


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in tracked("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{name(document)} -> {target}"
