"""Puts the plugin where the runtime looks for it."""

import os
import py_compile
from pathlib import Path

import apsw

PLUGINS = ("wherry-cni", "loopback")
HOME, CLIENT = ".wherry-cni", "wherry_cni_client"  # beside the programs, so that they come and go together
STARTER = """#!{starter} -ISE
import sys

sys.path.insert(0, "{folder}")
import {client}

{client}.main()
"""
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
    folder = Path(bin_dir)
    home = str(folder / HOME)
    starter, client = render(python=str(python), socket=str(socket), data_dir=str(data_dir), home=home)
    try:
        module = _put(Path(home) / f"{CLIENT}.py", client, 0o644)
        # Judged by its content: one written twice within a second would else be taken for the first.
        py_compile.compile(str(module), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH, doraise=True)
        return [_put(folder / name, starter, 0o755) for name in PLUGINS]
    except OSError as error:
        raise InstallError(f"cannot install the CNI plugin in {folder}: {error.strerror}") from error


def _put(path: Path, text: str, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(mode)
    return fresh.rename(path)


def render(*, python: str, socket: str, data_dir: str, home: str) -> tuple[str, str]:
    """The text of the programs, and of the client in `home` that they import."""
    here = Path(__file__).resolve().parent
    # The interpreter itself, not a link in an environment: the daemon's client works while that is made anew.
    real = os.path.realpath(python)
    starter = SYSTEM_PYTHON if os.path.realpath(SYSTEM_PYTHON) == real else real
    libraries = Path(apsw.__file__).parents[1]
    values = {"SOCKET": socket, "DATA": data_dir, "PATH": f"{here.parent}:{libraries}"}
    for value in (python, home, *values.values()):
        if not os.path.isabs(value) or any(c in value for c in '"\\\n'):
            raise InstallError(f"cannot install the CNI plugin: {value!r} is not an absolute path without quotes")
    client = (here / "shim.py").read_text()
    for key, value in values.items():
        client = client.replace(f"@{key}@", value)
    return STARTER.format(starter=starter, folder=home, client=CLIENT), client
