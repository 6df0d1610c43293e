"""The kernel's own NFS server, for a kernel that nobody else uses: one export, for callers on this machine, without any helper programs.

Those would answer the kernel's questions about who may mount what. Here the answers are written into its caches before it asks.
"""

import os
import socket
import subprocess
from pathlib import Path

_CONTROL, _CACHES = "/proc/fs/nfsd", "/proc/net/rpc"
_FOR_EVER = 2**31 - 1
_INSECURE_PORTS, _NO_SUBTREE_CHECK = 0x2000, 0x0400
RECOVERY = Path("/var/lib/nfs/v4recovery")  # the kernel wants to write there who is connected
OPTIONS = ("vers=4.2", "addr=127.0.0.1")  # enough for a mount without the helper program for NFS


class NfsServer:
    """Exports a directory of a file system in memory as `127.0.0.1:/`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        RECOVERY.mkdir(parents=True, exist_ok=True)
        for argv in (
            ["modprobe", "-a", "nfsd", "nfsv4"],
            ["mount", "-t", "tmpfs", "export", str(directory)],
            ["mount", "-t", "nfsd", "nfsd", _CONTROL],
        ):
            subprocess.run(argv, check=True)
        _write(f"{_CONTROL}/versions", "-3 +4 +4.1 +4.2")
        with socket.create_server(("127.0.0.1", 2049)) as listening:
            _write(f"{_CONTROL}/portlist", str(listening.fileno()))
        _write(f"{_CONTROL}/threads", "2")
        _write(f"{_CONTROL}/v4_end_grace", "Y")  # nobody was connected before
        flags = _INSECURE_PORTS | _NO_SUBTREE_CHECK
        _write(f"{_CACHES}/auth.unix.ip/channel", f"nfsd 127.0.0.1 {_FOR_EVER} here")
        _write(f"{_CACHES}/nfsd.export/channel", f"here {directory} {_FOR_EVER} {flags} 65534 65534 0")
        _write(f"{_CACHES}/nfsd.fh/channel", rf"here 1 \x00000000 {_FOR_EVER} {directory}")

    def close(self) -> None:
        """Serve nobody any more."""
        _write(f"{_CONTROL}/threads", "0")
        for cache in ("nfsd.fh", "nfsd.export", "auth.unix.ip"):
            _write(f"{_CACHES}/{cache}/flush", str(_FOR_EVER))
        subprocess.run(["umount", _CONTROL], check=True)
        subprocess.run(["umount", str(self.directory)], check=True)


def _write(path: str, text: str) -> None:
    """One line in one write: the kernel takes no more."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)
