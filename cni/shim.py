#!/usr/bin/python3 -ISE
"""The CNI plugin as the runtime starts it: hands the request to the daemon, or does it alone when the daemon is away.

Every import is paid by every pod: there are only two, built in or nearly so. Written by wherry (cni/install.py); do not edit.
"""

import _socket
import posix

SOCKET = "@SOCKET@"
PYTHON = "@PYTHON@"
ROOT = "@ROOT@"
DATA = "@DATA@"
PATIENCE = 60  # seconds; a daemon that hangs longer is as good as away, and every request may be done twice


def received(fd: int) -> bytes:
    """Everything until the end of standard input."""
    body = b""
    while part := posix.read(fd, 65536):
        body += part
    return body


def ask(body: bytes) -> tuple[int, bytes] | None:
    """The daemon's exit code and output; None if it is away or died over it."""
    environment = b"\0".join(k + b"=" + v for k, v in posix.environ.items() if k[:4] == b"CNI_")
    daemon = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
    answer = b""
    try:
        daemon.settimeout(PATIENCE)
        daemon.connect(SOCKET)
        daemon.sendall(b"%d %d\n" % (len(environment), len(body)) + environment + body)
        while part := daemon.recv(65536):
            answer += part
    except OSError:
        return None
    finally:
        daemon.close()
    head, newline, output = answer.partition(b"\n")
    if not newline:
        return None
    code, size = head.split()
    return (int(code), output) if len(output) == int(size) else None


def alone(body: bytes) -> None:
    """Become the stand-alone plugin, with the same input."""
    fd = posix.memfd_create("cni", 0)
    while body:
        body = body[posix.write(fd, body) :]
    posix.lseek(fd, 0, 0)
    posix.dup2(fd, 0)
    environment = {**posix.environ, b"PYTHONPATH": ROOT.encode(), b"WHERRY_CNI_DATA": DATA.encode()}
    posix.execve(PYTHON, [PYTHON, "-P", "-m", "cni"], environment)


def main() -> None:
    """One request."""
    body = received(0)
    answered = ask(body)
    if answered is None:
        return alone(body)
    code, output = answered
    while output:
        output = output[posix.write(1, output) :]
    posix._exit(code)


if __name__ == "__main__":
    main()
