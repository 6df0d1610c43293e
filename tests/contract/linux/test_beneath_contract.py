"""Paths below a directory: whatever links are in the way, nothing outside is opened or made."""

import os
import stat
from pathlib import Path

import pytest

from linux.beneath import OutsideError, opened


def shown(root: Path, path: str, make: int | None = None) -> str:
    with opened(str(root), path, make) as descriptor:
        return os.readlink(f"/proc/self/fd/{descriptor}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "file").write_text("x")
    (root / "link").symlink_to("a/b")
    (root / "a/back").symlink_to("../file")
    (root / "..data").symlink_to("a")
    (root / "out").symlink_to("../secret")
    (root / "far").symlink_to("/etc")
    (root / "a/up").symlink_to("../..")
    (root / "round").symlink_to("round")
    (tmp_path / "secret").write_text("hush")
    return root


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a/b", "a/b"),
        ("file", "file"),
        ("link", "a/b"),
        ("a/./b//", "a/b"),
        ("a/back", "file"),
        ("..data/b", "a/b"),
        ("link/../b", "a/b"),
        ("", ""),
    ],
)
def test_what_is_inside_is_found(root: Path, path: str, found: str) -> None:
    assert shown(root, path) == str(root / found).rstrip("/")


@pytest.mark.parametrize("path", ["out", "far", "far/passwd", "..", "a/../..", "a/up", "a/up/secret", "round", "/etc"])
def test_what_is_outside_is_not(root: Path, path: str) -> None:
    with pytest.raises(OutsideError, match="cannot open"):
        shown(root, path, make=0o755)
    assert sorted(p.name for p in root.parent.iterdir()) == ["root", "secret"]


def test_missing_directories_are_made_with_the_mode_asked_for(root: Path) -> None:
    assert shown(root, "link/x/y", make=0o2770) == str(root / "a/b/x/y")
    assert stat.S_IMODE((root / "a/b/x").stat().st_mode) == 0o2770
    assert stat.S_IMODE((root / "a/b/x/y").stat().st_mode) == 0o2770
    with pytest.raises(FileNotFoundError):
        shown(root, "none/x")
    with pytest.raises(NotADirectoryError):
        shown(root, "file/x", make=0o755)


def test_the_descriptor_stays_where_it_was_opened(root: Path) -> None:
    with opened(str(root), "a/b") as descriptor:
        (root / "a/b").rmdir()
        (root / "a/b").symlink_to("/etc")
        assert not os.path.exists(f"/proc/self/fd/{descriptor}/passwd")


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("a/b", "out", "round", "file/x", "none"):
        try:
            shown(root, path)
        except (OutsideError, OSError):
            pass
    assert len(os.listdir("/proc/self/fd")) <= before
