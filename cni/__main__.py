"""The plugin alone: does what the daemon would do, through the same code. The shim comes here when the daemon is away.

By hand, `python -m cni` does the same. It lives for one request and ends without tidying up: the kernel does that, and the
next who opens the address store picks up its journal.
"""

import os
import sys

from cni import plugin
from cni.errors import CniError
from cni.host import KernelHost
from cni.ipam import Store

DATA_DIR = "/var/lib/wherry/cni"


def serve(body: bytes, data_dir: str, *, again: bool = False) -> tuple[int, bytes]:
    """Exit code and standard output for the request in the environment and `body`; `again`: a daemon died over it."""
    if os.environ.get("CNI_COMMAND") == "VERSION":
        return plugin.version(body)
    try:
        host, store = KernelHost(), Store(data_dir)
    except CniError as error:
        return plugin.failed(body, error)
    return plugin.answer(os.environ, body, host, store, again=again)


def main() -> int:
    """Serve one request from the environment and standard input."""
    code, output = serve(sys.stdin.buffer.read(), os.environ.get("WHERRY_CNI_DATA") or DATA_DIR)
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
