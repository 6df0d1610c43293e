"""What is in the pause image and in the demo image."""

from collections.abc import Sequence

from cli.images import pause
from cli.images.archive import File, Recipe

PAUSE = "wherry.local/pause:1"
DEMO = "wherry.local/demo:1"
DEMO_PORT = 8080

# PID 1 ignores signals without a handler, so a shell with one stands in front of the server.
SERVE = f"""#!/bin/sh
trap 'kill $!; exit 0' TERM INT
httpd -f -vv -p {DEMO_PORT} -h /www &
wait
"""
ANSWER = """#!/bin/sh
echo 'Content-Type: text/plain'
echo
hostname
"""


def pause_image(machine: str) -> Recipe:
    """The first process of every pod."""
    return Recipe(PAUSE, machine, {"pause": File(pause.program(machine))}, ["/pause"])


def demo_image(machine: str, busybox: bytes, applets: Sequence[str]) -> Recipe:
    """A web server that answers with its host name on port 8080 and logs each request, and a shell with the usual programs."""
    links = {f"bin/{name}": File(link="busybox", mode=0o777) for name in applets if name != "busybox"}
    files = {
        **links,
        "bin/busybox": File(busybox),
        "bin/serve": File(SERVE.encode()),
        "www/cgi-bin/index.cgi": File(ANSWER.encode()),
        "etc/passwd": File(b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644),
        "etc/group": File(b"root:x:0:\nnogroup:x:65534:\n", 0o644),
    }
    folders = ["tmp", "proc", "sys", "dev"]
    # Arguments take the server's place, so `kubectl run -it --image=... -- sh` is a shell.
    return Recipe(DEMO, machine, files, [], [f"{DEMO_PORT}/tcp"], folders, command=["/bin/serve"])
