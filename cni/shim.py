"""The CNI plugin as the runtime starts it: hands the request to the daemon, or does it alone when the daemon is away.

Every import is paid by every pod: there are two at the start, built in or nearly so. A second interpreter for the lonely case
would cost 8 ms more, so this one does it. Copied and filled in by cni/install.py, so that it needs neither the checkout nor
its environment as long as the daemon is there; the programs that runtimes start only import the copy, which saves them the
millisecond that it takes to compile.
"""

import _socket
import posix

SOCKET = "@SOCKET@"
PATH = "@PATH@"
DATA = "@DATA@"
PATIENCE = 60  # seconds; a daemon that hangs longer is as good as away, and every request may be done twice


def received(fd: int) -> bytes:
    """Everything until the end of standard input."""
    body = b""
    while part := posix.read(fd, 65536):
        body += part
    return body


def ask(body: bytes) -> tuple[int, bytes] | bool:
    """The daemon's exit code and output; False if it is away, True if it died over the request and may have done it."""
    environment = b"\0".join(k + b"=" + v for k, v in posix.environ.items() if k[:4] == b"CNI_")
    daemon = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
    answer, reached = b"", False
    try:
        daemon.settimeout(PATIENCE)
        daemon.connect(SOCKET)
        reached = True
        daemon.sendall(b"%d %d\n" % (len(environment), len(body)) + environment + body)
        while part := daemon.recv(65536):
            answer += part
    except OSError:
        return reached
    finally:
        daemon.close()
    head, newline, output = answer.partition(b"\n")
    if not newline:
        return True
    code, size = head.split()
    return (int(code), output) if len(output) == int(size) else True


def alone(body: bytes, again: bool) -> tuple[int, bytes]:
    """Do it here, through the daemon's own code."""
    import gc
    import sys

    gc.disable()  # one request makes no garbage worth looking for
    sys.path[:0] = PATH.split(":")
    from cni.__main__ import serve

    return serve(body, DATA, again=again)


def main() -> None:
    """One request."""
    body = received(0)
    answer = ask(body)
    code, output = alone(body, answer) if isinstance(answer, bool) else answer
    while output:
        output = output[posix.write(1, output) :]
    posix._exit(code)
