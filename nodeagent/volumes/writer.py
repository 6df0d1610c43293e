"""Writes the files of a volume so that readers see all of the old or all of the new.

The files live in a directory named after the time they were written; `..data` is a link to it, and each visible name is a
link through `..data`. Moving one link exchanges everything at once.

    ..2026_11_21_10_20_30.123456/key      the data
    ..data -> ..2026_11_21_10_20_30.123456
    key -> ..data/key
"""

import os
import shutil
from pathlib import Path

from nodeagent.volumes.contents import PRIVATE_MODE, File, Files
from nodeagent.volumes.ownership import granted

DATA = "..data"


def write_files(directory: Path, files: Files, stamp: str, group: int | None = None) -> bool:
    """Make the directory show exactly these files; false if it did already. `stamp` names this version."""
    if _shown(directory) == _wanted(files, group):
        _link_names(directory, files)  # who wrote this may have died before
        return False
    version = directory / f"..{stamp}"
    version.mkdir(mode=0o755, parents=True, exist_ok=True)
    for path, file in files.items():
        _write(version, path, _granted(file, group), group)
    if group is not None:
        _give_directories(version, group)
    old = _target(directory)
    link = directory / "..data_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(version.name)
    link.rename(directory / DATA)
    _link_names(directory, files)
    for entry in directory.iterdir():
        if entry.name.startswith("..2") and entry.name != version.name:
            shutil.rmtree(entry, ignore_errors=entry.name != old)
    return True


def _wanted(files: Files, group: int | None) -> Files:
    """As `_shown` reads it."""
    made = {path: _granted(file, group) for path, file in files.items()}
    return {path: File(file.data, file.mode, _stranger(file.user)) for path, file in made.items()}


def _stranger(user: int | None) -> int | None:
    """A user who is not us."""
    return None if user == os.geteuid() else user


def _granted(file: File, group: int | None) -> File:
    """A group that owns the volume may read whatever its user may."""
    return file if group is None else File(file.data, granted(file.mode, directory=False, read_only=True), file.user)


def _write(version: Path, path: str, file: File, group: int | None) -> None:
    target = version / path
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    target.write_bytes(file.data)
    target.chmod(PRIVATE_MODE)  # until it is whose it shall be
    if file.user is not None or group is not None:
        os.chown(target, -1 if file.user is None else file.user, -1 if group is None else group)
    target.chmod(file.mode)


def _give_directories(version: Path, group: int) -> None:
    for directory in (version.parent, version, *(path for path in version.rglob("*") if path.is_dir())):
        os.chown(directory, -1, group)
        directory.chmod(granted(directory.stat().st_mode & 0o7777, directory=True, read_only=True))


def _link_names(directory: Path, files: Files) -> None:
    names = {path.partition("/")[0] for path in files}
    for entry in list(directory.iterdir()):
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")


def _target(directory: Path) -> str:
    try:
        return os.readlink(directory / DATA)
    except OSError:
        return ""


def _shown(directory: Path) -> Files | None:
    """What readers see now; None if nothing was ever written."""
    target = _target(directory)
    if not target:
        return None
    version = directory / target
    files: Files = {}
    try:
        for found in sorted(version.rglob("*")):
            if found.is_file():
                name, whose = str(found.relative_to(version)), found.stat()
                files[name] = File(found.read_bytes(), whose.st_mode & 0o7777, _stranger(whose.st_uid))
    except OSError:
        return None
    return files
