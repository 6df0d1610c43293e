"""Trees that are deeper than anybody would make them who means well."""

import os
from pathlib import Path

import pytest

from linux.mounts import FakeMounts, remove_tree
from linux.trees import remove_all
from nodeagent.volumes.ownership import give

DEPTH = 3000  # deeper than Python recurses, and with a path longer than the kernel takes


def nest(folder: Path, depth: int = DEPTH) -> Path:
    """A chain of directories with a file in each, and a link at its end that leads out."""
    top = folder / "volume"
    top.mkdir()
    here = os.open(top, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        inner = os.open("d", os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = inner
    os.symlink(folder, "out", dir_fd=here)
    os.close(here)
    return top


def test_a_deep_tree_is_removed_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    remove_tree(FakeMounts(), nest(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_what_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove_all(tmp_path / "none")


def test_a_tree_that_is_too_deep_to_be_given_to_a_group_is_refused(tmp_path: Path) -> None:
    top = nest(tmp_path)
    try:
        with pytest.raises(OSError, match="File name too long"):
            give(str(top), os.getegid())
    finally:
        remove_all(top)
