"""This checkout as test hosts see it: a copy from the moment of the first use, so that edits in the meantime change nothing."""

import atexit
import compileall
import functools
import shutil
from pathlib import Path

from testbed import names

CHECKOUT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "tests")


@functools.cache
def binds() -> dict[str, str]:
    """What to mount where: the copy in place of the checkout, the environment as it is."""
    copy = names.scratch_root() / names.owned("checkout")
    shutil.copytree(CHECKOUT, copy, ignore=LEFT_OUT, symlinks=True)
    (copy / ".venv").mkdir()
    compileall.compile_dir(copy, quiet=2, workers=0, stripdir=str(copy), prependdir=str(CHECKOUT))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    return {str(CHECKOUT): str(copy), str(CHECKOUT / ".venv"): str(CHECKOUT / ".venv")}
