"""Puts the plugin where the runtime looks for it."""

import os
from pathlib import Path

PLUGINS = ("wherry-cni", "loopback")
SYSTEM_PYTHON = "/usr/bin/python3"
DATA_DIR = "/var/lib/wherry/cni"


class InstallError(Exception):
    """The plugin could not be written."""


def install(
    bin_dir: Path | str, python: Path | str, socket: Path | str, *, data_dir: Path | str = DATA_DIR
) -> list[Path]:
    """Write `wherry-cni`, and the `loopback` that runtimes also call, with all paths filled in.

    `python` is the interpreter with the locked dependencies (for the stand-alone path), `socket` the daemon's.
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
    script = (here / "shim.py").read_text()
    # The system's interpreter starts fastest: no virtual environment to find, no site.
    starter = SYSTEM_PYTHON if os.access(SYSTEM_PYTHON, os.X_OK) else python
    values = {"SOCKET": socket, "PYTHON": python, "ROOT": str(here.parent), "DATA": data_dir}
    for key, value in values.items():
        if not os.path.isabs(value) or any(c in value for c in '"\\\n'):
            raise InstallError(f"cannot install the CNI plugin: {value!r} is not an absolute path without quotes")
        script = script.replace(f"@{key}@", value)
    return script.replace(f"#!{SYSTEM_PYTHON}", f"#!{starter}", 1)
