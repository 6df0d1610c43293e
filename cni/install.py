"""Puts the plugin where the runtime looks for it."""

import os
from pathlib import Path

import apsw

PLUGINS = ("wherry-cni", "loopback")
SYSTEM_PYTHON = "/usr/bin/python3"
DATA_DIR = "/var/lib/wherry/cni"


class InstallError(Exception):
    """The plugin could not be written."""


def install(
    bin_dir: Path | str, python: Path | str, socket: Path | str, *, data_dir: Path | str = DATA_DIR
) -> list[Path]:
    """Write `wherry-cni`, and the `loopback` that runtimes also call, with all paths filled in.

    `python` is the interpreter of the environment that this runs in, `socket` the daemon's.
    """
    script = render(python=str(python), socket=str(socket), data_dir=str(data_dir))
    folder = Path(bin_dir)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in PLUGINS:
            fresh = folder / f".{name}.{os.getpid()}"
            fresh.write_text(script)
            fresh.chmod(0o755)
            written.append(fresh.rename(folder / name))
    except OSError as error:
        raise InstallError(f"cannot install the CNI plugin in {folder}: {error.strerror}") from error
    return written


def render(*, python: str, socket: str, data_dir: str) -> str:
    """The text of the plugin."""
    here = Path(__file__).resolve().parent
    # The interpreter itself, not a link in an environment: the daemon's client works while that is made anew.
    real = os.path.realpath(python)
    starter = SYSTEM_PYTHON if os.path.realpath(SYSTEM_PYTHON) == real else real
    libraries = Path(apsw.__file__).parents[1]
    values = {"SOCKET": socket, "DATA": data_dir, "PATH": f"{here.parent}:{libraries}"}
    for value in (python, *values.values()):
        if not os.path.isabs(value) or any(c in value for c in '"\\\n'):
            raise InstallError(f"cannot install the CNI plugin: {value!r} is not an absolute path without quotes")
    script = (here / "shim.py").read_text().replace(f"#!{SYSTEM_PYTHON}", f"#!{starter}", 1)
    for key, value in values.items():
        script = script.replace(f"@{key}@", value)
    return script
