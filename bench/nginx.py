"""nginx as the limit: one worker, TLS, the same bytes from memory. Taken from Debian's package without installing it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 10.0


class NotAvailable(RuntimeError):
    """There is no nginx to be had."""


def find() -> str:
    """An nginx: the installed one, else the package's, unpacked into a folder that is kept. Raises NotAvailable."""
    if installed := shutil.which("nginx"):
        return installed
    kept = Path(tempfile.gettempdir(), "wherry-bench-nginx")
    program = kept / "usr/sbin/nginx"
    if not program.exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise NotAvailable("cannot get nginx: it is not installed, and this is no Debian")
        with tempfile.TemporaryDirectory(prefix="bench-nginx-") as directory:
            _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "nginx"], directory)
            package = next(Path(directory).glob("nginx_*.deb"), None)
            if package is None:
                raise NotAvailable("cannot get nginx: apt-get downloaded nothing")
            _run(["dpkg-deb", "-x", str(package), str(kept)], directory)
    _run([str(program), "-v"], "/")
    return str(program)


def _run(command: Sequence[str], directory: str) -> None:
    done = subprocess.run(command, check=False, cwd=directory, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotAvailable(f"cannot get nginx: {' '.join(command[:2])} failed: {' '.join(last)}")


@contextmanager
def serving(program: str, directory: Path, public: Path, prefix: Sequence[str]) -> Iterator[int]:
    """nginx with the files in `public`; `prefix` is what its command line begins with. Gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = directory / "nginx.conf"
    kept = "".join(
        f"{name}_temp_path {directory}/nginx-{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"""worker_processes 1; daemon off; user root; pid {directory}/nginx.pid; error_log stderr crit; events {{}}
http {{ access_log off; keepalive_requests 100000000; open_file_cache max=10; {kept}
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {directory}/server.crt;
    ssl_certificate_key {directory}/server.key; root {public}; default_type application/json; }} }}"""
    )
    process = subprocess.Popen([*prefix, program, "-c", str(config), "-p", str(directory)], stderr=subprocess.PIPE)
    try:
        _await(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotAvailable("cannot run nginx: it did not start") from None
            time.sleep(0.02)
