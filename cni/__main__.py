"""The plugin alone: does what the daemon would do, through the same code. The shim starts it when the daemon is away."""

import os
import sys

from cni import plugin
from cni.errors import CniError
from cni.host import KernelHost
from cni.ipam import Store

DATA_DIR = "/var/lib/wherry/cni"


def main() -> int:
    """Serve one request from the environment and standard input."""
    body = sys.stdin.buffer.read()
    if os.environ.get("CNI_COMMAND") == "VERSION":
        code, output = plugin.version(body)
    else:
        try:
            host = KernelHost()
            store = Store(os.environ.get("WHERRY_CNI_DATA") or DATA_DIR)
        except CniError as error:
            code, output = plugin.failed(body, error)
        else:
            code, output = plugin.answer(os.environ, body, host, store)
            store.close()
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
